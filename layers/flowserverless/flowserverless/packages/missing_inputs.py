"""Checks that steps receive the files that they name: in a step with `inputs`, only those that `inputs` cover.

In flowServ all steps share one directory, so that a template may work there and not here. What certainly cannot work
is a fault when it is published, what may not work a warning; what cannot be told is neither.
"""

import posixpath
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flowserverless.domain import frozen, paths, validation
from flowserverless.domain.templates import references, shell_words, steps, templates, upload_targets
from flowserverless.packages import collisions

# Each is compared with every file of the package.
MAX_WORDS = 500


@frozen.dataclass
class Needs:
    """What was found of a template, each with its place: what is wrong, and what is worth a warning."""

    wrong: tuple[validation.Fault, ...]
    doubtful: tuple[validation.Fault, ...]


@dataclass
class _Around:
    """What there is when a step begins: files by name, folders of what the caller or the ranked runs bring, patterns of
    what earlier steps write, empty folders, and whether an earlier step may leave anything (`open`).

    `values` are the variables of which the value is known, `places` those of file parameters.
    """

    files: dict[str, str]
    brought: list[str]
    written: list[str]
    empty: list[str]
    values: Mapping[str, str]
    places: Mapping[str, str]
    open: bool = False
    wrong: list[validation.Fault] = field(default_factory=list)
    doubtful: list[validation.Fault] = field(default_factory=list)

    def note(self, certain: bool, place: str, message: str) -> None:
        """Note a fault, or a warning if it is not certain."""
        (self.wrong if certain else self.doubtful).append(validation.Fault(place, message))


def check(template: templates.Template, package: Collection[str], folders: Collection[str] = ()) -> Needs:
    """What is wrong with the files that steps name; `package` has the workflow's own, `folders` those without any."""
    declared = [one for one in template.parameters if one.dtype == "file"]
    places = {one.name: one.place or f"{upload_targets.seat(one.name).folder}/" for one in declared}
    around = _around(template.context, package, places, folders)
    for one in collisions.uploads(template):
        if one.folder:
            around.brought.append(one.folder)
        for path in (one.parameter.target, one.parameter.default):
            if isinstance(path, str) and not path.endswith("/"):
                around.files.setdefault(path, f"is the place of '{validation.clipped(one.seat.argument)}'")
    _steps(template.steps, "workflow", around)
    _documented(template, around)
    wrong, doubtful = around.wrong, around.doubtful
    if template.postproc:
        after = _around(template.postproc.context, package, {"runs": "runs/"}, folders)
        after.brought.append("runs/")
        _steps(template.postproc.steps, "postproc.workflow", after)
        wrong, doubtful = wrong + after.wrong, doubtful + after.doubtful
    return Needs(tuple(dict.fromkeys(wrong)), tuple(dict.fromkeys(doubtful)))


def _around(
    context: Mapping[str, object], package: Iterable[str], places: Mapping[str, str], folders: Iterable[str]
) -> _Around:
    values = {}
    for name, value in context.items():
        named = references.parse(value) if isinstance(value, str) else None
        if isinstance(value, str) and named is None:
            values[name] = value
        elif named and named.yes is None and named.name in places:
            values[name] = places[named.name]
    return _Around(
        dict.fromkeys(package, "is in the package"), [], [], [f"{folder}/" for folder in folders], values, places
    )


def _steps(declared: Iterable[steps.Step], at: str, around: _Around) -> None:
    for index, step in enumerate(declared):
        inputs = None if step.inputs is None else [*_replaced(step.inputs, around.places)]
        sight = _Sight(step, inputs, around, given=frozenset(shell_words.programs(step.commands, step.func)))
        for number, pattern in enumerate(inputs or ()):
            if not sight.may_be(pattern):
                message = (
                    f"{validation.shown(pattern)} matches no file of the package, of the caller or of an earlier step"
                )
                around.note(not around.open, f"{at}.steps[{index}].files.inputs[{number}]", message)
        sight.look(f"{at}.steps[{index}].action")
        _leave(step, around, f"is written by the step '{validation.clipped(step.name)}'")


def _replaced(patterns: Iterable[str], places: Mapping[str, str]) -> Iterator[str]:
    for pattern in patterns:
        named = references.parse(pattern) if "$[[" in pattern else None
        yield places.get(named.name, "**") if named else pattern


def _leave(step: steps.Step, around: _Around, why: str) -> None:
    """What later steps can be given of what this one writes."""
    if step.outputs is None:
        around.open = True
    for pattern in (*(step.outputs or ()), *([step.notebook_output] if step.notebook_output else [])):
        if paths.is_glob(pattern) or pattern.endswith("/"):
            around.written.append(pattern)
        else:
            around.files.setdefault(pattern, why)
            around.written.append(f"{pattern}/")


def _documented(template: templates.Template, around: _Around) -> None:
    """`workflow.files.inputs` say for people what there is, as in flowServ."""
    package = [path for path, why in around.files.items() if not why.startswith("is written")]
    for index, pattern in enumerate(_replaced(template.files_inputs, around.places)):
        known = any(paths.matches(pattern, path) for path in package) or any(
            meet(pattern, one) for one in (*around.brought, *around.empty)
        )
        if not known:
            message = f"{validation.shown(pattern)} matches no file of the package or of the caller"
            around.note(False, f"workflow.files.inputs[{index}]", message)


@dataclass
class _Sight:
    """What one step sees of the files around it."""

    step: steps.Step
    inputs: list[str] | None
    around: _Around
    made: set[str] = field(default_factory=set)
    given: frozenset[str] = frozenset()

    def may_be(self, pattern: str) -> bool:
        """Whether there can be a file that a pattern means."""
        if any(paths.matches(pattern, path) for path in self.around.files):
            return True
        return any(meet(pattern, other) for other in (*self.around.brought, *self.around.written, *self.around.empty))

    def look(self, at: str) -> None:
        """Note what the step's action names and what does not enter it."""
        if self.step.kind == "code" and self.step.func:
            self._module(self.step.func.rpartition(".")[0], f"{at}.func")
            self._shadow(self.step.func, f"{at}.func")
        if self.step.kind == "notebook" and self.step.notebook:
            self._notebook(self.step.notebook, at)
        seen: set[shell_words.Word] = set()
        for index, word in shell_words.of(self.step.commands, self.around.values):
            if word not in seen and len(seen) < MAX_WORDS:
                seen.add(word)
                self._word(word, f"{at}.commands[{index}]")

    def _word(self, word: shell_words.Word, at: str) -> None:
        if word.role == "written":
            self.made.add(word.text.rstrip("/"))
        elif word.role == "module":
            self._module(word.text, at)
        elif not self._is_made(word.text):
            self._named(word, at)

    def _named(self, word: shell_words.Word, at: str) -> None:
        program = word.role == "program"
        if word.text in self.around.files:
            if not self._enters(word.text):
                self._miss(program or word.sure, at, word.text, self.around.files[word.text])
        elif program and word.sure and self._is_absent(word.text):
            message = f"names the program {validation.shown(word.text)}, which nothing puts there"
            self.around.note(False, at, message)
        elif paths.is_glob(word.text) or "/" in word.text:
            self._several(word, at)

    def _is_absent(self, path: str) -> bool:
        """Whether a program is in no place that this step, or one before, may know of."""
        if self.around.open or paths.is_glob(path) or path.startswith("..") or not shell_words.PROGRAM.fullmatch(path):
            return False
        return not self.may_be(path)

    def _several(self, word: shell_words.Word, at: str) -> None:
        """A folder or a glob: something of what it means has to enter."""
        if self.inputs is None:
            return
        meant = [path for path in self.around.files if paths.matches(word.text, path)]
        brought = any(meet(word.text, one) for one in self.around.brought)
        written = any(meet(word.text, one) for one in self.around.written)
        enters = any(self._enters(path) for path in meant) or any(meet(word.text, one) for one in self.inputs)
        if (meant or brought or written) and not enters and not self._is_output(word.text):
            why = self.around.files[meant[0]] if meant else "comes from the caller or an earlier step"
            shown = f" ({validation.shown(meant[0])})" if meant else ""
            self._miss(word.sure and (not written or self.step.outputs is not None), at, word.text, why, shown)

    def _module(self, module: str, at: str) -> None:
        """A module of the package, of which at least one file has to enter."""
        known = [path for path in shell_words.modules(module) if path in self.around.files and not self._is_made(path)]
        if known and not any(self._enters(path) for path in known):
            self._miss(True, at, known[0], self.around.files[known[0]])

    def _shadow(self, func: str, at: str) -> None:
        """Python takes its own module rather than a folder that does not say that it is a package."""
        top, files = func.partition(".")[0], self.around.files
        known = next((path for path in shell_words.modules(func.rpartition(".")[0]) if path in files), None)
        if top not in sys.stdlib_module_names or known is None or not known.startswith(f"{top}/"):
            return
        if f"{top}/__init__.py" not in files:
            message = f"is looked for in Python's own module `{top}`, not in {validation.shown(known)}"
            self.around.note(True, at, f"{message}: give the folder a file `__init__.py`, or another name")

    def _notebook(self, notebook: str, at: str) -> None:
        """The notebook itself always enters a step, wherever it comes from."""
        if not self.may_be(notebook):
            message = f"{validation.shown(notebook)} is neither in the package nor written by an earlier step"
            self.around.note(not self.around.open, f"{at}.notebook", message)
        for index, name in enumerate(self.step.notebook_params):
            path = self.around.values.get(self.step.variables.get(name, name), "")
            if path in self.around.files and not self._enters(path):
                self._miss(True, f"{at}.params[{index}]", path, self.around.files[path])

    def _miss(self, certain: bool, at: str, text: str, why: str, more: str = "") -> None:
        message = f"names {validation.shown(text)}{more}, which {why} and is not among the step's `files.inputs`"
        if text in self.given:
            # Whether it works depends on what the program needs beside itself.
            certain, message = False, f"{message}; the step is given it all the same, without the files beside it"
        self.around.note(certain, at, message)

    def _enters(self, path: str) -> bool:
        return self.inputs is None or any(paths.matches(one, path) for one in self.inputs) or self._is_output(path)

    def _is_output(self, path: str) -> bool:
        """What a step says it writes it need not be given."""
        return any(paths.matches(one, path.rstrip("/")) for one in self.step.outputs or ())

    def _is_made(self, path: str) -> bool:
        """Whether an earlier command of the step has put it there, or a folder that it is in."""
        whole = path.rstrip("/")
        ends = [*(index for index, letter in enumerate(whole) if letter == "/"), len(whole)]
        return any(whole[:end] in self.made for end in ends)


def meet(one: str, other: str) -> bool:
    """Whether two patterns may mean the same file; where that is hard to tell, they may."""
    first, second = _stem(one), _stem(other)
    return first.startswith(second) or second.startswith(first)


def _stem(pattern: str) -> str:
    """The beginning of all paths that a pattern means."""
    if not paths.is_glob(pattern):
        return posixpath.normpath(pattern) + "/"
    return pattern[: min(pattern.find(letter) for letter in "*?[" if letter in pattern)]
