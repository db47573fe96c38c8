"""The syntax of flowServ's templates before 0.8: what each of its members is called now.

Whoever brings such a template is told so, member by member, and not what else is missing because of it.
"""

from collections.abc import Mapping

from flowserverless.domain import validation

COLUMN = {
    "id": "it is `name` now, and what was `name` is `label`",
    "type": "it is `dtype` now, `decimal` is `float` and `enum` is `select`",
    "datatype": "it is `dtype` now, `decimal` is `float` and `enum` is `select`",
}
PARAMETER = COLUMN | {
    "as": "it is `target` now",
    "module": "it is `group` now",
    "description": "it is `help` now",
    "required": "it is `isRequired` now",
    "constraint": "it is `range` now",
    "parent": "fields of a record stand in its `fields` now",
}
GROUP = {"id": "it is `name` now, and what was `name` is `title`"}
WORKFLOW = {
    "version": "it is left out now",
    "type": "it is left out now, all workflows are serial",
    "inputs": "its files are `files: {inputs: [...]}` now, its parameters `parameters`",
    "outputs": "its files are `files: {outputs: [...]}` now",
    "workflow": "the steps of its specification are `steps` now, each with `name` and `action`",
    "specification": "its steps are `steps` now, each with `name` and `action`",
}
# Of a step, which is now `{name, files, action: {environment, commands}}`.
STEP = dict.fromkeys(("environment", "commands"), "it stands in the step's `action` now")
TOP = {
    "version": "it is left out now",
    "modules": "they are `parameterGroups` now",
    "inputs": "its files and parameters stand in `workflow` now",
}
DTYPES = {"decimal": "float", "enum": "select"}


def lacks(reader: validation.Reader, old: Mapping[str, str], *needed: str) -> bool:
    """Whether an object of the old form has not what it needs: it is told what that is called, and so not missing."""
    return bool(old.keys() & reader.document.keys()) and any(reader.document.get(name) is None for name in needed)


def dtype(declared: object) -> str:
    """What a type of the old form is called now, as the end of a sentence; empty for any other."""
    new = DTYPES.get(declared) if isinstance(declared, str) else None
    return f"; {declared} is of the old form of templates, it is `{new}` now" if new else ""
