"""Files that an organiser declares public: listed by the workflow, downloaded by anybody, and nothing beside them."""

import io
import json
import urllib.parse
import zipfile

import pytest

from flowserverless.store import version_items
from support import gateway, iam, packages

FILES = {
    "code/score.py": "pass",
    "data/train.csv": "id,label\n",
    "data/test.csv": "id\n",
    "data/test_labels.csv": "1,7\n",
    "docs/Über uns.pdf": "%PDF",
}
KEY = "inbox/workflows/bench.zip"
PUBLIC = ["data/train.csv", "docs/"]


def publish(world, public=None, own=None, files=None, targets=("code/score.py",)):
    """Publish with patterns in the manifest (`public`) and in the template (`own`)."""
    template = {"workflow": {"steps": [packages.STEP]}}
    template |= {"flowserverless": {"public": own}} if own is not None else {}
    manifest = {"name": "Bench", "specfile": "workflow.json", "files": [{"source": name} for name in targets]}
    manifest |= {"public": public} if public is not None else {}
    content = {"flowserv.json": json.dumps(manifest), "workflow.json": json.dumps(template), **(files or FILES)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    world.put(KEY, buffer.getvalue())
    return world.invoke("publish_workflow", packages.dropped(world.bucket, KEY))


def listed(world):
    at = "get_workflow", "GET", "/workflows/{workflowId}", {"workflowId": "bench"}
    return world.call(*at, user=None).json["publicFiles"]


def get(world, file, status=302, method="GET", workflow="bench", user=None):
    path = {"workflowId": workflow, "fileId": file}
    at = "get_public_file", method, "/workflows/{workflowId}/files/{fileId}", path
    return world.call(*at, status, user=user)


def content(world, answer):
    """What the link of an answer leads to."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(answer.headers["location"]).path)
    return world.get(path.partition(f"{world.bucket}/")[2] or path.removeprefix("/")).decode()


@pytest.mark.parametrize(
    ("public", "own"), [(PUBLIC, None), (None, PUBLIC), (PUBLIC[:1], PUBLIC[1:]), (PUBLIC, PUBLIC)]
)
def test_public_files_are_listed_and_downloaded_by_anybody(world, public, own):
    assert publish(world, public, own)["status"] == "accepted"
    train, about = listed(world)
    assert train == {
        "id": "data:train.csv",
        "name": "data/train.csv",
        "size": 9,
        "mediaType": "text/csv",
        "url": "workflows/bench/files/data:train.csv",
    }
    assert (about["name"], about["mediaType"]) == ("docs/Über uns.pdf", "application/pdf")
    for user in (None, gateway.BOB, gateway.ORGANISER):
        answer = get(world, train["id"], user=user)
        assert "filename%3D%22train.csv" in answer.headers["location"]
        assert content(world, answer) == FILES["data/train.csv"]
        assert content(world, get(world, about["id"], user=user)) == "%PDF"
    assert get(world, train["id"], method="HEAD").headers["location"]


def test_nothing_else_of_a_package_is_given_out(world):
    publish(world, PUBLIC, targets=("code/score.py", "data/test_labels.csv"))
    for file in ("data:test_labels.csv", "data:test.csv", "code:score.py", "flowserv.json", "000000", "..", "x" * 300):
        assert get(world, file, 404).json["code"] == "NOT_FOUND"
    get(world, "data:train.csv", 404, workflow="unknown")
    assert [key.split("/", 3)[3] for key in world.listed("workflows/bench/")] == [
        "public/data/train.csv",
        "public/docs/Über uns.pdf",
        "static/code/score.py",
        "static/data/test_labels.csv",
    ]


def test_a_workflow_without_public_files_has_none(world):
    publish(world)
    assert listed(world) == []
    get(world, "data:train.csv", 404)


def test_a_link_goes_on_to_lead_to_the_file_as_the_current_version_has_it(world):
    first = publish(world, PUBLIC)["version"]
    publish(world, PUBLIC, files={**FILES, "data/train.csv": "better"})
    assert content(world, get(world, "data:train.csv")) == "better"
    second = publish(world, ["docs"])["version"]
    assert first != second
    get(world, "data:train.csv", 404)
    assert publish(world, ["docs"])["status"] == "unchanged"


def test_what_is_public_belongs_to_the_version(world):
    versions = [publish(world, public)["version"] for public in (None, [], PUBLIC, ["docs"])]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert publish(world, PUBLIC, files={**FILES, "docs/more": "x"})["version"] not in versions
    assert version_items.get("bench").public == (("data/train.csv", 9), ("docs/more", 1), ("docs/Über uns.pdf", 4))


@pytest.mark.parametrize("pattern", ["data/trian.csv", "data/train", "nothing/", "*.csv"])
def test_a_pattern_that_matches_nothing_is_a_fault(world, pattern):
    report = publish(world, [PUBLIC[0], pattern])
    [fault] = report["faults"]
    assert (report["status"], fault["place"]) == ("rejected", "flowserv.json public[1]")
    assert "matches no file of the package" in fault["message"]
    [fault] = publish(world, None, [pattern])["faults"]
    assert fault["place"] == "workflow.json flowserverless.public[0]"


@pytest.mark.parametrize("wrong", ["data/train.csv", [1], ["../x"], ["/etc/passwd"], [""], [".flowserverless/x"], {}])
def test_what_is_no_list_of_patterns_is_a_fault(world, wrong):
    assert publish(world, wrong)["status"] == publish(world, None, wrong)["status"] == "rejected"


def test_a_solution_that_is_made_public_is_warned_of(world):
    report = publish(world, ["data/", "code/score.py"])
    assert report["status"] == "accepted"
    found = {warning["place"]: warning["message"] for warning in report["warnings"]}
    assert "anybody download 'data/test_labels.csv'" in found["flowserv.json public[0]"]
    assert "flowserv.json public[1]" not in found


def test_the_role_that_gives_out_public_files_can_read_nothing_else_of_a_package():
    def may_read(path):
        return not iam.refused("get_public_file", {("s3:GetObject", f"bucket/workflows/bench/{path}")})

    version = "0123456789abcdef"
    assert may_read(f"{version}/public/data/train.csv")
    assert not any(may_read(f"{version}/{path}") for path in ("static/data/test_labels.csv", "static/code/score.py"))
