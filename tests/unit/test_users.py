"""User names and ids."""

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies

from flowserverless.domain import users

ID = "0ada0000-0000-4000-8000-00000000ffff"
# The categories that Cognito takes in the name of a user.
VISIBLE = strategies.characters(categories=["L", "M", "S", "N", "P"])


@hypothesis.given(strategies.text(VISIBLE, min_size=1, max_size=40))
def test_what_cognito_takes_is_a_name_and_stays_the_same_once_it_is_normal(text):
    name = users.name(text)
    assert unicodedata.is_normalized("NFC", name)
    assert users.name(name) == name


@hypothesis.given(
    strategies.text(VISIBLE, max_size=5),
    strategies.characters(categories=["Z", "C"]),
    strategies.text(VISIBLE, max_size=5),
)
def test_blanks_and_what_cannot_be_seen_are_in_no_name(before, one, after):
    with pytest.raises(ValueError, match="printable"):
        users.name(f"{before}{one}{after}")


@pytest.mark.parametrize("text", ["", "x" * 129, "\u0958" * 100])
def test_length_is_counted_after_normalising(text):
    with pytest.raises(ValueError, match="128"):
        users.name(text)


def test_the_longest_name():
    assert users.name("x" * 128) == "x" * 128
    # Two code points each, which become one.
    assert users.name("e\u0301" * 128) == "é" * 128


@pytest.mark.parametrize("text", [ID, ID.upper()])
def test_ids_are_told_from_names(text):
    assert users.is_id(text)
    assert users.name(text) == text
    with pytest.raises(ValueError, match="id of a user"):
        users.new_name(text)


@pytest.mark.parametrize("text", ["ada", ID[:-1], f"{ID}0", ID.replace("-", ""), f"{ID}\n", ID.replace("0", "g")])
def test_names_are_told_from_ids(text):
    assert not users.is_id(text)


def test_a_new_name_is_a_name():
    assert users.new_name("ada") == "ada"
    assert users.new_name(ID.replace("-", "")) == ID.replace("-", "")
    with pytest.raises(ValueError, match="printable"):
        users.new_name("a b")
