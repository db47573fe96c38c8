"""The commands of container steps: flowServ's `string.Template`, as far as a shell can be it.

flowServ replaces `${name}` in the text of a command, here the shell expands it. So `$$` is a dollar sign for both, and
what a shell does not expand, or expands to nothing where flowServ writes the name, is worth a warning.
"""

import re
from collections.abc import Collection, Iterator

from flowserverless.domain import validation

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
DOLLAR = rf"\$\$|\$(?:\{{(?P<braced>{NAME})\}}|(?P<named>{NAME}))"
OUTSIDE = re.compile(rf"\\.|{DOLLAR}|['\"]", re.DOTALL)
# In single quotes a backslash is a letter.
INSIDE = re.compile(rf"{DOLLAR}|'")
# Variables that a process has or may have are named so.
ENVIRONMENT = re.compile(r"[A-Z_][A-Z0-9_]*")
WORD = re.compile(rf"(?<![\w$])(?<!\$\{{){NAME}")
TOO_MANY = re.compile(rf"(?<!\$)(?:\$\$)+\$(?:\{{{NAME}\}}|{NAME})")


def for_shell(command: str) -> str:
    """The command as a shell is given it: `$$` is a dollar sign, as in flowServ, not the shell's process id."""
    return command.replace("$$", "$")


def fault(command: str) -> str | None:
    """Why a command would do something else than in flowServ, and cannot be made to do the same."""
    found = TOO_MANY.search(command)
    if found is None:
        return None
    return f"{validation.shown(found[0])} is a dollar sign before a value, which no shell puts together"


def doubts(command: str, variables: Collection[str]) -> Iterator[str]:
    """What its author may not have meant; `variables` are those that the workflow sets."""
    if "$$" in command:
        yield "`$$` is a dollar sign, as in flowServ, not the shell's process id"
    seen: set[str] = set()
    words = set(WORD.findall(command))
    for name, quoted in _expansions(command):
        if name in seen:
            continue
        shown = f"`${{{validation.clipped(name)}}}`"
        if quoted and name in variables:
            yield f"{shown} in single quotes is not expanded: here the shell does that, not flowServ; use double quotes"
        elif not quoted and name not in variables and not _is_set(name, words):
            yield f"{shown} is no variable of the workflow: the shell has nothing for it, flowServ writes its name"
        else:
            continue
        seen.add(name)


def _expansions(command: str) -> Iterator[tuple[str, bool]]:
    """The name in each `$name` and `${name}`, and whether it stands in single quotes."""
    quote, at = "", 0
    while found := (INSIDE if quote == "'" else OUTSIDE).search(command, at):
        at = found.end()
        if name := found["braced"] or found["named"]:
            yield name, quote == "'"
        elif found[0] in ("'", '"') and quote in ("", found[0]):
            quote = "" if quote else found[0]


def _is_set(name: str, words: Collection[str]) -> bool:
    """Whether a variable may come from the environment, or from a command of these words as in `for name in ...`."""
    return name in words or ENVIRONMENT.fullmatch(name) is not None
