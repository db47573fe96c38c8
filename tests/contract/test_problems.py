"""docs/problems.md explains every code that the service says, in each of its four tables, and no other."""

import ast
import collections
import functools
import importlib
import json
import pkgutil
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import pytest

import flowserverless
from flowserverless.api import problems as api_problems
from flowserverless.domain import errors
from local import emulator, template

PAGE = emulator.PROJECT / "docs" / "problems.md"
# Where codes are said: the package, and the program that executes steps.
FOLDERS = ["layers/flowserverless/flowserverless", "functions/run_step"]
STATUS_OF_KIND = api_problems.STATUS
CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)*")

Functions = ast.FunctionDef | ast.AsyncFunctionDef


# --- what the page says


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table below a heading, by the words in its head."""
    section = re.split(r"^#+ ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{heading}\n")]
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def code_of(row: dict[str, str]) -> str:
    """The code that a row explains; its cell is an anchor and the code."""
    found = re.fullmatch(r'<a id="([\w-]+)"></a>`(\w+)`', row["code"])
    assert found, row
    assert found[1].rpartition("-")[2] == found[2]
    return found[2]


def explained(heading: str) -> list[str]:
    return [code_of(row) for row in table(heading)]


def statuses(heading: str) -> set[tuple[int, str]]:
    """The pairs of status and code in a table."""
    return {(int(status), code_of(row)) for row in table(heading) for status in row["status"].split(",")}


# --- what the code says: literals and constants in the places where codes stand


def kinds(above: type[errors.Problem] = errors.Problem) -> Iterator[type[errors.Problem]]:
    """Every class of problems, wherever it is defined."""
    yield above
    for below in above.__subclasses__():
        yield from kinds(below)


@functools.cache
def problems() -> dict[str, type[errors.Problem]]:
    """The classes of problems by name."""
    for module in pkgutil.walk_packages(flowserverless.__path__, "flowserverless."):
        importlib.import_module(module.name)
    return {kind.__name__: kind for kind in kinds()}


@functools.cache
def sources() -> list[ast.Module]:
    return [
        ast.parse(path.read_text("utf-8"))
        for folder in FOLDERS
        for path in sorted(emulator.PROJECT.joinpath(folder).rglob("*.py"))
    ]


def named(node: ast.AST) -> str:
    """The last part of a dotted name, "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@functools.cache
def constants() -> dict[str, set[str]]:
    """The codes that names in capital letters stand for."""
    found = collections.defaultdict(set)
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if named(target).isupper() and CODE.fullmatch(str(node.value.value)):
                        found[named(target)].add(str(node.value.value))
    return found


def assigned(name: str, within: ast.AST) -> Iterator[ast.expr]:
    """What a function assigns to a variable of its own."""
    for node in ast.walk(within):
        if isinstance(node, ast.Assign) and any(named(one) == name for at in node.targets for one in ast.walk(at)):
            yield node.value


def codes_in(expression: ast.AST | None, within: ast.AST) -> set[str]:
    """The codes that an expression may stand for, in the function (or module) `within` which it is."""
    found = set()
    for node in ast.walk(expression) if expression else ():
        name = named(node)
        if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
            found.add(str(node.value))
        elif name.isupper():
            found |= constants()[name]
        elif isinstance(node, ast.Name):
            found |= {code for value in assigned(name, within) for code in codes_in(value, ast.Pass())}
    return found


@functools.cache
def nodes() -> list[tuple[ast.AST, ast.AST]]:
    """Every node of the sources with the innermost function that it is in, or else its module."""
    owners: dict[ast.AST, ast.AST] = {}
    for tree in sources():
        owners |= dict.fromkeys(ast.walk(tree), tree)
        for function in ast.walk(tree):
            if isinstance(function, Functions):
                owners |= dict.fromkeys(ast.walk(function), function)
    return list(owners.items())


def calls(names: Iterable[str]) -> Iterator[tuple[ast.Call, ast.AST]]:
    """The calls of functions and classes of these names."""
    wanted = set(names)
    for node, within in nodes():
        if isinstance(node, ast.Call) and named(node.func) in wanted:
            yield node, within


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What a call gives for a parameter."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    return call.args[position] if position < len(call.args) else given.get(name)


def answered() -> set[tuple[int, str]]:
    """Status and code of every problem that is raised, made, or answered by API Gateway itself."""
    found = set()
    for call, within in calls(problems()):
        kind, code = problems()[named(call.func)], argument(call, 1, "code")
        status = next((STATUS_OF_KIND[one] for one in kind.__mro__ if one in STATUS_OF_KIND), None)
        for word in codes_in(code, within) if code else {kind.codes[0]}:
            assert status, f"{kind} has no status"
            found.add((int(status), word))
    for call, within in calls(["problem"]):
        status, code = argument(call, 0, "status"), argument(call, 2, "code")
        for word in codes_in(code, within):
            found.add((int(HTTPStatus[named(status)]), word))
    (gateway,) = template.resources("AWS::Serverless::Api").values()
    for response in gateway["GatewayResponses"].values():
        (text,) = response["ResponseTemplates"].values()
        found.add((json.loads(text)["status"], json.loads(text)["code"]))
    return found


def documents() -> Iterator[tuple[dict[str, ast.expr], ast.AST]]:
    """The members of every dict that is written out and has a `code` and a `detail`."""
    for node, within in nodes():
        if isinstance(node, ast.Dict):
            members = {key.value: value for key, value in zip(node.keys, node.values, strict=True) if constant(key)}
            if {"code", "detail"} <= members.keys():
                yield members, within


def constant(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def written(*status: str | None) -> set[str]:
    """The codes in documents with such a `status`; None stands for those that have none."""
    return {
        code
        for members, within in documents()
        if ("status" in members or None in status) and constant(members.get("status")) in status
        for code in codes_in(members["code"], within)
    }


def reasons() -> set[str]:
    """Why runs and their steps are no success."""
    made = {code for call, within in calls(["Reason"]) for code in codes_in(argument(call, 0, "code"), within)}
    # A refusal of S3 knows the reason with which a step ends over it.
    known = {
        code
        for node, _ in nodes()
        if isinstance(node, ast.ClassDef)
        for member in node.body
        if "reason" in (getattr(member, "name", ""), *map(named, getattr(member, "targets", ())))
        for code in codes_in(member, member)
    }
    return made | known | written(None)


def standings() -> set[str]:
    """Why runs are not shown on a board."""
    return {
        code
        for name, position in (("NotRanked", 0), ("Place", 1))
        for call, within in calls([name])
        for code in codes_in(argument(call, position, "code"), within)
    }


# --- both are the same

REQUESTS = "Requests"
REPORTS = "Why a delivery was not accepted"
RUNS = "Why a run failed"
RANKING = "Why a run is not ranked"


def test_every_code_of_a_problem_is_explained_with_its_statuses():
    reported_only = set(explained(REPORTS)) - set(explained(REQUESTS))
    answers = {(status, code) for status, code in answered() if code not in reported_only}
    assert len(answers) > 50
    assert statuses(REQUESTS) == answers


def test_every_code_of_a_report_is_explained():
    raised = {code for _, code in answered()} | written("ignored")
    assert written("ignored") <= set(explained(REPORTS)) <= raised


def test_every_reason_of_a_run_is_explained():
    assert len(reasons()) > 8
    assert set(explained(RUNS)) == reasons()


def test_every_reason_why_a_run_is_not_ranked_is_explained():
    assert len(standings()) > 8
    assert set(explained(RANKING)) == standings()


def declared() -> set[tuple[int, str]]:
    """Status and code of every problem that a kind may be, as the kinds say it."""
    return {(int(status), code) for kind, status in STATUS_OF_KIND.items() for code in kind.codes}


def test_kinds_of_problems_have_the_codes_that_are_said():
    raised = {(status, code) for status, code in answered() if (status, code) in declared()}
    said_elsewhere = {(status, code) for status, code in answered() - declared()}
    defaults = {(int(status), kind.codes[0]) for kind, status in STATUS_OF_KIND.items()}
    assert declared() - raised <= defaults, "nothing says these codes"
    assert {code for _, code in said_elsewhere} <= {
        errors.NO_SUCH_OPERATION,
        errors.WORKFLOW_OUTDATED,
        errors.INTERNAL_ERROR,
        "THROTTLED",
    }


def test_codes_are_called_what_they_are():
    named_codes = {name: value for name, value in vars(errors).items() if name.isupper()}
    assert {name for name, value in named_codes.items() if name != value} == set()
    assert {code for kind in STATUS_OF_KIND for code in kind.codes} <= set(named_codes)


def test_problems_are_made_of_codes_by_name():
    literal = [
        ast.unparse(call)
        for names, position in ((problems(), 1), (["problem"], 2))
        for call, _ in calls(names)
        for node in ast.walk(argument(call, position, "code") or ast.Pass())
        if CODE.fullmatch(constant(node) or "")
    ]
    assert literal == []


def test_the_type_of_a_problem_leads_to_its_row():
    page = PAGE.read_text("utf-8")
    assert f'"{api_problems.type_of("RUN_IS_FINAL")}"' in page
    assert f"`{api_problems.type_of('CODE')}`" in page


@pytest.mark.parametrize("heading", [REQUESTS, REPORTS, RUNS, RANKING])
def test_a_code_is_explained_once(heading):
    assert len(explained(heading)) == len(set(explained(heading)))


def test_an_address_leads_to_every_code():
    anchors = re.findall(r'<a id="([\w-]+)"></a>', PAGE.read_text("utf-8"))
    assert len(anchors) == len(set(anchors))
    assert {code for _, code in statuses(REQUESTS)} <= set(anchors)
