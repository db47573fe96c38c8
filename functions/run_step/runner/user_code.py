"""Calls a function or executes a notebook inside the sandbox; run with `python -c` so that it shadows nothing.

The one argument is the path of a JSON file: {"kind", "values", "result", and "code" or "notebook"}. `values` are
the variables of the workflow and the results of earlier functions. `result` is the path of a file for what this
function returns, null if it is not handed on.
"""

import importlib
import inspect
import json
import logging
import os
import re
import sys
from typing import Any

# A run directory may have files with the names of modules. IPython finds it once all of its own is imported.
KERNEL = "import sys; sys.path.remove(''); from ipykernel import kernelapp; kernelapp.launch_new_instance()"


def call(code: dict[str, Any], context: dict[str, Any]) -> Any:
    """The result of `code["func"]`, called with those of its parameters that the context knows."""
    module, _, name = code["func"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    variables = code.get("variables") or {}
    names = {name: variables.get(name, name) for name in inspect.signature(function).parameters}
    return function(**{name: context[variable] for name, variable in names.items() if variable in context})


def execute(notebook: dict[str, Any], context: dict[str, Any]) -> None:
    """Execute a notebook by papermill; `params` names those variables that it gets, typed as in JSON."""
    try:
        papermill = importlib.import_module("papermill")
    except ImportError:
        sys.exit("notebook steps need the package papermill, which is not installed here")
    source = notebook["notebook"]
    target = notebook.get("output") or f"{source.removesuffix('.ipynb')}.out.ipynb"
    variables = notebook.get("variables") or {}
    names = {name: variables.get(name, name) for name in notebook.get("params") or ()}
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    # It warns of parameters that the notebook gives no default.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        require_python(source)
        # papermill fills parameters into paths; ours are names of files.
        papermill.execute_notebook(
            *(path.replace("{", "{{").replace("}", "}}") for path in (source, target)),
            parameters={name: context[variable] for name, variable in names.items() if variable in context},
            kernel_name=install_kernel(),
            language="python",
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            config=kernel_connection(),
        )
    except papermill.exceptions.PapermillExecutionError as error:
        sys.exit(f"cell {error.exec_count} of {source} failed:\n{last_lines(error)}")
    except Exception as error:
        sys.exit(f"{source} could not be executed: {type(error).__name__}: {error}")


def require_python(path: str) -> None:
    """Raises ValueError for a notebook in another language; its author may have given the kernel any name."""
    with open(path, encoding="utf-8") as file:
        metadata = json.load(file).get("metadata", {})
    declared = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    if declared and declared.lower() not in ("python", "ipython"):
        raise ValueError(f"it is in {declared}, and there is a kernel for Python only")


def install_kernel() -> str:
    """Describe a kernel that runs with this interpreter, before all that the machine may have; its name."""
    folder = os.path.join(os.environ["JUPYTER_DATA_DIR"], "kernels", "python3")
    os.makedirs(folder, exist_ok=True)
    # Its log goes where the cells write; ended between two cells, it says ERROR there though nothing is wrong.
    command = [sys.executable, "-c", KERNEL, "-f", "{connection_file}", "--log-level=CRITICAL"]
    with open(os.path.join(folder, "kernel.json"), "w", encoding="utf-8") as file:
        json.dump({"argv": command, "display_name": "Python 3", "language": "python"}, file)
    return "python3"


def kernel_connection() -> Any:
    """Talk to the kernel over sockets in the step's own directory, which no other user can open."""
    runtime = os.environ["JUPYTER_RUNTIME_DIR"]
    os.makedirs(runtime, exist_ok=True)
    config = importlib.import_module("traitlets.config")
    # Relative, because the path of a socket has at most 107 bytes. The kernel starts in our working directory.
    return config.Config(KernelManager={"transport": "ipc", "ip": os.path.join(os.path.relpath(runtime), "kernel")})


def last_lines(error: Any, lines: int = 40) -> str:
    """The end of what a cell raised, without the colours that IPython gives it."""
    text = "\n".join(error.traceback or [f"{error.ename}: {error.evalue}"])
    return "\n".join(re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text).splitlines()[-lines:])


def plain(value: Any) -> Any:
    """JSON for numbers and arrays of numpy and the like."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be handed to later steps: it has no form in JSON")


def main(path: str) -> None:
    """Do what the file says."""
    with open(path, encoding="utf-8") as file:
        order = json.load(file)
    if order["kind"] == "notebook":
        execute(order["notebook"], order["values"])
        return
    sys.path.insert(0, os.getcwd())
    result = call(order["code"], order["values"])
    if order["result"]:
        content = json.dumps(result, default=plain)
        with open(order["result"], "w", encoding="utf-8") as file:
            file.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
