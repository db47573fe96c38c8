"""Tests of an operation are found by its name."""

import pytest

from local import emulator

TESTS = emulator.PROJECT / "tests"
OPERATIONS = sorted(path.parent.name for path in (emulator.PROJECT / "functions").glob("*/app.py"))
# Operations without a file of their own: the file in which they are tested, and why there.
ELSEWHERE = {
    "await_results": ("operations/test_ingest_results.py", "what waits is told what a delivery came to"),
    "browse_api": ("invariants/test_api_edges.py", "a page, which takes what every request takes"),
    "describe_service": ("invariants/test_api_edges.py", "what it answers depends on who asks from where"),
    "expire_runs": ("operations/test_reconcile_runs.py", "what it keeps is what the reconciler post-processes"),
    "get_job_manifest": ("operations/test_batch.py", "a job asks for what staging its step ordered"),
    "get_openapi": ("invariants/test_api_edges.py", "every request there is held against the document"),
    "get_result_archive": ("operations/test_downloads.py", "all downloads are links under the same rules"),
    "get_result_file": ("operations/test_downloads.py", "all downloads are links under the same rules"),
    "get_run_logs": ("stack/test_directory.py", "what a step said is there once a step has run"),
    "get_upload": ("operations/test_upload_file.py", "a file can be downloaded once it arrived whole"),
    "get_workflow": ("invariants/test_api_edges.py", "what it shows depends on who asks"),
    "get_workflow_archive": ("operations/test_downloads.py", "all downloads are links under the same rules"),
    "get_workflow_file": ("operations/test_downloads.py", "all downloads are links under the same rules"),
    "list_groups": ("invariants/test_api_edges.py", "all listings are paged under the same rules"),
    "list_run_files": ("operations/test_files.py", "files are listed as the end of the run found them"),
    "list_runs": ("operations/test_get_run.py", "a line tells of a run what its handle does"),
    "list_uploads": ("operations/test_upload_file.py", "what is listed once is one file"),
    "list_workflow_groups": ("invariants/test_api_edges.py", "all listings are paged under the same rules"),
    "list_workflows": ("invariants/test_api_edges.py", "all listings are paged under the same rules"),
    "remove_files": ("operations/test_reconcile_runs.py", "removals are begun again until nothing is left"),
    "run_step": ("runner/test_basics.py", "the runner of steps has tests without moto"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_file_of_tests_called_after_it_or_it_is_said_where_else(operation: str) -> None:
    own = TESTS / "operations" / f"test_{operation}.py"
    assert own.is_file() != (operation in ELSEWHERE)
    if operation in ELSEWHERE:
        path, why = ELSEWHERE[operation]
        assert (TESTS / path).is_file()
        assert why


def test_nothing_is_said_of_operations_that_there_are_not() -> None:
    assert set(ELSEWHERE) <= set(OPERATIONS)
