"""What a step may leave in the run directory: the files that its `outputs` name, and little else.

A step that executes what a group submits is closed in by its `outputs`. If it could leave the run's results all the
same, a scoring step that refuses a submission without a word would let the submission's own results stand.
"""

from collections.abc import Iterable, Iterator, Sequence

from flowserverless.domain import paths
from flowserverless.domain.templates import steps


def beyond(declared: Sequence[steps.Step], index: int, results: Iterable[str]) -> tuple[str, ...]:
    """What step `index` leaves though its `outputs` do not name it; `results` are patterns of what the run keeps.

    It is the notebook that the step executed and, of the last step, those results that no step names. A step without
    `outputs` leaves everything, results among it.
    """
    step, last = declared[index], index == len(declared) - 1
    executed = [step.notebook_output] if step.notebook_output else []
    if step.outputs is None:
        return (*results, *executed)
    return (*(orphans(declared, results) if last else ()), *executed)


def orphans(declared: Sequence[steps.Step], results: Iterable[str]) -> Iterator[str]:
    """The results that the `outputs` of no step name."""
    named = [pattern for step in declared for pattern in step.outputs or ()]
    return (result for result in results if not any(_meet(pattern, result) for pattern in named))


def _meet(pattern: str, result: str) -> bool:
    """Whether a step's pattern can mean a result, or something in it."""
    place = _folder(result) if paths.is_glob(result) else result.rstrip("/")
    return pattern == result or bool(place and paths.leads_to(pattern, place))


def _folder(glob: str) -> str:
    """The folder that all files meant by a glob lie in; '' for the run directory."""
    parts = glob.split("/")
    return "/".join(parts[: next(index for index, part in enumerate(parts) if paths.is_glob(part))])


def may_write(patterns: Sequence[str] | None, path: str) -> bool:
    """Whether a step with these patterns (None: everything) may write, and so delete, a file or folder."""
    return not paths.reserved(path) and (patterns is None or any(paths.matches(one, path) for one in patterns))


def may_leave(patterns: Sequence[str] | None, folder: str) -> bool:
    """Whether such a step may leave a folder: all that could be in it would be its own."""
    return not paths.reserved(folder) and (patterns is None or any(paths.leads_to(one, folder) for one in patterns))
