"""Faults of a published package: validation goes on after the first one, so that an organiser sees all of them.

A warning has the form of a fault and refuses nothing: the package is published, and its report says what was noticed.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong or worth a warning, and the place where it stands, such as `parameters[2].dtype`."""

    place: str
    message: str


class Faults(Exception):
    """Everything that was found wrong, with the warnings; raised once, after the whole document was read."""

    def __init__(self, faults: Iterable[Fault], warnings: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.warnings = tuple(warnings)
        super().__init__("; ".join(f"{fault.place}: {fault.message}" for fault in self.faults))
