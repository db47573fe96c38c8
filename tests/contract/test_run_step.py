"""The runner of steps: what it shares with the domain is deployed as files, and its README names what there is."""

import os
import pathlib
import re
import stat
import subprocess
import sys
import zipfile

import pytest
from samcli.lib.package import utils as sam

from flowserverless.domain import paths, variable_names
from local import emulator

FOLDER = emulator.PROJECT / "functions" / "run_step"
RUNNER = FOLDER / "runner"
TESTS = emulator.PROJECT / "tests"
SHARED = (paths, variable_names)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The zip of the function that `sam build` and `sam package` make."""
    place = tmp_path_factory.mktemp("build")
    subprocess.run(
        [
            *(sys.executable, "-m", "samcli", "build", "RunStepFunction"),
            *(
                "--template-file",
                emulator.PROJECT / "template.yaml",
                "--config-file",
                emulator.PROJECT / "samconfig.toml",
            ),
            *("--build-dir", place / "build", "--cache-dir", place / "cache"),
        ],
        cwd=place,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(place), "TMPDIR": str(place)},
        capture_output=True,
        check=True,
    )
    with sam.zip_folder(str(place / "build" / "RunStepFunction"), sam.make_zip_with_lambda_permissions) as (name, _):
        yield zipfile.ZipFile(name)


@pytest.mark.parametrize("module", SHARED)
def test_what_the_runner_shares_with_the_domain_is_a_link(module):
    link = RUNNER / os.path.basename(module.__file__)
    assert link.is_symlink(), (
        "this checkout has no symbolic links: set core.symlinks of Git to true and check out again"
    )
    assert not os.path.isabs(os.readlink(link))
    assert link.resolve() == pathlib.Path(module.__file__).resolve()


@pytest.mark.long
@pytest.mark.parametrize("module", SHARED)
def test_what_is_deployed_of_it_is_a_file(package, module):
    member = package.getinfo(f"runner/{os.path.basename(module.__file__)}")
    assert stat.S_ISREG(member.external_attr >> 16)
    assert package.read(member) == pathlib.Path(module.__file__).read_bytes()


@pytest.mark.long
def test_the_package_has_the_handler_the_program_of_a_job_and_every_module(package):
    sources = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.py")}
    assert {"app.py", "__main__.py"} <= sources
    assert {name for name in package.namelist() if name.endswith(".py")} == sources


def test_the_readme_has_every_module_in_its_table():
    modules = {path.stem for path in RUNNER.glob("*.py")} - {"__init__"}
    assert _named(_rows("module"), 0) == modules | {"shims/"}


def test_every_module_and_test_that_the_readme_names_for_a_threat_exists():
    rows = _rows("threat")
    assert len(rows) > 15
    modules = {path.stem for path in RUNNER.glob("*.py")}
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
    }
    assert all(_named([row], 2) and _named([row], 3) for row in rows), "a threat without a module or a test"
    assert _named(rows, 2) <= modules
    assert _named(rows, 3) <= defined


def _rows(first: str) -> list[list[str]]:
    """The cells of the table in the README whose first heading that is."""
    text = (FOLDER / "README.md").read_text("utf-8")
    _, _, table = text.partition(f"\n| {first} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _named(rows: list[list[str]], column: int) -> set[str]:
    return {name for row in rows for name in re.findall(r"`([\w/]+)`", row[column])}
