"""The steps of a run, as its workflow's version and its own arguments say: the same whoever asks, and whenever."""

from dataclasses import replace

from flowserverless.domain import parameters, plans, runs, steps, templates


def plan(run: runs.Run, template: templates.Template) -> tuple[plans.Step, ...]:
    """The steps of a run, from the template's version and the run's own arguments; the same at every call."""
    if run.group is None:
        return plans.postproc_plan(template)
    declared, given = bound(run)
    changed = replace(template, parameters=declared)
    return plans.plan(changed, given, run.config.get("resources"), steps.ANYTHING)


def bound(run: runs.Run) -> tuple[tuple[parameters.Parameter, ...], parameters.Bound]:
    """The parameters that a run was started with, and its arguments for them."""
    declared = parameters.parse(list(run.parameters), "parameters")
    known = {file: run.file_names.get(file, file) for file in parameters.referenced_files(list(run.arguments))}
    return declared, parameters.bind(declared, list(run.arguments), known)
