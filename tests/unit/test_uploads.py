"""An upload as the domain knows it: until when it can be posted, what a run keeps of it, what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flowserverless.domain import errors, runs, uploads

MADE = datetime(2026, 11, 23, 6, tzinfo=UTC)
UPLOAD = uploads.Upload("g", "01F", "names.txt", 6, MADE, "text/plain", "ab" * 32)


def test_what_was_posted_may_arrive_for_a_day_after_the_last_form_was_given():
    assert UPLOAD.closes_at == MADE + timedelta(days=1)
    again = MADE + timedelta(hours=5)
    assert replace(UPLOAD, formed_at=again).closes_at == again + timedelta(days=1)
    assert uploads.LATEST > uploads.FORM


def test_a_run_keeps_in_mind_what_tells_the_bytes_apart_and_the_name():
    assert UPLOAD.as_taken == runs.TakenUpload(6, "ab" * 32, "names.txt")


def test_a_file_may_be_as_large_as_the_limit():
    uploads.require_size(6, 6)
    with pytest.raises(errors.TooLarge, match=r"7 bytes; up to 6 are taken: .*UploadBytes") as refused:
        uploads.require_size(7, 6)
    assert refused.value.code == "FILE_TOO_LARGE"


def test_a_file_that_has_not_arrived_is_named_by_its_id_and_its_name():
    uploads.require_arrived(UPLOAD, there=True)
    with pytest.raises(errors.Conflict, match=r"file '01F' \(names.txt\) has not arrived complete") as refused:
        uploads.require_arrived(UPLOAD, there=False)
    assert refused.value.code == "UPLOAD_INCOMPLETE"


def test_what_is_said_of_an_unknown_file_is_no_longer_than_people_read():
    assert str(uploads.unknown("f" * 200)) == f"unknown file '{'f' * 100}'"
