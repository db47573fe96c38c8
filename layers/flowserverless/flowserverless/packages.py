"""A workflow package: a zip file with a manifest, a template, instructions and the workflow's own files.

The zip comes from outside. It is read member by member within bounds, and completely: whoever stores a
package that `read` accepted finds every file of it whole, and nothing of a refused one is ever stored.
"""

import hashlib
import io
import json
import posixpath
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, cast

from flowserverless import documents
from flowserverless.domain import (
    commands,
    elements,
    faults,
    feasibility,
    layout,
    needs,
    paths,
    public_files,
    steps,
    templates,
)

MANIFESTS = ("flowserv.json", "flowserv.yaml", "flowserv.yml")
# What desktop systems add to a zip without being asked.
LITTER = re.compile(
    r"(.*/)?(__MACOSX|\._[^/]*|\.DS_Store|\.AppleDouble|\.Spotlight-V100|\.Trashes|\.fseventsd|(eh)?thumbs\.db|desktop\.ini)(/.*)?",
    re.DOTALL | re.IGNORECASE,
)
LONGEST_NAME = 512
LONGEST_DESCRIPTION = 10_000
# In characters, of the instructions with everything that they include.
LONGEST_INSTRUCTIONS = 100_000
MOST_INCLUDES = 50
# Deflate shrinks at most 1032 times. What comes near it and is not small holds nothing but the intention.
LARGEST_RATIO = 500
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


@dataclass(frozen=True)
class Package:
    """An accepted package. `files` says from which member of the zip each file of the run directory comes.

    `executables` are those of the files that may be executed, `folders` the folders in which there is no file. `public`
    says where the files come from that anybody may download.

    `warnings` are what its organiser should know although it is accepted.
    """

    name: str
    description: str | None
    instructions: str | None
    specfile: str
    template: templates.Template
    files: Mapping[str, str]
    checksums: Mapping[str, str]
    executables: tuple[str, ...]
    folders: tuple[str, ...]
    archive: zipfile.ZipFile = field(repr=False, compare=False)
    warnings: tuple[faults.Fault, ...] = ()
    public: Mapping[str, str] = field(default_factory=dict)
    public_checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, object]:
        """The template in its normal form."""
        return self.template.document

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that makes the workflow what it is, however it was packed."""
        # What few packages have does not change the digests of the others.
        rare = {"executables": self.executables, "folders": self.folders, "public": {**self.public_checksums}}
        content = {
            **{name: paths for name, paths in rare.items() if paths},
            "name": self.name,
            "description": self.description,
            "instructions": self.instructions,
            "template": self.document,
            "files": {**self.checksums},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def size(self, target: str) -> int:
        """The size in bytes of the file at `target`."""
        return self.archive.getinfo(self.files[target]).file_size

    def open(self, target: str) -> IO[bytes]:
        """A stream of the file at `target`."""
        return self.archive.open(self.files[target])

    def public_size(self, path: str) -> int:
        """The size in bytes of a public file."""
        return self.archive.getinfo(self.public[path]).file_size

    def open_public(self, path: str) -> IO[bytes]:
        """A stream of a public file."""
        return self.archive.open(self.public[path])


def read(
    source: bytes | IO[bytes],
    max_bytes: int,
    max_files: int,
    available: Collection[str] = frozenset({"lambda"}),
    lambda_images: Iterable[str] = steps.LAMBDA_IMAGES,
    python: str | None = None,
) -> Package:
    """Read a package, given as bytes or as a seekable stream; raises faults.Faults with everything that is wrong.

    What is only worth a warning is in the package's `warnings`, or in those of the faults.
    `max_bytes` bounds the size of all files together when unpacked, `max_files` their number; `available`,
    `lambda_images` and `python` are those of templates.parse. A fault's place is a file of the package, with the line
    where that is known, and the element in it. Package.open reads the stream again.
    """
    found: list[faults.Fault] = []
    contents = _contents(_open(source, max_files), max_bytes, max_files, found)
    loaded = documents.Documents(lambda path: contents.read(path, documents.LARGEST))
    warned = loaded.warned
    described = _manifest(contents, loaded, found)
    document = template = None
    with _collecting(found):
        document = loaded.load(described.specfile) if described.specfile else None
        template = _template(document, available, lambda_images, python, warned) if document else None
    text = _instructions(described, contents, found)
    files, folders = _files(described, contents, found)
    checksums = _checksums(contents, found)
    if document and template:
        named = needs.check(template, files, folders)
        found += _placed(document, [*layout.check(template, files, folders), *named.wrong], template)
        found += _placed(document, [*_obstacles(template), *_unlike_flowserv(template)], template)
        warned += _placed(document, [*layout.doubts(template, files), *named.doubtful], template)
    public = _public(described, document, template, contents, files, found, warned)
    if found or template is None:
        # What is wrong with a file is found again by everyone who needs it.
        raise faults.Faults(dict.fromkeys(found), dict.fromkeys(warned))
    return Package(
        name=described.name,
        description=described.description,
        instructions=text,
        specfile=described.specfile,
        template=template,
        files={target: contents.members[path].filename for target, path in files.items()},
        checksums={target: checksums[path] for target, path in files.items()},
        executables=tuple(sorted(one for one, path in files.items() if _is_executable(contents.members[path]))),
        folders=tuple(sorted(folders)),
        archive=contents.archive,
        warnings=tuple(dict.fromkeys(warned)),
        public={path: contents.members[member].filename for path, member in public.items()},
        public_checksums={path: checksums[member] for path, member in public.items()},
    )


@dataclass(frozen=True)
class _Contents:
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


@dataclass(frozen=True)
class _Manifest:
    """What the manifest says; `files` are places, sources and targets, or None for everything."""

    name: str
    description: str | None
    instructions: str | None
    specfile: str
    files: tuple[tuple[str, str, str], ...] | None
    public: tuple[public_files.Pattern, ...] = ()


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


def _open(source: bytes | IO[bytes], max_files: int) -> zipfile.ZipFile:
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    bounded = _Bounded(stream, max(ENTRY_SIZE * max_files, CHUNK))
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], bounded))
    except DAMAGED as error:
        raise _refused("package", f"is not a zip file: {error}") from None
    # From here on the one who reads a member decides how much at once.
    bounded.most = sys.maxsize
    return archive


def _contents(archive: zipfile.ZipFile, max_bytes: int, max_files: int, found: list[faults.Fault]) -> _Contents:
    listed = [member for member in archive.infolist() if not LITTER.fullmatch(member.filename)]
    if len(listed) > max_files:
        raise _refused("package", f"has {len(listed)} members, more than {max_files}")
    size = sum(member.file_size for member in listed)
    if size > max_bytes:
        raise _refused("package", f"has {size} bytes when unpacked, more than {max_bytes}")
    members: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for member in listed:
        # zipfile cuts a name off at a NUL; this is the name as it is written.
        name = member.orig_filename
        try:
            path = paths.normalise(name)
            _check(member)
        except ValueError as error:
            found.append(faults.Fault(elements.clipped(name), str(error)))
            continue
        if path in members:
            found.append(faults.Fault(elements.clipped(path), "is in the package twice"))
        if member.is_dir():
            folders.add(path)
        else:
            members[path] = member
    top = _top(members)
    below = {path.removeprefix(top): member for path, member in members.items()}
    return _Contents(archive, below, frozenset(path.removeprefix(top) for path in folders if path.startswith(top)))


def _is_executable(member: zipfile.ZipInfo) -> bool:
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
    if member.file_size > max(SMALL, LARGEST_RATIO * member.compress_size):
        raise ValueError(f"unpacks to more than {LARGEST_RATIO} times its size")


def _top(members: Mapping[str, zipfile.ZipInfo]) -> str:
    """The top folder, with a slash, that a zip has if a folder, instead of its content, was packed; else ""."""
    tops = {path.partition("/")[0] for path in members}
    if len(tops) != 1 or not any(f"{top}/{name}" in members for top in tops for name in MANIFESTS):
        return ""
    return f"{tops.pop()}/"


def _manifest(contents: _Contents, loaded: documents.Documents, found: list[faults.Fault]) -> _Manifest:
    """The manifest, as far as it can be read; raises Faults if there is none at all."""
    file = next((name for name in MANIFESTS if name in contents.members), None)
    if file is None:
        found.append(faults.Fault("package", _without_manifest(contents.members)))
        raise faults.Faults(found)
    reader: elements.Reader | None = None
    noted: list[faults.Fault] = []
    with _collecting(found):
        document = loaded.load(file)
        with _collecting(noted):
            elements.require_json(document.value)
            reader = elements.reader(document.value, "", noted)
        found += _placed(document, noted)
    if reader is None:
        raise faults.Faults(found)
    noted.clear()
    manifest = _Manifest(
        name=reader.required_text("name"),
        description=reader.text("description"),
        instructions=_named(reader, "instructions"),
        specfile=_named(reader, "specfile") or "",
        files=_listed(reader, document),
        public=tuple(_declared_public(reader, document)),
    )
    reader.refuse_unknown("name", "description", "instructions", "files", "specfile", "public")
    if reader.document.get("specfile") is None:
        reader.fault("specfile", "is missing")
    for element, text, most in (
        ("name", manifest.name, LONGEST_NAME),
        ("description", manifest.description or "", LONGEST_DESCRIPTION),
    ):
        if len(text) > most:
            reader.fault(element, f"has more than {most} characters")
    found += _placed(document, noted)
    loaded.warned += _placed(document, reader.warned)
    return manifest


def _without_manifest(members: Iterable[str]) -> str:
    """That there is no manifest where it should be, and where there are files of its name."""
    deeper = sorted(path for path in members if posixpath.basename(path).lower() in MANIFESTS)
    message = f"has no manifest, which is one of {', '.join(MANIFESTS)}, at the top or in the one folder there"
    if not deeper:
        return message
    shown = ", ".join(elements.shown(path) for path in deeper[:5])
    return f"{message}; there is {shown}{', ...' if deeper[5:] else ''}: pack what is in the manifest's folder"


def _named(reader: elements.Reader, element: str) -> str | None:
    """The normal path of a file of the package that the manifest names."""
    name = reader.text(element)
    try:
        return None if name is None else paths.normalise(name)
    except ValueError as error:
        reader.fault(element, str(error))
        return None


def _listed(reader: elements.Reader, document: documents.Document) -> tuple[tuple[str, str, str], ...] | None:
    if reader.items("files") is None:
        return None
    listed = []
    for each in reader.objects("files"):
        each.refuse_unknown("source", "target")
        source = each.required_text("source")
        target = each.text("target")
        try:
            if source:
                target = source if target is None else target
                listed.append((document.at(each.place), _folder(source), _folder(target)))
        except ValueError as error:
            each.fault("", str(error))
    return tuple(listed)


def _folder(path: str) -> str:
    """The normal path of a file or folder, where the empty path is the top folder itself."""
    return "" if path.strip() in ("", ".", "./") else paths.normalise(path)


def _template(
    document: documents.Document,
    available: Collection[str],
    lambda_images: Iterable[str],
    python: str | None,
    warned: list[faults.Fault],
) -> templates.Template:
    try:
        template = templates.parse(document.value, available, lambda_images, python)
    except faults.Faults as error:
        warned += _placed(document, error.warnings)
        raise faults.Faults(_placed(document, error.faults)) from None
    warned += _placed(document, template.warnings)
    return template


def _obstacles(template: templates.Template) -> Iterator[faults.Fault]:
    for text in feasibility.obstacles(template, template.parameters):
        yield faults.Fault("parameters", f"{text}; no run could ever start")


def _unlike_flowserv(template: templates.Template) -> Iterator[faults.Fault]:
    listed = {"workflow": template.steps, "postproc.workflow": template.postproc.steps if template.postproc else ()}
    for workflow, declared in listed.items():
        for index, step in enumerate(declared):
            for number, command in enumerate(step.commands):
                if problem := commands.fault(command):
                    yield faults.Fault(f"{workflow}.steps[{index}].action.commands[{number}]", problem)


def _placed(
    document: documents.Document, noted: Iterable[faults.Fault], template: templates.Template | None = None
) -> list[faults.Fault]:
    """Faults or warnings, of the document or of a template, with the lines of the file in which the document stands."""
    noted = map(template.written, noted) if template else noted
    return [faults.Fault(document.at(fault.place), fault.message) for fault in noted]


def _instructions(manifest: _Manifest, contents: _Contents, found: list[faults.Fault]) -> str | None:
    if manifest.instructions is None:
        return None
    try:
        return _Instructions(contents, found).text(manifest.instructions)
    except ValueError as error:
        found.append(faults.Fault(manifest.instructions, str(error)))
        return None


class _Instructions:
    """Instructions, with each `{{file}}` replaced by that file, which is relative to the including one."""

    def __init__(self, contents: _Contents, found: list[faults.Fault]) -> None:
        self._contents = contents
        self._found = found
        self._open: list[str] = []
        self._includes = 0
        self._length = 0

    def text(self, path: str) -> str:
        """The text of a file; raises ValueError if it cannot be had. What it includes in vain is noted."""
        if path in self._open:
            raise ValueError("includes itself")
        try:
            text = self._contents.read(path, LONGEST_INSTRUCTIONS).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("is not a text in UTF-8") from None
        self._length += len(text)
        if "\0" in text or self._length > LONGEST_INSTRUCTIONS:
            raise ValueError(f"makes instructions with NUL or of more than {LONGEST_INSTRUCTIONS} characters")
        self._open.append(path)
        replaced = re.sub(r"\{\{([^{}\n]*)\}\}", lambda include: self._included(include, path), text)
        self._open.pop()
        return replaced.strip()

    def _included(self, include: re.Match[str], path: str) -> str:
        self._includes += 1
        try:
            if self._includes > MOST_INCLUDES:
                raise ValueError(f"is one of more than {MOST_INCLUDES} includes")
            return self.text(paths.normalise(posixpath.join(posixpath.dirname(path), include[1].strip())))
        except ValueError as error:
            line = include.string.count("\n", 0, include.start()) + 1
            self._found.append(faults.Fault(f"{path}:{line}", f"{elements.shown(include[0])} {error}"))
            return ""


def _files(
    manifest: _Manifest, contents: _Contents, found: list[faults.Fault]
) -> tuple[dict[str, str], frozenset[str]]:
    """The files of the workflow: where they are in the run directory -> where in the package; and its empty folders."""
    files: dict[str, str] = {}
    folders: set[str] = set()
    for place, source, target in manifest.files or (("package", "", ""),):
        listed = [*contents.members, *sorted(contents.folders)]
        meant = [path for path in listed if not source or path == source or path.startswith(f"{source}/")]
        if not meant:
            found.append(faults.Fault(place, f"{elements.shown(source)} is not in the package"))
        for path in meant:
            below = path.removeprefix(source).lstrip("/")
            if path in contents.folders and not (below or target):
                continue
            try:
                here = paths.placeable(posixpath.join(target, below) if below else target)
            except ValueError as error:
                found.append(faults.Fault(place, f"{elements.shown(path)}: {error}"))
                continue
            if path in contents.folders:
                folders.add(here)
                continue
            if files.get(here, path) != path:
                found.append(faults.Fault(place, f"puts a second file at {elements.shown(here)}"))
            files[here] = path
    occupied = {path[:end] for path in (*files, *folders) for end in _folders(path)}
    both = (occupied | folders) & files.keys()
    found += [faults.Fault("package", f"{elements.shown(path)} would be a file and a folder") for path in sorted(both)]
    return files, frozenset(folders - occupied)


def _declared_public(reader: elements.Reader, document: documents.Document) -> Iterator[public_files.Pattern]:
    for index, text in enumerate(steps.patterns(reader, "public") or ()):
        yield public_files.Pattern(document.at(f"public[{index}]"), text)


def _public(
    manifest: _Manifest,
    document: documents.Document | None,
    template: templates.Template | None,
    contents: _Contents,
    files: Mapping[str, str],
    found: list[faults.Fault],
    warned: list[faults.Fault],
) -> dict[str, str]:
    """What manifest or template declare to be public: the path that each file is known by -> the member."""
    declared = [*manifest.public]
    if document and template:
        places = (document.at(f"flowserverless.public[{index}]") for index in range(len(template.public)))
        declared += [public_files.Pattern(at, text) for at, text in zip(places, template.public, strict=True)]
    public = public_files.chosen(declared, contents.members, files, found)
    warned += public_files.doubts(declared, public)
    return public


def _folders(path: str) -> Iterator[int]:
    """Where the folders above a file end in its path."""
    return (index for index, letter in enumerate(path) if letter == "/")


def _checksums(contents: _Contents, found: list[faults.Fault]) -> dict[str, str]:
    """SHA-256, in hex, of every file. Reading them all shows whether the package is whole."""
    checksums: dict[str, str] = {}
    for path in contents.members:
        digest = hashlib.sha256()
        try:
            for chunk in contents.stream(path):
                digest.update(chunk)
        except ValueError as error:
            found.append(faults.Fault(elements.clipped(path), str(error)))
        checksums[path] = digest.hexdigest()
    return checksums


@contextmanager
def _collecting(found: list[faults.Fault]) -> Iterator[None]:
    """Add the faults that are raised within to those that were found."""
    try:
        yield
    except faults.Faults as error:
        found.extend(error.faults)


def _refused(place: str, message: str) -> faults.Faults:
    return faults.Faults([faults.Fault(place, message)])
