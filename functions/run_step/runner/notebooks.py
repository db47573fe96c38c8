"""Finds the packages of the notebooks layer, and keeps Jupyter's own files in the home of the step."""

import os
import sys

# No name of a module, so that nothing imports it by accident.
FOLDER = "notebook-packages"


def packages() -> str | None:
    """The folder of packages that only notebook steps import from; None if the function has no such layer."""
    # Lambda unpacks layers below /opt. An emulator may do so elsewhere; it adds the place to the path.
    folders = (os.path.join(place, FOLDER) for place in ("/opt", *sys.path))
    return next((os.path.realpath(folder) for folder in folders if os.path.isdir(folder)), None)


def variables(home: str) -> dict[str, str]:
    """Variables that keep Jupyter and IPython inside the home of the step, whatever the run's variables say."""
    places = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "jupyter/config",
        "JUPYTER_DATA_DIR": "jupyter/data",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    }
    searched = {"JUPYTER_PATH": "", "JUPYTER_CONFIG_PATH": "", "JUPYTER_NO_CONFIG": "1"}
    return {name: os.path.join(home, place) for name, place in places.items()} | searched
