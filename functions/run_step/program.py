"""Calls a function or executes a notebook inside the cage; run with `python -c` so that it shadows nothing.

The one argument is the path of a JSON file: {"kind", "values", "context", and "code" or "notebook"}. `values` are
the variables of the workflow. `context` is the path of the file with the results of earlier functions; they win over
variables of the same name, and the result of this one is added to them.
"""

import importlib
import inspect
import json
import os
import sys
from typing import Any


def call(code: dict[str, Any], context: dict[str, Any]) -> Any:
    """The result of `code["func"]`, called with those of its parameters that the context knows."""
    module, _, name = code["func"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    variables = code.get("variables") or {}
    names = {name: variables.get(name, name) for name in inspect.signature(function).parameters}
    return function(**{name: context[variable] for name, variable in names.items() if variable in context})


def execute(notebook: dict[str, Any], context: dict[str, Any]) -> None:
    """Execute a notebook by papermill; `params` names those variables that it gets."""
    try:
        papermill = importlib.import_module("papermill")
    except ImportError:
        sys.exit("notebook steps need the package papermill, which is not installed here")
    source = notebook["notebook"]
    target = notebook.get("output") or f"{source.removesuffix('.ipynb')}.out.ipynb"
    variables = notebook.get("variables") or {}
    names = {name: variables.get(name, name) for name in notebook.get("params") or ()}
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    values = {name: context[variable] for name, variable in names.items() if variable in context}
    papermill.execute_notebook(source, target, parameters=values)


def plain(value: Any) -> Any:
    """JSON for numbers and arrays of numpy and the like."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be handed to later steps: it has no form in JSON")


def main(path: str) -> None:
    """Do what the file says."""
    with open(path, encoding="utf-8") as file:
        order = json.load(file)
    earlier = {}
    if os.path.exists(order["context"]):
        with open(order["context"], encoding="utf-8") as file:
            earlier = json.load(file)
    context = {**order["values"], **earlier}
    sys.path.insert(0, os.getcwd())
    if order["kind"] == "notebook":
        execute(order["notebook"], context)
        return
    result = call(order["code"], context)
    if order["code"].get("arg"):
        earlier[order["code"]["arg"]] = result
        content = json.dumps(earlier, default=plain)
        os.makedirs(os.path.dirname(order["context"]), exist_ok=True)
        with open(order["context"], "w", encoding="utf-8") as file:
            file.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
