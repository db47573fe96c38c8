"""A workflow as its organiser describes it: steps, parameters, outputs, results and post-processing.

The form is flowServ's serial template. All of it is checked when the workflow is published, against what this
installation can execute, so that starting a run cannot discover a mistake of the template.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from flowserverless.domain import elements, faults, parameters, paths, results

Kind: TypeAlias = Literal["container", "code", "notebook"]
Executor: TypeAlias = Literal["lambda", "batch", "external"]

MOST_STEPS = 100
# Which images are the Python that steps get in a Lambda; every other one needs a container service.
LAMBDA_IMAGES = ("python:3*",)
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
# Variables that decide how a shell, a loader, a language or an AWS client behaves, or that the runner sets
# itself.
RESERVED_VARIABLES = re.compile(
    r"_|PATH|HOME|LANG|IFS|ENV|SHELL|SHELLOPTS|TMPDIR|PWD|OLDPWD|CDPATH|GLOBIGNORE|NLSPATH|CLASSPATH|python"
    r"|PS[0-9]|UID|EUID|PPID|LINENO|OPTIND"
    r"|(AWS|LAMBDA|LD|LC|GLIBC|GCONV|MALLOC|NODE|JAVA|_JAVA|GIT|SSL)_.*|(BASH|PYTHON|PERL|RUBY).*"
)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
# Where a reference is replaced, below `workflow`. An action may look like one: flowServ's actor steps.
REPLACED = re.compile(
    r"parameters\.[^.]+|(steps\[[0-9]+\]\.)?files\.inputs\[[0-9]+\]|steps\[[0-9]+\]\.action"
)
# Everything that an installation can have, see `parse`.
ANYTHING = frozenset({"lambda", "batch", "notebook", "gpu"})
LONGEST_TIMEOUT = 14 * 24 * 3600

_Declarations: TypeAlias = tuple[parameters.Parameter, ...]
_Results: TypeAlias = results.ResultSchema | None


@dataclass(frozen=True)
class Reference:
    """`$[[name]]`, or `$[[name ? yes : no]]`, which stands for one of two texts of the organiser."""

    name: str
    yes: str | None = None
    no: str | None = None


@dataclass(frozen=True)
class Resources:
    """What a step needs of a container service: memory in MiB, time in seconds."""

    vcpu: float = 1
    memory: int = 2048
    gpu: int = 0
    timeout_seconds: int | None = None


@dataclass(frozen=True)
class Step:
    """One step as declared. `inputs` and `outputs` are patterns; None stands for all files of the run.

    `variables` maps argument names of a code step's function, or parameters of a notebook, to context
    variables.
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


@dataclass(frozen=True)
class OutputSpec:
    """A file, or a pattern of files, that a run keeps, and how a page shows it."""

    source: str
    key: str
    title: str | None = None
    caption: str | None = None
    format: Mapping[str, object] | None = None
    widget: Mapping[str, object] | None = None


@dataclass(frozen=True)
class ParameterGroup:
    """A heading under which a page shows parameters."""

    name: str
    title: str
    index: int


@dataclass(frozen=True)
class PostProcessing:
    """The workflow over the ranked runs: it gets `inputs_files` of each of them, and its parameter `runs`."""

    steps: tuple[Step, ...]
    context: Mapping[str, object]
    files_inputs: tuple[str, ...]
    files_outputs: tuple[str, ...]
    inputs_files: tuple[str, ...]
    inputs_runs: str
    outputs: tuple[OutputSpec, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """Patterns of the files that a run keeps."""
        return _kept(self.outputs, self.files_outputs)


@dataclass(frozen=True)
class Template:
    """A checked workflow. `context` is what becomes the steps' variables, references not yet replaced.

    `external`: engines outside may execute runs of this workflow; only then may there be no steps.
    """

    steps: tuple[Step, ...]
    context: Mapping[str, object]
    files_inputs: tuple[str, ...]
    files_outputs: tuple[str, ...]
    parameters: _Declarations
    groups: tuple[ParameterGroup, ...]
    outputs: tuple[OutputSpec, ...]
    results: _Results
    postproc: PostProcessing | None
    external: bool

    @property
    def kept(self) -> tuple[str, ...]:
        """Patterns of the files that a run keeps: those of `outputs`, else those of `workflow.files.outputs`."""
        return _kept(self.outputs, self.files_outputs)

    @property
    def document(self) -> dict[str, object]:
        """The template in flowServ's JSON form, with nothing left out; `parse` reads it back unchanged."""
        return _template_document(self)


def parse(
    document: object,
    available: Collection[str] = frozenset({"lambda"}),
    lambda_images: Iterable[str] = LAMBDA_IMAGES,
) -> Template:
    """Read a template; raises faults.Faults with everything that is wrong with it.

    `available` is what this installation can execute with: "lambda", "batch", "notebook" (papermill in the
    Lambda) and "gpu" (in Batch). Unknown top-level elements are ignored, as in flowServ; below, they are
    faults.
    """
    elements.require_json(document)
    found: list[faults.Fault] = []
    reader = elements.reader(document, "", found)
    if reader is None:
        raise faults.Faults(found)
    declared = _parameters(reader)
    external = _external(reader)
    installation = _Installation(available, tuple(lambda_images))
    workflow = _workflow(reader, _scope(reader), installation, may_be_empty=external)
    template = Template(
        steps=workflow.steps,
        context=workflow.context,
        files_inputs=workflow.files_inputs,
        files_outputs=workflow.files_outputs,
        parameters=declared,
        groups=_groups(reader),
        outputs=_outputs(reader),
        results=_results(reader),
        postproc=None,
        external=external,
    )
    template = replace(template, postproc=_postproc(reader, template, installation))
    if found:
        raise faults.Faults(found)
    return template


def reference(text: str) -> Reference | None:
    """The reference that a text consists of; None if it contains none.

    Raises ValueError for a broken one and for one inside a longer text, which is not replaced.
    """
    if "$[[" not in text:
        return None
    whole = text.strip()
    inner = whole[3:-2]
    name, question, choice = (part.strip() for part in inner.partition("?"))
    framed = whole.startswith("$[[") and whole.endswith("]]")
    if not framed or not name or any(mark in inner for mark in ("$[[", "]]")):
        raise ValueError(f"{elements.shown(text)} is not one whole reference such as $[[name]]")
    if not question:
        return Reference(name)
    yes, colon, no = choice.partition(":")
    return Reference(name, yes.strip(), no.strip() if colon else None)


def executor(step: Step, lambda_images: Iterable[str] = LAMBDA_IMAGES) -> Executor:
    """Where a step runs: in the Lambda, or in Batch if it needs another image or asks for resources."""
    if step.kind != "container":
        return "lambda"
    own = any(fnmatchcase(step.environment or "", image) for image in lambda_images)
    return "lambda" if own and step.resources is None else "batch"


def lacking(
    step: Step, available: Collection[str], lambda_images: Iterable[str] = LAMBDA_IMAGES
) -> str | None:
    """Why an installation cannot execute a step; None if it can. `available` is that of `parse`."""
    where = executor(step, lambda_images)
    if where not in available and where == "batch":
        asked = "its resources" if step.resources else f"the image {elements.shown(step.environment)}"
        return f"needs AWS Batch for {asked}, and this installation was deployed without it"
    if where not in available:
        return "cannot be executed by this installation"
    if step.kind == "notebook" and "notebook" not in available:
        return "is a notebook, and this installation was deployed without papermill"
    if step.resources and step.resources.gpu and "gpu" not in available:
        return "needs a GPU, and this installation was deployed without any"
    return None


def resources(document: object, place: str = "resources") -> Resources:
    """Read `{vcpu, memory, gpu, timeoutSeconds}` (memory in MiB); raises faults.Faults.

    What is left out gets the least that fits: one vCPU, its smallest memory, no GPU, no limit of time of its
    own.
    """
    found: list[faults.Fault] = []
    reader = elements.reader(document, place, found)
    asked = _resources(reader) if reader else Resources()
    if found:
        raise faults.Faults(found)
    return asked


@dataclass(frozen=True)
class _Installation:
    """What steps can be executed with."""

    available: Collection[str]
    lambda_images: tuple[str, ...]


@dataclass(frozen=True)
class _Workflow:
    """What the main and the post-processing workflow have in common."""

    steps: tuple[Step, ...] = ()
    context: Mapping[str, object] = field(default_factory=dict)
    files_inputs: tuple[str, ...] = ()
    files_outputs: tuple[str, ...] = ()


def _workflow(
    parent: elements.Reader,
    scope: Mapping[str, object],
    installation: _Installation,
    may_be_empty: bool = False,
) -> _Workflow:
    """The element `workflow` of `parent`; `scope` has the parameters it may refer to, with their dtypes."""
    reader = parent.child("workflow")
    if reader is None:
        if parent.document.get("workflow") is None:
            parent.fault("workflow", "is missing")
        return _Workflow()
    reader.refuse_unknown("files", "parameters", "steps")
    _check_references(reader, scope)
    context = _context(reader)
    steps = tuple(_steps(reader, scope, context, installation))
    if not reader.document.get("steps") and not may_be_empty:
        reader.fault("steps", "must not be empty: there is nothing to run")
    files = reader.child("files")
    if files is None:
        return _Workflow(steps, context)
    files.refuse_unknown("inputs", "outputs")
    inputs, outputs = _patterns(files, "inputs", scope), _patterns(files, "outputs")
    return _Workflow(steps, context, inputs or (), outputs or ())


def _check_references(reader: elements.Reader, scope: Mapping[str, object]) -> None:
    for place, text in _texts(reader.document, ""):
        if "$[[" not in text:
            continue
        for name in _references(text):
            if name not in scope:
                reader.fault(
                    place, f"refers to the parameter '{elements.clipped(name)}', which is not declared"
                )
        if not REPLACED.fullmatch(place):
            reader.fault(
                place, "has a reference where none is replaced: only values of workflow.parameters are"
            )
            continue
        try:
            reference(text)
        except ValueError as error:
            reader.fault(place, str(error))


def _references(text: str) -> Iterator[str]:
    """The names in all references of a text, rightly placed or not."""
    start = text.find("$[[")
    while start >= 0 and (end := text.find("]]", start)) >= 0:
        yield text[start + 3 : end].partition("?")[0].strip()
        start = text.find("$[[", end)


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a document, with its place; the document is known not to be nested deeply."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{place}[{index}]")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            below = elements.clipped(name)
            yield from _texts(each, f"{place}.{below}" if place else below)


def _context(reader: elements.Reader) -> dict[str, object]:
    context = reader.child("parameters")
    if context is None:
        return {}
    for name, value in context.document.items():
        _check_variable(context, name, name)
        if len(parameters.text(value).encode()) > parameters.LONGEST_TEXT:
            context.fault(elements.clipped(name), f"has more than {parameters.LONGEST_TEXT} bytes")
    return dict(context.document)


def _check_variable(reader: elements.Reader, element: str, name: str) -> None:
    if not VARIABLE.fullmatch(name) or len(name) > 128:
        reader.fault(elements.clipped(element), f"{elements.shown(name)} cannot be the name of a variable")
    elif RESERVED_VARIABLES.fullmatch(name):
        reader.fault(elements.clipped(element), f"'{name}' is reserved: it changes how programs run")


def _steps(
    reader: elements.Reader,
    scope: Mapping[str, object],
    context: Mapping[str, object],
    installation: _Installation,
) -> Iterator[Step]:
    names: set[str] = set()
    variables = set(context)
    if len(reader.items("steps") or ()) > MOST_STEPS:
        reader.fault("steps", f"are more than {MOST_STEPS}")
    for each in reader.objects("steps"):
        step = _step(each, scope, variables)
        if step.name in names:
            each.fault("name", f"'{elements.clipped(step.name)}' is the name of an earlier step")
        names |= {step.name} - {""}
        variables |= {step.arg} if step.arg else set()
        if step.kind != "container" or step.environment:
            problem = lacking(step, installation.available, installation.lambda_images)
            if problem:
                each.fault("action", problem)
        yield step


def _step(reader: elements.Reader, scope: Mapping[str, object], variables: Collection[str]) -> Step:
    reader.refuse_unknown("name", "files", "action", "resources")
    name = reader.required_text("name")
    if len(name) > 128 or not name.isprintable():
        reader.fault("name", "has more than 128 characters or some that cannot be printed")
    files = reader.child("files")
    if files:
        files.refuse_unknown("inputs", "outputs")
    step = Step(
        name=name,
        kind="container",
        inputs=_patterns(files, "inputs", scope) if files else None,
        outputs=_patterns(files, "outputs") if files else None,
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
        return replace(_container(step, action), resources=_resources(asked) if asked else None)
    else:
        action.fault(
            "", "is no known kind of step: it has no `environment` and `commands`, `func` or `notebook`"
        )
    if asked:
        reader.fault("resources", "can only be asked for by a step with `environment` and `commands`")
    return step


def _action(reader: elements.Reader) -> elements.Reader | None:
    action = reader.document.get("action")
    if isinstance(action, str) and "$[[" in action:
        reader.fault("action", "is chosen by the caller (an actor); such steps are not supported")
        return None
    if action is None:
        reader.fault("action", "is missing")
    return reader.child("action")


def _container(step: Step, action: elements.Reader) -> Step:
    action.refuse_unknown("environment", "commands")
    environment = action.required_text("environment")
    if len(environment) > 255 or re.search(r"[\s\x00-\x1f]", environment):
        action.fault("environment", f"{elements.shown(environment)} is not the name of an image")
    commands = tuple(text for _, text in action.texts("commands"))
    if not action.document.get("commands"):
        action.fault("commands", "must be a list of at least one command")
    return replace(step, environment=environment, commands=commands)


def _code(step: Step, action: elements.Reader, variables: Collection[str]) -> Step:
    action.refuse_unknown("func", "arg", "variables")
    func = action.required_text("func")
    if func and not FUNCTION.fullmatch(func):
        action.fault(
            "func", f"{elements.shown(func)} is not the full name of a function, such as module.function"
        )
    arg = action.text("arg")
    if arg is not None:
        _check_variable(action, "arg", arg)
    return replace(step, kind="code", func=func, arg=arg, variables=_variables(action, variables))


def _notebook(step: Step, action: elements.Reader, variables: Collection[str]) -> Step:
    action.refuse_unknown("notebook", "output", "params", "requirements", "variables")
    notebook, output = _path(action, "notebook"), _path(action, "output")
    if action.document.get("notebook") is None:
        action.fault("notebook", "is missing")
    params = tuple(text for _, text in action.texts("params"))
    mapping = _variables(action, variables)
    for index, name in enumerate(params):
        if mapping.get(name, name) not in variables:
            action.fault(f"params[{index}]", f"there is no variable '{elements.clipped(name)}'")
    return replace(
        step,
        kind="notebook",
        notebook=notebook,
        notebook_output=output or (f"{(notebook or '').removesuffix('.ipynb')}.out.ipynb"),
        notebook_params=params,
        requirements=tuple(text for _, text in action.texts("requirements")),
        variables=mapping,
    )


def _variables(action: elements.Reader, known: Collection[str]) -> dict[str, str]:
    """Arguments of a function, or parameters of a notebook, whose variables have other names."""
    mapping: dict[str, str] = {}
    for each in action.objects("variables"):
        each.refuse_unknown("arg", "var")
        arg, var = each.required_text("arg"), each.required_text("var")
        if arg and not VARIABLE.fullmatch(arg):
            each.fault("arg", f"{elements.shown(arg)} cannot be the name of an argument")
        if arg in mapping:
            each.fault("arg", f"'{elements.clipped(arg)}' is mapped already")
        if var and var not in known:
            each.fault("var", f"there is no variable '{elements.clipped(var)}'")
        mapping[arg] = var
    return mapping


def _resources(reader: elements.Reader) -> Resources:
    reader.refuse_unknown("vcpu", "memory", "gpu", "timeoutSeconds")
    gpu, seconds = reader.integer("gpu") or 0, reader.integer("timeoutSeconds")
    vcpu = reader.document.get("vcpu")
    if vcpu is None:
        vcpu = 1
    if not 0 <= gpu <= 16:
        reader.fault("gpu", f"is {gpu}, must be at most 16")
    # Batch refuses to watch over less than a minute; Step Functions and the signed URLs end after two weeks.
    if seconds is not None and not 60 <= seconds <= LONGEST_TIMEOUT:
        reader.fault("timeoutSeconds", f"is {seconds}, must be from 60 to {LONGEST_TIMEOUT}")
    if isinstance(vcpu, bool) or not isinstance(vcpu, int | float) or vcpu not in FARGATE:
        reader.fault(
            "vcpu", f"is {elements.shown(vcpu)}, must be one of {', '.join(f'{each:g}' for each in FARGATE)}"
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


def _patterns(
    reader: elements.Reader, element: str, scope: Mapping[str, object] | None = None
) -> tuple[str, ...] | None:
    """Patterns of files; with a scope, a file parameter may stand for the place of its file."""
    if reader.items(element) is None:
        return None
    patterns = []
    for place, text in reader.texts(element):
        try:
            patterns.append(text.strip() if scope is not None and "$[[" in text else _pattern(text))
        except ValueError as error:
            reader.found.append(faults.Fault(place, str(error)))
        if scope is not None and "$[[" in text and not _names_file(text, scope):
            reader.found.append(faults.Fault(place, "must refer to a file parameter"))
    return tuple(patterns)


def _pattern(text: str) -> str:
    pattern = paths.pattern(text)
    if paths.reserved(pattern):
        raise ValueError(f"{paths.RESERVED} is reserved")
    return pattern


def _names_file(text: str, scope: Mapping[str, object]) -> bool:
    """Whether a reference can stand for a path; one that is broken or undeclared is a fault of its own."""
    try:
        named = reference(text)
    except ValueError:
        return True
    return named is None or (named.yes is None and scope.get(named.name, "file") == "file")


def _path(reader: elements.Reader, element: str) -> str | None:
    path = reader.text(element)
    try:
        return None if path is None else paths.placeable(path)
    except ValueError as error:
        reader.fault(element, str(error))
        return None


def _parameters(reader: elements.Reader) -> _Declarations:
    declared = reader.document.get("parameters")
    if declared is None:
        return ()
    try:
        return parameters.parse(declared, reader.at("parameters"))
    except faults.Faults as error:
        reader.found.extend(error.faults)
        return ()


def _scope(reader: elements.Reader) -> dict[str, object]:
    """The parameters that are declared, rightly or not: references to a wrong declaration are right."""
    declared = reader.document.get("parameters")
    named = [each for each in declared if isinstance(each, Mapping)] if isinstance(declared, list) else []
    return {each["name"]: each.get("dtype") for each in named if isinstance(each.get("name"), str)}


def _external(reader: elements.Reader) -> bool:
    extension = reader.child("flowserverless")
    if extension is None:
        return False
    extension.refuse_unknown("external")
    return extension.flag("external", False)


def _groups(reader: elements.Reader) -> tuple[ParameterGroup, ...]:
    groups: list[ParameterGroup] = []
    for each in reader.objects("parameterGroups"):
        each.refuse_unknown("name", "title", "index")
        name, title, index = each.required_text("name"), each.required_text("title"), each.integer("index")
        if each.document.get("index") is None:
            each.fault("index", "is missing")
        if name and name in [other.name for other in groups]:
            each.fault("name", f"'{elements.clipped(name)}' is the name of an earlier group")
        groups.append(ParameterGroup(name, title, index or 0))
    return tuple(groups)


def _outputs(reader: elements.Reader) -> tuple[OutputSpec, ...]:
    outputs: list[OutputSpec] = []
    for each in reader.objects("outputs"):
        each.refuse_unknown("source", "key", "title", "caption", "format", "widget")
        source = each.required_text("source")
        try:
            source = _pattern(source) if source else ""
        except ValueError as error:
            each.fault("source", str(error))
        key = each.text("key") or source
        if key and key in [other.key for other in outputs]:
            each.fault("key", f"'{elements.clipped(key)}' is the key of an earlier output")
        outputs.append(
            OutputSpec(
                source,
                key,
                each.text("title"),
                each.text("caption"),
                _object(each, "format"),
                _object(each, "widget"),
            )
        )
    return tuple(outputs)


def _object(reader: elements.Reader, element: str) -> Mapping[str, object] | None:
    child = reader.child(element)
    return child.document if child else None


def _results(reader: elements.Reader) -> _Results:
    if reader.document.get("results") is None:
        return None
    try:
        return results.parse(reader.document["results"], reader.at("results"))
    except faults.Faults as error:
        reader.found.extend(error.faults)
        return None


def _postproc(parent: elements.Reader, main: Template, installation: _Installation) -> PostProcessing | None:
    reader = parent.child("postproc")
    if reader is None:
        return None
    reader.refuse_unknown("workflow", "inputs", "outputs")
    if parent.document.get("results") is None:
        reader.fault("", "can never run: without `results` there is no ranking")
    workflow = _workflow(reader, {"runs": "file"}, installation)
    inputs = reader.child("inputs")
    files: tuple[str, ...] = ()
    if inputs:
        inputs.refuse_unknown("files", "runs")
        files = tuple(_ranked_files(inputs, main))
    return PostProcessing(
        steps=workflow.steps,
        context=workflow.context,
        files_inputs=workflow.files_inputs,
        files_outputs=workflow.files_outputs,
        inputs_files=files,
        inputs_runs=(inputs.text("runs") if inputs else None) or "runs",
        outputs=_outputs(reader),
    )


def _ranked_files(inputs: elements.Reader, main: Template) -> Iterator[str]:
    """The files that post-processing gets of every ranked run, which every run must therefore have kept."""
    keys = {output.key for output in main.outputs} | ({main.results.file} if main.results else set())
    for place, text in inputs.texts("files"):
        try:
            file = paths.placeable(text)
        except ValueError as error:
            inputs.found.append(faults.Fault(place, str(error)))
            continue
        if file not in keys and not any(paths.matches(pattern, file) for pattern in main.kept):
            inputs.found.append(
                faults.Fault(place, f"{elements.shown(file)} is not an output of the workflow")
            )
        yield file


def _kept(outputs: Iterable[OutputSpec], files: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(output.source for output in outputs) or files


def _template_document(template: Template) -> dict[str, object]:
    document: dict[str, object] = {
        "workflow": _workflow_document(template),
        "parameters": [parameters.document(each) for each in template.parameters],
        "parameterGroups": [
            {"name": group.name, "title": group.title, "index": group.index} for group in template.groups
        ],
        "outputs": [_output_document(output) for output in template.outputs],
    }
    if template.results:
        document["results"] = results.document(template.results)
    if template.postproc:
        document["postproc"] = {
            "workflow": _workflow_document(template.postproc),
            "inputs": {"files": [*template.postproc.inputs_files], "runs": template.postproc.inputs_runs},
            "outputs": [_output_document(output) for output in template.postproc.outputs],
        }
    if template.external:
        document["flowserverless"] = {"external": True}
    return document


def _workflow_document(workflow: Template | PostProcessing) -> dict[str, object]:
    return {
        "files": {"inputs": [*workflow.files_inputs], "outputs": [*workflow.files_outputs]},
        "parameters": dict(workflow.context),
        "steps": [_step_document(step) for step in workflow.steps],
    }


def _step_document(step: Step) -> dict[str, object]:
    declared: dict[str, object] = {"name": step.name, "action": _action_document(step)}
    files = {"inputs": step.inputs, "outputs": step.outputs}
    declared["files"] = {name: [*patterns] for name, patterns in files.items() if patterns is not None}
    if step.resources:
        declared["resources"] = resources_document(step.resources)
    return declared


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


def resources_document(asked: Resources) -> dict[str, object]:
    """Resources as `resources` reads them."""
    document: dict[str, object] = {"vcpu": asked.vcpu, "memory": asked.memory, "gpu": asked.gpu}
    return (
        document if asked.timeout_seconds is None else {**document, "timeoutSeconds": asked.timeout_seconds}
    )


def _output_document(output: OutputSpec) -> dict[str, object]:
    shown = {
        "title": output.title,
        "caption": output.caption,
        "format": output.format,
        "widget": output.widget,
    }
    return {"source": output.source, "key": output.key} | {
        name: value for name, value in shown.items() if value is not None
    }
