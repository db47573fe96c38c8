"""Folders that a step imports from and cannot change, above all what programs written for flowServ import of it."""

import os
import shutil

FLOWSERV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "for_steps")


def copy(folder: str, target: str) -> str:
    """A copy that everybody may read, whoever may read the original and whatever this process masks; its path."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    for parent, _, files in os.walk(target):
        os.chmod(parent, 0o755)  # noqa: S103
        for name in files:
            path = os.path.join(parent, name)
            os.chmod(path, os.stat(path).st_mode & 0o755 | 0o444)
    return target
