"""Plans a run: the steps to execute, in order, from the template and the arguments of the run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace

from flowserverless.domain import errors, frozen, paths, runs, step_outputs, validation, variable_names
from flowserverless.domain.templates import (
    arguments,
    commands,
    executors,
    parameters,
    references,
    shell_words,
    steps,
    templates,
    values,
)

# Linux gives arguments and environment of a process a quarter of its stack, by default 2 MiB, together.
MAX_ENVIRONMENT_BYTES = 1_000_000


@frozen.dataclass
class Step:
    """One step, ready to be executed.

    `variables` is its environment; `values` has the same variables as JSON values for functions and notebooks.
    `inputs` and `outputs` are patterns of files in the run directory, None standing for all; `beyond` are those that it
    leaves though its outputs do not name them. `argument_names` maps arguments of a code step's function,
    `notebook_params` parameters of a notebook, to variables.
    """

    index: int
    name: str
    kind: steps.Kind
    executor: executors.Executor
    environment: str | None = None
    commands: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    beyond: tuple[str, ...] = ()
    func: str | None = None
    arg: str | None = None
    argument_names: Mapping[str, str] = field(default_factory=dict)
    notebook: str | None = None
    notebook_output: str | None = None
    notebook_params: Mapping[str, str] = field(default_factory=dict)
    resources: steps.Resources | None = None

    @property
    def fence(self) -> tuple[str, ...] | None:
        """Which files the step may write and delete; None for all."""
        return None if self.outputs is None else (*self.outputs, *self.beyond)


def plan(
    template: templates.Template,
    bound: arguments.Bound,
    resources: Mapping[str, object] | None = None,
    available: Collection[str] = executors.ANYTHING,
    lambda_images: Iterable[str] = executors.LAMBDA_IMAGES,
) -> tuple[Step, ...]:
    """The steps of a run with these arguments.

    `resources` is what the caller asks of AWS Batch for all container steps of this run, instead of what the
    template asks. Raises InvalidRequest if it is malformed, if `available` (see templates.parse) lacks what a
    step needs, or if the variables are larger than what a process can be given.
    """
    images = tuple(lambda_images)
    asked = None if resources is None else _read_resources(resources)
    declared = [_with_resources(step, asked) for step in template.steps]
    _require_executors(declared, available, images)
    return _plan(declared, template.context, bound.values, images, template.results_kept)


def _require_executors(
    declared: Iterable[steps.Step], available: Collection[str], images: Iterable[str] = executors.LAMBDA_IMAGES
) -> None:
    for step in declared:
        problem = executors.lacking(step, available, images)
        if problem:
            raise errors.InvalidRequest(f"step '{validation.clipped(step.name)}' {problem}")


def postproc_plan(
    template: templates.Template, lambda_images: Iterable[str] = executors.LAMBDA_IMAGES
) -> tuple[Step, ...]:
    """The steps of a post-processing run; its parameter `runs` is the directory `runs`, as in flowServ."""
    if template.postproc is None:
        return ()
    after = template.postproc
    return _plan(after.steps, after.context, {"runs": "runs"}, tuple(lambda_images), after.results_kept)


def is_external(config: Mapping[str, object]) -> bool:
    """Whether a run with this configuration is executed by an external engine."""
    return config.get("engine") == "external"


def check_config(
    template: templates.Template, config: Mapping[str, object], available: Collection[str] = executors.ANYTHING
) -> None:
    """Raises InvalidRequest for a group's configuration with which no run of the workflow could start.

    `available` is that of templates.parse.
    """
    if is_external(config):
        _require_external(template)
    resources = config.get("resources")
    if isinstance(resources, Mapping):
        asked = _read_resources(resources)
        # A run of a group may be executed outside although its group does not say so.
        if not template.external:
            _require_executors([_with_resources(step, asked) for step in template.steps], available)


def _require_external(template: templates.Template) -> None:
    if not template.external:
        raise errors.InvalidRequest("this workflow may not be executed by an external engine")


def external_plan(template: templates.Template, bound: arguments.Bound) -> tuple[Step, ...]:
    """One step for the whole of a run that an engine outside executes; it is told the variables."""
    _require_external(template)
    values = _values(template.context, bound.values)
    return (Step(0, "external", "container", "external", variables=_variables(values), values=values),)


def results_before(planned: Sequence[Step], index: int) -> dict[str, int]:
    """What step `index` is handed by earlier functions: by the variable's name, the step whose function returned it.

    Only a code step that declares `arg` hands anything on. Of several with the same `arg` it is the last one's.
    """
    return {step.arg: step.index for step in planned[:index] if step.kind == "code" and step.arg}


def _plan(
    declared: Iterable[steps.Step],
    context: Mapping[str, object],
    values: Mapping[str, object],
    lambda_images: tuple[str, ...],
    results: tuple[str, ...],
) -> tuple[Step, ...]:
    listed = tuple(declared)
    _require_free(step.arg for step in listed if step.arg)
    visible = _values(context, values)
    variables = _variables(visible)
    return tuple(
        Step(
            index=index,
            name=step.name,
            kind=step.kind,
            executor=executors.of(step, lambda_images),
            environment=step.environment,
            commands=tuple(commands.for_shell(command) for command in step.commands),
            variables=variables,
            values=visible,
            inputs=None if step.inputs is None else tuple(_inputs(step, step.inputs, values)),
            outputs=step.outputs,
            beyond=step_outputs.beyond(listed, index, results),
            func=step.func,
            arg=step.arg,
            argument_names=step.variables if step.kind == "code" else {},
            notebook=step.notebook,
            notebook_output=step.notebook_output,
            notebook_params={name: step.variables.get(name, name) for name in step.notebook_params},
            resources=step.resources,
        )
        for index, step in enumerate(listed)
    )


def _require_free(named: Iterable[str]) -> None:
    """Once more than at publishing: a version may have been published when fewer names were reserved."""
    for name in named:
        problem = variable_names.problem(name)
        if problem:
            raise errors.InvalidRequest(f"the workflow has to be published anew: {validation.shown(name)} {problem}")


def _values(context: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The context with its references replaced; what has no value is left out, and so unset for the shell."""
    _require_free(context)
    replaced = {name: _value(declared, given) for name, declared in context.items()}
    return {name: values.json_value(value) for name, value in replaced.items() if value is not None}


def _value(declared: object, values: Mapping[str, object]) -> object:
    named = references.parse(declared) if isinstance(declared, str) else None
    if named is None:
        return declared
    value = values.get(named.name)
    if named.yes is None:
        return value
    # As in flowServ, except that a default counts, and that no value at all is not true.
    return named.yes if str(value).lower() == "true" else named.no


def _variables(visible: Mapping[str, object]) -> dict[str, str]:
    variables = {name: values.text(value) for name, value in visible.items()}
    size = sum(len(name) + len(text.encode()) + 2 for name, text in variables.items())
    if size > MAX_ENVIRONMENT_BYTES:
        raise errors.InvalidRequest(f"the arguments make {size} bytes, more than {MAX_ENVIRONMENT_BYTES}")
    return variables


def _inputs(step: steps.Step, patterns: Iterable[str], values: Mapping[str, object]) -> Iterable[str]:
    """What the step asks for, and the programs that the organiser's own text names, if it forgets them."""
    asked = [*_paths(patterns, values)]
    programs = dict.fromkeys(shell_words.programs(step.commands, step.func))
    return [*asked, *(path for path in programs if not any(paths.matches(one, path) for one in asked))]


def _paths(patterns: Iterable[str], values: Mapping[str, object]) -> Iterable[str]:
    """The patterns with references to file parameters replaced; a file that was not given is not needed."""
    for pattern in patterns:
        named = references.parse(pattern) if "$[[" in pattern else None
        path = pattern if named is None else values.get(named.name)
        if isinstance(path, str):
            yield path


def _read_resources(resources: Mapping[str, object]) -> steps.Resources:
    try:
        return steps.read_resources(resources, "config.resources")
    except validation.Faults as error:
        raise errors.InvalidRequest(str(error)) from None


def _with_resources(step: steps.Step, asked: steps.Resources | None) -> steps.Step:
    return replace(step, resources=asked) if asked and step.kind == "container" else step


def of_run(run: runs.Run, template: templates.Template) -> tuple[Step, ...]:
    """The steps of a run, from the template's version and the run's own arguments; the same at every call."""
    if run.post_processing:
        return postproc_plan(template)
    declared, given = bound(run)
    changed = replace(template, parameters=declared)
    return plan(changed, given, run.config.get("resources"), executors.ANYTHING)


def bound(run: runs.Run) -> tuple[tuple[parameters.Parameter, ...], arguments.Bound]:
    """The parameters that a run was started with, and its arguments for them."""
    declared = parameters.parse(list(run.parameters), "parameters")
    known = {file: run.file_names.get(file, file) for file in arguments.referenced_files(list(run.arguments))}
    return declared, arguments.bind(declared, list(run.arguments), known)
