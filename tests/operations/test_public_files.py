"""Files that an organiser declares public: listed by the workflow, downloaded by anybody, and nothing beside them."""

import io
import json
import urllib.parse
import zipfile

import pytest

from flowserverless.store import version_items
from support import gateway, policies, workbench

FILES = {
    "code/score.py": "pass",
    "data/train.csv": "id,label\n",
    "data/test.csv": "id\n",
    "data/test_labels.csv": "1,7\n",
    "docs/Über uns.pdf": "%PDF",
}
KEY = "inbox/workflows/bench.zip"
PUBLIC = ["data/train.csv", "docs/"]


@pytest.fixture
def bench(invoke, monkeypatch, table, bucket, state_machine):
    return workbench.Bench(invoke, monkeypatch)


def publish(bench, public=None, own=None, files=None, targets=("code/score.py",)):
    """Publish with patterns in the manifest (`public`) and in the template (`own`)."""
    template = {"workflow": {"steps": [workbench.STEP]}}
    template |= {"flowserverless": {"public": own}} if own is not None else {}
    manifest = {"name": "Bench", "specfile": "workflow.json", "files": [{"source": name} for name in targets]}
    manifest |= {"public": public} if public is not None else {}
    content = {"flowserv.json": json.dumps(manifest), "workflow.json": json.dumps(template), **(files or FILES)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    bench.put(KEY, buffer.getvalue())
    return bench.invoke("publish_workflow", workbench.dropped(bench.bucket, KEY))


def listed(bench):
    at = "get_workflow", "GET", "/workflows/{workflowId}", {"workflowId": "bench"}
    return bench.call(*at, user=None).json["publicFiles"]


def get(bench, file, status=302, method="GET", workflow="bench", user=None):
    path = {"workflowId": workflow, "fileId": file}
    at = "get_public_file", method, "/workflows/{workflowId}/files/{fileId}", path
    return bench.call(*at, status, user=user)


def content(bench, answer):
    """What the link of an answer leads to."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(answer.headers["location"]).path)
    return bench.get(path.partition(f"{bench.bucket}/")[2] or path.removeprefix("/")).decode()


@pytest.mark.parametrize(
    ("public", "own"), [(PUBLIC, None), (None, PUBLIC), (PUBLIC[:1], PUBLIC[1:]), (PUBLIC, PUBLIC)]
)
def test_public_files_are_listed_and_downloaded_by_anybody(bench, public, own):
    assert publish(bench, public, own)["status"] == "accepted"
    train, about = listed(bench)
    assert train == {
        "id": "data:train.csv",
        "name": "data/train.csv",
        "size": 9,
        "mediaType": "text/csv",
        "url": "workflows/bench/files/data:train.csv",
    }
    assert (about["name"], about["mediaType"]) == ("docs/Über uns.pdf", "application/pdf")
    for user in (None, gateway.BOB, gateway.ORGANISER):
        answer = get(bench, train["id"], user=user)
        assert "filename%3D%22train.csv" in answer.headers["location"]
        assert content(bench, answer) == FILES["data/train.csv"]
        assert content(bench, get(bench, about["id"], user=user)) == "%PDF"
    assert get(bench, train["id"], method="HEAD").headers["location"]


def test_nothing_else_of_a_package_is_given_out(bench):
    publish(bench, PUBLIC, targets=("code/score.py", "data/test_labels.csv"))
    for file in ("data:test_labels.csv", "data:test.csv", "code:score.py", "flowserv.json", "000000", "..", "x" * 300):
        assert get(bench, file, 404).json["code"] == "NOT_FOUND"
    get(bench, "data:train.csv", 404, workflow="unknown")
    assert [key.split("/", 3)[3] for key in bench.listed("workflows/bench/")] == [
        "public/data/train.csv",
        "public/docs/Über uns.pdf",
        "static/code/score.py",
        "static/data/test_labels.csv",
    ]


def test_a_workflow_without_public_files_has_none(bench):
    publish(bench)
    assert listed(bench) == []
    get(bench, "data:train.csv", 404)


def test_a_link_goes_on_to_lead_to_the_file_as_the_current_version_has_it(bench):
    first = publish(bench, PUBLIC)["version"]
    publish(bench, PUBLIC, files={**FILES, "data/train.csv": "better"})
    assert content(bench, get(bench, "data:train.csv")) == "better"
    second = publish(bench, ["docs"])["version"]
    assert first != second
    get(bench, "data:train.csv", 404)
    assert publish(bench, ["docs"])["status"] == "unchanged"


def test_what_is_public_belongs_to_the_version(bench):
    versions = [publish(bench, public)["version"] for public in (None, [], PUBLIC, ["docs"])]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert publish(bench, PUBLIC, files={**FILES, "docs/more": "x"})["version"] not in versions
    assert version_items.get("bench").public == (("data/train.csv", 9), ("docs/more", 1), ("docs/Über uns.pdf", 4))


@pytest.mark.parametrize("pattern", ["data/trian.csv", "data/train", "nothing/", "*.csv"])
def test_a_pattern_that_matches_nothing_is_a_fault(bench, pattern):
    report = publish(bench, [PUBLIC[0], pattern])
    [fault] = report["faults"]
    assert (report["status"], fault["place"]) == ("rejected", "flowserv.json public[1]")
    assert "matches no file of the package" in fault["message"]
    [fault] = publish(bench, None, [pattern])["faults"]
    assert fault["place"] == "workflow.json flowserverless.public[0]"


@pytest.mark.parametrize("wrong", ["data/train.csv", [1], ["../x"], ["/etc/passwd"], [""], [".flowserverless/x"], {}])
def test_what_is_no_list_of_patterns_is_a_fault(bench, wrong):
    assert publish(bench, wrong)["status"] == publish(bench, None, wrong)["status"] == "rejected"


def test_a_solution_that_is_made_public_is_warned_of(bench):
    report = publish(bench, ["data/", "code/score.py"])
    assert report["status"] == "accepted"
    found = {warning["place"]: warning["message"] for warning in report["warnings"]}
    assert "anybody download 'data/test_labels.csv'" in found["flowserv.json public[0]"]
    assert "flowserv.json public[1]" not in found


def test_the_role_that_gives_out_public_files_can_read_nothing_else_of_a_package():
    def may_read(path):
        return not policies.refused("get_public_file", {("s3:GetObject", f"bucket/workflows/bench/{path}")})

    version = "0123456789abcdef"
    assert may_read(f"{version}/public/data/train.csv")
    assert not any(may_read(f"{version}/{path}") for path in ("static/data/test_labels.csv", "static/code/score.py"))
