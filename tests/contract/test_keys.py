"""Each of these has one home: keys in the table and in the bucket, kinds of due work, and what would be repeated."""

import ast
import fnmatch
import re
from collections.abc import Iterator

from flowserverless.domain import ids
from flowserverless.operations import reconcile
from flowserverless.store import bucket, due, table
from local import emulator, template

CODE = [emulator.PROJECT / "layers" / "flowserverless" / "flowserverless", emulator.PROJECT / "functions"]
RELIABILITY = emulator.PROJECT / "docs" / "reliability.md"


def trees() -> Iterator[tuple[str, ast.Module]]:
    """The file and syntax of every module that is deployed."""
    for path in (path for folder in CODE for path in folder.rglob("*.py")):
        name = path.relative_to(emulator.PROJECT).as_posix().removeprefix("layers/flowserverless/")
        yield name, ast.parse(path.read_text("utf-8"))


def literals() -> Iterator[tuple[str, str]]:
    """The file and text of every string literal in the code that is deployed, but docstrings."""
    for path, tree in trees():
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                yield path, node.value


def homes(*texts: str) -> set[str]:
    """The files in which any of these texts is a literal."""
    return {path for path, text in literals() if text in texts}


def test_kinds_of_due_work_are_named_in_one_module():
    others = [kind for kind in due.Kind if kind is not due.Kind.GROUP]
    assert homes(*others) == {"flowserverless/store/due.py"}
    # GROUP is also the sort key of a group.
    assert homes(due.Kind.GROUP) == {"flowserverless/store/due.py", "flowserverless/store/table.py"}


def test_the_reconciler_comes_back_to_every_kind():
    assert set(reconcile.WORK) == set(due.Kind)


def test_every_kind_is_explained():
    assert re.findall(r"^    ([A-Z]{2,}) ", str(due.Kind.__doc__), re.M) == list(due.Kind)
    assert sorted(re.findall(r"^\| `([A-Z]+)` \|", RELIABILITY.read_text("utf-8"), re.M)) == sorted(due.Kind)


OF_GROUP = ids.RunId(ids.Owner("g"), "01ARZ3NDEKTSV4RRFFQ69G5FAV")
OF_WORKFLOW = ids.RunId(ids.Owner("w", post_processing=True), OF_GROUP.ulid)
ITEMS = {
    "group": table.group("g"),
    "member": table.member("g", "u"),
    "run": table.run(OF_GROUP),
    "more files": table.files(OF_GROUP, 1),
    "deleted run": table.gone(OF_GROUP),
    "its inbox": table.inbox(OF_GROUP),
    "idempotency": table.once("g", "d"),
    "upload": table.upload("g", "f"),
    "content": table.content("g", 5, "d"),
    "withdrawn": table.withdrawn("g", "f"),
    "workflow": table.workflow("w"),
    "template": table.template("w"),
    "version": table.template("w", "v"),
    "group of wf": table.workflow_group("w", "g"),
    "group's name": table.group_name("w", "d"),
    "post-proc.": table.run(OF_WORKFLOW),
    "rebuild": table.rebuild("w", "b"),
    "catalogue": table.catalogue("w"),
    "user's group": table.user_group("u", "g"),
    "signed out": table.token("t"),
    "user's name": table.username("d"),
    "entry": (table.board("w", "b", table.ALL), "k"),
    "best entry": (table.board("w", "b", table.BEST), "k"),
    "group's own": (table.board("w", "b", table.own("g")), "k"),
}
KEYS = {
    "inbox/workflows/{name}.zip": bucket.package("w"),
    "inbox/workflows/{name}.zip.report.json": bucket.report(bucket.package("w")),
    "inbox/results/{run}/{path}": bucket.inbox("r", "a/b"),
    "inbox/results/{run}/{marker}": bucket.inbox("r", "_SUCCESS"),
    "inbox/results/{run}/{marker}.report.json": bucket.report(bucket.inbox("r", "_SUCCESS")),
    "workflows/{wf}/{version}/static/{path}": bucket.static("w", "v", "a/b"),
    "workflows/{wf}/{version}/public/{path}": bucket.public("w", "v", "a/b"),
    "uploads/{group}/{file}": bucket.upload("g", "f"),
    "runs/{run}/inputs/runs.json": bucket.ranked_runs("r"),
    "runs/{run}/inputs/snapshot.json": bucket.snapshot("r"),
    "runs/{run}/manifests/{step}.json": bucket.step_order("r", 2),
    "runs/{run}/jobs/{digest}": bucket.job("r", "secret"),
    "runs/{run}/files/{path}": bucket.result("r", "a/b"),
    "runs/{run}/logs/{step}.txt": bucket.log("r", 2),
    "runs/{run}/trees/{step}.json": bucket.tree("r", 2),
    "runs/{run}/returned/{step}.json": bucket.returned("r", 2),
    "runs/{run}/outcomes/{step}.json": bucket.outcome("r", 2),
    "runs/{run}/canceled": bucket.cancel_mark("r"),
    "runs/{run}/delivery.json": bucket.delivery("r"),
    "runs/{run}/archive.tar.gz": bucket.archive("r"),
}
POST_PROCESSING = "runs/TSV4RRFFQ69G5FAV01ARZ3NDEK-postproc-w/files/a"


def is_drawn(drawn: str, made: str) -> bool:
    """Whether a key is as the drawing says, with something in the place of each {name}."""
    parts = re.split(r"(\{[^}]+\})", drawn)
    return bool(re.fullmatch("".join("[^#]+" if part.startswith("{") else re.escape(part) for part in parts), made))


def test_every_key_of_the_table_is_made_as_it_is_drawn():
    ruler, *drawing = str(table.__doc__).split("\n\n")[1].splitlines()[1:]
    columns = [slice(*found.span()) for found in re.finditer(r"-+", ruler)]
    rows = [[line[column].strip() for column in columns] for line in drawing]
    assert [what for what, *_ in rows] == list(ITEMS)
    for what, partition, sort, _ in rows:
        assert is_drawn(partition, ITEMS[what][0]), what
        assert is_drawn(sort, ITEMS[what][1]), what


def test_keys_of_the_table_are_made_and_split_in_one_module():
    others = {
        "api/docs_page": "a selector of CSS",
        "api/openapi": "a reference in JSON Schema",
        "api/upload_forms": "a letter of media types",
        "domain/ranking/rank_keys": "what separates the parts of a rank key, which is a sort key as a whole",
        "domain/templates/shell_words": "a comment in a shell command",
    }
    found = {path for path, text in literals() if "#" in text}
    assert found == {f"flowserverless/{module}.py" for module in ("store/table", *others)}


def test_what_is_read_off_the_keys_of_an_item_is_what_they_were_made_of():
    for run in (OF_GROUP, OF_WORKFLOW):
        for key in (table.run(run), table.gone(run)):
            assert table.run_of(table.Item(*key)) == run
            assert table.withdrawn_file(table.Item(*key)) is None
    assert table.run_of(table.Item(*table.inbox(OF_GROUP))) == OF_GROUP
    assert table.withdrawn_file(table.Item(*table.inbox(OF_GROUP))) is None
    assert table.withdrawn_file(table.Item(*table.withdrawn("g", "f"))) == "f"
    for key in (table.group("g"), table.upload("g", "f"), table.withdrawn("g", "f")):
        assert table.owner_of(table.Item(*key)) == "g"
    for key in (table.workflow("w"), table.rebuild("w", "b")):
        assert table.owner_of(table.Item(*key)) == "w"


def test_every_key_of_the_bucket_is_made_as_it_is_drawn():
    assert re.findall(r"^    (\w+/\S+)", str(bucket.__doc__), re.M) == list(KEYS)
    assert [drawn for drawn, made in KEYS.items() if not is_drawn(drawn, made)] == []


def test_keys_of_objects_are_made_in_one_module():
    below = {re.sub(r"\{.*", "", drawn.split("/", 2)[2]) for drawn in KEYS if drawn.startswith("runs/")}
    assert {"files/", "canceled", "archive.tar.gz"} <= below
    found: dict[str, set[str]] = {}
    for path, text in literals():
        part = text.removeprefix("/")
        # Paths of the API begin with the same words.
        if not path.startswith(("flowserverless/api/", "functions/")):
            for key in ("inbox/", "runs/", "uploads/", "workflows/", *below):
                if part.startswith(key) if key.endswith("/") else part == key:
                    found.setdefault(path, set()).add(key)
    assert {"inbox/", "runs/", *below} <= found.pop("flowserverless/store/bucket.py")
    assert found == {
        # The path of get_job_manifest.
        "flowserverless/operations/batch_jobs.py": {"runs/", "jobs/"},
        # A folder that the steps of post-processing find.
        "flowserverless/operations/post_process.py": {"runs/"},
        "flowserverless/operations/stage.py": {"runs/"},
        "flowserverless/packages/missing_inputs.py": {"runs/"},
    }


def test_only_one_module_knows_how_s3_says_that_there_is_no_object():
    assert homes("NoSuchKey", "NotFound", "404") == {"flowserverless/store/bucket.py"}


def placed() -> Iterator[str]:
    """The keys and prefixes that the template names: in policies, in events, in rules about how long objects stay."""
    text = template.TEMPLATE.read_text("utf-8")
    yield from re.findall(r"\$\{Bucket\}/([^\"\s,\]}]+)", text)
    yield from re.findall(r"\{wildcard: \"([^\"]+)\"\}", text)
    yield from (f"{prefix}*" for prefix in re.findall(r"\bPrefix: (\S+/)\s", text))


def test_the_template_speaks_of_keys_that_there_are():
    patterns = sorted(set(placed()))
    assert len(patterns) > 15
    known = [*KEYS.values(), POST_PROCESSING, bucket.inbox("r", "_ERROR")]
    assert [pattern for pattern in patterns if not fnmatch.filter(known, pattern)] == []


def test_what_is_dropped_in_an_inbox_calls_its_function():
    dropped = {wildcard for wildcard in placed() if wildcard.startswith("inbox/") and wildcard.count("*") == 1}
    assert {bucket.package("*"), bucket.inbox("*", "_SUCCESS"), bucket.inbox("*", "_ERROR")} <= dropped


def test_objects_in_the_inbox_of_runs_do_not_stay_for_ever():
    assert re.findall(r"\bPrefix: (\S+)", template.TEMPLATE.read_text("utf-8")) == [bucket.DELIVERIES]


def test_only_one_module_starts_over_after_others():
    """Elsewhere a failed condition is an answer, and no loop goes on after it."""
    found = {
        path
        for path, tree in trees()
        for loop in ast.walk(tree)
        if isinstance(loop, (ast.For, ast.While))
        for node in ast.walk(loop)
        if isinstance(node, ast.ExceptHandler) and node.type and "ConditionFailed" in ast.unparse(node.type)
        if not isinstance(node.body[-1], ast.Raise)
    }
    assert found == {"flowserverless/store/transactions.py"}


def test_only_one_function_knows_how_dynamodb_says_that_a_condition_failed():
    assert homes("ConditionalCheckFailedException") == {"flowserverless/store/table.py"}
    # Of each item of a transaction it says so in another word.
    assert homes("ConditionalCheckFailed") == {"flowserverless/store/transactions.py"}


def test_only_one_function_leaves_work_to_the_reconciler():
    assert {path for path, text in literals() if "the reconciler" in text} == {"flowserverless/logs.py"}
