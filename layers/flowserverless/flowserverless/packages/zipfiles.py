"""Reads the zip file of a package within bounds: what is in it, and what no zip may have."""

import hashlib
import io
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, cast

from flowserverless.domain import frozen, paths, validation
from flowserverless.packages import manifest

# What desktop systems add to a zip without being asked.
LITTER = re.compile(
    r"(.*/)?(__MACOSX|\._[^/]*|\.DS_Store|\.AppleDouble|\.Spotlight-V100|\.Trashes|\.fseventsd|(eh)?thumbs\.db|desktop\.ini)(/.*)?",
    re.DOTALL | re.IGNORECASE,
)
# Deflate shrinks at most 1032 times. What comes near it and is not small holds nothing but the intention.
MAX_RATIO = 500
SMALL = 1024 * 1024
# In bytes: an entry in the list of members has 46, a name and, rarely, more.
ENTRY_SIZE = 1100
CHUNK = 256 * 1024
# All that zipfile raises over members that are not what they should be.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


@frozen.dataclass
class Contents:
    """The files of a zip, by their normal path below the folder that holds the manifest, and the folders it names."""

    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    folders: frozenset[str]

    def read(self, path: str, most: int) -> bytes:
        """The content of a file of at most `most` bytes; raises ValueError."""
        member = self.members.get(path)
        if member is None:
            raise ValueError("is not in the package")
        if member.file_size > most:
            raise ValueError(f"is larger than {most} bytes")
        return b"".join(self.stream(path))

    def stream(self, path: str) -> Iterator[bytes]:
        """The content of a file, piece by piece; raises ValueError if it is damaged.

        zipfile unpacks no more than the list of members declares, and notices by the checksum if that was a lie.
        """
        try:
            with self.archive.open(self.members[path]) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except DAMAGED as error:
            raise ValueError(f"is damaged: {error}") from None


class _Bounded:
    """A stream that refuses to read more than `most` bytes at once.

    zipfile reads the whole list of members in one go and makes an object of each, however many there are.
    """

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream = stream
        self.most = most
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if size > self.most:
            raise zipfile.BadZipFile("its list of members is too long")
        return self._stream.read(size)


def opened(source: bytes | IO[bytes], max_files: int) -> zipfile.ZipFile:
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    bounded = _Bounded(stream, max(ENTRY_SIZE * max_files, CHUNK))
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], bounded))
    except DAMAGED as error:
        raise refused("package", f"is not a zip file: {error}") from None
    # From here on the one who reads a member decides how much at once.
    bounded.most = sys.maxsize
    return archive


def contents(archive: zipfile.ZipFile, max_bytes: int, max_files: int, found: list[validation.Fault]) -> Contents:
    listed = [member for member in archive.infolist() if not LITTER.fullmatch(member.filename)]
    if len(listed) > max_files:
        raise refused("package", f"has {len(listed)} members, more than {max_files}")
    size = sum(member.file_size for member in listed)
    if size > max_bytes:
        raise refused("package", f"has {size} bytes when unpacked, more than {max_bytes}")
    members: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for member in listed:
        # zipfile cuts a name off at a NUL; this is the name as it is written.
        name = member.orig_filename
        try:
            path = paths.normalise(name)
            _check(member)
        except ValueError as error:
            found.append(validation.Fault(validation.clipped(name), str(error)))
            continue
        if path in members:
            found.append(validation.Fault(validation.clipped(path), "is in the package twice"))
        if member.is_dir():
            folders.add(path)
        else:
            members[path] = member
    top = _top(members)
    below = {path.removeprefix(top): member for path, member in members.items()}
    return Contents(archive, below, frozenset(path.removeprefix(top) for path in folders if path.startswith(top)))


def is_executable(member: zipfile.ZipInfo) -> bool:
    return bool(member.external_attr >> 16 & stat.S_IXUSR)


def _check(member: zipfile.ZipInfo) -> None:
    """Raise ValueError for what is not an ordinary file or folder."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError("is a link or a device, not a file")
    if member.flag_bits & 1:
        raise ValueError("is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("is compressed by another method than deflate")
    if member.file_size > max(SMALL, MAX_RATIO * member.compress_size):
        raise ValueError(f"unpacks to more than {MAX_RATIO} times its size")


def _top(members: Mapping[str, zipfile.ZipInfo]) -> str:
    """The top folder, with a slash, that a zip has if a folder, instead of its content, was packed; else ""."""
    tops = {path.partition("/")[0] for path in members}
    if len(tops) != 1 or not any(f"{top}/{name}" in members for top in tops for name in manifest.NAMES):
        return ""
    return f"{tops.pop()}/"


def folders(path: str) -> Iterator[int]:
    """Where the folders above a file end in its path."""
    return (index for index, letter in enumerate(path) if letter == "/")


def checksums(contents: Contents, found: list[validation.Fault]) -> dict[str, str]:
    """SHA-256, in hex, of every file. Reading them all shows whether the package is whole."""
    checksums: dict[str, str] = {}
    for path in contents.members:
        digest = hashlib.sha256()
        try:
            for chunk in contents.stream(path):
                digest.update(chunk)
        except ValueError as error:
            found.append(validation.Fault(validation.clipped(path), str(error)))
        checksums[path] = digest.hexdigest()
    return checksums


def refused(place: str, message: str) -> validation.Faults:
    return validation.Faults([validation.Fault(place, message)])
