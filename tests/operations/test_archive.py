"""The archive of a run on moto's S3; where volume matters, on an S3 that makes up what it is asked for."""

import gzip
import hashlib
import io
import json
import random
import subprocess
import tarfile
import threading
import tracemalloc

import boto3
import moto
import pytest
from botocore import exceptions, response

from flowserverless.store import archive

BUCKET = "results"
DESTINATION = "runs/g-1/archive.tar.gz"
MANIFEST = {"run": "g-1", "workflow": {"id": "hello", "version": "v1"}, "arguments": {"name": "Zoë"}}

MIB = 1024 * 1024


@pytest.fixture
def s3():
    with moto.mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket=BUCKET)
        yield client


def stored(s3, contents):
    """Put the contents into the bucket; the files as `build` wants them."""
    for name, content in contents.items():
        s3.put_object(Bucket=BUCKET, Key=f"runs/g-1/files/{name}", Body=content)
    return [(name, f"runs/g-1/files/{name}", len(content)) for name, content in contents.items()]


def built(s3, files, **options):
    info = archive.build(s3, BUCKET, files, DESTINATION, MANIFEST, **options)
    blob = s3.get_object(Bucket=BUCKET, Key=DESTINATION)["Body"].read()
    assert len(blob) == info.size
    return info, blob


def unpacked(blob):
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def keys(s3):
    return {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())}


def unfinished_uploads(s3):
    return s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_holds_the_files_and_last_a_manifest_with_their_checksums(s3):
    contents = {"results/scores.json": b'{"score": 1}', "plot.png": noise(70_000)}
    info, blob = built(s3, stored(s3, contents))
    members = unpacked(blob)
    assert list(members) == ["plot.png", "results/scores.json", "manifest.json"]
    manifest = json.loads(members.pop("manifest.json"))
    assert members == contents
    expected = [
        {"name": name, "size": len(contents[name]), "sha256": hashlib.sha256(contents[name]).hexdigest()}
        for name in sorted(contents)
    ]
    assert manifest == {**MANIFEST, "files": expected}
    assert info.files == tuple(archive.FileDigest(**file) for file in expected)


def test_is_unpacked_by_the_tools_of_the_system(s3, tmp_path):
    contents = {
        "empty": b"",
        "block": noise(512),
        "text/Größe.txt": "größer\n".encode() * 1000,
        "long/" + "x" * 120 + "/" + "y" * 200: b"long",
        "日本語/" + "長" * 80: b"wide",
    }
    _, blob = built(s3, stored(s3, contents))
    packed = tmp_path / "archive.tar.gz"
    packed.write_bytes(blob)
    subprocess.run(["gzip", "--test", packed], check=True)
    assert gzip.decompress(blob).endswith(bytes(1024)), "the mark of the end of a tar archive"
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run(
        ["tar", "-xzf", packed, "-C", target], check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    )
    for name, content in contents.items():
        assert (target / name).read_bytes() == content
    assert json.loads((target / "manifest.json").read_bytes())["run"] == "g-1"


@pytest.mark.parametrize(
    "name",
    [
        "a" * 100,
        "a" * 101,
        "d" * 155 + "/" + "f" * 100,
        "ü" * 500,
        "d/" * 500 + "f",
        "tab\tnew\nline",
        "-rf",
        " ",
    ],
)
def test_keeps_names_of_any_length_and_script(s3, name):
    _, blob = built(s3, stored(s3, {name: b"content"}))
    assert unpacked(blob)[name] == b"content"


def test_the_manifest_is_written_for_people_and_in_one_order(s3):
    info, blob = built(s3, [])
    text = unpacked(blob)["manifest.json"].decode()
    assert '"name": "Zoë"' in text
    reordered = dict(reversed(MANIFEST.items()))
    assert archive.build(s3, BUCKET, [], "other", reordered) == info
    assert s3.get_object(Bucket=BUCKET, Key="other")["Body"].read() == blob


def test_of_no_files_holds_the_manifest(s3):
    info, blob = built(s3, [])
    assert info.files == ()
    assert json.loads(unpacked(blob)["manifest.json"]) == {**MANIFEST, "files": []}


def test_says_nothing_about_who_made_it_and_when(s3):
    _, blob = built(s3, stored(s3, {"a": b"1"}))
    assert blob[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    with tarfile.open(fileobj=io.BytesIO(blob)) as tar:
        for member in tar:
            assert (member.mtime, member.mode, member.uid, member.gid) == (0, 0o644, 0, 0)
            assert (member.uname, member.gname) == ("", "")


def test_of_the_same_results_has_the_same_bytes_whichever_thread_is_faster(s3, monkeypatch):
    contents = {f"{number:03}": noise(number * 3571, number) for number in range(100)}
    contents["large"] = noise(3 * MIB) + b"text " * MIB
    files = stored(s3, contents)
    _, blob = built(s3, files)
    random.Random(2).shuffle(files)
    monkeypatch.setattr(archive, "READERS", 1)
    monkeypatch.setattr(archive, "COMPRESSORS", 1)
    monkeypatch.setattr(archive, "UPLOADERS", 1)
    monkeypatch.setattr(archive, "BLOCKS_AHEAD", 1)
    _, again = built(s3, files)
    assert again == blob


@pytest.mark.long
def test_of_a_thousand_small_files(s3):
    contents = {f"chunk/{number}.csv": f"{number},{number * number}\n".encode() for number in range(1000)}
    info, blob = built(s3, stored(s3, contents))
    assert len(info.files) == 1000
    members = unpacked(blob)
    assert {name: members[name] for name in contents} == contents


def test_a_small_archive_is_one_put(s3):
    stored_files = stored(s3, {"a": b"1"})
    s3.meta.events.register("before-call.s3.CreateMultipartUpload", refused)
    built(s3, stored_files)


def test_a_file_larger_than_a_part_goes_up_in_parts(s3):
    content = noise(22 * MIB + 17)
    sent = []
    s3.meta.events.register(
        "before-parameter-build.s3.UploadPart",
        lambda params, **_: sent.append((params["PartNumber"], len(params["Body"]))),
    )
    info, blob = built(s3, stored(s3, {"model.bin": content}))
    assert unpacked(blob)["model.bin"] == content
    sent.sort()
    assert [number for number, _ in sent] == [1, 2, 3, 4, 5]
    assert all(size >= 5 * MIB for _, size in sent[:-1])
    assert sum(size for _, size in sent) == info.size
    assert unfinished_uploads(s3) == []


def test_text_is_compressed(s3):
    text = "".join(f"{number},{number % 7},sample_{number % 31},accuracy\n" for number in range(50_000)).encode()
    info, blob = built(s3, stored(s3, {"table.csv": text}))
    assert info.size < len(text) / 3
    assert gzip.decompress(blob)[512 : 512 + len(text)] == text


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_level_of_the_library_can_be_chosen(s3, level):
    content = noise(100_000) + b"text " * 100_000
    _, blob = built(s3, stored(s3, {"a": content}), level=level)
    assert unpacked(blob)["a"] == content


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["a/b", "a"],
        ["a", "a/b/c"],
        ["../a"],
        ["/a"],
        ["a//b"],
        ["a/"],
        ["./a"],
        ["a/../../b"],
        [""],
        ["a\0b"],
    ],
)
def test_names_that_cannot_be_unpacked_side_by_side_are_refused(s3, names):
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    with pytest.raises(ValueError, match=r"is not a name|two files|is a file and a directory"):
        archive.build(s3, BUCKET, [(name, "k", 1) for name in names], DESTINATION, MANIFEST)
    assert keys(s3) == {"k"}


def test_names_that_only_look_alike_are_kept_apart(s3):
    contents = {"a": b"1", "a.b": b"2", "a-b/c": b"3", "A": b"4", "..a": b"5", "a..": b"6"}
    _, blob = built(s3, stored(s3, contents))
    members = unpacked(blob)
    assert {name: members[name] for name in contents} == contents


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["manifest.json"], "_manifest.json"),
        (["manifest.json/part"], "_manifest.json"),
        (["_manifest.json", "manifest.json"], "__manifest.json"),
        (["results/manifest.json"], "manifest.json"),
    ],
)
def test_a_result_called_like_the_manifest_is_kept(s3, names, expected):
    _, blob = built(s3, stored(s3, dict.fromkeys(names, b"theirs")))
    members = unpacked(blob)
    assert [members[name] for name in names] == [b"theirs"] * len(names)
    assert list(members)[-1] == expected
    assert json.loads(members[expected])["run"] == "g-1"


def test_a_missing_file_is_named_and_nothing_is_left(s3):
    files = [*stored(s3, {"a": noise(20 * MIB)}), ("b.txt", "runs/g-1/files/b.txt", 3)]
    with pytest.raises(archive.SourceChanged, match=r"b\.txt is gone"):
        archive.build(s3, BUCKET, files, DESTINATION, MANIFEST)
    assert unfinished_uploads(s3) == []
    assert keys(s3) == {"runs/g-1/files/a"}


@pytest.mark.parametrize(
    ("recorded", "found"), [(0, 4), (3, 4), (5, 4), (3 * MIB, 4), (3 * MIB, 0), (3 * MIB, 2 * MIB), (3, 0)]
)
def test_a_file_of_another_size_than_recorded_is_named(s3, recorded, found):
    s3.put_object(Bucket=BUCKET, Key="k", Body=bytes(found))
    with pytest.raises(archive.SourceChanged, match="notes"):
        archive.build(s3, BUCKET, [("notes", "k", recorded)], DESTINATION, MANIFEST)


def test_a_large_file_that_grew_is_named(s3):
    s3.put_object(Bucket=BUCKET, Key="k", Body=bytes(3 * MIB + 1))
    with pytest.raises(archive.SourceChanged, match=f"no longer the file of {3 * MIB} bytes"):
        archive.build(s3, BUCKET, [("notes", "k", 3 * MIB)], DESTINATION, MANIFEST)


def test_a_file_replaced_by_one_of_the_same_size_meanwhile_is_named(s3, monkeypatch):
    monkeypatch.setattr(archive, "READERS", 1)
    (file,) = stored(s3, {"model.bin": bytes(3 * archive.PIECE)})

    def replace(params, **_):
        if params["Range"].startswith(f"bytes={archive.PIECE}-"):
            s3.put_object(Bucket=BUCKET, Key=file[1], Body=noise(file[2]))

    s3.meta.events.register("before-parameter-build.s3.GetObject", replace)
    with pytest.raises(archive.SourceChanged, match=r"model\.bin was replaced"):
        archive.build(s3, BUCKET, [file], DESTINATION, MANIFEST)


def test_a_connection_that_breaks_in_the_middle_is_tried_again(s3, monkeypatch):
    files = stored(s3, {"a": b"content"})
    get_object = s3.get_object
    answers = []

    def breaks_once(**request):
        answer = get_object(**request)
        if not answers:
            answer["Body"] = response.StreamingBody(io.BytesIO(b"cont"), 7)
        answers.append(answer)
        return answer

    monkeypatch.setattr(s3, "get_object", breaks_once)
    archive.build(s3, BUCKET, files, DESTINATION, MANIFEST)
    monkeypatch.undo()
    assert len(answers) == 2
    assert unpacked(s3.get_object(Bucket=BUCKET, Key=DESTINATION)["Body"].read())["a"] == b"content"


def test_a_connection_that_always_breaks_is_an_error(s3, monkeypatch):
    files = stored(s3, {"a": b"content"})
    get_object = s3.get_object

    def breaks(**request):
        return {**get_object(**request), "Body": response.StreamingBody(io.BytesIO(b"cont"), 7)}

    monkeypatch.setattr(s3, "get_object", breaks)
    with pytest.raises(exceptions.IncompleteReadError):
        archive.build(s3, BUCKET, files, DESTINATION, MANIFEST)
    assert DESTINATION not in keys(s3)


def refused(**_):
    raise exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_a_failed_upload_is_aborted_and_an_older_archive_stays(s3, operation):
    s3.put_object(Bucket=BUCKET, Key=DESTINATION, Body=b"older")
    files = stored(s3, {"a": noise(12 * MIB)})
    created = []
    s3.meta.events.register(
        "after-call.s3.CreateMultipartUpload", lambda parsed, **_: created.append(parsed["UploadId"])
    )
    s3.meta.events.register(f"before-call.s3.{operation}", refused)
    with pytest.raises(exceptions.ClientError, match="AccessDenied"):
        archive.build(s3, BUCKET, files, DESTINATION, MANIFEST)
    assert len(created) == 1
    assert unfinished_uploads(s3) == []
    assert s3.get_object(Bucket=BUCKET, Key=DESTINATION)["Body"].read() == b"older"


def test_no_part_is_on_its_way_any_more_when_the_upload_is_aborted(s3):
    files = stored(s3, {"a": noise(20 * MIB)})
    third_begun = threading.Event()
    events = []

    def begin(params, **_):
        if params["PartNumber"] == 2:
            assert third_begun.wait(30)
            refused()
        if params["PartNumber"] == 3:
            third_begun.set()

    s3.meta.events.register("before-parameter-build.s3.UploadPart", begin)
    s3.meta.events.register("after-call.s3.UploadPart", lambda **_: events.append("part"))
    s3.meta.events.register("before-call.s3.AbortMultipartUpload", lambda **_: events.append("abort"))
    with pytest.raises(exceptions.ClientError):
        archive.build(s3, BUCKET, files, DESTINATION, MANIFEST)
    assert events == ["part", "part", "abort"]


def test_who_leaves_off_reading_does_not_wait_for_work_that_its_pool_called_off():
    going_on = threading.Event()
    ended = threading.Event()

    def read():
        with archive._threads(1) as pool:
            results = archive._ahead(pool, lambda item: item == 0 or going_on.wait(30), range(9), 4)
            assert next(results)
            threading.Timer(0.1, going_on.set).start()
        # The pool has ended with work in its queue, and only now the reader is given up, as it is after an error.
        results.close()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert ended.wait(30)


class Endless:
    """An S3 that makes up every file from one line of text and some noise, and forgets what it is given."""

    def __init__(self, size):
        self.size = size
        self.stored = 0
        self.pattern = (noise(300_000) + b"a line of text, again and again\n" * 20_000) * 4

    def get_object(self, **request):
        wanted = request.get("Range", f"bytes=0-{self.size - 1}").removeprefix("bytes=")
        first, last = (int(number) for number in wanted.split("-"))
        length = last - first + 1
        return {
            "Body": response.StreamingBody(io.BytesIO(self.pattern[:length]), length),
            "ContentLength": length,
            "ContentRange": f"bytes {first}-{last}/{self.size}",
            "ETag": "always the same",
        }

    def create_multipart_upload(self, **_):
        return {"UploadId": "1"}

    def upload_part(self, **request):
        self.stored += len(request["Body"])
        return {"ETag": str(self.stored)}

    def complete_multipart_upload(self, **_):
        return {}


def peak(size, count):
    files = [(f"file {number}", "k", size) for number in range(count)]
    endless = Endless(size)
    tracemalloc.start()
    try:
        info = archive.build(endless, BUCKET, files, DESTINATION, {})
        assert endless.stored == info.size
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_memory_does_not_grow_with_the_archive():
    assert peak(192 * MIB, 1) < 100 * MIB
    assert peak(1024 * MIB, 1) < 100 * MIB
    assert peak(2 * MIB, 300) < 100 * MIB


@pytest.mark.parametrize("size", [0, 8 * 1024**3 - 1, 8 * 1024**3, 9 * 1024**3 + 5, 5 * 1024**4])
def test_headers_take_files_of_any_size(size):
    head = archive.header("large.bin", size)
    assert len(head) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(head)) as tar:
        member = tar.next()
    assert (member.name, member.size) == ("large.bin", size)


def test_tar_of_the_system_finds_what_follows_a_file_over_8_gib(tmp_path):
    size = 9 * 1024**3 + 5
    packed = tmp_path / "sparse.tar"
    with packed.open("wb") as file:
        file.write(archive.header("large.bin", size))
        file.seek(size + -size % 512, io.SEEK_CUR)
        file.write(archive.header("after", 0) + bytes(1024))
    listing = subprocess.run(["tar", "-tvf", packed], check=True, capture_output=True, text=True).stdout
    large, after = listing.splitlines()
    assert str(size) in large
    assert large.endswith("large.bin")
    assert after.endswith("after")


@pytest.mark.parametrize("total", [1, 10**9, 47 * 10**9, 10**12, 5 * 1024**4, 40 * 1024**4])
def test_parts_stay_within_the_limits_of_s3(total):
    size = archive.part_size([archive.Source("a", "k", total)])
    assert 5 * MIB <= size <= 5 * 1024**3
    assert total * 1.001 / size <= 10_000


def test_parts_stay_within_the_limits_of_s3_when_most_of_it_is_names(monkeypatch):
    monkeypatch.setattr(archive, "MAX_PARTS", 100)
    name, count = "n" * 1000, 200_000
    in_tar = len(archive.header(name, 1)) + 512
    in_manifest = len(name) + 200
    parts = archive.part_size([archive.Source(name, "k", 1)] * count)
    assert count * (in_tar + in_manifest) * 1.001 / parts <= 100


def test_parts_are_small_as_long_as_they_may_be():
    assert archive.part_size([archive.Source("a", "k", 47 * 10**9)]) == 5 * MIB
