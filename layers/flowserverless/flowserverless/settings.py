"""Limits and switches of an installation, as the template's parameters set them in the environment."""

import os


def number(name: str, default: int) -> int:
    """A whole number from the environment."""
    return int(os.environ.get(name) or default)


def flag(name: str) -> bool:
    """A switch from the environment."""
    return os.environ.get(name) == "true"


def executors() -> frozenset[str]:
    """What this installation can execute beside container and code steps in a Lambda."""
    switches = {"batch": flag("WITH_BATCH"), "notebook": flag("WITH_NOTEBOOKS")}
    return frozenset({"lambda", *(name for name, on in switches.items() if on)})
