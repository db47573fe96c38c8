"""Recognises images of official Pythons, and whether the function that executes steps has that version."""

import re

from flowserverless.domain import frozen

IMAGE = re.compile(
    r"(?:docker\.io/(?:library/)?|library/|public\.ecr\.aws/docker/library/)?python"
    r"(?::(?P<tag>[\w.-]+))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
VARIANT = r"slim|alpine[0-9.]*|wheezy|jessie|stretch|buster|bullseye|bookworm|trixie|forky"
TAG = re.compile(rf"(?:latest|(?P<version>\d+(?:\.\d+){{0,2}}(?:(?:a|b|rc)\d+|-rc)?))?(?:(?:^|-)(?:{VARIANT}))*")
# The last minor version of Python 3 that there is; its image asks for a Python, that of a later one for nothing.
NEWEST = 15


@frozen.dataclass
class Python:
    """What an image's name asks for: the leading numbers of a version, none for any; `pinned` is one very image."""

    version: tuple[str, ...]
    pinned: bool = False

    @property
    def exists(self) -> bool:
        """Whether it is a Python 3 that there is."""
        major, minor = (*self.version, *("3", "0")[len(self.version) :])[:2]
        return major == "3" and int(minor.partition("-")[0]) <= NEWEST

    def is_met(self, installed: str) -> bool:
        """Whether an installation with this version, such as 3.13.2, has what is asked for."""
        return not self.pinned and tuple(installed.split("."))[: len(self.version)] == self.version


def asked(environment: str) -> Python | None:
    """The Python that an image is; None for any other image, and for one that is not of Linux."""
    image = IMAGE.fullmatch(environment)
    tag = TAG.fullmatch(image["tag"] or "latest") if image else None
    if image is None or tag is None:
        return None
    return Python(tuple(tag["version"].split(".")) if tag["version"] else (), image["digest"] is not None)


def plain(environment: str) -> str:
    """The name by which an image is looked up among those that a Lambda stands for; '' for no Python that exists."""
    python = asked(environment)
    if python is None:
        return "" if IMAGE.fullmatch(environment) else environment
    version = ".".join(python.version) or "3"
    return f"python:{version}" if python.exists or not version.startswith("3") else ""
