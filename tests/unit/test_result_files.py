"""Pages of result files: every file once, in order, found by its id, and small enough to store."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowserverless.domain import kept_files, result_files, runs

NAMES = st.text('aü機"\\', max_size=300)


RUN = "VQWEX2T39N6CF6QA01M83R72TG-team_ada"


def result(name, path="p/x.csv", caption=None):
    return runs.ResultFile("", name, path, 1, "text/csv", "0" * 64, caption=caption)


def size(page):
    return sum(len(json.dumps(dataclasses.asdict(dataclasses.replace(file, id="")))) for file in page)


@pytest.mark.long
@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.integers(0, 4), st.integers(1, 90)), max_size=12))
def test_every_file_is_on_one_page_where_its_id_leads(described):
    files = [result(name, caption="x" * 20_000 * many) for name, many, times in described for _ in range(times)]

    pages = kept_files.pages(RUN, files)

    assert [dataclasses.replace(file, id="") for page in pages for file in page] == files
    for number, page in enumerate(pages):
        assert len(page) <= kept_files.PAGE_FILES
        assert size(page) <= (kept_files.PAGE_BYTES if number else kept_files.FIRST_PAGE_BYTES)
        assert [kept_files.place(file.id) for file in page] == [(number, at) for at in range(len(page))]
    assert all(pages[1:])


def test_a_file_with_a_description_beyond_a_page_has_a_page_of_its_own():
    large = result("large", caption="x" * 2 * kept_files.PAGE_BYTES)
    assert [len(page) for page in kept_files.pages(RUN, [large, result("a"), large])] == [0, 1, 1, 1]


def test_ordinary_files_are_numbered_one_after_the_other():
    (page, rest) = kept_files.pages(RUN, (result(f"f{number}") for number in range(130)))
    assert [file.id for file in page + rest] == [f"VQWEX2T3-{number:06d}" for number in range(130)]


def test_files_of_different_runs_have_different_ids():
    one, other = (kept_files.pages(run, [result("a"), result("b")]) for run in (RUN, f"X{RUN}"))
    assert not {file.id for file in one[0]} & {file.id for file in other[0]}


@pytest.mark.parametrize(
    "text", ["", "x", "a-", "-", "VQWEX2T3-", "VQWEX2T3-x", "\u0660", "a-1234567890", "1 ", "a--1x"]
)
def test_what_is_no_id_leads_nowhere(text):
    assert kept_files.place(text) is None


def test_files_are_saved_under_their_name_with_the_extension_that_the_step_gave():
    cases = [
        ("results/scores.csv", "results/scores.csv", "scores.csv"),
        ("scores", "out/x.csv", "scores.csv"),
        ("Scores of 2026", "out/x.tar.gz", "Scores of 2026.gz"),
        ("a/b/", "out/x.csv", "b.csv"),
        ("Ä.txt", "out/noext", "Ä.txt"),
        ("noext", "noext", "noext"),
    ]
    for name, path, saved in cases:
        assert kept_files.saved_as(result(name, path)) == saved


def test_compressed_files_are_of_no_other_type():
    found = result_files.left([], {"a.csv.gz": 1, "b.tgz": 1, "c.svgz": 1, "d.csv.bz2": 1, "e.csv": 1, "f": 1}).files
    kinds = ["gzip", "gzip", "gzip", "octet-stream", "csv", "octet-stream"]
    assert [file.media_type.split("/")[1] for file in found] == kinds
