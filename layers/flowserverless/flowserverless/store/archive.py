"""Makes the .tar.gz of a run's files from S3 to S3, while it flows through the function.

The archive is a chain of generators that the last of them, the upload, pulls:

    pieces of files --> tar stream --> blocks --> deflated blocks --> parts of a multipart upload
      (8 readers)       (sha256)                   (2 compressors)       (2 uploaders)

Each stage with threads is `_ahead`: it works on a bounded number of items in advance and hands the results on in the
order of the items. So memory is bounded whatever the size of the files (16 MiB of pieces, 10 to 20 of parts, a few of
blocks), and the bytes never depend on which thread was faster: the same results give the same archive.

Blocks are deflated independently of each other and end on a byte boundary (a sync flush), so that put together they
are one ordinary gzip member (RFC 1952), as pigz does it. Entries are sorted by name and have no owner and no time.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import functools
import hashlib
import io
import itertools
import json
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from botocore import exceptions
from isal import isal_zlib

from flowserverless.domain import frozen

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef
MIB = 1024 * 1024
PIECE = 2 * MIB
READ = MIB // 8
BLOCK = MIB // 8
MIN_PART_BYTES = 5 * MIB
MAX_PARTS = 10_000
READERS = 8
PIECES_AHEAD = 8
COMPRESSORS = 2
BLOCKS_AHEAD = 8
UPLOADERS = 2
PARTS_AHEAD = 2
RETRIES = 3
BROKEN = (exceptions.HTTPClientError, exceptions.IncompleteReadError, exceptions.FlexibleChecksumError)
LEVEL = 2
"""The level of igzip, from 0 to 3. Level 2 is as fast as level 1 and better at prose and code; level 3 saves another
2 to 5 % in 40 % more time. Levels 1 and 2 take the same path on every x86-64 processor that has AVX2, and so give the
same bytes; level 3 has a path of its own for AVX-512.
"""
MANIFEST = "manifest.json"
Item = TypeVar("Item")
Result = TypeVar("Result")


class SourceChanged(Exception):
    """A file is gone, or is not the one that was to be archived any more; the message names it."""


class Source(NamedTuple):
    """A file to be archived: its name in the archive, the key of its object and the size it was recorded with."""

    name: str
    key: str
    size: int


@frozen.dataclass
class FileDigest:
    """A file as it was archived; `sha256` is hexadecimal."""

    name: str
    size: int
    sha256: str


@frozen.dataclass
class ArchiveInfo:
    """A finished archive: its own size in bytes, and its files without the manifest, in the order of their names."""

    size: int
    files: tuple[FileDigest, ...]


def build(
    s3: S3Client,
    bucket: str,
    files: Iterable[tuple[str, str, int]],
    destination: str,
    manifest: Mapping[str, object],
    level: int = LEVEL,
) -> ArchiveInfo:
    """Archive `files`, each a (name, key, size) of `bucket`, as the object `destination` of the same bucket.

    The last member is `manifest` as JSON with a list `files` of name, size and sha256 added to it; it is called
    manifest.json, or, if the results hold that name themselves, _manifest.json and so on.

    Raises ValueError for names that could not be unpacked side by side below one directory, SourceChanged when a
    file is missing or not as it was recorded. Whatever fails, nothing of the archive stays behind, and an older
    archive of that name stays as it was. `s3` should allow at least as many connections as there are threads (10,
    botocore's default).
    """
    sources = sorted(Source(*file) for file in files)
    name = manifest_name(check_names(source.name for source in sources))
    digests: list[FileDigest] = []
    with _threads(READERS) as readers, _threads(COMPRESSORS) as compressors, _threads(UPLOADERS) as uploaders:
        pieces = _ahead(readers, functools.partial(_fetch, s3, bucket), _pieces(sources), PIECES_AHEAD)
        stream = itertools.chain(_entries(pieces, digests), _last_entry(name, manifest, digests))
        parts = _parts(_gzip(compressors, stream, level), part_size(sources))
        size = _store(s3, bucket, destination, uploaders, parts)
    return ArchiveInfo(size, tuple(digests))


def check_names(names: Iterable[str]) -> frozenset[str]:
    """All names and the directories they lie in; raises ValueError if they could not all be unpacked side by side."""
    files: set[str] = set()
    directories: set[str] = set()
    for name in names:
        segments = name.split("/")
        if "\0" in name or not {"", ".", ".."}.isdisjoint(segments):
            raise ValueError(f"{name!r} is not a name for a file of an archive")
        if name in files:
            raise ValueError(f"two files of the archive are called {name!r}")
        files.add(name)
        directories.update(itertools.accumulate(segments[:-1], "{}/{}".format))
    if both := files & directories:
        raise ValueError(f"{min(both)!r} is a file and a directory")
    return frozenset(files | directories)


def manifest_name(taken: frozenset[str]) -> str:
    """manifest.json, with as many underscores in front as it takes not to be one of the `taken` names."""
    name = MANIFEST
    while name in taken:
        name = "_" + name
    return name


def part_size(sources: Iterable[Source]) -> int:
    """Bytes of a part of the upload such that S3's 10,000 parts are enough even if nothing can be compressed.

    That is 5 MiB up to 47 GB of files, which is about what a function can move in its 15 minutes; beyond that
    parts, and with them the memory, grow with the archive.
    """
    for_names = 4096  # headers and padding in the tar and a line of the manifest, for the longest S3 key
    total = sum(source.size + for_names for source in sources)
    in_use = MAX_PARTS * 9 // 10  # gzip adds less than a thousandth to what it cannot compress
    return max(MIN_PART_BYTES, -(-total // in_use))


def header(name: str, size: int) -> bytes:
    """The header of a file in a tar archive: POSIX.1-2001 (PAX) where the name or a size over 8 GiB needs it."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT)


class _Piece(NamedTuple):
    source: Source
    offset: int
    content: bytearray


class _Fetched(NamedTuple):
    source: Source
    etag: str
    content: bytearray


def _pieces(sources: Iterable[Source]) -> Iterator[_Piece]:
    """What to read, with the memory to read it into.

    That is allocated here, by one thread: what each of many threads allocates stays with that thread for reuse
    (an arena of malloc), and the process would grow to the sum of what each of them once needed.
    """
    for source in sources:
        for offset in range(0, source.size or 1, PIECE):
            yield _Piece(source, offset, bytearray(min(PIECE, source.size - offset)))


def _fetch(s3: S3Client, bucket: str, piece: _Piece) -> _Fetched:
    """Read a piece; a connection that breaks while the body is read is not among the failures botocore retries."""
    for _ in range(RETRIES):
        with contextlib.suppress(*BROKEN):
            return _get(s3, bucket, piece)
    return _get(s3, bucket, piece)


def _get(s3: S3Client, bucket: str, piece: _Piece) -> _Fetched:
    source, offset, content = piece
    piece_size = len(content)
    try:
        if piece_size == source.size:  # botocore verifies S3's checksum of whole objects only
            response = s3.get_object(Bucket=bucket, Key=source.key)
        else:
            wanted = f"bytes={offset}-{offset + piece_size - 1}"
            response = s3.get_object(Bucket=bucket, Key=source.key, Range=wanted)
    except exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 416):
            raise SourceChanged(f"{source.name} is gone or shorter than {source.size} bytes") from error
        raise
    with contextlib.closing(response["Body"]) as body:
        total = int(response["ContentRange"].rpartition("/")[2]) if "ContentRange" in response else source.size
        position = 0
        while position <= piece_size and (chunk := body.read(READ)):
            content[position : position + len(chunk)] = chunk
            position += len(chunk)
    if (position, total) != (piece_size, source.size):
        raise SourceChanged(f"{source.name} is no longer the file of {source.size} bytes that was recorded")
    return _Fetched(source, response["ETag"], content)


def _entries(fetched: Iterator[_Fetched], digests: list[FileDigest]) -> Iterator[bytes | bytearray]:
    """The tar entries of the files; each is in `digests` once the reader has gone past it."""
    for source, pieces in itertools.groupby(fetched, lambda piece: piece.source):
        yield header(source.name, source.size)
        digest = hashlib.sha256()
        versions = set()
        for piece in pieces:
            versions.add(piece.etag)
            if len(versions) > 1:
                raise SourceChanged(f"{source.name} was replaced while it was being archived")
            digest.update(piece.content)
            yield piece.content
        yield _padding(source.size)
        digests.append(FileDigest(source.name, source.size, digest.hexdigest()))


def _last_entry(name: str, manifest: Mapping[str, object], digests: list[FileDigest]) -> Iterator[bytes]:
    """The manifest, which can only be written when everything before it was read, and the end of the archive."""
    listed = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in digests]
    text = json.dumps({**manifest, "files": listed}, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    content = text.encode()
    yield header(name, len(content))
    yield content
    yield _padding(len(content))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _gzip(compressors: futures.Executor, chunks: Iterable[bytes | bytearray], level: int) -> Iterator[bytes]:
    """The chunks as one gzip member that names neither a time nor a system."""
    yield struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, 0, 0, 0, 255)
    checksum = size = 0
    deflate = functools.partial(_deflate, level)
    for block in _ahead(compressors, deflate, _blocks(chunks), BLOCKS_AHEAD):
        yield block.deflated
        checksum = isal_zlib.crc32_combine(checksum, block.checksum, block.size)
        size += block.size
    yield b"\x03\x00"  # an empty block that is marked as the last one
    yield struct.pack("<II", checksum, size % 2**32)


class _Deflated(NamedTuple):
    deflated: bytes
    checksum: int
    size: int


def _deflate(level: int, block: bytes) -> _Deflated:
    deflater = isal_zlib.compressobj(level, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    deflated = deflater.compress(block) + deflater.flush(isal_zlib.Z_SYNC_FLUSH)
    return _Deflated(deflated, isal_zlib.crc32(block), len(block))


def _blocks(chunks: Iterable[bytes | bytearray]) -> Iterator[bytes]:
    """The same bytes in blocks of equal size: where they are cut must not depend on how they arrived."""
    block: list[memoryview] = []
    missing = BLOCK
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) >= missing:
            yield b"".join([*block, rest[:missing]])
            rest = rest[missing:]
            block, missing = [], BLOCK
        if rest:
            block.append(rest)
            missing -= len(rest)
    if block:
        yield b"".join(block)


def _parts(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of at least `size`; only the last one may be smaller."""
    part = io.BytesIO()
    for chunk in chunks:
        part.write(chunk)
        if part.tell() >= size:
            yield part.getvalue()
            part = io.BytesIO()
    if part.tell():
        yield part.getvalue()


def _store(s3: S3Client, bucket: str, key: str, uploaders: futures.Executor, parts: Iterator[bytes]) -> int:
    """Write the object and return its size: at once if there is only one part, else by a multipart upload."""
    first = next(parts)
    second = next(parts, None)
    if second is None:
        s3.put_object(
            Bucket=bucket, Key=key, Body=first, ContentType="application/gzip", ChecksumCRC32=_checksum(first)
        )
        return len(first)
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key=key, ContentType="application/gzip", ChecksumAlgorithm="CRC32"
    )["UploadId"]
    numbered = enumerate(itertools.chain([first, second], parts), start=1)
    del first, second
    size = 0
    completed: list[CompletedPartTypeDef] = []
    try:
        send = functools.partial(_send, s3, bucket, key, upload)
        for part, length in _ahead(uploaders, send, numbered, PARTS_AHEAD):
            completed.append(part)
            size += length
        s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": completed})
    except BaseException:
        # If this fails too, what failed first is worth more; a lifecycle rule of the bucket removes the parts.
        with contextlib.suppress(exceptions.BotoCoreError, exceptions.ClientError):
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise
    return size


def _send(
    s3: S3Client, bucket: str, key: str, upload: str, numbered: tuple[int, bytes]
) -> tuple[CompletedPartTypeDef, int]:
    number, body = numbered
    checksum = _checksum(body)
    response = s3.upload_part(
        Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumCRC32=checksum
    )
    return {"PartNumber": number, "ETag": response["ETag"], "ChecksumCRC32": checksum}, len(body)


def _checksum(body: bytes) -> str:
    """The CRC-32 by which S3 finds out that something was damaged on the way, in the form its headers want."""
    return base64.b64encode(isal_zlib.crc32(body).to_bytes(4, "big")).decode()


@contextlib.contextmanager
def _threads(count: int) -> Iterator[futures.Executor]:
    """Threads that do not begin anything more when the block is left."""
    pool = futures.ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    pool: futures.Executor, work: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[Result]:
    """`map(work, items)` in the threads of the pool, at most `depth` items ahead of whoever reads the results."""
    running: collections.deque[futures.Future[Result]] = collections.deque()
    try:
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) == depth:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        # An upload may only be aborted when none of its parts is on its way any more. Of what was called off `wait`
        # would not hear any more, once its pool is shut down.
        futures.wait([unread for unread in running if not unread.cancel()])
