"""Limits and switches of an installation, as the template's parameters set them in the environment."""

import os


def number(name: str, default: int) -> int:
    """A whole number from the environment."""
    return int(os.environ.get(name) or default)


def executors() -> frozenset[str]:
    """What this installation can execute beside runs of external engines: see domain/templates/steps.py, ANYTHING."""
    switches = {"batch": "BATCH", "notebook": "NOTEBOOKS"}
    return frozenset({"lambda", *(name for name, switch in switches.items() if os.environ.get(switch) == "true")})
