"""A workflow as its organiser describes it: steps, parameters, outputs, results and post-processing.

The form is flowServ's serial template. All of it is checked when the workflow is published, against what this
installation can execute, so that starting a run cannot discover a mistake of the template.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import TypeAlias

from flowserverless.domain import frozen, names, paths, validation
from flowserverless.domain.ranking import results
from flowserverless.domain.templates import executors, old_syntax, parameters, references, steps, values

MAX_STEPS = 100
# What an archive says of a run beside its files.
ARCHIVE_MANIFEST = "manifest.json"
MEMBERS = ("workflow", "parameters", "parameterGroups", "outputs", "results", "postproc", "flowserverless")
# What stands under the template's own key, `flowserverless`.
OWN_MEMBERS = ("external", "public")
# Where a reference is replaced, below `workflow`. An action may look like one: flowServ's actor steps.
REPLACED = re.compile(r"parameters\.[^.\[]+|(steps\[[0-9]+\]\.)?files\.inputs\[[0-9]+\]|steps\[[0-9]+\]\.action")
NUMBERED = re.compile(r"(parameters|workflow\.steps)\[[0-9]+\]")
ACTION = re.compile(r"steps\[[0-9]+\]\.action")
NOT_REPLACED = "has a reference where none is replaced: only values of workflow.parameters are"
_Declarations: TypeAlias = tuple[parameters.Parameter, ...]
_Results: TypeAlias = results.ResultSchema | None
_Steps: TypeAlias = tuple[steps.Step, ...]


@frozen.dataclass
class OutputSpec:
    """A file, or a pattern of files, that a run keeps, and how a page shows it."""

    source: str
    key: str
    title: str | None = None
    caption: str | None = None
    format: object = None
    widget: object = None


@frozen.dataclass
class ParameterGroup:
    """A heading under which a page shows parameters."""

    name: str
    title: str
    index: int


@frozen.dataclass
class PostProcessing:
    """The workflow over the ranked runs: it gets `inputs_files` of each of them, and its parameter `runs`."""

    steps: _Steps
    context: Mapping[str, object]
    files_inputs: tuple[str, ...]
    files_outputs: tuple[str, ...]
    inputs_files: tuple[str, ...]
    inputs_runs: str
    outputs: tuple[OutputSpec, ...]

    @property
    def results_kept(self) -> tuple[str, ...]:
        """Patterns of all that is read once the last step has ended."""
        return (*(output.source for output in self.outputs), *self.files_outputs)


@frozen.dataclass
class Template:
    """A checked workflow. `context` is what becomes the steps' variables, references not yet replaced.

    `external`: engines outside may execute runs of this workflow; only then may there be no steps. `public` are
    patterns of files that anybody may download. `warnings` are for the organiser who publishes it. `moved` has the
    places at which parameters and steps were declared, where actors before them are left out.
    """

    steps: _Steps
    context: Mapping[str, object]
    files_inputs: tuple[str, ...]
    files_outputs: tuple[str, ...]
    parameters: _Declarations
    groups: tuple[ParameterGroup, ...]
    outputs: tuple[OutputSpec, ...]
    results: _Results
    postproc: PostProcessing | None
    external: bool
    public: tuple[str, ...] = ()
    warnings: tuple[validation.Fault, ...] = field(default=(), compare=False)
    moved: Mapping[str, str] = field(default_factory=dict, compare=False)

    def written(self, fault: validation.Fault) -> validation.Fault:
        """A fault of the checked workflow, at the place where its parameter or step was declared."""
        found = NUMBERED.match(fault.place)
        moved = self.moved.get(found[0]) if found else None
        return replace(fault, place=moved + fault.place[found.end() :]) if found and moved else fault

    @property
    def kept(self) -> tuple[str, ...]:
        """Patterns of the files that a run keeps: `outputs`, or else `workflow.files.outputs`."""
        return tuple(output.source for output in self.outputs) or self.files_outputs

    @property
    def results_kept(self) -> tuple[str, ...]:
        """Patterns of all that is read once the last step has ended: outputs, metrics, what post-processing gets."""
        results = [self.results.file] if self.results else []
        return (*(output.source for output in self.outputs), *self.files_outputs, *results, *self.ranked_files.values())

    @property
    def ranked_files(self) -> dict[str, str]:
        """What post-processing reads of every ranked run: where the run wrote it, by the name that it is read under."""
        sources = {output.key: output.source for output in self.outputs}
        return {name: sources.get(name, name) for name in (self.postproc.inputs_files if self.postproc else ())}

    @property
    def document(self) -> dict[str, object]:
        """The template in flowServ's JSON form, with nothing left out; `parse` reads it back unchanged."""
        return _template_document(self)


def parse(
    document: object,
    available: Collection[str] = frozenset({"lambda"}),
    lambda_images: Iterable[str] = executors.LAMBDA_IMAGES,
    python: str | None = None,
) -> Template:
    """Read a template; raises faults.Faults with everything that is wrong with it.

    `available` is what this installation can execute with: "lambda", "batch", "notebook" (papermill in the Lambda)
    and "gpu" (in Batch); `python` is the version of its Lambda, given where a template is published. Unknown top-level
    elements are ignored with a warning, flowServ ignores them silently; below, they are faults.
    """
    validation.require_json(document)
    found: list[validation.Fault] = []
    warned: list[validation.Fault] = []
    reader = validation.reader(document, "", found, warned)
    if reader is None:
        raise validation.Faults(found)
    _warn_of_ignored(reader)
    _refuse_references(reader, "outputs", "results")
    declared = _parameters(reader)
    external, public = _own(reader)
    installation = _Installation(available, tuple(lambda_images), python)
    workflow = _workflow(reader, _scope(reader), installation, _actors(reader), may_be_empty=external)
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
        public=public,
    )
    postproc = _postproc(reader, template, installation)
    if found:
        raise validation.Faults(found, warned)
    return replace(template, postproc=postproc, warnings=tuple(warned), moved=dict(_moved(reader)))


@frozen.dataclass
class _Installation:
    """What steps can be executed with."""

    available: Collection[str]
    lambda_images: tuple[str, ...]
    python: str | None


@frozen.dataclass
class _Workflow:
    """What the main and the post-processing workflow have in common."""

    steps: _Steps = ()
    context: Mapping[str, object] = field(default_factory=dict)
    files_inputs: tuple[str, ...] = ()
    files_outputs: tuple[str, ...] = ()


def _workflow(
    parent: validation.Reader,
    scope: Mapping[str, object],
    installation: _Installation,
    actors: Mapping[str, object] | None = None,
    may_be_empty: bool = False,
) -> _Workflow:
    """The element `workflow` of `parent`; `scope` has the parameters it may refer to, with their dtypes.

    `actors` has the default actions of those that stand for a step's; None leaves the step out.
    """
    reader = parent.child("workflow")
    if reader is None:
        if parent.document.get("workflow") is None:
            parent.fault("workflow", "is missing")
        return _Workflow()
    reader.refuse_unknown("files", "parameters", "steps", old=old_syntax.WORKFLOW)
    if old_syntax.lacks(reader, old_syntax.WORKFLOW, "steps"):
        return _Workflow()
    _check_references(reader, scope)
    context = _context(reader)
    declared = tuple(_steps(reader, scope, context, actors or {}, installation))
    if not reader.document.get("steps") and not may_be_empty:
        reader.fault("steps", "must not be empty: there is nothing to run")
    elif not declared and not may_be_empty:
        reader.fault("steps", "are all left out: there is nothing to run")
    files = reader.child("files")
    if files is None:
        return _Workflow(declared, context)
    files.refuse_unknown("inputs", "outputs")
    inputs, outputs = steps.patterns(files, "inputs", scope), steps.patterns(files, "outputs")
    return _Workflow(declared, context, inputs or (), outputs or ())


def _warn_of_ignored(reader: validation.Reader) -> None:
    """Warn of unknown top-level elements: their author meant something by them that does not happen."""
    for element in reader.document:
        if element in old_syntax.TOP:
            reader.warn(element, f"is ignored: it is of the old form of templates, {old_syntax.TOP[element]}")
        elif element in OWN_MEMBERS:
            reader.warn(element, f"is ignored at the top of a template: `{element}` stands under `flowserverless`")
        elif element not in MEMBERS:
            near = difflib.get_close_matches(element[:60], (*MEMBERS, *OWN_MEMBERS), n=1)
            meant = f", did you mean `{near[0]}`?" if near else ""
            reader.warn(validation.clipped(element), f"is ignored: it is unknown at the top of a template{meant}")


def _check_references(reader: validation.Reader, scope: Mapping[str, object]) -> None:
    for place, text in _texts(reader.document, ""):
        if "$[[" not in text:
            continue
        for name in references.names(text):
            if name not in scope:
                reader.fault(place, f"refers to the parameter '{validation.clipped(name)}', which is not declared")
            elif scope[name] == "actor" and not ACTION.fullmatch(place):
                reader.fault(
                    place, f"refers to the actor '{validation.clipped(name)}', which is an action and no value"
                )
        if not REPLACED.fullmatch(place):
            reader.fault(place, NOT_REPLACED)
            continue
        try:
            references.parse(text)
        except ValueError as error:
            reader.fault(place, str(error))


def _refuse_references(reader: validation.Reader, *listed: str) -> None:
    """Note references in elements outside `workflow`, where they would be taken for parts of file names."""
    for element in listed:
        for place, text in _texts(reader.document.get(element), element):
            if "$[[" in text:
                reader.fault(place, NOT_REPLACED)


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a document, with its place; the document is known not to be nested deeply."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{place}[{index}]")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            below = validation.clipped(name)
            yield from _texts(each, f"{place}.{below}" if place else below)


def _context(reader: validation.Reader) -> dict[str, object]:
    context = reader.child("parameters")
    if context is None:
        return {}
    for name, value in context.document.items():
        steps.check_variable(context, name, name)
        if len(values.text(value).encode()) > parameters.MAX_TEXT_BYTES:
            context.fault(validation.clipped(name), f"has more than {parameters.MAX_TEXT_BYTES} bytes")
    return dict(context.document)


def _steps(
    reader: validation.Reader,
    scope: Mapping[str, object],
    context: Mapping[str, object],
    actors: Mapping[str, object],
    installation: _Installation,
) -> Iterator[steps.Step]:
    earlier: set[str] = set()
    variables = set(context)
    if len(reader.items("steps") or ()) > MAX_STEPS:
        reader.fault("steps", f"are more than {MAX_STEPS}")
    for declared in reader.objects("steps"):
        each = _acted(declared, actors)
        if each is None:
            continue
        step = steps.read(each, scope, variables)
        if step.name in earlier:
            each.fault("name", f"'{validation.clipped(step.name)}' is the name of an earlier step")
        earlier |= {step.name} - {""}
        variables |= {step.arg} if step.arg else set()
        if step.kind != "container" or step.environment:
            problem = executors.lacking(step, installation.available, installation.lambda_images)
            if problem:
                each.fault("action", problem)
            elif installation.python and (other := executors.other_python(step, installation.python)):
                each.warn("action.environment", f"{validation.shown(step.environment)} {other}")
        yield step


def _acted(step: validation.Reader, actors: Mapping[str, object]) -> validation.Reader | None:
    """The step with the action that an actor stands for; None if there is none, and the step is left out."""
    action = step.document.get("action")
    try:
        named = references.parse(action) if isinstance(action, str) else None
    except ValueError:
        named = None
    if named is None or named.yes is not None or named.name not in actors:
        return step
    default = actors[named.name]
    if any("$[[" in text for _, text in _texts(default, "")):
        step.fault("action", f"is an action that {NOT_REPLACED}")
    return None if default is None else replace(step, document={**step.document, "action": default})


def _actors(reader: validation.Reader) -> dict[str, object]:
    """The actors that need not be chosen, with their default actions."""
    declared = reader.document.get("parameters")
    return {
        each["name"]: each.get("defaultValue")
        for each in (declared if isinstance(declared, list) else ())
        if isinstance(each, Mapping)
        and each.get("dtype") == "actor"
        and isinstance(each.get("name"), str)
        and isinstance(each.get("defaultValue"), Mapping | None)
    }


def _moved(reader: validation.Reader) -> Iterator[tuple[str, str]]:
    """Where parameters and steps stand among those that are kept, and where they were declared."""
    declared, workflow, actors = reader.document.get("parameters"), reader.child("workflow"), _actors(reader)
    each = declared if isinstance(declared, list) else []
    kept = {
        "parameters": [index for index, one in enumerate(each) if one.get("dtype") != "actor"],
        "workflow.steps": [
            index
            for index, step in enumerate(workflow.objects("steps") if workflow else ())
            if _acted(step, actors) is not None
        ],
    }
    for place, indices in kept.items():
        for now, index in enumerate(indices):
            if now != index:
                yield f"{place}[{now}]", f"{place}[{index}]"


def _parameters(reader: validation.Reader) -> _Declarations:
    declared = reader.document.get("parameters")
    if declared is None:
        return ()
    try:
        return parameters.parse(declared, reader.at("parameters"), reader.warned)
    except validation.Faults as error:
        reader.found.extend(error.faults)
        return ()


def _scope(reader: validation.Reader) -> dict[str, object]:
    """The parameters that are declared, rightly or not: references to a wrong declaration are right."""
    declared = reader.document.get("parameters")
    named = [each for each in declared if isinstance(each, Mapping)] if isinstance(declared, list) else []
    # By the old form's name, too, so that its references are not told to be wrong.
    keys = [(each.get(key), each.get("dtype")) for each in named for key in ("id", "name")]
    return {name: dtype for name, dtype in keys if isinstance(name, str)}


def _own(reader: validation.Reader) -> tuple[bool, tuple[str, ...]]:
    """What stands under the template's own key: whether engines outside may execute it, and its public files."""
    extension = reader.child("flowserverless")
    if extension is None:
        return False, ()
    extension.refuse_unknown(*OWN_MEMBERS)
    return extension.flag("external", False), steps.patterns(extension, "public") or ()


def _groups(reader: validation.Reader) -> tuple[ParameterGroup, ...]:
    groups: list[ParameterGroup] = []
    earlier: set[str] = set()
    for each in reader.objects("parameterGroups"):
        each.refuse_unknown("name", "title", "index", old=old_syntax.GROUP)
        if old_syntax.lacks(each, old_syntax.GROUP, "title"):
            continue
        name, title, index = each.required_text("name"), each.required_text("title"), each.integer("index")
        if each.document.get("index") is None:
            each.fault("index", "is missing")
        if name in earlier:
            each.fault("name", f"'{validation.clipped(name)}' is the name of an earlier group")
        earlier |= {name} - {""}
        groups.append(ParameterGroup(name, title, index or 0))
    return tuple(groups)


def _outputs(reader: validation.Reader) -> tuple[OutputSpec, ...]:
    outputs: list[OutputSpec] = []
    keys: set[str] = set()
    for each in reader.objects("outputs"):
        each.refuse_unknown("source", "key", "title", "caption", "format", "widget")
        source = each.required_text("source")
        try:
            source = steps.pattern(source) if source else ""
        except ValueError as error:
            each.fault("source", str(error))
        key = _key(each, source)
        if key in keys:
            each.fault("key", f"'{validation.clipped(key)}' is the key of an earlier output")
        keys |= {key} - {""}
        outputs.append(
            OutputSpec(
                source,
                key,
                each.text("title"),
                each.text("caption"),
                # For clients, which know what they mean: any value, as in flowServ.
                each.document.get("format"),
                each.document.get("widget"),
            )
        )
    return tuple(outputs)


def _key(reader: validation.Reader, source: str) -> str:
    """What an output is called in the run's handle, and where post-processing finds it. Without a key, its source."""
    key = reader.text("key")
    if not key or key == source:
        return source
    try:
        if key == ARCHIVE_MANIFEST:
            raise ValueError("that is what an archive has its own list of files in")
        return names.check_letters(paths.placeable(key))
    except ValueError as error:
        reader.fault("key", f"is {validation.shown(key)}: {error}")
        return key


def _results(reader: validation.Reader) -> _Results:
    if reader.document.get("results") is None:
        return None
    try:
        return results.parse(reader.document["results"], reader.at("results"), reader.warned)
    except validation.Faults as error:
        reader.found.extend(error.faults)
        return None


def _postproc(parent: validation.Reader, main: Template, installation: _Installation) -> PostProcessing | None:
    reader = parent.child("postproc")
    if reader is None:
        return None
    reader.refuse_unknown("workflow", "inputs", "outputs")
    _refuse_references(reader, "inputs", "outputs")
    if parent.document.get("results") is None:
        reader.fault("", "can never run: without `results` there is no ranking")
    workflow = _workflow(reader, {"runs": "file"}, installation)
    inputs = reader.child("inputs")
    files: tuple[str, ...] = ()
    if inputs:
        inputs.refuse_unknown("files", "runs")
        main_document = parent.child("workflow")
        # What a workflow of the old form keeps is not known.
        known = main_document is None or not old_syntax.lacks(main_document, old_syntax.WORKFLOW, "steps")
        files = tuple(_ranked_files(inputs, main if known else None, parent.document.get("results")))
    return PostProcessing(
        steps=workflow.steps,
        context=workflow.context,
        files_inputs=workflow.files_inputs,
        files_outputs=workflow.files_outputs,
        inputs_files=files,
        inputs_runs=(inputs.text("runs") if inputs else None) or "runs",
        outputs=_outputs(reader),
    )


def _ranked_files(inputs: validation.Reader, main: Template | None, ranked: object) -> Iterator[str]:
    """The files that post-processing gets of every ranked run, which every run of `main` must therefore have kept.

    `ranked` is the element `results` as it is declared, rightly or not.
    """
    keys = [output.key for output in main.outputs] if main else []
    keys += [str(ranked.get("file"))] if isinstance(ranked, Mapping) else []
    for place, text in inputs.texts("files"):
        try:
            file = paths.placeable(text)
        except ValueError as error:
            inputs.found.append(validation.Fault(place, str(error)))
            continue
        kept = main is None or any(paths.matches(pattern, file) for pattern in main.kept)
        if file not in keys and text not in keys and not kept:
            inputs.found.append(validation.Fault(place, f"{validation.shown(file)} is not an output of the workflow"))
        yield file


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
    own: dict[str, object] = {"external": True} if template.external else {}
    own |= {"public": [*template.public]} if template.public else {}
    if own:
        document["flowserverless"] = own
    return document


def _workflow_document(workflow: Template | PostProcessing) -> dict[str, object]:
    return {
        "files": {"inputs": [*workflow.files_inputs], "outputs": [*workflow.files_outputs]},
        "parameters": dict(workflow.context),
        "steps": [steps.document(step) for step in workflow.steps],
    }


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
