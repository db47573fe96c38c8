"""A workflow package: a zip file with a manifest, a template, instructions and the files of the workflow."""

import hashlib
import json
import posixpath
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import IO

from flowserverless.domain import frozen, paths, public_files, validation
from flowserverless.domain.templates import commands, executors, feasibility, templates
from flowserverless.packages import collisions, documents, instructions, manifest, missing_inputs, zipfiles


@frozen.dataclass
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
    warnings: tuple[validation.Fault, ...] = ()
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
    lambda_images: Iterable[str] = executors.LAMBDA_IMAGES,
    python: str | None = None,
) -> Package:
    """Read a package, given as bytes or as a seekable stream; raises faults.Faults with everything that is wrong.

    What is only worth a warning is in the package's `warnings`, or in those of the faults.
    `max_bytes` bounds the size of all files together when unpacked, `max_files` their number; `available`,
    `lambda_images` and `python` are those of templates.parse. A fault's place is a file of the package, with the line
    where that is known, and the element in it. Package.open reads the stream again.
    """
    found: list[validation.Fault] = []
    contents = zipfiles.contents(zipfiles.opened(source, max_files), max_bytes, max_files, found)
    loaded = documents.Documents(lambda path: contents.read(path, documents.MAX_BYTES))
    warned = loaded.warned
    described = manifest.read(contents, loaded, found)
    document = template = None
    with manifest.collecting(found):
        document = loaded.load(described.specfile) if described.specfile else None
        template = _template(document, available, lambda_images, python, warned) if document else None
    text = instructions.read(described, contents, found)
    files, folders = _files(described, contents, found)
    checksums = zipfiles.checksums(contents, found)
    if document and template:
        named = missing_inputs.check(template, files, folders)
        found += manifest.placed(document, [*collisions.check(template, files, folders), *named.wrong], template)
        found += manifest.placed(document, [*_obstacles(template), *_unlike_flowserv(template)], template)
        warned += manifest.placed(document, [*collisions.doubts(template, files), *named.doubtful], template)
    public = _public(described, document, template, contents, files, found, warned)
    if found or template is None:
        # What is wrong with a file is found again by everyone who needs it.
        raise validation.Faults(dict.fromkeys(found), dict.fromkeys(warned))
    return Package(
        name=described.name,
        description=described.description,
        instructions=text,
        specfile=described.specfile,
        template=template,
        files={target: contents.members[path].filename for target, path in files.items()},
        checksums={target: checksums[path] for target, path in files.items()},
        executables=tuple(sorted(one for one, path in files.items() if zipfiles.is_executable(contents.members[path]))),
        folders=tuple(sorted(folders)),
        archive=contents.archive,
        warnings=tuple(dict.fromkeys(warned)),
        public={path: contents.members[member].filename for path, member in public.items()},
        public_checksums={path: checksums[member] for path, member in public.items()},
    )


def _template(
    document: documents.Document,
    available: Collection[str],
    lambda_images: Iterable[str],
    python: str | None,
    warned: list[validation.Fault],
) -> templates.Template:
    try:
        template = templates.parse(document.value, available, lambda_images, python)
    except validation.Faults as error:
        warned += manifest.placed(document, error.warnings)
        raise validation.Faults(manifest.placed(document, error.faults)) from None
    warned += manifest.placed(document, template.warnings)
    return template


def _obstacles(template: templates.Template) -> Iterator[validation.Fault]:
    for text in feasibility.obstacles(template, template.parameters):
        yield validation.Fault("parameters", f"{text}; no run could ever start")


def _unlike_flowserv(template: templates.Template) -> Iterator[validation.Fault]:
    listed = {"workflow": template.steps, "postproc.workflow": template.postproc.steps if template.postproc else ()}
    for workflow, declared in listed.items():
        for index, step in enumerate(declared):
            for number, command in enumerate(step.commands):
                if problem := commands.fault(command):
                    yield validation.Fault(f"{workflow}.steps[{index}].action.commands[{number}]", problem)


def _files(
    manifest: manifest.Manifest, contents: zipfiles.Contents, found: list[validation.Fault]
) -> tuple[dict[str, str], frozenset[str]]:
    """The files of the workflow: where they are in the run directory -> where in the package; and its empty folders."""
    files: dict[str, str] = {}
    folders: set[str] = set()
    for place, source, target in manifest.files or (("package", "", ""),):
        listed = [*contents.members, *sorted(contents.folders)]
        meant = [path for path in listed if not source or path == source or path.startswith(f"{source}/")]
        if not meant:
            found.append(validation.Fault(place, f"{validation.shown(source)} is not in the package"))
        for path in meant:
            below = path.removeprefix(source).lstrip("/")
            if path in contents.folders and not (below or target):
                continue
            try:
                here = paths.placeable(posixpath.join(target, below) if below else target)
            except ValueError as error:
                found.append(validation.Fault(place, f"{validation.shown(path)}: {error}"))
                continue
            if path in contents.folders:
                folders.add(here)
                continue
            if files.get(here, path) != path:
                found.append(validation.Fault(place, f"puts a second file at {validation.shown(here)}"))
            files[here] = path
    occupied = {path[:end] for path in (*files, *folders) for end in zipfiles.folders(path)}
    both = (occupied | folders) & files.keys()
    found += [
        validation.Fault("package", f"{validation.shown(path)} would be a file and a folder") for path in sorted(both)
    ]
    return files, frozenset(folders - occupied)


def _public(
    manifest: manifest.Manifest,
    document: documents.Document | None,
    template: templates.Template | None,
    contents: zipfiles.Contents,
    files: Mapping[str, str],
    found: list[validation.Fault],
    warned: list[validation.Fault],
) -> dict[str, str]:
    """What manifest or template declare to be public: the path that each file is known by -> the member."""
    declared = [*manifest.public]
    if document and template:
        places = (document.at(f"flowserverless.public[{index}]") for index in range(len(template.public)))
        declared += [public_files.Pattern(at, text) for at, text in zip(places, template.public, strict=True)]
    public = public_files.chosen(declared, contents.members, files, found)
    warned += public_files.doubts(declared, public)
    return public
