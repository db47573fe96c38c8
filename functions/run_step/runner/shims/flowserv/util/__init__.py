"""Functions of flowServ that its steps use, without those for other machines."""

from flowserv.util.core import get_unique_identifier, import_obj, jquery, stacktrace, validate_doc
from flowserv.util.datetime import to_datetime, utc_now
from flowserv.util.files import (
    FORMAT_JSON,
    FORMAT_YAML,
    cleardir,
    create_directories,
    dirname,
    filepath,
    join,
    read_buffer,
    read_object,
    write_object,
)
from flowserv.util.serialize import to_dict, to_kvp

__all__ = [
    "FORMAT_JSON",
    "FORMAT_YAML",
    "cleardir",
    "create_directories",
    "dirname",
    "filepath",
    "get_unique_identifier",
    "import_obj",
    "join",
    "jquery",
    "read_buffer",
    "read_object",
    "stacktrace",
    "to_datetime",
    "to_dict",
    "to_kvp",
    "utc_now",
    "validate_doc",
    "write_object",
]
