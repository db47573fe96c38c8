"""The leaderboard as its readers get it: in any order, page by page, and whatever the steps wrote."""

import csv
import io
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowserverless.api import cursors, leaderboard
from flowserverless.operations import metrics
from flowserverless.store import bucket, run_items, workflow_items
from support import dynamodb_requests, gateway, packages, scenario
from support.strategies import VALUES

pytestmark = pytest.mark.usefixtures("table", "bucket", "state_machine")

INFINITE = float("inf")


@pytest.fixture
def read(invoke):
    """GET the leaderboard of workflow w."""

    def get(accept="application/json", workflow="w", **query):
        path = "/workflows/{workflowId}/leaderboard"
        event = gateway.event("GET", path, {"workflowId": workflow}, query, headers={"Accept": accept}, problem=None)
        return gateway.answer(invoke("get_leaderboard", event))

    return get


@pytest.fixture
def contested():
    """A workflow with one group."""
    scenario.put_workflow()
    scenario.put_groups("w", "x")


@pytest.fixture
def ranked():
    """Six runs of three groups by name, the best first; b and c are equal, e has no score, f is worse than d."""
    scenario.put_workflow()
    scenario.put_groups("w", "x", "y", "z")
    told = {
        "a": ("x", 1, {"score": INFINITE, "seconds": 5, "note": "=1+1"}),
        "b": ("y", 2, {"score": 0.9, "seconds": 5, "note": 'ü, "q"\nnext'}),
        "c": ("z", 3, {"score": 0.9, "seconds": 5}),
        "d": ("x", 4, {"score": 0.9, "note": "-inf"}),
        "f": ("x", 6, {"score": 0.1, "seconds": 1, "note": "a"}),
        "e": ("y", 5, {"seconds": 1, "note": "b"}),
    }
    found = {}
    for name, (group, at, values) in told.items():
        run = scenario.put_run("w", group)
        scenario.end_run(run, at=at, **values)
        found[name] = run
    return found


def names(board, ranked):
    """The runs of a leaderboard as the fixture calls them, with their ranks."""
    known = {run: name for name, run in ranked.items()}
    return " ".join(f"{line['rank']}{known[line['run']['id']]}" for line in board["ranking"])


def test_a_leaderboard_shows_the_best_run_of_every_group(ranked, read):
    answer = read()
    assert answer.status == 200
    board = answer.json
    assert board["schema"] == [
        {"name": "score", "label": "Score", "dtype": "float"},
        {"name": "seconds", "label": "Time", "dtype": "int"},
        {"name": "note", "label": "Note", "dtype": "string"},
    ]
    assert board["rankingVersion"] == 3
    assert "next" not in board
    assert "postproc" not in board
    first, second, third = board["ranking"]
    assert first == {
        "rank": 1,
        "run": {
            "id": ranked["a"],
            "createdAt": scenario.stamp(0),
            "startedAt": scenario.stamp(0),
            "finishedAt": scenario.stamp(1),
        },
        "group": {"id": "x", "name": "Group x"},
        "results": [
            {"name": "score", "value": "inf"},
            {"name": "seconds", "value": 5},
            {"name": "note", "value": "=1+1"},
        ],
    }
    assert (second["rank"], third["rank"]) == (2, 2)
    assert [result["value"] for result in third["results"]] == [0.9, 5, None]


def test_include_all_shows_every_ranked_run(ranked, read):
    for text in ("", "true", "True", "1"):
        assert names(read(includeAll=text).json, ranked) == "1a 2b 2c 4d 5f 6e"
    for text in ("false", "False", "0"):
        assert names(read(includeAll=text).json, ranked) == "1a 2b 2c"
    assert read(includeAll="perhaps").status == 400


ORDERS = [
    ("", "1a 2b 2c 4d 5f 6e", "1a 2b 2c"),
    ("  ", "1a 2b 2c 4d 5f 6e", "1a 2b 2c"),
    ("score", "1a 2b 2c 2d 5f 6e", "1a 2b 2c"),
    ("score:desc,seconds:asc", "1a 2b 2c 4d 5f 6e", "1a 2b 2c"),
    ("score:asc", "1f 2b 2c 2d 5a 6e", "1f 2b 2c"),
    ("seconds:asc,note:asc", "1f 2e 3a 4b 5c 6d", "1f 2e 3c"),
    ("seconds", "1a 1b 1c 4e 4f 6d", "1a 1b 1c"),
    ("note:ASC", "1d 2a 3f 4e 5b 6c", "1d 2e 3c"),
    (" note : asc , score ", "1d 2a 3f 4e 5b 6c", "1d 2e 3c"),
]


def test_readers_may_choose_another_order(ranked, read, subtests):
    for order, everything, best in ORDERS:
        with subtests.test(order=order):
            assert names(read(orderBy=order, includeAll="").json, ranked) == everything
            assert names(read(orderBy=order).json, ranked) == best


def test_an_order_by_what_is_no_column_is_refused(ranked, read, subtests):
    for order in ("speed", "score:up", "score,score", ",", "score,,seconds", "score;drop", ":asc"):
        with subtests.test(order=order):
            answer = read(orderBy=order)
            assert (answer.status, answer.json["status"]) == (400, 400)
            assert answer.headers["content-type"] == "application/problem+json"


def pages(read, **query):
    """All lines, read page by page."""
    page = read(**query).json
    lines = page["ranking"]
    while "next" in page:
        assert len(page["ranking"]) == int(query["limit"])
        page = read(**query, cursor=page["next"]).json
        assert page["ranking"]
        lines += page["ranking"]
    return lines


@pytest.mark.long
def test_pages_together_are_the_leaderboard(ranked, read, subtests):
    for order, everything, limit in itertools.product(("", "score:asc", "note"), ("true", "false"), "124"):
        with subtests.test(order=order, everything=everything, limit=limit):
            query = {"orderBy": order, "includeAll": everything}
            assert pages(read, **query, limit=limit) == read(**query).json["ranking"]


def test_a_page_goes_on_behind_its_last_line_though_that_run_was_deleted(ranked, read):
    for order in ("", "score:asc"):
        first = read(orderBy=order, includeAll="", limit="2").json
        scenario.delete_run(first["ranking"][-1]["run"]["id"])
        second = read(orderBy=order, includeAll="", limit="2", cursor=first["next"]).json
        assert names(second, ranked)[0] in "234"
        assert second["ranking"][0]["run"]["id"] not in [line["run"]["id"] for line in first["ranking"]]


def test_what_is_no_cursor_is_refused(ranked, read, subtests):
    for text in ("", "x", "W10", "WyJhIl0", "bnVsbA", "é", "A" * 2001):
        with subtests.test(text=text[:9]):
            assert read(cursor=text).status == 400


def test_a_cursor_of_another_order_is_refused(ranked, read):
    following = read(limit="1").json["next"]
    for query in ({"orderBy": "score:asc"}, {"includeAll": ""}):
        refused = read(cursor=following, **query)
        assert (refused.status, refused.json["code"]) == (400, "OUTDATED_CURSOR")
    assert read(cursor=following, orderBy="score:desc,seconds:asc").status == 200


FORGED = st.integers() | st.text(max_size=8) | st.none() | st.booleans() | st.floats() | st.just("#" * 1200)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.lists(FORGED, min_size=3, max_size=3))
def test_a_cursor_that_somebody_wrote_does_no_harm(contested, read, position):
    view = leaderboard.View("w", workflow_items.get("w").board, packages.SCHEMA, packages.SCHEMA.order, False)
    answer = read(cursor=cursors.write(view.listing, view.name, *position))
    assert answer.status in (200, 400)
    assert isinstance(answer.json, dict)


def test_a_limit_that_makes_no_sense_is_refused(read, subtests):
    scenario.put_workflow()
    for limit in ("0", "-1", "1001", "many", ""):
        with subtests.test(limit=limit):
            assert read(limit=limit).status == 400


def test_a_table_has_labels_as_header_and_no_formulas(ranked, read):
    answer = read(accept="text/csv", includeAll="")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert rows[0] == ["Rank", "Group", "Run", "Score", "Time", "Note"]
    assert rows[1] == ["1", "Group x", ranked["a"], "inf", "5", "'=1+1"]
    assert rows[2] == ["2", "Group y", ranked["b"], "0.9", "5", 'ü, "q"\nnext']
    assert rows[3] == ["2", "Group z", ranked["c"], "0.9", "5", ""]
    assert len(rows) == 7


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; header=present", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.7", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=nonsense", "application/json"),
        ("*/*", "application/json"),
        ("application/text/csv", "application/json"),
        ("", "application/json"),
    ],
)
def test_a_table_is_for_those_who_prefer_one(ranked, read, accept, kind):
    answer = read(accept=accept)
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["vary"] == "Accept"


def test_a_table_says_where_its_next_page_begins(ranked, read):
    first = read(accept="text/html, text/csv;q=0.9", limit="2")
    second = read(accept="text/csv", limit="2", cursor=first.headers["x-next-cursor"])
    assert "x-next-cursor" not in second.headers
    assert second.body.decode().splitlines()[1].startswith(f"2,Group z,{ranked['c']}")


def test_a_page_ends_where_an_answer_would_get_too_large(ranked, read, monkeypatch):
    monkeypatch.setattr(leaderboard, "MAX_BYTES", 700)
    page = read(includeAll="").json
    got = page["ranking"]
    while "next" in page:
        page = read(includeAll="", cursor=page["next"]).json
        assert 1 <= len(page["ranking"]) <= 3
        got += page["ranking"]
    assert names({"ranking": got}, ranked) == "1a 2b 2c 4d 5f 6e"


@pytest.mark.parametrize("bound", ["MAX_REORDERED", "MAX_TEXT_REORDERED"])
def test_another_order_of_too_many_runs_is_refused(ranked, read, monkeypatch, bound):
    monkeypatch.setattr(leaderboard, bound, 5)
    refused = read(orderBy="score:asc")
    assert (refused.status, refused.json["code"]) == (400, "TOO_MANY_TO_REORDER")
    assert read(orderBy="score:desc,seconds:asc").status == 200


def test_a_workflow_that_ranks_nothing_has_no_schema(read):
    scenario.put_workflow("w", packages.ranked(results=None))
    assert read(orderBy="score").json == {"schema": None, "ranking": [], "rankingVersion": 0}
    assert read(accept="text/csv").body == b"Rank,Group,Run\r\n"


def test_an_unknown_workflow_is_not_found(read):
    assert read(workflow="nobody").status == 404


def test_reading_the_top_costs_three_requests(ranked):
    with dynamodb_requests.to_dynamodb() as made:
        leaderboard.show("w", None, False, 2, None)
    # The workflow and its template, a page of the board, the names of its groups.
    assert made == ["BatchGetItem", "Query", "BatchGetItem"]


NUMBERS = st.one_of(
    st.floats(), st.integers(-(2**70), 2**70), st.sampled_from(["1e400", "-0", "1_0", " 7 ", "NaN", "-Infinity", "٣"])
)
METRICS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"metrics": st.fixed_dictionaries({"score": NUMBERS | VALUES})},
        optional={"seconds": NUMBERS | VALUES, "note": st.text() | VALUES},
    ),
)
CONTENTS = st.one_of(st.binary(max_size=200), METRICS.map(lambda document: json.dumps(document).encode()), st.none())


@pytest.mark.long
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS)
def test_whatever_a_run_wrote_the_leaderboard_is_valid_and_the_run_says_where_it_stands(read, contested, content):
    run = scenario.put_run("w", "x")
    if content is not None:
        bucket.write(bucket.result(run, "results/score.json"), content)
    ended = scenario.end_run(run, measure=metrics.of(run_items.get(run)))
    (standing,) = ended.run.standings.values()
    answer = read(includeAll="", limit="1000")
    assert answer.status == 200
    board = json.loads(answer.body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    mine = [line for line in board["ranking"] if line["run"]["id"] == run]
    assert len(mine) == (standing.key is not None)
    assert (standing.code is None) == (standing.key is not None)
    for line in board["ranking"]:
        assert [result["name"] for result in line["results"]] == ["score", "seconds", "note"]
    table = read(accept="text/csv", includeAll="")
    assert table.status == 200
    rows = list(csv.reader(io.StringIO(table.body.decode(), newline="")))
    assert {len(row) for row in rows} == {6}
    assert len(rows) == len(board["ranking"]) + 1
    # The next example begins with an empty board.
    scenario.delete_run(run)


def test_nothing_in_a_table_is_a_formula_and_numbers_stay_numbers():
    schema = [
        {"name": "score", "label": "=1+1", "dtype": "float"},
        {"name": "note", "label": "\uff20x", "dtype": "string"},
    ]
    results = [{"name": "score", "value": "-inf"}, {"name": "note", "value": "-inf"}]
    line = {"rank": 1, "run": {"id": "r"}, "group": {"id": "g", "name": " =cmd|' /C calc'!A0"}, "results": results}
    table = leaderboard.csv({"schema": schema, "ranking": [line], "rankingVersion": 1})
    assert list(csv.reader(io.StringIO(table, newline=""))) == [
        ["Rank", "Group", "Run", "'=1+1", "'\uff20x"],
        ["1", "' =cmd|' /C calc'!A0", "r", "-inf", "'-inf"],
    ]
