"""Faults of a published package: validation goes on after the first one, so that an organiser sees all of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and the place in the file where it stands, such as `parameters[2].dtype`."""

    place: str
    message: str


class Faults(Exception):
    """Everything that was found wrong; raised once, after the whole document was read."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.place}: {fault.message}" for fault in self.faults))
