"""A version: a workflow as it was published once, which never changes."""

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowserverless.domain import frozen
from flowserverless.domain.ranking import results

if TYPE_CHECKING:
    from flowserverless.domain.templates import templates


@frozen.dataclass
class Version:
    """Everything about a workflow that the organiser wrote.

    `document` is the template as JSON. `files` and `public` are the paths of the package's files and of those that
    anybody may download, with their sizes. `board` is the board whose entries are as this version reads results.
    """

    workflow: str
    id: str
    name: str
    document: Mapping[str, Any]
    published_at: datetime
    description: str | None = None
    instructions: str | None = None
    files: Sequence[tuple[str, int]] = ()
    executables: Sequence[str] = ()
    folders: Sequence[str] = ()
    public: Sequence[tuple[str, int]] = ()
    board: str | None = None

    @functools.cached_property
    def template(self) -> "templates.Template":
        """The template, for whatever executors there are: what this installation lacks was said at publishing."""
        # Here, because most operations show a version without reading its template, and the parser is a large import.
        from flowserverless.domain.templates import executors, templates

        return templates.parse(self.document, executors.ANYTHING)

    @functools.cached_property
    def results_schema(self) -> results.ResultSchema:
        """How the version reads results, if it ranks runs."""
        return results.parse(self.document["results"])

    @property
    def ranks(self) -> bool:
        """Whether the version ranks runs."""
        return bool(self.document.get("results"))

    @property
    def post_processed(self) -> bool:
        """Whether the version has post-processing."""
        return bool(self.document.get("postproc"))

    def reads_results_like(self, other: "Version") -> bool:
        """Whether both read the same from a result file, so that one board serves both."""
        return bool(self.document.get("results") == other.document.get("results"))

    def post_processes_like(self, other: "Version") -> bool:
        """Whether both make the same of one ranking."""
        return bool(self.document.get("postproc") == other.document.get("postproc"))
