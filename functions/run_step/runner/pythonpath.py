"""Brings the folders that a step imports from to where it can read them and not change them."""

import os
import shutil
import zipfile

FLOWSERV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shims")


def copy(folder: str, target: str) -> str:
    """Copy a folder so that every user may read it, whatever the original's modes and our mask are; the copy's path."""
    if os.path.isdir(folder):
        shutil.copytree(folder, target, dirs_exist_ok=True)
    else:
        _unpack(folder, target)
    for parent, _, files in os.walk(target):
        os.chmod(parent, 0o755)  # noqa: S103
        for name in files:
            path = os.path.join(parent, name)
            os.chmod(path, os.stat(path).st_mode & 0o755 | 0o444)
    return target


def _unpack(folder: str, target: str) -> None:
    """The same where this program is executed as the zip that it came in, as in a job of AWS Batch."""
    program = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.relpath(folder, program) + "/"
    with zipfile.ZipFile(program) as archive:
        for member in archive.infolist():
            if member.filename.startswith(inside) and not member.is_dir():
                place = os.path.join(target, member.filename.removeprefix(inside))
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "wb") as file:
                    file.write(archive.read(member))
