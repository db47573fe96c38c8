"""Checks that uploads, outputs and files of the package do not take each other's places in the run directory.

Whatever lets a group put a file of its own choice among the organiser's is a fault. What the organiser declares
plainly is allowed, and a warning where it may not have been meant.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping

from flowserverless.domain import frozen, paths, step_outputs, validation
from flowserverless.domain.templates import parameters, shell_words, steps, templates, upload_targets

# Each is compared with every file of the package.
MAX_GLOBS = 200
# A program in the folder of uploads, as a command may name it.
UPLOADED_PROGRAM = re.compile(
    rf"(?<![\w./-])(\./)*{upload_targets.UPLOADS}/\S*\.(py[cdw]?|sh|bash|r|jl|pl|rb|js|so|jar)\b", re.I
)


@frozen.dataclass
class Declared:
    """A file that a template asks for: where it is declared, and whether callers choose among names in a folder."""

    at: str
    parameter: parameters.Parameter
    seat: upload_targets.Seat
    optional: bool

    @property
    def place(self) -> str | None:
        """Where the organiser puts it."""
        return self.parameter.place

    @property
    def named(self) -> str:
        """What is put there, in a sentence."""
        return f"an upload for '{validation.clipped(self.seat.argument)}'"

    @property
    def folder(self) -> str:
        """The folder in which callers choose names; '' if they choose none."""
        if self.place is None:
            return f"{self.seat.folder}/"
        return upload_targets.folder_of(self.place) if self.seat.listed else ""


@frozen.dataclass
class _Written:
    """A pattern of what steps or runs leave, and where it is declared."""

    at: str
    pattern: str


def check(
    template: templates.Template, package: Collection[str], folders: Collection[str] = ()
) -> Iterator[validation.Fault]:
    """What is wrong with the places of uploads; `package` has the workflow's own files, `folders` the empty ones."""
    declared = [*uploads(template)]
    written = [*_written(template)]
    for one in declared:
        blocked = [*_in_the_way(one, (*package, *(f"{folder}/." for folder in folders)))]
        yield from blocked
        if one.seat.listed and one.place is not None and not blocked:
            yield from _shared_folder(one, declared, written, package)
    if any(one.place is None for one in declared):
        yield from _apart(template, declared, written, package)
    for one, other in _collisions(declared):
        if not one.optional and not other.optional:
            yield validation.Fault(other.at, f"is the place of '{one.seat.argument}' too, and a run needs both")


def doubts(template: templates.Template, package: Collection[str]) -> Iterator[validation.Fault]:
    """What is allowed and may not have been meant, with the place where it is declared."""
    declared = [*uploads(template)]
    surroundings = _Surroundings.of(template, package)
    for one in declared:
        if one.place is None:
            yield validation.Fault(
                one.at, f"{one.named} has no target: it lands below '{one.folder}', where its sender likes"
            )
        else:
            yield from (validation.Fault(one.at, text) for text in _beside(one, one.place, surroundings))
    for one, other in _collisions(declared):
        if one.optional or other.optional:
            yield validation.Fault(other.at, f"is the place of '{one.seat.argument}' too: a run takes only one of them")
    yield from _left_by_nobody(template)


def uploads(template: templates.Template) -> Iterator[Declared]:
    """Every file that a template asks for, in lists and records too."""
    for index, parameter in enumerate(template.parameters):
        optional = not parameter.required or parameter.default is not None
        yield from _files(parameter, f"parameters[{index}]", upload_targets.seat(parameter.name), optional)


def _files(parameter: parameters.Parameter, at: str, seat: upload_targets.Seat, optional: bool) -> Iterator[Declared]:
    if parameter.dtype == "file":
        element = "target" if parameter.target else "defaultValue" if parameter.place else "name"
        yield Declared(f"{at}.{element}", parameter, seat, optional)
    if parameter.para:
        yield from _files(parameter.para, f"{at}.para", seat.element(), True)
    for index, field in enumerate(parameter.fields):
        absent = optional or not field.required or field.default is not None
        yield from _files(field, f"{at}.fields[{index}]", seat.field(field.name), absent)


def _written(template: templates.Template) -> Iterator[_Written]:
    for index, step in enumerate(template.steps):
        at = f"workflow.steps[{index}]"
        yield from (_Written(f"{at}.files.outputs[{n}]", one) for n, one in enumerate(step.outputs or ()))
        if step.notebook_output:
            yield _Written(f"{at}.action.output", step.notebook_output)
    yield from _kept(template)


def _kept(template: templates.Template) -> Iterator[_Written]:
    """What a run keeps once its last step has ended."""
    yield from (_Written(f"workflow.files.outputs[{n}]", one) for n, one in enumerate(template.files_outputs))
    yield from (_Written(f"outputs[{n}].source", one.source) for n, one in enumerate(template.outputs))
    if template.results:
        yield _Written("results.file", template.results.file)


def _left_by_nobody(template: templates.Template) -> Iterator[validation.Fault]:
    """Results that no step's `outputs` name, where each step has some and any but the last loses them."""
    if len(template.steps) < 2 or any(step.outputs is None for step in template.steps):
        return
    orphans = set(step_outputs.orphans(template.steps, template.results_kept))
    last = validation.clipped(template.steps[-1].name)
    for one in _kept(template):
        if one.pattern in orphans:
            yield validation.Fault(
                one.at, f"is named by no step's outputs: only what the last step, '{last}', writes is kept"
            )


def _in_the_way(one: Declared, package: Iterable[str]) -> Iterator[validation.Fault]:
    """A place that can never be had: a folder is there, or a file instead of a folder."""
    place = (one.place or "").rstrip("/")
    wrong = [
        file for file in package if place and paths.conflict(place, file) and (place != file or place != one.place)
    ]
    inside = one.place is not None and one.place.endswith("/") and all(file.startswith(one.place) for file in wrong)
    if wrong and not inside:
        message = f"the target {validation.shown(one.place)} of '{validation.clipped(one.seat.argument)}'"
        yield validation.Fault(one.at, f"{message} is in the way of other files")


def _shared_folder(
    one: Declared, declared: Iterable[Declared], written: Iterable[_Written], package: Iterable[str]
) -> Iterator[validation.Fault]:
    """In the folder of a list, callers choose the names; nobody else's files may be looked for there."""
    if not one.folder:
        yield validation.Fault(one.at, "is in no folder: the files of a list need one of their own, such as 'entries/'")
        return
    folder = validation.shown(one.folder)
    own = next((file for file in package if file.startswith(one.folder)), None)
    if own:
        yield validation.Fault(
            one.at, f"puts a list into {folder}, among files of the package such as {validation.shown(own)}"
        )
    for other in declared:
        place = other.place or other.folder
        if other is not one and place.startswith(one.folder) and place != one.folder and not _is_sibling(one, other):
            yield validation.Fault(one.at, f"puts a list into {folder}, where '{other.seat.argument}' has its place")
    left = next((each for each in written if _overlap(each.pattern, one.folder)), None)
    if left:
        yield validation.Fault(one.at, f"puts a list into {folder}, where {validation.shown(left.pattern)} is written")


def _is_sibling(one: Declared, other: Declared) -> bool:
    """Whether both are fields of the same list's records: callers choose names for both."""
    return other.seat.listed and other.seat.argument == one.seat.argument


def _apart(
    template: templates.Template, declared: Iterable[Declared], written: Iterable[_Written], package: Iterable[str]
) -> Iterator[validation.Fault]:
    """The folder of uploads without a target belongs to callers: nothing of the organiser's is in it."""
    why = f"is in '{upload_targets.UPLOADS}/', where uploads without a target land"
    for file in package:
        if _is_uploaded(file):
            yield validation.Fault("", f"the package's {validation.shown(file)} {why}")
    yield from (validation.Fault(one.at, why) for one in declared if one.place and _is_uploaded(one.place))
    yield from (validation.Fault(one.at, why) for one in written if _is_uploaded(one.pattern))
    for at, step in _steps(template):
        if _is_uploaded((step.func or "").replace(".", "/")):
            yield validation.Fault(f"{at}.action.func", why)
        if _is_uploaded(step.notebook or ""):
            yield validation.Fault(f"{at}.action.notebook", why)
        for index, command in enumerate(step.commands):
            if UPLOADED_PROGRAM.search(command):
                yield validation.Fault(f"{at}.action.commands[{index}]", f"names a program that {why}")


def _steps(template: templates.Template) -> Iterator[tuple[str, steps.Step]]:
    yield from ((f"workflow.steps[{index}]", step) for index, step in enumerate(template.steps))
    after = template.postproc.steps if template.postproc else ()
    yield from ((f"postproc.workflow.steps[{index}]", step) for index, step in enumerate(after))


def _is_uploaded(path: str) -> bool:
    return path.split("/", 1)[0] == upload_targets.UPLOADS


@frozen.dataclass
class _Surroundings:
    """The files of a package: all, the programs, by their folded spelling; and the globs by which steps read them."""

    files: Collection[str]
    programs: Collection[str]
    folded: Mapping[str, str]
    globs: Collection[str]

    @classmethod
    def of(cls, template: templates.Template, package: Collection[str]) -> "_Surroundings":
        programs = sorted(file for file in package if shell_words.PROGRAM.fullmatch(file))
        globs = itertools.islice(dict.fromkeys(_globs(template)), MAX_GLOBS)
        read = [glob for glob in globs if any(paths.matches(glob, file) for file in package)]
        return cls(package, programs, {_folded(file): file for file in sorted(package)}, read)


def _globs(template: templates.Template) -> Iterator[str]:
    """The patterns that steps ask for, and those that their commands leave to the shell."""
    for _, step in _steps(template):
        written = [word.strip("\"'") for command in step.commands for word in re.split(r"[\s=<]", command)]
        yield from (word for word in (*(step.inputs or ()), *written) if paths.is_glob(word) and "$" not in word)


def _beside(one: Declared, place: str, around: _Surroundings) -> Iterator[str]:
    """What a place makes of an upload, seen from the package's files."""
    default = one.parameter.default
    if place in around.files and default != place:
        yield f"{one.named} replaces the package's own {validation.shown(place)}"
    if isinstance(default, str) and default not in around.files:
        yield f"the default {validation.shown(default)} is not in the package"
    program = next((file for file in around.programs if file != place and _is_beside(place, file)), None)
    if program:
        yield f"{one.named} lies beside programs of the package, such as {validation.shown(program)}"
    glob = next((glob for glob in around.globs if paths.matches(glob, place)), None)
    if glob:
        yield f"{one.named} is read together with files of the package, by {validation.shown(glob)}"
    twin = around.folded.get(_folded(place), place)
    if twin != place:
        yield f"differs from the package's {validation.shown(twin)} only in how letters are written"


def _is_beside(place: str, program: str) -> bool:
    """Whether a program finds the upload in its own folder, or takes it for a module in a folder below."""
    folder = upload_targets.folder_of(program)
    module = bool(shell_words.PROGRAM.fullmatch(place)) or (place.endswith("/") and bool(folder))
    return upload_targets.folder_of(place) == folder or (module and place.startswith(folder))


def _collisions(declared: Iterable[Declared]) -> Iterator[tuple[Declared, Declared]]:
    """Pairs of declarations of which a run can have only one: at one place, or one is a folder of the other."""
    places: dict[str, Declared] = {}
    fixed = [one for one in declared if one.place is not None and not one.seat.listed]
    for one in sorted(fixed, key=lambda one: _folded(one.place or "").split("/")):
        place = _folded(one.place or "")
        ends = [*(index for index, letter in enumerate(place) if letter == "/"), len(place)]
        other = next((places[place[:end]] for end in ends if place[:end] in places), None)
        if other:
            yield other, one
        places.setdefault(place, one)


def _overlap(pattern: str, folder: str) -> bool:
    """Whether a pattern can mean a file in the folder."""
    if not paths.is_glob(pattern):
        whole = pattern.rstrip("/") + "/"
        return whole.startswith(folder) or folder.startswith(whole)
    return pattern.startswith(folder) or paths.matches(pattern, f"{folder}x") or "**" in pattern


def _folded(path: str) -> str:
    """The path as file systems see it that know neither case nor how accents are spelled."""
    return unicodedata.normalize("NFC", path).casefold()
