"""Post-processing runs: what they are told of the ranked runs, and what they mean for their workflow at their end."""

from collections.abc import Iterable, Mapping, Sequence, Set

from flowserverless.domain import frozen, runs, workflows
from flowserverless.domain.ranking import standing


@frozen.dataclass
class Settled:
    """`good_run` is the result that the workflow shows from now on; the `obsolete` runs are shown no more."""

    good_run: str | None
    obsolete: Set[str]
    owed: bool


def settle(workflow: workflows.Workflow, final: runs.Run) -> Settled:
    """What becomes of the workflow when a run over ranking version `final.ranking_version` has ended.

    A run that failed is not tried again before the ranking changes: it would fail once more. Another version of the
    workflow draws the same ranking in another way, so what one version did pays nothing for another.
    """
    good = final.id if final.succeeded else workflow.good_run
    same = (final.ranking_version, final.version) == (workflow.ranking_version, workflow.version)
    return Settled(good, workflow.shown_runs - {good, final.id}, owed=not same)


def listed(
    best: Iterable[standing.Entry], names: Mapping[str, str], files: Sequence[str]
) -> list[dict[str, str | Sequence[str]]]:
    """What flowServ's `runs.json` says, the best run first: its id, the name that its group has now, its files."""
    return [{"id": one.run, "name": names.get(one.group, one.group), "files": files} for one in best]
