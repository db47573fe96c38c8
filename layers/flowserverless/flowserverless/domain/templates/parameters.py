"""The parameters of a workflow: what a template may declare of them, and which values they take.

Declarations have flowServ's JSON form. They are checked when a workflow is published, with their defaults, so that
nothing about them can fail once a run exists. What a run gets for its arguments is in arguments.py.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from flowserverless.domain import frozen, validation
from flowserverless.domain.templates import old_syntax, upload_targets, values

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
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
RANGE = re.compile(rf"\s*([\[(])\s*({NUMBER}|-inf|)\s*,\s*({NUMBER}|\+?inf|)\s*([\])])\s*")


@frozen.dataclass
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


@frozen.dataclass
class Option:
    """One choice of a select parameter: the name is for people, the value is what a run gets."""

    name: str
    value: object


@frozen.dataclass
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


def nested(parameter: Parameter) -> Iterator[Parameter]:
    """The parameter and all that it is made of."""
    yield parameter
    for inner in (*parameter.fields, *([parameter.para] if parameter.para else [])):
        yield from nested(inner)


@dataclass
class Cast:
    """Reads JSON values as parameters declare them; what is wrong is noted. Of files it takes none."""

    problems: list[str] = field(default_factory=list)

    def attempt(self, parameter: Parameter, value: object, place: str, seat: upload_targets.Seat) -> object:
        """The value cast to the parameter's type. What is wrong is noted; the answer then means nothing."""
        match parameter.dtype:
            case "list" if parameter.para is not None:
                return self._list(parameter.para, value, place, seat.element())
            case "record":
                return self._record(parameter, value, place, seat)
        try:
            if parameter.dtype == "file":
                return self.file(parameter, value, seat)
            return _scalar(parameter, value)
        except ValueError as error:
            self.problems.append(f"{place} {error}")
            return None

    def file(self, parameter: Parameter, value: object, seat: upload_targets.Seat) -> str:  # noqa: ARG002
        """The path of a file in the run directory; here is none."""
        raise ValueError("cannot be an uploaded file")

    def _list(self, element: Parameter, value: object, place: str, seat: upload_targets.Seat) -> object:
        if not isinstance(value, list):
            self.problems.append(f"{place} must be a list")
            return None
        return [self.attempt(element, each, f"{place}[{index}]", seat) for index, each in enumerate(value)]

    def _record(self, parameter: Parameter, value: object, place: str, seat: upload_targets.Seat) -> object:
        if not isinstance(value, list):
            self.problems.append(f"{place} must be a list of objects with `name` and `value`")
            return None
        given: dict[str, object] = {}
        for index, each in enumerate(value):
            name, content = pair(each)
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
                record[known.name] = default_of(known)
            elif known.required:
                self.problems.append(f"{place} misses the field '{validation.clipped(known.name)}'")
        return record


def pair(argument: object) -> tuple[str | None, object]:
    """What `{name, value}` says; no name for what has another form."""
    if isinstance(argument, Mapping) and set(argument) == {"name", "value"} and isinstance(argument["name"], str):
        return argument["name"], argument["value"]
    return None, None


def default_of(parameter: Parameter) -> object:
    """The value of a parameter that has no argument; `parse` has made sure that its default has one."""
    if parameter.dtype == "file":
        return parameter.default
    return Cast().attempt(parameter, parameter.default, "", upload_targets.seat(parameter.name))


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
    if old_syntax.lacks(reader, old_syntax.PARAMETER, "name", "dtype"):
        reader.refuse_unknown(*COMMON, *EXTRAS.values(), old=old_syntax.PARAMETER)
        return None
    name, dtype = _name(reader), _dtype(reader)
    if dtype is None:
        return None
    reader.refuse_unknown(*COMMON, *([EXTRAS[dtype]] if dtype in EXTRAS else []), old=old_syntax.PARAMETER)
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
        reader.fault("dtype", f"is {validation.shown(dtype)}, must be one of {known}{old_syntax.dtype(dtype)}")
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
            return None if path is None else upload_targets.place(path)
        return upload_targets.place(path.rstrip("/")) + "/"
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
    cast = Cast()
    value = cast.attempt(parameter, parameter.default, "the default", upload_targets.seat(parameter.name))
    if not cast.problems and len(values.text(value).encode()) > MAX_TEXT_BYTES:
        cast.problems.append(f"has more than {MAX_TEXT_BYTES} bytes")
    return cast.problems
