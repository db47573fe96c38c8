"""Reads a run's metrics from its result file, as the results schema of the workflow says.

A template declares its metrics as columns: a name, a label for people, a type, and the path at which the
value is found in the result file. Whatever the steps wrote, the answer is either a row of values that fits
the columns or the reason why the run is not ranked; a run is never lost over its results.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from flowserverless.domain import frozen, paths, validation
from flowserverless.domain.templates import old_syntax

Dtype: TypeAlias = Literal["int", "float", "string"]
Value: TypeAlias = int | float | str | None
Values: TypeAlias = tuple[Value, ...]
DTYPES: tuple[Dtype, ...] = ("int", "float", "string")
# All bound the size of a ranking entry: a DynamoDB item holds 400 KB, and a leaderboard reads whole items. The row
# is counted in bytes as it is stored, as JSON in which a letter that is not ASCII takes six or twelve.
MAX_COLUMNS = 50
MAX_TEXT_LENGTH = 1024
MAX_ROW_BYTES = 32 * 1024
# Bounds the length of a rank key, see rank_keys.py.
MAX_ORDER_COLUMNS = 8
# The number of an element of a list.
INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
# In bytes. Enough for any table of metrics; what is plotted belongs into an output file.
MAX_FILE_BYTES = 4 * 1024 * 1024
# YAML takes a hundred times as long as JSON: this much is seconds already.
MAX_YAML_BYTES = 256 * 1024


@frozen.dataclass
class Column:
    """One metric: where it stands in the result file and how it is shown.

    `path` has one key per level; in a list it is the number of an element, from 0.
    """

    name: str
    label: str
    dtype: Dtype
    path: tuple[str, ...]
    required: bool = True


@frozen.dataclass
class OrderBy:
    """One criterion of a ranking; descending means that the highest value is the best."""

    column: str
    descending: bool = True


@frozen.dataclass
class ResultSchema:
    """The columns of a workflow's leaderboard, the file they are read from, and the order that ranks runs."""

    file: str
    columns: tuple[Column, ...]
    order: tuple[OrderBy, ...]


@frozen.dataclass
class NotRanked:
    """Why a run has no place in the ranking: a sentence for people and a stable word for programs."""

    code: str
    detail: str


def parse(document: object, place: str = "results", warned: list[validation.Fault] | None = None) -> ResultSchema:
    """Read the `results` element of a template; raises faults.Faults with everything that is wrong with it.

    `place` is where the element stands in the template, `warned` the list to which warnings are added. Without
    `orderBy` the first column ranks, the highest value first.
    """
    found: list[validation.Fault] = []
    reader = validation.reader(document, place, found, warned)
    if reader is None:
        raise validation.Faults(found)
    reader.refuse_unknown("file", "schema", "orderBy")
    file = _file(reader)
    columns = _columns(reader)
    # A column whose name is wrong may be the one that is meant.
    named = all(column.name for column in columns)
    order = _order(reader, {column.name for column in columns} if named else ())
    if found:
        raise validation.Faults(found)
    return ResultSchema(file, columns, order or (OrderBy(columns[0].name),))


def document(schema: ResultSchema) -> dict[str, object]:
    """The schema as a template declares it, with nothing left implicit; `parse` reads it back unchanged."""
    return {
        "file": schema.file,
        "schema": [_declaration(column) for column in schema.columns],
        "orderBy": [{"name": by.column, "sortDesc": by.descending} for by in schema.order],
    }


def load(content: bytes, name: str, load_yaml: Callable[[bytes], object] | None = None) -> object:
    """The document in a result file: JSON, or YAML if the file is named so and a loader is given.

    NaN and Infinity are read although JSON forbids them, because Python's own json module writes them; so
    is any encoding of Unicode with or without a byte order mark. Raises ValueError with the reason, also
    for a file larger than MAX_FILE_BYTES (YAML: MAX_YAML_BYTES) and for one nested deeper than the interpreter
    can follow. The loader has to refuse aliases by itself: merge keys (`<<`) make a few hundred bytes of
    YAML take for ever.
    """
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{name} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return cast(object, json.loads(content))
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    except ValueError as error:
        # A file may be named YAML and contain JSON, so JSON is tried first; it is the faster one, too.
        if load_yaml is None or not name.lower().endswith((".yaml", ".yml")):
            raise ValueError(f"{name} is not JSON: {error}") from None
    if len(content) > MAX_YAML_BYTES:
        raise ValueError(f"{name} is larger than {MAX_YAML_BYTES} bytes, and not JSON")
    try:
        return load_yaml(content)
    except Exception as error:
        # These errors quote the file, at any length; the reason is stored with the run and has to stay small.
        reason = " ".join(str(error)[:200].split()).encode("utf-8", "replace").decode("utf-8")
        raise ValueError(f"{name} is not YAML: {reason}") from None


def read(schema: ResultSchema, document: object) -> Values | NotRanked:
    """The values of all columns, in their order, or the reason why there is no such row.

    Null counts as missing; a missing optional value is None. The reason names every column that is at fault
    and has the code of the first; it is cut where it gets long.
    """
    if not isinstance(document, Mapping):
        return NotRanked(
            "UNREADABLE_RESULT_FILE", f"{schema.file} holds {validation.shown(document)} instead of an object"
        )
    row = [_value(column, document) for column in schema.columns]
    reasons = [value for value in row if isinstance(value, NotRanked)]
    if reasons:
        return NotRanked(reasons[0].code, "; ".join(reason.detail for reason in reasons)[:MAX_TEXT_LENGTH])
    values = tuple(value for value in row if not isinstance(value, NotRanked))
    if len(json.dumps(values)) > MAX_ROW_BYTES:
        return NotRanked("TEXTS_TOO_LONG", f"the values of all columns take more than {MAX_ROW_BYTES} bytes together")
    return values


def extract(
    schema: ResultSchema, content: bytes | None, load_yaml: Callable[[bytes], object] | None = None
) -> Values | NotRanked:
    """The values in the content of a run's result file; None stands for a file that the run did not write."""
    if content is None:
        return NotRanked("NO_RESULT_FILE", f"the run did not write {schema.file}")
    try:
        return read(schema, load(content, schema.file, load_yaml))
    except ValueError as error:
        return NotRanked("UNREADABLE_RESULT_FILE", str(error))


def shown(schema: ResultSchema, values: Values) -> list[dict[str, Value]]:
    """The values by column, as JSON can say them."""
    columns = zip(schema.columns, values, strict=True)
    return [{"name": column.name, "value": json_value(value)} for column, value in columns]


def json_value(value: Value) -> Value:
    """The value as valid JSON can say it: NaN becomes null, the infinities become "inf" and "-inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _value(column: Column, document: Mapping[object, object]) -> Value | NotRanked:
    value = _find(document, column.path)
    if value is None:
        if column.required:
            return NotRanked("MISSING_COLUMN", f"there is no value for column '{column.name}'")
        return None
    try:
        match column.dtype:
            case "int":
                return _integer(value)
            case "float":
                return _number(value)
            case "string":
                return _string(value)
    except ValueError as error:
        code = {"int": "NOT_AN_INTEGER", "float": "NOT_A_NUMBER", "string": "NOT_A_TEXT"}[column.dtype]
        return NotRanked(code, f"column '{column.name}' is {validation.shown(value)}, not {error}")


def _find(document: object, path: Sequence[str]) -> object:
    for key in path:
        if isinstance(document, Mapping):
            document = document.get(key)
        elif isinstance(document, list) and INDEX.fullmatch(key) and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _integer(value: object) -> int:
    """3.0, "3" and true are integers as in flowServ; 3.7 is not: cutting it off would rank a wrong value.

    DynamoDB and rank keys are exact for 64 bits, so larger ones are refused instead of rounded.
    """
    integer = None
    match value:
        case str() if re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", value):
            integer = int(value)
        case float() if value.is_integer():
            integer = int(value)
        case int():
            integer = int(value)
    if integer is None or not -(2**63) <= integer < 2**63:
        raise ValueError("an integer of at most 64 bits")
    return integer


def _number(value: object) -> float:
    """Numbers, their texts and Booleans, NaN and the infinities included."""
    # Python would also read "1_000" and the digits of other scripts, which no program means to write.
    readable = not isinstance(value, str) or (value.isascii() and "_" not in value)
    if readable and isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError("a number")


def _string(value: object) -> str:
    """Texts and the texts of numbers and Booleans; not, as in flowServ, the Python spelling of an object."""
    # Python refuses to spell integers of more than 4300 digits; these are shorter.
    if isinstance(value, str | float) or (isinstance(value, int) and value.bit_length() <= 4 * MAX_TEXT_LENGTH):
        # A JSON file can spell half of a surrogate pair, which neither UTF-8 nor a valid answer can carry.
        text = str(value).encode("utf-8", "replace").decode("utf-8")
        if len(text) <= MAX_TEXT_LENGTH:
            return text
    raise ValueError(f"a text of at most {MAX_TEXT_LENGTH} characters")


def _declaration(column: Column) -> dict[str, object]:
    escaped = (key.replace("~", "~0").replace("/", "~1") for key in column.path)
    path = {} if column.path == (column.name,) else {"path": "/".join(escaped)}
    return {
        "name": column.name,
        "label": column.label,
        "dtype": column.dtype,
        **path,
        "required": column.required,
    }


def _file(reader: validation.Reader) -> str:
    file = reader.required_text("file")
    try:
        return paths.placeable(file) if file else file
    except ValueError as error:
        reader.fault("file", str(error))
        return file


def _columns(reader: validation.Reader) -> tuple[Column, ...]:
    if not reader.document.get("schema"):
        reader.fault("schema", "must be a list of at least one column")
        return ()
    columns: list[Column] = []
    for each in reader.objects("schema"):
        column = _column(each)
        if column.name and column.name in {other.name for other in columns}:
            each.fault("name", f"'{column.name}' is the name of an earlier column")
        # Labels are the header of the leaderboard and of its CSV form.
        if column.label and column.label in {other.label for other in columns}:
            each.fault("label", f"'{column.label}' is the label of an earlier column")
        columns.append(column)
    if len(columns) > MAX_COLUMNS:
        reader.fault("schema", f"has {len(columns)} columns, more than {MAX_COLUMNS}")
    return tuple(columns)


def _column(reader: validation.Reader) -> Column:
    reader.refuse_unknown("name", "label", "dtype", "path", "required", old=old_syntax.COLUMN)
    if old_syntax.lacks(reader, old_syntax.COLUMN, "name", "label", "dtype"):
        return Column("", "", "string", ())
    name = reader.required_text("name")
    label = reader.required_text("label")
    dtype = reader.document.get("dtype")
    if dtype not in DTYPES:
        reader.fault(
            "dtype", f"is {validation.shown(dtype)}, must be one of {', '.join(DTYPES)}{old_syntax.dtype(dtype)}"
        )
    text = reader.text("path")
    # As in JSON pointers, `~1` is a slash that belongs to a key, and `~0` a tilde.
    path = (name,) if text is None else tuple(key.replace("~1", "/").replace("~0", "~") for key in text.split("/"))
    if text is not None and not all(path):
        reader.fault("path", "must be keys separated by single slashes, as in 'a/b'")
    return Column(name, label, cast(Dtype, dtype), path, reader.flag("required", default=True))


def _order(reader: validation.Reader, names: Collection[str]) -> tuple[OrderBy, ...]:
    order: list[OrderBy] = []
    for each in reader.objects("orderBy"):
        each.refuse_unknown("name", "sortDesc", old=old_syntax.COLUMN)
        if old_syntax.lacks(each, old_syntax.COLUMN, "name"):
            continue
        name = each.required_text("name")
        if name and names and name not in names:
            each.fault("name", f"there is no column '{name}'")
        if name and name in {by.column for by in order}:
            each.fault("name", f"'{name}' orders already")
        order.append(OrderBy(name, each.flag("sortDesc", default=True)))
    if len(order) > MAX_ORDER_COLUMNS:
        reader.fault("orderBy", f"has {len(order)} columns, more than {MAX_ORDER_COLUMNS}")
    return tuple(order)
