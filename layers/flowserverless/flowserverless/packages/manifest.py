"""Reads a package's manifest (flowserv.yaml): name, description, template, files, instructions."""

import posixpath
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flowserverless.domain import frozen, paths, public_files, validation
from flowserverless.domain.templates import steps, templates
from flowserverless.packages import documents, zipfiles

NAMES = ("flowserv.json", "flowserv.yaml", "flowserv.yml")
MAX_NAME_LENGTH = 512
MAX_DESCRIPTION_LENGTH = 10_000


@frozen.dataclass
class Manifest:
    """What the manifest says; `files` are places, sources and targets, or None for everything."""

    name: str
    description: str | None
    instructions: str | None
    specfile: str
    files: tuple[tuple[str, str, str], ...] | None
    public: tuple[public_files.Pattern, ...] = ()


def read(contents: zipfiles.Contents, loaded: documents.Documents, found: list[validation.Fault]) -> Manifest:
    """The manifest, as far as it can be read; raises Faults if there is none at all."""
    file = next((name for name in NAMES if name in contents.members), None)
    if file is None:
        found.append(validation.Fault("package", _without_manifest(contents.members)))
        raise validation.Faults(found)
    reader: validation.Reader | None = None
    noted: list[validation.Fault] = []
    with collecting(found):
        document = loaded.load(file)
        with collecting(noted):
            validation.require_json(document.value)
            reader = validation.reader(document.value, "", noted)
        found += placed(document, noted)
    if reader is None:
        raise validation.Faults(found)
    noted.clear()
    manifest = Manifest(
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
        ("name", manifest.name, MAX_NAME_LENGTH),
        ("description", manifest.description or "", MAX_DESCRIPTION_LENGTH),
    ):
        if len(text) > most:
            reader.fault(element, f"has more than {most} characters")
    found += placed(document, noted)
    loaded.warned += placed(document, reader.warned)
    return manifest


def _without_manifest(members: Iterable[str]) -> str:
    """That there is no manifest where it should be, and where there are files of its name."""
    deeper = sorted(path for path in members if posixpath.basename(path).lower() in NAMES)
    message = f"has no manifest, which is one of {', '.join(NAMES)}, at the top or in the one folder there"
    if not deeper:
        return message
    shown = ", ".join(validation.shown(path) for path in deeper[:5])
    return f"{message}; there is {shown}{', ...' if deeper[5:] else ''}: pack what is in the manifest's folder"


def _named(reader: validation.Reader, element: str) -> str | None:
    """The normal path of a file of the package that the manifest names."""
    name = reader.text(element)
    try:
        return None if name is None else paths.normalise(name)
    except ValueError as error:
        reader.fault(element, str(error))
        return None


def _listed(reader: validation.Reader, document: documents.Document) -> tuple[tuple[str, str, str], ...] | None:
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


def placed(
    document: documents.Document, noted: Iterable[validation.Fault], template: templates.Template | None = None
) -> list[validation.Fault]:
    """Faults or warnings, of the document or of a template, with the lines of the file in which the document stands."""
    noted = map(template.written, noted) if template else noted
    return [validation.Fault(document.at(fault.place), fault.message) for fault in noted]


def _declared_public(reader: validation.Reader, document: documents.Document) -> Iterator[public_files.Pattern]:
    for index, text in enumerate(steps.patterns(reader, "public") or ()):
        yield public_files.Pattern(document.at(f"public[{index}]"), text)


@contextmanager
def collecting(found: list[validation.Fault]) -> Iterator[None]:
    """Add the faults that are raised within to those that were found."""
    try:
        yield
    except validation.Faults as error:
        found.extend(error.faults)
