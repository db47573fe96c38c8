"""Where a step is executed, in a Lambda or in AWS Batch, and what an installation lacks to execute it."""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from flowserverless.domain import validation
from flowserverless.domain.templates import python_images, steps

Executor: TypeAlias = Literal["lambda", "batch", "external"]
# Images in whose place the Python of a Lambda executes steps, see python_images.plain; others need AWS Batch.
LAMBDA_IMAGES = ("python:3*",)
# Everything that an installation can have, see templates.parse.
ANYTHING = frozenset({"lambda", "batch", "notebook", "gpu"})


def of(step: steps.Step, lambda_images: Iterable[str] = LAMBDA_IMAGES) -> Executor:
    """Where a step runs: in the Lambda, or in Batch if it needs another image or asks for resources."""
    if step.kind != "container":
        return "lambda"
    own = any(fnmatchcase(python_images.plain(step.environment or ""), image) for image in lambda_images)
    return "lambda" if own and step.resources is None else "batch"


def lacking(step: steps.Step, available: Collection[str], lambda_images: Iterable[str] = LAMBDA_IMAGES) -> str | None:
    """Why an installation cannot execute a step; None if it can; `available` is that of templates.parse."""
    where = of(step, lambda_images)
    if where not in available and where == "batch":
        asked = "its resources" if step.resources else _image(step.environment or "")
        return f"needs AWS Batch for {asked}, and this installation was deployed without it"
    if where not in available:
        return "cannot be executed by this installation"
    if step.kind == "notebook" and "notebook" not in available:
        return "is a notebook, and this installation was deployed without papermill"
    if step.resources and step.resources.gpu and "gpu" not in available:
        return "needs a GPU, and this installation was deployed without any"
    return None


def _image(environment: str) -> str:
    python = python_images.asked(environment)
    unknown = "" if python is None or python.exists else ", which is no Python 3 that there is"
    return f"the image {validation.shown(environment)}{unknown}"


def other_python(step: steps.Step, installed: str, lambda_images: Iterable[str] = LAMBDA_IMAGES) -> str | None:
    """What another Python than its image has executes a step; None if it is the same or the image is executed."""
    if step.kind != "container" or of(step, lambda_images) != "lambda":
        return None
    python = python_images.asked(step.environment or "")
    if python is None or python.is_met(installed):
        return None
    very = "AWS Batch, where an installation has it, executes the very image of a step that asks for `resources`"
    return f"is executed by Python {installed}, which this installation has; {very}"
