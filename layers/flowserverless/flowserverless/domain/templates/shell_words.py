"""Finds the files that a shell command names, as far as that can be told without running it."""

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from flowserverless.domain import frozen

# `program`: an interpreter or the shell executes it; `module`: Python finds it; `written`: it need not be there before.
Role: TypeAlias = Literal["program", "module", "read", "written"]
INTERPRETER = re.compile(
    r"\$\{?python\}?|python[0-9.]*|pypy[0-9.]*|(ba|da|z|k)?sh|Rscript|perl|ruby|node|julia|php|lua"
)
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# What an interpreter or a build tool takes from a folder in which it is started, or in which its program lies.
PROGRAM = re.compile(
    r".*\.(py[cdw]?|pth|so|ipynb|sh|bash|r|jl|pl|pm|rb|lua|js|mjs|cjs|ts|java|class|jar|go|c|cpp|mk|exe|bat)"
    r"|(.*/)?(gnu)?makefile",
    re.IGNORECASE | re.DOTALL,
)
# After these, another command begins; and those whose arguments are not files, or files that need not be there.
PREFIXES = {"if", "then", "elif", "else", "do", "while", "until", "!", "{", "time", "exec", "nohup", "command", "env"}
SILENT = {"echo", "printf", "test", "[", "[[", "export", "set", "unset", "true", "false", ":", "for", "case", "exit"}
MAKERS = {"mkdir", "touch", "tee", "rm", "rmdir", "truncate"}
COPIERS = {"cp", "mv", "ln", "install", "rsync"}
READERS = {"cat", "head", "tail", "grep", "wc", "sort", "uniq", "cut", "diff", "cmp", "ls", "sha256sum", "md5sum"}
# An option whose value is not read: `--output=x`, `-o x`, `--exclude=x`.
UNREAD_OPTION = re.compile(r"-o|-{1,2}\w*(out|log|save|dest|write|exclude|ignore)[\w-]*", re.IGNORECASE)


@frozen.dataclass
class Word:
    """A word of a command that may be a path; `sure`: no program ran before that could have put a file there."""

    text: str
    role: Role
    sure: bool


@dataclass
class _State:
    """Where in a command the reading stands."""

    sure: bool
    folder: str = ""
    name: str | None = None
    expects: str | None = None
    arguments: list[str] = field(default_factory=list)


def of(commands: Sequence[str], variables: Mapping[str, str]) -> Iterator[tuple[int, Word]]:
    """The words of a step's commands that may be paths, as paths of the run directory, with the command's number.

    `variables` are those of which the value is known. What cannot be told is left out.
    """
    sure = True
    for index, command in enumerate(commands):
        state = _State(sure)
        for word in _command(_tokens(command), variables, state):
            yield index, word
        sure = state.sure


def programs(commands: Iterable[str], func: str | None = None) -> Iterator[str]:
    """The files of programs that commands name letter by letter, or in which the function `func` may be.

    They always enter the step, as its notebook does. No argument of a caller can be among them.
    """
    for _, word in of(tuple(commands), {}):
        if word.role == "module":
            yield from modules(word.text)
        elif word.role == "program" and PROGRAM.fullmatch(word.text) and not any(mark in word.text for mark in "*?["):
            yield word.text
    if func:
        yield from modules(func.rpartition(".")[0])


def modules(name: str) -> tuple[str, ...]:
    """The files in which Python looks for a module."""
    stem = name.replace(".", "/")
    return f"{stem}.py", f"{stem}/__init__.py", f"{stem}/__main__.py"


def _tokens(command: str) -> Iterator[str]:
    lines = [line for line in command.replace("\\\n", " ").split("\n") if not line.lstrip().startswith("#")]
    lexer = shlex.shlex(" ; ".join(lines), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        yield from lexer
    except ValueError:
        # A quote that is never closed: the shell will say so.
        return


def _command(tokens: Iterator[str], variables: Mapping[str, str], state: _State) -> Iterator[Word]:
    for token in tokens:
        if "<<" in token and not token.strip("<>&|"):
            # What follows is text for a program, until a word that only the shell knows.
            return
        if token and not token.strip("();<>|&"):
            yield from _operator(token, state)
        else:
            yield from _word(token, variables, state)
    yield from _end(state)


def _operator(token: str, state: _State) -> Iterator[Word]:
    if "<" in token or ">" in token:
        state.expects = "written" if ">" in token else "read"
        return
    yield from _end(state)


def _end(state: _State) -> Iterator[Word]:
    """A simple command has ended: the last argument of a copy is where it goes."""
    if state.name in COPIERS and state.arguments:
        yield from _path(state.arguments[-1], "written", state)
    if state.name and state.name not in SILENT | MAKERS | COPIERS | READERS | {"cd"}:
        state.sure = False
    state.name, state.expects, state.arguments = None, None, []


def _word(token: str, variables: Mapping[str, str], state: _State) -> Iterator[Word]:
    text = VARIABLE.sub(lambda name: variables.get(name[1] or name[2], name[0]), token)
    if state.expects in ("read", "written"):
        role: Role = "written" if state.expects == "written" else "read"
        state.expects = None
        yield from _path(text, role, state)
    elif state.name is None:
        yield from _begin(text, state)
    elif state.name == "cd":
        state.folder = posixpath.normpath(posixpath.join(state.folder, text))
    elif state.name not in SILENT:
        yield from _argument(text, state)


def _begin(text: str, state: _State) -> Iterator[Word]:
    if text in PREFIXES or ASSIGNMENT.fullmatch(text):
        return
    state.name = text
    state.expects = "program" if INTERPRETER.fullmatch(text) or text in (".", "source") else None
    if "/" in text:
        yield from _path(text, "program", state)


def _argument(text: str, state: _State) -> Iterator[Word]:
    if state.expects == "skipped":
        state.expects = None
    elif state.expects == "module":
        state.expects = None
        yield from _path(text, "module", state)
    elif text.startswith("-"):
        yield from _option(text, state)
    elif state.expects == "program":
        state.expects = None
        yield from _path(text, "program", state)
    elif state.name in MAKERS:
        yield from _path(text, "written", state)
    else:
        state.arguments.append(text)
        if state.name not in COPIERS:
            yield from _path(text, "read", state)
        elif state.arguments[1:]:
            yield from _path(state.arguments[-2], "read", state)


def _option(text: str, state: _State) -> Iterator[Word]:
    name, equals, value = text.partition("=")
    if state.expects == "program" and name in ("-m", "-c"):
        state.expects = "module" if name == "-m" else "skipped"
    elif UNREAD_OPTION.fullmatch(name):
        state.expects = state.expects if equals else "skipped"
    elif equals:
        yield from _path(value, "read", state)


def _path(text: str, role: Role, state: _State) -> Iterator[Word]:
    if not text or "$" in text or text.startswith("/") or state.folder.startswith(("/", "..")):
        return
    if role != "module":
        path = posixpath.normpath(posixpath.join(state.folder, text)) + ("/" if text.endswith("/") else "")
        text = path
    yield Word(text, role, state.sure)
