"""The arguments of a run: what its parameters get for them, and which uploads they name.

Arguments have flowServ's JSON form. They are checked completely when a run is started, so that nothing about them can
fail once it exists.
"""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flowserverless.domain import errors, frozen, validation
from flowserverless.domain.templates import parameters, upload_targets, values

# Each is read from the table before a run starts, in one BatchGetItem of 100 with what else a start reads.
MAX_FILES = 90
# Of all arguments as they are sent: the run's item keeps them.
MAX_BYTES = 120_000


@frozen.dataclass
class FileArgument:
    """An uploaded file and the place in the run directory at which the steps find it; `name` if that made the place."""

    parameter: str
    file_id: str
    target: str
    name: str | None = None


@frozen.dataclass
class Bound:
    """The values of a run's parameters, of the declared types and with defaults.

    A file's value is its target path. A parameter that is optional and has neither argument nor default has no value.
    """

    values: Mapping[str, object]
    files: tuple[FileArgument, ...] = ()


def referenced_files(arguments: object) -> frozenset[str]:
    """The ids of all uploads that arguments name, in lists and records too, whatever else is wrong with them.

    Raises InvalidRequest for more than MAX_FILES, and for what is nested so deeply that no parameter can take it.
    """
    files: set[str] = set()
    # A loop, not a recursion: a caller decides how deeply this is nested.
    pending: list[tuple[object, int]] = [(arguments, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > validation.MAX_DEPTH:
            raise errors.InvalidRequest("arguments are nested too deeply", errors.INVALID_ARGUMENTS)
        if isinstance(value, list):
            pending += [(each, depth + 1) for each in value]
        elif isinstance(value, Mapping):
            pending += [(each, depth + 1) for each in value.values()]
            file_id = _handle(value).get("fileId")
            if isinstance(file_id, str) and _is_file_id(file_id):
                files.add(file_id)
    if len(files) > MAX_FILES:
        raise errors.InvalidRequest(f"a run takes at most {MAX_FILES} files", errors.INVALID_ARGUMENTS)
    return frozenset(files)


def bind(
    declared: Sequence[parameters.Parameter],
    arguments: object,
    uploads: Mapping[str, str],
    static: Collection[str] = (),
) -> Bound:
    """The values that a run gets for `arguments`, a list of `{name, value}`.

    `uploads` are the group's files that exist (id -> name), `static` the paths of the workflow's own files.
    Raises InvalidRequest with everything that is wrong, naming the arguments, and NotFound if all that is
    wrong is that files do not exist.
    """
    places = {one.place for one in _all(declared) if one.place}
    binding = _Binding(uploads=uploads, static=static, places=places)
    found = dict(_values(declared, _given(declared, arguments, binding), binding))
    for name, value in found.items():
        size = len(values.text(value).encode(errors="replace"))
        if size > parameters.MAX_TEXT_BYTES:
            binding.problems.append(
                f"argument '{validation.clipped(name)}' has {size} bytes, more than {parameters.MAX_TEXT_BYTES}"
            )
    binding.refuse_shared_targets()
    if len(binding.files) > MAX_FILES:
        binding.problems.append(f"a run takes at most {MAX_FILES} files")
    if binding.problems:
        raise errors.InvalidRequest("; ".join(binding.problems)[:2000], errors.INVALID_ARGUMENTS)
    if binding.unknown:
        raise errors.NotFound(f"unknown file {', '.join(binding.unknown)}"[:2000], errors.UNKNOWN_FILE)
    return Bound(found, tuple(binding.files))


def _values(
    declared: Sequence[parameters.Parameter], given: Mapping[str, object], binding: "_Binding"
) -> Iterator[tuple[str, object]]:
    """The value of each parameter that has an argument or a default; what is wrong is noted."""
    for parameter in declared:
        name = validation.clipped(parameter.name)
        if parameter.name in given:
            seat = upload_targets.seat(parameter.name)
            value = binding.attempt(parameter, given[parameter.name], f"argument '{name}'", seat)
            yield parameter.name, value
        elif parameter.default is not None:
            yield parameter.name, parameters.default_of(parameter)
        elif parameter.required:
            binding.problems.append(f"missing argument for '{name}'")


@dataclass
class _Binding(parameters.Cast):
    """What is gathered while the arguments of one run are read."""

    uploads: Mapping[str, str] = field(default_factory=dict)
    static: Collection[str] = ()
    places: Collection[str] = ()
    unknown: list[str] = field(default_factory=list)
    files: list[FileArgument] = field(default_factory=list)

    def refuse_shared_targets(self) -> None:
        """Two files at one path would be decided by chance."""
        taken: dict[str, str] = {}
        for file in sorted(self.files, key=lambda file: file.target.split("/")):
            parents = [file.target[:end] for end in _ends(file.target)]
            other = next((taken[path] for path in parents if path in taken), None)
            if other is not None:
                self.problems.append(f"arguments '{other}' and '{file.parameter}' both claim the path '{file.target}'")
            taken.setdefault(file.target, file.parameter)

    def file(self, parameter: parameters.Parameter, value: object, seat: upload_targets.Seat) -> str:
        """The path at which the steps find an uploaded file; which one it is, is noted too."""
        handle = _handle(value)
        file_id = handle.get("fileId")
        if handle.keys() - {"fileId", "targetPath"} or not isinstance(file_id, str):
            raise ValueError('must be a file: {"type": "$file", "value": {"fileId": ...}}')
        if file_id not in self.uploads:
            self.unknown.append(f"'{validation.clipped(file_id)}'")
        name, declared, chosen = self.uploads.get(file_id, file_id), parameter.place, handle.get("targetPath")
        target = upload_targets.choose(seat, declared, chosen, name)
        taken = upload_targets.taken(target, declared, self.static, set(self.places) - {declared})
        if taken:
            raise ValueError(taken)
        naming = chosen is None and (declared is None or declared.endswith("/"))
        self.files.append(FileArgument(seat.argument, file_id, target, name if naming else None))
        return target


def _all(declared: Iterable[parameters.Parameter]) -> Iterator[parameters.Parameter]:
    return itertools.chain.from_iterable(parameters.nested(parameter) for parameter in declared)


def _given(declared: Sequence[parameters.Parameter], arguments: object, binding: _Binding) -> dict[str, object]:
    """The arguments by name; what is malformed, unknown or given twice is noted."""
    if not isinstance(arguments, Sequence) or isinstance(arguments, str | bytes):
        raise errors.InvalidRequest(
            "arguments must be a list of objects with `name` and `value`", errors.INVALID_ARGUMENTS
        )
    known = {parameter.name for parameter in declared}
    given: dict[str, object] = {}
    for index, argument in enumerate(arguments):
        name, value = parameters.pair(argument)
        if name is None:
            binding.problems.append(f"argument {index + 1} must be an object with `name` and `value`")
        elif name in given:
            binding.problems.append(f"duplicate argument '{validation.clipped(name)}'")
        elif name not in known:
            binding.problems.append(f"unknown parameter '{validation.clipped(name)}'")
        else:
            given[name] = value
    return given


def _handle(value: object) -> Mapping[object, object]:
    """What `{"type": "$file", "value": {...}}` says of its file; nothing for a value of another form."""
    if isinstance(value, Mapping) and value.keys() == {"type", "value"} and value["type"] == "$file":
        handle = value["value"]
        return handle if isinstance(handle, Mapping) else {}
    return {}


def _is_file_id(text: str) -> bool:
    """Whether an upload can have this id; what cannot be an id need not be looked up."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


def _ends(path: str) -> Iterator[int]:
    """Where the directories above a file, and then the file itself, end in its path."""
    yield from (index for index, letter in enumerate(path) if letter == "/")
    yield len(path)
