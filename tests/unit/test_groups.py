"""A group as the domain knows it: its roster, its declarations, and when it may change."""

from datetime import UTC, datetime

import pytest

from flowserverless.domain import errors, groups

START = datetime(2026, 11, 23, 6, tzinfo=UTC)


def group(**further):
    return groups.Group("g", "w", "Group g", "u-ada", START, **further)


def roster(owner, **members):
    return groups.Roster("Group g", owner, members)


def test_who_is_neither_owner_nor_the_last_leaves_the_others_as_they_are():
    assert roster("a", a="ada", b="bob").without("b") == roster("a", a="ada")


def test_an_owner_who_leaves_hands_over_to_the_first_by_name_and_among_equal_names_by_id():
    assert roster("a", a="ada", c="bob", b="cy").without("a") == roster("c", c="bob", b="cy")
    assert roster("a", a="ada", c="bob", b="bob").without("a").owner == "b"


def test_the_last_who_leaves_stays_the_owner_of_a_group_without_members():
    assert roster("a", a="ada").without("a") == roster("a")


def test_who_is_no_member_changes_nothing_by_leaving():
    assert roster("a", a="ada").without("b") == roster("a", a="ada")


def test_a_group_becomes_what_its_roster_says():
    now = groups.Roster("Ours", "u-bob", {"u-bob": "bob"})
    assert group(revision=3).after(now) == groups.Group("g", "w", "Ours", "u-bob", START, revision=3)
    assert group().roster_of({"u-ada": "ada"}) == groups.Roster("Group g", "u-ada", {"u-ada": "ada"})


@pytest.mark.parametrize(("active", "closed"), [(-1, True), (0, False), (2, False)])
def test_a_negative_number_of_active_runs_marks_a_closed_group(active, closed):
    assert group(active_runs=active).closed is closed


@pytest.mark.parametrize(
    ("own", "template", "declared"),
    [
        (None, {"parameters": [{"name": "a"}]}, [{"name": "a"}]),
        (None, {}, []),
        ([], {"parameters": [{"name": "a"}]}, []),
        ([{"name": "b"}], {}, [{"name": "b"}]),
    ],
)
def test_a_group_declares_its_own_parameters_even_none_or_else_its_workflows(own, template, declared):
    assert group(parameters=own).declared(template) == declared


def test_a_group_with_active_runs_is_not_idle():
    groups.require_idle(group())
    groups.require_idle(group(active_runs=-1))
    with pytest.raises(errors.Conflict) as refused:
        groups.require_idle(group(active_runs=1))
    assert refused.value.code == "GROUP_IS_ACTIVE"


def test_a_group_has_room_for_forty():
    groups.require_room({str(number): "x" for number in range(groups.MAX_MEMBERS)})
    with pytest.raises(errors.InvalidRequest, match="at most 40 members"):
        groups.require_room({str(number): "x" for number in range(groups.MAX_MEMBERS + 1)})


def test_what_is_said_of_an_unknown_group_is_no_longer_than_people_read():
    assert str(groups.unknown("g" * 200)) == f"unknown group '{'g' * 100}'"


def test_a_group_keeps_a_member_and_its_owner_as_one():
    before = {"a": "ada", "b": "bob"}
    groups.require_owner(roster("b", b="bob"), before, named=True)
    groups.require_owner(roster("a", a="ada"), before, named=False)


@pytest.mark.parametrize(
    ("after", "named", "code"),
    [
        (roster("a"), False, "INVALID_REQUEST"),
        (roster("c", b="bob"), True, "OWNER_NOT_A_MEMBER"),
        (roster("a", b="bob"), True, "OWNER_NOT_A_MEMBER"),
        (roster("a", b="bob"), False, "OWNER_LEFT_OUT"),
    ],
)
def test_a_group_without_members_or_without_its_owner_among_them_is_refused(after, named, code):
    with pytest.raises(errors.Problem) as refused:
        groups.require_owner(after, {"a": "ada", "b": "bob"}, named)
    assert refused.value.code == code


def test_an_owner_who_had_left_may_stay_away():
    groups.require_owner(roster("a", b="bob"), {}, named=False)
