"""The steps of a workflow, as a template declares them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias

from flowserverless.domain import frozen, paths, validation, variable_names
from flowserverless.domain.templates import commands, old_syntax, parameters, references

Kind: TypeAlias = Literal["container", "code", "notebook"]
# What Fargate has for a step that runs in AWS Batch: vCPU -> memory in MiB (least, most, multiple of).
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE: Mapping[float, tuple[int, int, int]] = {
    0.25: (512, 2048, 512),
    0.5: (1024, 4096, 1024),
    1: (2048, 8192, 1024),
    2: (4096, 16384, 1024),
    4: (8192, 30720, 1024),
    8: (16384, 61440, 4096),
    16: (32768, 122880, 8192),
}
FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
MAX_TIMEOUT_SECONDS = 14 * 24 * 3600


@frozen.dataclass
class Resources:
    """What a step needs of a container service: memory in MiB, time in seconds."""

    vcpu: float = 1
    memory: int = 2048
    gpu: int = 0
    timeout_seconds: int | None = None


@frozen.dataclass
class Step:
    """One step as declared. `inputs` and `outputs` are patterns; None stands for all files of the run.

    `variables` maps argument names of a code step's function, or parameters of a notebook, to context variables.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    environment: str | None = None
    commands: tuple[str, ...] = ()
    func: str | None = None
    arg: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    notebook: str | None = None
    notebook_output: str | None = None
    notebook_params: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    resources: Resources | None = None


def read_resources(document: object, place: str = "resources") -> Resources:
    """Read `{vcpu, memory, gpu, timeoutSeconds}` (memory in MiB); raises faults.Faults.

    What is left out gets the least that fits: one vCPU, its smallest memory, no GPU, no limit of time of its own.
    """
    found: list[validation.Fault] = []
    reader = validation.reader(document, place, found)
    asked = _resources(reader) if reader else Resources()
    if found:
        raise validation.Faults(found)
    return asked


def document(step: Step) -> dict[str, object]:
    """The step in flowServ's JSON form; `read` reads it back unchanged."""
    declared: dict[str, object] = {"name": step.name, "action": _action_document(step)}
    files = {"inputs": step.inputs, "outputs": step.outputs}
    declared["files"] = {name: [*listed] for name, listed in files.items() if listed is not None}
    if step.resources:
        declared["resources"] = resources_document(step.resources)
    return declared


def resources_document(asked: Resources) -> dict[str, object]:
    """Resources as `read_resources` reads them."""
    document: dict[str, object] = {"vcpu": asked.vcpu, "memory": asked.memory, "gpu": asked.gpu}
    return document | ({"timeoutSeconds": asked.timeout_seconds} if asked.timeout_seconds else {})


def read(reader: validation.Reader, scope: Mapping[str, object], variables: Collection[str]) -> Step:
    """The step of a reader, which is told everything that is wrong.

    `scope` has the parameters that input files may refer to, with their dtypes; `variables` has the names of
    what functions and notebooks can be given.
    """
    reader.refuse_unknown("name", "files", "action", "resources", old=old_syntax.STEP)
    name = reader.required_text("name")
    if len(name) > 128 or not name.isprintable():
        reader.fault("name", "has more than 128 characters or some that cannot be printed")
    files = reader.child("files")
    if files:
        files.refuse_unknown("inputs", "outputs")
    step = Step(
        name=name,
        kind="container",
        inputs=patterns(files, "inputs", scope) if files else None,
        outputs=patterns(files, "outputs") if files else None,
    )
    action = _action(reader)
    if action is None:
        return step
    asked = reader.child("resources")
    if "func" in action.document:
        step = _code(step, action, variables)
    elif "notebook" in action.document:
        step = _notebook(step, action, variables)
    elif "environment" in action.document or "commands" in action.document:
        return replace(_container(step, action, variables), resources=_resources(asked) if asked else None)
    else:
        action.fault("", "is no known kind of step: it has no `environment` and `commands`, `func` or `notebook`")
    if asked:
        reader.fault("resources", "can only be asked for by a step with `environment` and `commands`")
    return step


def _action_document(step: Step) -> dict[str, object]:
    variables = [{"arg": arg, "var": var} for arg, var in step.variables.items()]
    match step.kind:
        case "container":
            return {"environment": step.environment, "commands": [*step.commands]}
        case "code":
            return {"func": step.func, "arg": step.arg, "variables": variables}
        case "notebook":
            return {
                "notebook": step.notebook,
                "output": step.notebook_output,
                "params": [*step.notebook_params],
                "requirements": [*step.requirements],
                "variables": variables,
            }


def _action(reader: validation.Reader) -> validation.Reader | None:
    action = reader.document.get("action")
    if isinstance(action, str) and "$[[" in action:
        reader.fault("action", "is chosen by the caller (an actor); such steps are not supported")
        return None
    if action is None and old_syntax.lacks(reader, old_syntax.STEP, "action"):
        return None
    if action is None:
        reader.fault("action", "is missing")
    return reader.child("action")


def _container(step: Step, action: validation.Reader, variables: Collection[str]) -> Step:
    action.refuse_unknown("environment", "commands")
    environment = action.required_text("environment")
    if len(environment) > 255 or re.search(r"[\s\x00-\x1f]", environment):
        action.fault("environment", f"{validation.shown(environment)} is not the name of an image")
    listed = list(action.texts("commands"))
    for place, text in listed:
        doubts = commands.doubts(text, {*variables, "python"})
        action.warned.extend(validation.Fault(place, doubt) for doubt in doubts)
    if not action.document.get("commands"):
        action.fault("commands", "must be a list of at least one command")
    return replace(step, environment=environment, commands=tuple(text for _, text in listed))


def _code(step: Step, action: validation.Reader, variables: Collection[str]) -> Step:
    action.refuse_unknown("func", "arg", "variables")
    func = action.required_text("func")
    if func and not FUNCTION.fullmatch(func):
        action.fault("func", f"{validation.shown(func)} is not the full name of a function, such as module.function")
    arg = action.text("arg")
    if arg is not None:
        check_variable(action, "arg", arg)
    return replace(step, kind="code", func=func, arg=arg, variables=_variables(action, variables))


def _notebook(step: Step, action: validation.Reader, variables: Collection[str]) -> Step:
    action.refuse_unknown("notebook", "output", "params", "requirements", "variables")
    notebook, output = _path(action, "notebook"), _path(action, "output")
    if action.document.get("notebook") is None:
        action.fault("notebook", "is missing")
    params = tuple(text for _, text in action.texts("params"))
    mapping = _variables(action, variables)
    for index, name in enumerate(params):
        if mapping.get(name, name) not in variables:
            action.fault(f"params[{index}]", f"there is no variable '{validation.clipped(name)}'")
    return replace(
        step,
        kind="notebook",
        notebook=notebook,
        notebook_output=output or (f"{(notebook or '').removesuffix('.ipynb')}.out.ipynb"),
        notebook_params=params,
        requirements=tuple(text for _, text in action.texts("requirements")),
        variables=mapping,
    )


def _variables(action: validation.Reader, known: Collection[str]) -> dict[str, str]:
    """Arguments of a function, or parameters of a notebook, whose variables have other names."""
    mapping: dict[str, str] = {}
    for each in action.objects("variables"):
        each.refuse_unknown("arg", "var")
        arg, var = each.required_text("arg"), each.required_text("var")
        if arg and not variable_names.is_name(arg):
            each.fault("arg", f"{validation.shown(arg)} cannot be the name of an argument")
        if arg and arg in mapping:
            each.fault("arg", f"'{validation.clipped(arg)}' is mapped already")
        if var and var not in known:
            each.fault("var", f"there is no variable '{validation.clipped(var)}'")
        mapping[arg] = var
    return mapping


def _resources(reader: validation.Reader) -> Resources:
    reader.refuse_unknown("vcpu", "memory", "gpu", "timeoutSeconds")
    gpu, seconds = reader.integer("gpu") or 0, reader.integer("timeoutSeconds")
    vcpu = reader.document.get("vcpu")
    if vcpu is None:
        vcpu = 1
    if not 0 <= gpu <= 16:
        reader.fault("gpu", f"is {gpu}, must be at most 16")
    # Batch refuses to watch over less than a minute; Step Functions and the signed URLs end after two weeks.
    if seconds is not None and not 60 <= seconds <= MAX_TIMEOUT_SECONDS:
        reader.fault("timeoutSeconds", f"is {seconds}, must be from 60 to {MAX_TIMEOUT_SECONDS}")
    if isinstance(vcpu, bool) or not isinstance(vcpu, int | float) or vcpu not in FARGATE:
        reader.fault(
            "vcpu", f"is {validation.shown(vcpu)}, must be one of {', '.join(f'{each:g}' for each in FARGATE)}"
        )
        return Resources()
    least, most, unit = FARGATE[vcpu]
    memory = reader.integer("memory")
    if memory is not None and not (least <= memory <= most and memory % unit == 0):
        reader.fault(
            "memory",
            f"is {memory}, must be a multiple of {unit} from {least} to {most} MiB for {vcpu:g} vCPU",
        )
    return Resources(vcpu, least if memory is None else memory, gpu, seconds)


def check_variable(reader: validation.Reader, element: str, name: str) -> None:
    """Note what is wrong with the name of a variable, which stands at `element`."""
    problem = variable_names.problem(name)
    if problem:
        reader.fault(validation.clipped(element), f"{validation.shown(name)} {problem}")


def patterns(
    reader: validation.Reader, element: str, scope: Mapping[str, object] | None = None
) -> tuple[str, ...] | None:
    """Patterns of files; with a scope, a file parameter may stand for the place of its file."""
    if reader.items(element) is None:
        return None
    found = []
    for place, text in reader.texts(element):
        try:
            found.append(text.strip() if scope is not None and "$[[" in text else pattern(text))
        except ValueError as error:
            reader.found.append(validation.Fault(place, str(error)))
        if scope is not None and "$[[" in text and not _names_file(text, scope):
            reader.found.append(validation.Fault(place, "must refer to a file parameter"))
    return tuple(found)


def pattern(text: str) -> str:
    """The normal spelling of a pattern of the run's files; raises ValueError."""
    normal = paths.pattern(text)
    if paths.reserved(normal):
        raise ValueError(f"{paths.RESERVED} is reserved")
    return normal


def _names_file(text: str, scope: Mapping[str, object]) -> bool:
    """Whether a reference can stand for a path; what else is wrong with it is a fault of its own."""
    try:
        named = references.parse(text)
    except ValueError:
        named = None
    dtype = scope.get(named.name) if named else None
    return named is None or (named.yes is None and (dtype == "file" or dtype not in parameters.DTYPES))


def _path(reader: validation.Reader, element: str) -> str | None:
    path = reader.text(element)
    try:
        return None if path is None else paths.placeable(path)
    except ValueError as error:
        reader.fault(element, str(error))
        return None
