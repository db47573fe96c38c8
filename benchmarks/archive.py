"""How fast, and in how much memory, the results of a run become an archive.

Each case is packed, in a process of its own and one after the other, by

    build      archive.build from S3 to S3, the S3 being an emulator that shares the processors with it
    build/disk the same code with an S3 that reads files and keeps nothing: what the code itself can do here
    tarfile    (a) Python's tarfile with gzip into memory, from local files
    tar|gzip   (b) `tar | gzip -6`, from local files to a local file

Time is that of the packing, without starting the interpreter; `cpu` counts its process alone. `peak` is the largest
resident size of the whole process. Each archive in S3 is read back and its files are compared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import io
import json
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from boto3.s3 import transfer
from botocore import config, response

import benchmarks
from flowserverless.store import archive
from local import emulator

BUCKET = "results"
DESTINATION = "archive.tar.gz"
MB = 1_000_000

PEAK_MB = 160
TIMES_TARFILE = 3


@dataclasses.dataclass(frozen=True)
class Case:
    """So many files of so many bytes; of these, `text` of 1 is text and the rest noise."""

    count: int
    size: int
    text: float

    @property
    def title(self) -> str:
        """What people call it."""
        kind = {0.0: "random", 1.0: "text"}.get(self.text, "half text, half random")
        size = f"{self.size // MB:,} MB" if self.size >= MB else f"{self.size // 1000} kB"
        return f"{self.count:,} x {size}, {kind}"


CASES = (
    Case(1, 200 * MB, 1.0),
    Case(1, 200 * MB, 0.0),
    Case(1000, 100_000, 1.0),
    Case(1000, 100_000, 0.0),
    Case(1, 2000 * MB, 0.5),
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one packing took; megabytes are millions of bytes, `peak` is None where nobody asked."""

    wall: float
    cpu: float
    size: int
    peak: float | None


def main() -> None:
    """Measure everything and print tables with the ratios that were promised."""
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        home = pathlib.Path(folder)
        endpoint = emulator.start(home / "emulator", keep=False, with_caller=True).url
        try:
            client(endpoint).create_bucket(Bucket=BUCKET)
            for case in CASES:
                measure(case, endpoint, home / "files")
            first_bytes(endpoint)
        finally:
            emulator.stop(home / "emulator")


def measure(case: Case, endpoint: str, folder: pathlib.Path) -> None:
    """Pack one case in every way."""
    with files(case, folder, endpoint) as listed:
        rows = {
            "build": child("build", endpoint, listed),
            "build/disk": child("build_from_disk", str(folder), listed),
            "tarfile": child("tarfile_in_memory", str(folder), listed),
            "tar|gzip": tar_and_gzip(folder),
        }
        compare(endpoint, listed, folder)
    total = case.count * case.size
    print(f"\n{case.title}\n{'':12}{'wall s':>9}{'cpu s':>9}{'MB/s':>9}{'peak MB':>9}{'size MB':>9}")
    for name, row in rows.items():
        peak = "" if row.peak is None else f"{row.peak:.0f}"
        print(f"{name:12}{row.wall:9.2f}{row.cpu:9.2f}{total / MB / row.wall:9.0f}{peak:>9}{row.size / MB:9.1f}")
    build, in_memory, shell = rows["build"], rows["tarfile"], rows["tar|gzip"]
    faster = in_memory.wall / build.wall
    print(f"build is {faster:.1f} x as fast as (a), {shell.wall / build.wall:.1f} x as fast as (b)")
    assert build.peak is not None
    print(f"peak below {PEAK_MB} MB: {verdict(build.peak < PEAK_MB)}", end="")
    print(f"; {TIMES_TARFILE} x (a): {verdict(faster >= TIMES_TARFILE)}" if case.text == 1.0 else "", flush=True)


def verdict(met: bool) -> str:
    """Of a target."""
    return "met" if met else "MISSED"


@contextlib.contextmanager
def files(case: Case, folder: pathlib.Path, endpoint: str) -> Iterator[list[tuple[str, str, int]]]:
    """The files of a case in a folder and in S3, for as long as they are needed."""
    s3 = client(endpoint)
    folder.mkdir()
    listed = []
    for number in range(case.count):
        name = f"file-{number:04}"
        with (folder / name).open("wb") as file:
            left = case.size
            for content in contents(case, number):
                left -= file.write(content[:left])
                if not left:
                    break
        s3.upload_file(str(folder / name), BUCKET, name, Config=transfer.TransferConfig(max_concurrency=2))
        listed.append((name, name, case.size))
    try:
        yield listed
    finally:
        for name, key, _ in listed:
            (folder / name).unlink()
            s3.delete_object(Bucket=BUCKET, Key=key)
        folder.rmdir()


def contents(case: Case, number: int) -> Iterator[bytes]:
    """Endless text and noise; text is lines of a table such as evaluations write, which repeat after 10 MB."""
    chance = random.Random(number)
    rows = b"".join(
        b"%d,%.9f,%.6f,sample_%d,%s\n"
        % (row, chance.random(), chance.gauss(0, 1), chance.randrange(1000), chance.choice((b"yes", b"no")))
        for row in range(min(200_000, case.size // 40 + 1) if case.text else 0)
    )
    while True:
        for _ in range(4):
            if chance.random() < case.text:
                yield rows
            else:
                yield chance.randbytes(len(rows) or MB)


def child(way: str, place: str, listed: list[tuple[str, str, int]]) -> Measured:
    """Pack in a process of its own, so that its peak is its own."""
    request = json.dumps([way, place, listed])
    arguments = [sys.executable, "-m", "benchmarks.archive"]
    answer = subprocess.run(arguments, input=request.encode(), capture_output=True, cwd=benchmarks.PROJECT)
    if answer.returncode:
        sys.exit(answer.stderr.decode())
    return Measured(**json.loads(answer.stdout))


def answer_parent() -> None:
    """The other side of `child`."""
    way, place, listed = json.load(sys.stdin)
    ways: dict[str, Callable[[str, list[tuple[str, str, int]]], int]] = {
        "build": build,
        "build_from_disk": build_from_disk,
        "tarfile_in_memory": tarfile_in_memory,
    }
    started, used = time.perf_counter(), time.process_time()
    size = ways[way](place, listed)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    # Not ru_maxrss: that begins with the size of the parent.
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024 / MB
    json.dump(dataclasses.asdict(Measured(wall, cpu, size, peak)), sys.stdout)


def build(endpoint: str, listed: list[tuple[str, str, int]]) -> int:
    """What the service does."""
    return archive.build(client(endpoint), BUCKET, listed, DESTINATION, {"run": "g-1"}).size


def build_from_disk(folder: str, listed: list[tuple[str, str, int]]) -> int:
    """The same without a network."""
    disk: Any = Disk(pathlib.Path(folder))
    return archive.build(disk, BUCKET, listed, DESTINATION, {"run": "g-1"}).size


class Disk:
    """An S3 that reads the files of a folder and forgets what it is given."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def get_object(self, **request: str) -> dict[str, object]:
        """A part of a file."""
        path = self.folder / request["Key"]
        size = path.stat().st_size
        wanted = request.get("Range", f"bytes=0-{size - 1}").removeprefix("bytes=")
        first, last = (int(place) for place in wanted.split("-"))
        length = last + 1 - first
        extract: Any = Extract(path, first, length)
        return {
            "Body": response.StreamingBody(extract, length),
            "ContentLength": length,
            "ContentRange": f"bytes {first}-{last}/{size}",
            "ETag": "",
        }

    def create_multipart_upload(self, **_: object) -> dict[str, str]:
        """Begin to forget."""
        return {"UploadId": ""}

    def upload_part(self, **_: object) -> dict[str, str]:
        """Forget."""
        return {"ETag": ""}

    complete_multipart_upload = put_object = upload_part


class Extract:
    """So many bytes of a file from a place on."""

    def __init__(self, path: pathlib.Path, start: int, length: int) -> None:
        self.file = path.open("rb", buffering=0)
        self.file.seek(start)
        self.left = length

    def read(self, amount: int) -> bytes:
        """The next bytes, up to `amount`."""
        content = self.file.read(min(amount, self.left))
        self.left -= len(content)
        return content

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def tarfile_in_memory(folder: str, listed: list[tuple[str, str, int]]) -> int:
    """What many services do, at tarfile's own compression level."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, _, _ in listed:
            tar.add(pathlib.Path(folder) / name, name)
    return len(packed.getvalue())


def tar_and_gzip(folder: pathlib.Path) -> Measured:
    """What everybody can do."""
    packed = folder.parent / "packed.tar.gz"
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with packed.open("wb") as output:
        tar = subprocess.Popen(["tar", "-cf", "-", "-C", folder, "."], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-6"], stdin=tar.stdout, stdout=output, check=True)
        tar.wait()
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    size = packed.stat().st_size
    packed.unlink()
    return Measured(wall, cpu, size, None)


def compare(endpoint: str, listed: list[tuple[str, str, int]], folder: pathlib.Path) -> None:
    """Read the archive back from S3 as any client would, and look for the files in it."""
    s3 = client(endpoint)
    body: Any = s3.get_object(Bucket=BUCKET, Key=DESTINATION)["Body"]
    manifest = None
    with tarfile.open(fileobj=body, mode="r|gz") as tar:
        unpacked = {}
        for member in tar:
            content: Any = tar.extractfile(member)
            if member.name == archive.MANIFEST:
                manifest = json.load(content)
            else:
                unpacked[member.name] = hashlib.file_digest(content, "sha256").hexdigest()
    expected = {}
    for name, _, _ in listed:
        with (folder / name).open("rb") as file:
            expected[name] = hashlib.file_digest(file, "sha256").hexdigest()
    assert unpacked == expected
    assert manifest is not None
    assert {file["name"]: file["sha256"] for file in manifest["files"]} == expected
    s3.delete_object(Bucket=BUCKET, Key=DESTINATION)


def first_bytes(endpoint: str) -> None:
    """The time until the first byte of a download by a signed URL, for a small and a large object."""
    s3 = client(endpoint)
    large = 200 * MB
    print("\nfirst byte of a download by a signed URL, median of 9")
    for size, wanted in ((1000, {}), (large, {"Range": "bytes=0-999999"}), (large, {})):
        s3.put_object(Bucket=BUCKET, Key="download", Body=bytes(size))
        url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "download"})
        median = statistics.median(first_byte(url, wanted) for _ in range(9))
        s3.delete_object(Bucket=BUCKET, Key="download")
        print(f"{size:>12,} bytes{', the first MB of them' if wanted else '':22} {median * 1000:8.1f} ms", flush=True)
    print("(the emulator puts a whole answer together before it sends any of it; S3 does not)")


def first_byte(url: str, headers: dict[str, str]) -> float:
    """Seconds until a byte of the body is there."""
    place = urllib.parse.urlsplit(url)
    started = time.perf_counter()
    with contextlib.closing(http.client.HTTPConnection(place.netloc)) as connection:
        connection.request("GET", f"{place.path}?{place.query}", headers=headers)
        assert len(connection.getresponse().read(1)) == 1
        return time.perf_counter() - started


def client(endpoint: str) -> Any:
    """S3 of the emulator."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=emulator.REGION,
        aws_access_key_id=emulator.CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=emulator.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=config.Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )


if __name__ == "__main__":
    answer_parent()
