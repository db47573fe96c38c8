"""Where an upload lands in the run directory: at the place that the organiser declared, or apart from the package.

A caller who chose the place could put a file beside the solution, where the scoring program reads it too, or a
module beside the scoring program, which Python imports before its own. No list of forbidden names is complete.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import replace

from flowserverless.domain import frozen, names, paths, validation

# Uploads without a declared target are in folders below, one for each parameter; packages have nothing there.
UPLOADS = "uploads"
# What can be a folder of its own: short enough in UTF-8, and with none of the letters that mean something in paths.
FOLDER = re.compile(r"\w[\w .-]{0,59}")


@frozen.dataclass
class Seat:
    """The place in a run's arguments at which a file is given: of which argument, and whether others are beside it.

    `folder` is where it lands when its parameter declares no target.
    """

    argument: str
    folder: str
    listed: bool = False

    def element(self) -> "Seat":
        """The seat of an element of the list that sits here."""
        return replace(self, listed=True)

    def field(self, name: str) -> "Seat":
        """The seat of a field of the record that sits here."""
        return replace(self, folder=f"{self.folder}/{_folder(name)}")


def seat(parameter: str) -> Seat:
    """The seat of a parameter's own argument."""
    return Seat(parameter, f"{UPLOADS}/{_folder(parameter)}")


def choose(seat: Seat, declared: str | None, chosen: object, name: str) -> str:
    """The path of an upload called `name`; `chosen` is the caller's targetPath, `declared` the organiser's.

    Only in lists, whose files need different names, and where nothing is declared, is there anything to choose: a
    path below the folder. Raises ValueError for any other.
    """
    if chosen is not None and not isinstance(chosen, str):
        raise ValueError("has a targetPath that is not a text")
    if declared is None:
        return _below_uploads(seat.folder, chosen, name)
    if chosen is None:
        return _chosen(declared + _file(name) if declared.endswith("/") else declared)
    path = _chosen(chosen)
    folder = folder_of(declared)
    if path == declared or (seat.listed and folder and path.startswith(folder)):
        return path
    wanted = f"below '{folder}'" if seat.listed and folder else f"at '{declared}'"
    raise ValueError(f"has the targetPath '{validation.clipped(path)}'; the workflow puts it {wanted}")


def folder_of(declared: str) -> str:
    """The folder of a declared target, with the slash at its end; '' for the run directory itself."""
    return declared[: declared.rfind("/") + 1]


def taken(path: str, declared: str | None, package: Collection[str], others: Iterable[str]) -> str | None:
    """Why a caller may not choose `path`: what is there, or beside it in a folder that uploads share with the package.

    `others` are the declared targets of other parameters. What is declared is the organiser's choice and not asked.
    """
    folder = folder_of(declared) if declared else ""
    if path == declared:
        return None
    if any(paths.conflict(path, file) or (folder and file.startswith(folder)) for file in package):
        return f"may not put '{validation.clipped(path)}' among the workflow's own files"
    if any(paths.conflict(path, other.rstrip("/")) for other in others):
        return f"may not take the place of another argument with '{validation.clipped(path)}'"
    return None


def place(path: str) -> str:
    """The normal path of one file. As a pattern it must mean nothing else: steps may ask for a parameter's file."""
    if paths.is_glob(path):
        raise ValueError("a path of one file has no '*', '?' or '['")
    return names.check_letters(paths.placeable(path))


def _chosen(path: str) -> str:
    """The place of an argument; what is wrong with it is said of the argument."""
    try:
        return place(path)
    except ValueError as error:
        raise ValueError(f"cannot be put there: {error}") from None


def _below_uploads(folder: str, chosen: str | None, name: str) -> str:
    if chosen is None:
        return _chosen(f"{folder}/{_file(name)}")
    path = _chosen(chosen)
    return path if path.startswith(f"{folder}/") else _chosen(f"{folder}/{path}")


def _file(name: str) -> str:
    """An upload's name as the last part of a path; names that cannot be one are told apart by a digest."""
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    plain = "".join("_" if letter in "*?[" or not letter.isprintable() else letter for letter in last).strip()
    return plain if plain not in ("", ".", "..") and len(plain.encode()) <= paths.MAX_NAME_LENGTH else _digest(name)


def _folder(name: str) -> str:
    return name if FOLDER.fullmatch(name) else _digest(name)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:16]
