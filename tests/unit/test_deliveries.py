"""Deliveries from strangers: whatever a marker or an inbox holds is read, bounded and judged, and never raises."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from flowserverless.domain import deliveries, paths
from flowserverless.store import bucket, inbox

SEGMENTS = st.sampled_from(["a", "b", "..", ".", "", "ü", "-x", "x\\y", "\n", "_SUCCESS", ".flowserverless", "c" * 256])
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
FILES = st.lists(st.builds(deliveries.File, NAMES, st.integers(0, 50), st.just("etag")), unique_by=lambda f: f.path)


@given(
    st.sampled_from(deliveries.MARKERS),
    st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
)
@example("_SUCCESS", b'{"metrics": ' + b"[" * 100_000)
@example("_ERROR", b'{"messages": [' + b"9" * 5000 + b"]}")
@example("_ERROR", b'{"messages": {"a": 1}}')
@example("_SUCCESS", b'{"metrics": [1]}')
@example("_SUCCESS", b"\xff\xfe{\x00}\x00")
def test_any_marker_is_read(name, body):
    told = deliveries.told(name, body)
    assert all(message.encode() for message in told.messages)
    assert told.metrics is None or name == deliveries.SUCCESS


@given(st.lists(st.none() | st.text() | st.integers() | st.lists(st.text()), max_size=60))
@example(["\U0001f525" * 3000] * 60)
@example([""] * 50_000)
def test_messages_fit_into_the_runs_item(messages):
    told = deliveries.told(deliveries.ERROR, json.dumps({"messages": messages}).encode())
    assert len(json.dumps(told.messages)) < deliveries.MESSAGE_BYTES + 1000


@given(FILES, st.integers(0, 5), st.integers(0, 100))
def test_what_is_accepted_is_a_run_directory_within_the_limits(delivered, most_files, most_bytes):
    judged = deliveries.judge(delivered, most_files, most_bytes)

    accepted = [file.path for file in judged.files]
    assert accepted == sorted({file.path for file in judged.files})
    assert all(paths.placeable(path) == path for path in accepted)
    assert not any(paths.conflict(one, other) for one in accepted for other in accepted if one != other)
    assert len(accepted) <= most_files
    assert sum(file.size for file in judged.files) <= most_bytes
    notes = [file for file in delivered if deliveries.is_note(file.path)]
    assert bool(judged.faults) == (len(accepted) + len(notes) < len(delivered))


def test_faults_are_bounded_and_name_what_they_are_about():
    delivered = [deliveries.File(f"../{number}", 1, "etag") for number in range(5000)]
    faults = deliveries.judge(delivered, 10_000, 10_000).faults
    assert len(faults) == deliveries.MAX_FAULTS + 1
    assert faults[0].startswith("'../0': ")
    assert faults[-1] == "... and 4980 more files"


def test_only_objects_directly_in_the_inbox_of_a_run_are_markers():
    run = "TSV4RRFFQ69G5FAV01ARZ3NDEK-g"
    assert inbox.marker(f"inbox/results/{run}/_SUCCESS") == deliveries.Marker(run, "_SUCCESS")
    assert bucket.report(bucket.inbox(run, "_ERROR")) == f"inbox/results/{run}/_ERROR.report.json"
    others = ["_SUCCESS", f"inbox/results/{run}/part/_SUCCESS", f"inbox/results/{run}/_SUCCESS.report.json"]
    for key in [*others, f"inbox/results/{run}/_success", "inbox/results/_SUCCESS", f"inbox/workflows/{run}/_SUCCESS"]:
        assert inbox.marker(key) is None
