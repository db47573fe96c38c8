"""The parameters of a workflow: what a template declares, and what a run gets for the arguments it is given.

Declarations and arguments have flowServ's JSON form. Declarations are checked when a workflow is published
and arguments when a run is started, each completely, so that nothing about them can fail once a run exists.
"""

import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from flowserverless.domain import errors, validation
from flowserverless.domain.templates import former, placement, values

Dtype: TypeAlias = Literal["bool", "int", "float", "string", "select", "file", "list", "record"]
DTYPES: tuple[Dtype, ...] = ("bool", "int", "float", "string", "select", "file", "list", "record")
# What each dtype may declare beyond what all may.
EXTRAS: Mapping[Dtype, str] = {
    "int": "range",
    "float": "range",
    "select": "values",
    "file": "target",
    "list": "para",
    "record": "fields",
}
COMMON = ("name", "dtype", "index", "isRequired", "label", "help", "defaultValue", "group")
# In bytes. Linux takes 128 KiB for one variable of a process's environment, its name included.
MAX_TEXT_BYTES = 120_000
MAX_PARAMETERS = 200
MAX_OPTIONS = 500
MAX_NESTING = 5
NO_ACTOR = "actor parameters would let a caller bring code of their own; they are not supported if they must be chosen"
# Each is read from the table before a run starts, in one BatchGetItem of 100 with what else a start reads.
MAX_FILES = 90
# Of all arguments as they are sent: the run's item keeps them.
MAX_ARGUMENT_BYTES = 120_000
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
RANGE = re.compile(rf"\s*([\[(])\s*({NUMBER}|-inf|)\s*,\s*({NUMBER}|\+?inf|)\s*([\])])\s*")


@dataclass(frozen=True)
class Range:
    """An interval of numbers; a bound that is None is infinite. Its text form is flowServ's `[0,10)`."""

    low: int | float | None
    high: int | float | None
    low_open: bool
    high_open: bool

    def __contains__(self, number: float) -> bool:
        above = self.low is None or number > self.low or (number == self.low and not self.low_open)
        below = self.high is None or number < self.high or (number == self.high and not self.high_open)
        return above and below

    def __str__(self) -> str:
        low = "" if self.low is None else self.low
        high = "" if self.high is None else self.high
        return f"{'(' if self.low_open else '['}{low},{high}{')' if self.high_open else ']'}"


@dataclass(frozen=True)
class Option:
    """One choice of a select parameter: the name is for people, the value is what a run gets."""

    name: str
    value: object


@dataclass(frozen=True)
class Parameter:
    """What a template declares of one parameter.

    `default` is as declared (None: there is none); for a file it is a path in the run directory. The `target` of a
    file in a list may be a folder, with a slash at its end.
    """

    name: str
    dtype: Dtype
    index: int = 0
    required: bool = True
    label: str | None = None
    help: str | None = None
    default: object = None
    group: str | None = None
    range: Range | None = None
    values: tuple[Option, ...] = ()
    target: str | None = None
    para: "Parameter | None" = None
    fields: tuple["Parameter", ...] = ()

    @property
    def place(self) -> str | None:
        """Where the organiser puts a file: at the target, or else over the file that is its default."""
        return (self.target or cast("str | None", self.default)) if self.dtype == "file" else None


@dataclass(frozen=True)
class FileArgument:
    """An uploaded file and the place in the run directory at which the steps find it; `name` if that made the place."""

    parameter: str
    file_id: str
    target: str
    name: str | None = None


@dataclass(frozen=True)
class Bound:
    """The values of a run's parameters, of the declared types and with defaults.

    A file's value is its target path. A parameter that is optional and has neither argument nor default has no value.
    """

    values: Mapping[str, object]
    files: tuple[FileArgument, ...] = ()


def parse(
    declarations: object, place: str = "parameters", warned: list[validation.Fault] | None = None
) -> tuple[Parameter, ...]:
    """Read a list of declarations; raises faults.Faults with everything that is wrong in it.

    `place` is where the list stands in its document, `warned` the list to which warnings are added.
    """
    validation.require_json(declarations, place)
    found: list[validation.Fault] = []
    parameters = _declarations(declarations, place, found, [] if warned is None else warned, nesting=0)
    if found:
        raise validation.Faults(found)
    return parameters


def document(parameter: Parameter) -> dict[str, object]:
    """The declaration in flowServ's JSON form, with nothing left out; `parse` reads it back unchanged."""
    declaration: dict[str, object] = {
        "name": parameter.name,
        "dtype": parameter.dtype,
        "index": parameter.index,
        "isRequired": parameter.required,
        "label": parameter.label,
        "help": parameter.help,
        "defaultValue": parameter.default,
        "group": parameter.group,
    }
    match parameter.dtype:
        case "int" | "float" if parameter.range is not None:
            declaration["range"] = str(parameter.range)
        case "select":
            declaration["values"] = [
                {
                    "name": option.name,
                    "value": option.value,
                    "isDefault": values.same(option.value, parameter.default),
                }
                for option in parameter.values
            ]
        case "file":
            declaration["target"] = parameter.target
        case "list" if parameter.para is not None:
            declaration["para"] = document(parameter.para)
        case "record":
            declaration["fields"] = [document(each) for each in parameter.fields]
    return declaration


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
            raise errors.InvalidRequest("arguments are nested too deeply", "INVALID_ARGUMENTS")
        if isinstance(value, list):
            pending += [(each, depth + 1) for each in value]
        elif isinstance(value, Mapping):
            pending += [(each, depth + 1) for each in value.values()]
            file_id = _handle(value).get("fileId")
            if isinstance(file_id, str) and _is_file_id(file_id):
                files.add(file_id)
    if len(files) > MAX_FILES:
        raise errors.InvalidRequest(f"a run takes at most {MAX_FILES} files", "INVALID_ARGUMENTS")
    return frozenset(files)


def bind(
    parameters: Sequence[Parameter],
    arguments: object,
    uploads: Mapping[str, str],
    static: Collection[str] = (),
) -> Bound:
    """The values that a run gets for `arguments`, a list of `{name, value}`.

    `uploads` are the group's files that exist (id -> name), `static` the paths of the workflow's own files.
    Raises InvalidRequest with everything that is wrong, naming the arguments, and NotFound if all that is
    wrong is that files do not exist.
    """
    binding = _Binding(uploads, static, {one.place for one in _all(parameters) if one.place})
    found = dict(_values(parameters, _given(parameters, arguments, binding), binding))
    for name, value in found.items():
        size = len(values.text(value).encode(errors="replace"))
        if size > MAX_TEXT_BYTES:
            binding.problems.append(
                f"argument '{validation.clipped(name)}' has {size} bytes, more than {MAX_TEXT_BYTES}"
            )
    binding.refuse_shared_targets()
    if len(binding.files) > MAX_FILES:
        binding.problems.append(f"a run takes at most {MAX_FILES} files")
    if binding.problems:
        raise errors.InvalidRequest("; ".join(binding.problems)[:2000], "INVALID_ARGUMENTS")
    if binding.unknown:
        raise errors.NotFound(f"unknown file {', '.join(binding.unknown)}"[:2000], "UNKNOWN_FILE")
    return Bound(found, tuple(binding.files))


def _values(
    parameters: Sequence[Parameter], given: Mapping[str, object], binding: "_Binding"
) -> Iterator[tuple[str, object]]:
    """The value of each parameter that has an argument or a default; what is wrong is noted."""
    for parameter in parameters:
        name = validation.clipped(parameter.name)
        if parameter.name in given:
            seat = placement.seat(parameter.name)
            value = binding.attempt(parameter, given[parameter.name], f"argument '{name}'", seat)
            yield parameter.name, value
        elif parameter.default is not None:
            yield parameter.name, _default(parameter)
        elif parameter.required:
            binding.problems.append(f"missing argument for '{name}'")


@dataclass
class _Binding:
    """What is gathered while the arguments of one run are read."""

    uploads: Mapping[str, str] | None
    static: Collection[str] = ()
    places: Collection[str] = ()
    problems: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    files: list[FileArgument] = field(default_factory=list)

    def attempt(self, parameter: Parameter, value: object, place: str, seat: placement.Seat) -> object:
        """The value cast to the parameter's type. What is wrong is noted; the answer then means nothing."""
        match parameter.dtype:
            case "list" if parameter.para is not None:
                return self._list(parameter.para, value, place, seat.element())
            case "record":
                return self._record(parameter, value, place, seat)
        try:
            if parameter.dtype == "file":
                return self._file(parameter, value, seat)
            return _scalar(parameter, value)
        except ValueError as error:
            self.problems.append(f"{place} {error}")
            return None

    def refuse_shared_targets(self) -> None:
        """Two files at one path would be decided by chance."""
        taken: dict[str, str] = {}
        for file in sorted(self.files, key=lambda file: file.target.split("/")):
            parents = [file.target[:end] for end in _ends(file.target)]
            other = next((taken[path] for path in parents if path in taken), None)
            if other is not None:
                self.problems.append(f"arguments '{other}' and '{file.parameter}' both claim the path '{file.target}'")
            taken.setdefault(file.target, file.parameter)

    def _list(self, element: Parameter, value: object, place: str, seat: placement.Seat) -> object:
        if not isinstance(value, list):
            self.problems.append(f"{place} must be a list")
            return None
        return [self.attempt(element, each, f"{place}[{index}]", seat) for index, each in enumerate(value)]

    def _record(self, parameter: Parameter, value: object, place: str, seat: placement.Seat) -> object:
        if not isinstance(value, list):
            self.problems.append(f"{place} must be a list of objects with `name` and `value`")
            return None
        given: dict[str, object] = {}
        for index, each in enumerate(value):
            name, content = _pair(each)
            if name is None:
                self.problems.append(f"{place}[{index}] must be an object with `name` and `value`")
            elif name in given:
                self.problems.append(f"{place} has the field '{validation.clipped(name)}' twice")
            elif name not in [known.name for known in parameter.fields]:
                self.problems.append(f"{place} has no field '{validation.clipped(name)}'")
            else:
                given[name] = content
        record: dict[str, object] = {}
        for known in parameter.fields:
            if known.name in given:
                here = f"{place}.{validation.clipped(known.name)}"
                record[known.name] = self.attempt(known, given[known.name], here, seat.field(known.name))
            elif known.default is not None:
                record[known.name] = _default(known)
            elif known.required:
                self.problems.append(f"{place} misses the field '{validation.clipped(known.name)}'")
        return record

    def _file(self, parameter: Parameter, value: object, seat: placement.Seat) -> str:
        if self.uploads is None:
            raise ValueError("cannot be an uploaded file")
        handle = _handle(value)
        file_id = handle.get("fileId")
        if handle.keys() - {"fileId", "targetPath"} or not isinstance(file_id, str):
            raise ValueError('must be a file: {"type": "$file", "value": {"fileId": ...}}')
        if file_id not in self.uploads:
            self.unknown.append(f"'{validation.clipped(file_id)}'")
        name, declared, chosen = self.uploads.get(file_id, file_id), parameter.place, handle.get("targetPath")
        target = placement.choose(seat, declared, chosen, name)
        taken = placement.taken(target, declared, self.static, set(self.places) - {declared})
        if taken:
            raise ValueError(taken)
        naming = chosen is None and (declared is None or declared.endswith("/"))
        self.files.append(FileArgument(seat.argument, file_id, target, name if naming else None))
        return target


def nested(parameter: Parameter) -> Iterator[Parameter]:
    """The parameter and all that it is made of."""
    yield parameter
    for inner in (*parameter.fields, *([parameter.para] if parameter.para else [])):
        yield from nested(inner)


def _all(parameters: Iterable[Parameter]) -> Iterator[Parameter]:
    return itertools.chain.from_iterable(nested(parameter) for parameter in parameters)


def _given(parameters: Sequence[Parameter], arguments: object, binding: _Binding) -> dict[str, object]:
    """The arguments by name; what is malformed, unknown or given twice is noted."""
    if not isinstance(arguments, Sequence) or isinstance(arguments, str | bytes):
        raise errors.InvalidRequest("arguments must be a list of objects with `name` and `value`", "INVALID_ARGUMENTS")
    known = {parameter.name for parameter in parameters}
    given: dict[str, object] = {}
    for index, argument in enumerate(arguments):
        name, value = _pair(argument)
        if name is None:
            binding.problems.append(f"argument {index + 1} must be an object with `name` and `value`")
        elif name in given:
            binding.problems.append(f"duplicate argument '{validation.clipped(name)}'")
        elif name not in known:
            binding.problems.append(f"unknown parameter '{validation.clipped(name)}'")
        else:
            given[name] = value
    return given


def _pair(argument: object) -> tuple[str | None, object]:
    if isinstance(argument, Mapping) and set(argument) == {"name", "value"} and isinstance(argument["name"], str):
        return argument["name"], argument["value"]
    return None, None


def _handle(value: object) -> Mapping[object, object]:
    """What `{"type": "$file", "value": {...}}` says of its file; nothing for a value of another form."""
    if isinstance(value, Mapping) and value.keys() == {"type", "value"} and value["type"] == "$file":
        handle = value["value"]
        return handle if isinstance(handle, Mapping) else {}
    return {}


def _scalar(parameter: Parameter, value: object) -> object:
    match parameter.dtype:
        case "bool":
            return values.boolean(value)
        case "int":
            return _within(parameter, values.integer(value))
        case "float":
            return _within(parameter, values.number(value, finite=parameter.range is not None))
        case "string":
            return values.string(value)
    for option in parameter.values:
        if values.same(option.value, value):
            return option.value
    raise ValueError(f"is {validation.shown(value)}, which is not one of its values")


def _within(parameter: Parameter, number: float) -> float:
    if parameter.range is not None and number not in parameter.range:
        raise ValueError(f"is {number}, not in {parameter.range}")
    return number


def _is_file_id(text: str) -> bool:
    """Whether an upload can have this id; what cannot be an id need not be looked up."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


def _ends(path: str) -> Iterator[int]:
    """Where the directories above a file, and then the file itself, end in its path."""
    yield from (index for index, letter in enumerate(path) if letter == "/")
    yield len(path)


def _default(parameter: Parameter) -> object:
    """The value of a parameter that has no argument; `parse` has made sure that its default has one."""
    if parameter.dtype == "file":
        return parameter.default
    return _Binding(None).attempt(parameter, parameter.default, "", placement.seat(parameter.name))


def _declarations(
    declared: object,
    place: str,
    found: list[validation.Fault],
    warned: list[validation.Fault],
    nesting: int,
    listed: bool = False,
) -> tuple[Parameter, ...]:
    if not isinstance(declared, list):
        found.append(validation.Fault(place, "must be a list of parameter declarations"))
        return ()
    if len(declared) > MAX_PARAMETERS:
        found.append(validation.Fault(place, f"has {len(declared)} declarations, more than {MAX_PARAMETERS}"))
        return ()
    parameters: list[Parameter] = []
    for index, declaration in enumerate(declared):
        reader = validation.reader(declaration, f"{place}[{index}]", found, warned)
        if reader and not nesting and reader.document.get("dtype") == "actor":
            _check_actor(reader)
            continue
        parameter = _declaration(reader, index, nesting, listed) if reader else None
        if reader is None or parameter is None:
            continue
        if parameter.name in [other.name for other in parameters]:
            reader.fault("name", f"'{parameter.name}' is declared already")
        parameters.append(parameter)
    return tuple(parameters)


def _declaration(reader: validation.Reader, position: int, nesting: int, listed: bool) -> Parameter | None:
    """One declaration; None if it is too broken to be referred to. `listed`: it is of what a list is made of."""
    before = len(reader.found)
    if former.lacks(reader, former.PARAMETER, "name", "dtype"):
        reader.refuse_unknown(*COMMON, *EXTRAS.values(), old=former.PARAMETER)
        return None
    name, dtype = _name(reader), _dtype(reader)
    if dtype is None:
        return None
    reader.refuse_unknown(*COMMON, *([EXTRAS[dtype]] if dtype in EXTRAS else []), old=former.PARAMETER)
    index = reader.integer("index")
    values, default = _options(reader) if dtype == "select" else ((), reader.document.get("defaultValue"))
    if dtype == "bool" and isinstance(default, validation.Word):
        default = default.meant
    parameter = Parameter(
        name=name,
        dtype=dtype,
        index=position if index is None else index,
        # As in flowServ, a default that is there and null makes a parameter optional.
        required=reader.flag("isRequired", "defaultValue" not in reader.document and default is None),
        label=reader.text("label"),
        help=reader.text("help"),
        default=default,
        group=reader.text("group"),
        range=_range(reader) if dtype in ("int", "float") else None,
        values=values,
        target=_path(reader, "target", folder=listed) if dtype == "file" else None,
        para=_element(reader, nesting) if dtype == "list" else None,
        fields=_fields(reader, nesting, listed) if dtype == "record" else (),
    )
    if dtype == "file":
        return replace(parameter, default=_path(reader, "defaultValue"))
    if len(reader.found) > before or default is None:
        return parameter
    problems = _default_problems(parameter)
    if dtype == "record" and default == [] and problems:
        return _without_default(parameter, reader, problems)
    for problem in problems:
        reader.fault("defaultValue", problem)
    return parameter


def _without_default(parameter: Parameter, reader: validation.Reader, problems: Sequence[str]) -> Parameter:
    """A record whose default is empty and misses a field: flowServ takes that, and runs without an argument fail."""
    reader.warn("defaultValue", f"is no default: {'; '.join(problems)}")
    return replace(parameter, default=None, required=reader.flag("isRequired", True))


def _check_actor(reader: validation.Reader) -> None:
    """An actor is no parameter of a run: nobody may choose it, so steps execute its default or are left out."""
    name = _name(reader)
    reader.refuse_unknown(*COMMON)
    default = reader.document.get("defaultValue")
    required = reader.flag("isRequired", "defaultValue" not in reader.document)
    if default is None and required:
        reader.fault("dtype", NO_ACTOR)
    elif default is None:
        reader.warn("", f"the steps that '{name}' stands for are left out, as in flowServ where nobody chooses them")
    elif isinstance(default, Mapping):
        reader.warn("", f"the steps that '{name}' stands for execute its default; a run cannot choose another one")
    else:
        reader.fault("defaultValue", f"is {validation.shown(default)}, must be the action of a step")


def _name(reader: validation.Reader) -> str:
    name = reader.required_text("name")
    if len(name) > 128:
        reader.fault("name", "has more than 128 characters")
    # The rest of a reference `$[[name ? a : b]]` would be taken for its name, and the other way round.
    elif name and (name != name.strip() or not name.isprintable() or any(mark in name for mark in "?[]")):
        reader.fault(
            "name", f"{validation.shown(name)} cannot be referred to: it has brackets, '?' or blanks at an end"
        )
    return name


def _dtype(reader: validation.Reader) -> Dtype | None:
    dtype = reader.required_text("dtype")
    if dtype == "actor":
        reader.fault("dtype", NO_ACTOR)
    elif dtype and dtype not in DTYPES:
        known = ", ".join(DTYPES)
        reader.fault("dtype", f"is {validation.shown(dtype)}, must be one of {known}{former.dtype(dtype)}")
    return dtype if dtype in DTYPES else None


def _range(reader: validation.Reader) -> Range | None:
    declared = reader.text("range")
    if declared is None:
        return None
    form = RANGE.fullmatch(declared) if len(declared) <= 100 else None
    if form is None:
        reader.fault("range", f"is {validation.shown(declared)}, must be an interval such as [0,10)")
        return None
    low, high = _bound(form[2]), _bound(form[3])
    interval = Range(low, high, form[1] == "(", form[4] == ")")
    if low is not None and high is not None and (low > high or (low == high and low not in interval)):
        reader.fault("range", f"{declared} is empty")
    return interval


def _bound(digits: str) -> int | float | None:
    """A bound of a range: exact if it is an integer, None if it is infinite or too large for a float."""
    if re.fullmatch(r"[+-]?[0-9]+", digits):
        return int(digits)
    return float(digits) if digits and math.isfinite(float(digits)) else None


def _options(reader: validation.Reader) -> tuple[tuple[Option, ...], object]:
    """The choices of a select parameter, and its default, which may be marked on a choice."""
    options: list[Option] = []
    marked: list[object] = []
    for each in itertools.islice(reader.objects("values"), MAX_OPTIONS + 1):
        each.refuse_unknown("name", "value", "isDefault")
        value = each.document.get("value")
        if not isinstance(value, str | int | float):
            each.fault("value", f"is {validation.shown(value)}, must be a text, a number or a Boolean")
        if any(values.same(value, other.value) for other in options):
            each.fault("value", f"{validation.shown(value)} is a value already")
        # flowServ wants a name; where none is given, the value can only be called what it is.
        options.append(Option(each.text("name") or values.text(value), value))
        marked += [value] if each.flag("isDefault", False) else []
    if not reader.document.get("values") or len(options) > MAX_OPTIONS:
        reader.fault("values", f"must be 1 to {MAX_OPTIONS} objects with `name` and `value`")
    declared = reader.document.get("defaultValue")
    defaults = [*marked, *([] if declared is None else [declared])]
    if any(not values.same(defaults[0], other) for other in defaults):
        reader.fault("values", "have more than one default")
    return tuple(options), defaults[0] if defaults else None


def _path(reader: validation.Reader, element: str, folder: bool = False) -> str | None:
    """The normal path of a file; with `folder` it may be a folder's, which keeps the slash at its end."""
    path = reader.text(element)
    try:
        if path is None or not (folder and path.endswith("/")):
            return None if path is None else placement.place(path)
        return placement.place(path.rstrip("/")) + "/"
    except ValueError as error:
        reader.fault(element, str(error))
        return None


def _element(reader: validation.Reader, nesting: int) -> Parameter | None:
    """What a list is made of."""
    if nesting == MAX_NESTING:
        reader.fault("para", f"is nested more than {MAX_NESTING} deep")
        return None
    para = reader.child("para")
    if para is None:
        if reader.document.get("para") is None:
            reader.fault("para", "is missing")
        return None
    return _declaration(para, 0, nesting + 1, listed=True)


def _fields(reader: validation.Reader, nesting: int, listed: bool) -> tuple[Parameter, ...]:
    declared = reader.document.get("fields")
    if nesting == MAX_NESTING:
        reader.fault("fields", f"are nested more than {MAX_NESTING} deep")
        return ()
    fields = _declarations(declared, reader.at("fields"), reader.found, reader.warned, nesting + 1, listed)
    if declared == []:
        reader.fault("fields", "must not be empty")
    return fields


def _default_problems(parameter: Parameter) -> list[str]:
    binding = _Binding(None)
    value = binding.attempt(parameter, parameter.default, "the default", placement.seat(parameter.name))
    if not binding.problems and len(values.text(value).encode()) > MAX_TEXT_BYTES:
        binding.problems.append(f"has more than {MAX_TEXT_BYTES} bytes")
    return binding.problems
