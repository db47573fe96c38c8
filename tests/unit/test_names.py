"""Names: two that people cannot tell apart are one, whatever is in them; what nobody can see names nothing."""

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies

from flowserverless.domain import names

VISIBLE = strategies.characters(categories=["L", "N", "P", "S"])
TEXTS = strategies.text(max_size=30)
UNSEEN = strategies.sampled_from(
    [chr(first) for first, _ in names.IGNORABLE] + [chr(last) for _, last in names.IGNORABLE]
)
SPACES = strategies.text(strategies.sampled_from(" \t\u00a0\u2003\u3000"), min_size=1, max_size=3)


@hypothesis.given(TEXTS)
@hypothesis.settings(max_examples=500)
def test_a_skeleton_is_its_own(text):
    assert names.skeleton(names.skeleton(text)) == names.skeleton(text)


@hypothesis.given(TEXTS, strategies.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@hypothesis.settings(max_examples=500)
def test_the_way_of_typing_makes_no_other_name(text, form):
    assert names.skeleton(unicodedata.normalize(form, text)) == names.skeleton(text)


@hypothesis.given(TEXTS)
@hypothesis.settings(max_examples=500)
def test_case_makes_no_other_name(text):
    assert names.skeleton(text.casefold()) == names.skeleton(text)


@hypothesis.given(TEXTS, UNSEEN, TEXTS)
@hypothesis.settings(max_examples=500)
def test_what_nobody_sees_makes_no_other_name(before, unseen, after):
    assert names.skeleton(f"{before}{unseen}{after}") == names.skeleton(f"{before}{after}")


@hypothesis.given(strategies.lists(strategies.text(VISIBLE, min_size=1, max_size=5), max_size=4), SPACES)
def test_white_space_of_any_kind_and_length_is_one_space(words, space):
    assert names.skeleton(f"{space}{space.join(words)}{space}") == names.skeleton(" ".join(words))


def test_every_ignorable_code_point_is_ignored():
    count = sum(last - first + 1 for first, last in names.IGNORABLE)
    # As DerivedCoreProperties.txt counts them.
    assert count == 4174
    assert all(
        names.skeleton(f"a{chr(code)}b") == "ab" for first, last in names.IGNORABLE for code in range(first, last + 1)
    )


SAME = {
    "case": ("Team A", "team a"),
    "spaces": ("Team A", "Team  A"),
    "space before": ("Team A", " Team A"),
    "no-break space": ("Team A", "Team\u00a0A"),
    "ideographic space": ("Team A", "Team\u3000A"),
    "composed": ("Zo\u00eb", "Zoe\u0308"),
    "order of marks": ("a\u0323\u0307", "a\u0307\u0323"),
    "marks kept apart by a joiner": ("a\u0307\u034f\u0323", "a\u0323\u0307"),
    "full width": ("ada", "\uff41\uff44\uff41"),
    "mathematical": ("ada", "\U0001d41a\U0001d41d\U0001d41a"),
    "ligature": ("\ufb01nal", "final"),
    "sharp s": ("Stra\u00dfe", "STRASSE"),
    "final sigma": ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"),
    "superscript": ("Team\u00b2", "Team2"),
    "filler": ("Team A", "Team A\u3164"),
    "half-width filler": ("Team A", "Team\uffa0 A"),
    "invisible plus": ("Team A", "Team A\u2064"),
    "variation selector": ("\u2764", "\u2764\ufe0f"),
    "non-joiner": ("Team A", "Te\u200cam A"),
    "joiner": ("Team A", "Te\u200dam A"),
    "tag": ("Team A", "Team A\U000e0041"),
    "supplementary selector": ("Team A", "Team A\U000e0100"),
    "musical control": ("Team A", "Team A\U0001d173"),
    "annotation": ("Team A", "Team A\ufff9"),
    "empty Braille": ("Team A", "Team\u2800A"),
    "empty Braille behind": ("Team A", "Team A\u2800"),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_looks_the_same_is_the_same(kind):
    one, other = SAME[kind]
    assert one != other
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Team A", "Team B"), ("Team A", "TeamA"), ("Zoe", "Zoë"), ("1", "2"), ("🦊", "🦉"), ("李", "雷")],
)
def test_what_looks_different_is_different(one, other):
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.parametrize(
    "name",
    [
        "Team A",
        "李雷",
        "Дарья",
        "🦊",
        "👩\u200d💻",
        "❤\ufe0f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "42",
        "!",
        "o'hara",
    ],
)
def test_a_name_in_any_script_is_taken_as_it_is_written(name):
    assert names.check(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u3164",
        "\u2064\u2064",
        "\ufe0f",
        "\u200c",
        "\u2800",
        "\u115f \u1160",
        "\U000e0100",
        "\u0308",
        "\u3000",
    ],
)
def test_a_name_of_nothing_visible_is_none(name):
    with pytest.raises(ValueError, match="can be seen"):
        names.check(name)


@pytest.mark.parametrize("control", sorted(names.BIDI_CONTROLS))
def test_nothing_in_a_name_turns_the_direction(control):
    with pytest.raises(ValueError, match="direction"):
        names.check(f"abc{control}gnp.exe")


@pytest.mark.parametrize(
    "letter", ["\x00", "\n", "\x7f", "\x85", "\ud800", "\ue000", "\u2028", "\u00ad", "\u200b", "\ufeff"]
)
def test_no_control_characters_and_no_needless_ones(letter):
    with pytest.raises(ValueError, match="a name has no"):
        names.check(f"a{letter}b")


NONCHARACTERS = [
    *range(0xFDD0, 0xFDF0),
    *(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)),
]
# Of a kind that no version of Python knows: nothing is to be assigned there.
UNASSIGNED = [0x0378, 0x2065, 0xFFF0, 0xE0080, 0xEFFFF]


@hypothesis.given(strategies.sampled_from(NONCHARACTERS + UNASSIGNED), TEXTS, TEXTS)
def test_no_name_has_what_is_no_character(code, before, after):
    for name in (f"{before}{chr(code)}{after}", chr(code), f"Team {chr(code)}"):
        with pytest.raises(ValueError, match="a name has no"):
            names.check(name)


@hypothesis.given(strategies.characters(categories=["Cn"]))
def test_no_name_has_what_unicode_has_not_assigned(letter):
    with pytest.raises(ValueError, match="Unicode does not know"):
        names.check_letters(f"a{letter}b")


@pytest.mark.parametrize("letter", ["\ufffc", "\ufffd"])
def test_what_stands_for_something_lost_is_in_no_name(letter):
    for name in (f"Team {letter}", letter, letter * 2):
        with pytest.raises(ValueError, match="placeholders"):
            names.check(name)


MARKS = strategies.characters(categories=["M"])


@hypothesis.given(strategies.lists(MARKS, min_size=9, max_size=40), strategies.sampled_from(["", "\u200d", "\u3164"]))
def test_marks_are_not_piled_up(marks, between):
    with pytest.raises(ValueError, match="marks in a row"):
        names.check(f"a{between.join(marks)}b")


@hypothesis.given(strategies.lists(strategies.sampled_from("\u0300\u0323\u0e49\u0f71\u093f"), max_size=8))
def test_a_few_marks_are_a_letters(marks):
    name = f"Te{''.join(marks)}am{''.join(marks)}"
    assert names.check(name) == name


def test_marks_that_a_letter_brings_along_count():
    assert names.check("\u01d6" + "\u0301" * 6)
    with pytest.raises(ValueError, match="marks in a row"):
        names.check("\u01d6" + "\u0301" * 7)


@hypothesis.given(TEXTS)
@hypothesis.settings(max_examples=500)
def test_what_is_a_name_leaves_something_to_compare(text):
    hypothesis.assume(text.strip())
    try:
        names.check(text)
    except ValueError:
        return
    assert names.skeleton(text)
