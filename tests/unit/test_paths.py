"""Paths of strangers: what is kept stays inside the run directory, and patterns mean what they say."""

import fnmatch
import os
import posixpath
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import paths

PARTS = st.sampled_from(["a", "b", "..", ".", "", "...", "~", " ", "-", "é", ".flowserverless"])
PATHS = st.lists(PARTS, max_size=8).map("/".join)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("a", "a"),
        ("./a//b/./c", "a/b/c"),
        ("a/../b", "b"),
        ("a/b/../..//c", "c"),
        ("data/", "data"),
        ("~/x", "~/x"),
        ("...", "..."),
        ("a b/ü.txt", "a b/ü.txt"),
        ("$(rm -rf x)", "$(rm -rf x)"),
        ("C:x", "C:x"),
    ],
)
def test_normal_spelling(path, normal):
    assert paths.normalise(path) == normal


@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        "\u2003",
        " /.",
        ".",
        "./",
        "a/..",
        "..",
        "../x",
        "a/../../x",
        "a/../../a",
        "/",
        "/etc/passwd",
        "//x",
        "\\x",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "\ud800",
        "a" * 256,
        "ü" * 128,
        "a/" * 450 + "a",
        None,
        3,
    ],
)
def test_refused(path):
    with pytest.raises(ValueError, match=r"a (path|file name) (must|has|is|ending)"):
        paths.normalise(path)


@given(st.text() | PATHS | st.text(alphabet="./\\a\0"))
def test_nothing_gets_out_of_the_run_directory(path):
    try:
        normal = paths.normalise(path)
    except ValueError:
        return
    inside = os.path.realpath(posixpath.join("/nowhere/run", normal))
    assert inside.startswith("/nowhere/run/")
    assert inside == f"/nowhere/run/{normal}"
    assert len(normal.encode()) <= paths.MAX_LENGTH
    assert paths.normalise(normal) == normal
    assert paths.normalise(f"./{normal}//.") == normal


@given(PATHS)
def test_only_paths_that_climb_out_or_name_nothing_are_refused(path):
    inside = []
    outside = path.startswith("/")
    for part in path.split("/"):
        if part == "..":
            outside = outside or not inside
            inside = inside[:-1]
        elif part not in ("", "."):
            inside.append(part)
    if outside or not "/".join(inside).strip():
        with pytest.raises(ValueError, match="a path must"):
            paths.normalise(path)
    else:
        assert paths.normalise(path) == "/".join(inside)


@pytest.mark.parametrize("path", ["a/", "-rf", "./-rf", "x/../-rf", ".flowserverless", ".flowserverless/context.json"])
def test_no_file_can_be_placed(path):
    paths.normalise(path)
    with pytest.raises(ValueError, match=r"directory|option|reserved"):
        paths.placeable(path)


@pytest.mark.parametrize("path", ["a", "a/-b", ".flowserverless.txt", "a/.flowserverless"])
def test_a_file_can_be_placed(path):
    assert paths.placeable(path) == path


@pytest.mark.parametrize(("text", "normal"), [("./r/", "r/"), ("r//*.json", "r/*.json"), ("a/../**/b", "**/b")])
def test_patterns_have_one_spelling(text, normal):
    assert paths.pattern(text) == normal


@pytest.mark.parametrize("text", ["/", "../*", "**/../..", "./", "*/../../x"])
def test_patterns_that_climb_out_are_refused(text):
    with pytest.raises(ValueError, match="a path must"):
        paths.pattern(text)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("results/a.json", "results/a.json"),
        ("results", "results/a.json"),
        ("results", "results/b/a.json"),
        ("results", "results"),
        ("results/", "results/b/a.json"),
        ("*.json", "a.json"),
        ("*", ".hidden"),
        ("results/*", "results/a"),
        ("results/*/", "results/a/b/c"),
        ("**", "a"),
        ("**", "a/b/c"),
        ("**/a", "a"),
        ("**/a", "x/y/a"),
        ("a/**", "a/b/c"),
        ("a/**/c", "a/c"),
        ("a/**/c", "a/b/b/c"),
        ("a/**/b/**/c", "a/x/b/y/b/c"),
        ("a?c", "abc"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("[^a-c]x", "dx"),
        ("[]]", "]"),
        ("[a-]", "-"),
        ("a[1].txt", "a[1].txt"),
        ("a[1].txt", "a1.txt"),
        ("[x", "[x"),
        ("*é*", "caféx"),
    ],
)
def test_matches(pattern, path):
    assert paths.matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("results/a.json", "results/a.jso"),
        ("result", "results/a.json"),
        ("results/", "results"),
        ("*.json", "a/b.json"),
        ("results/*", "results/a/b"),
        ("results/*/", "results/a"),
        ("a/**", "a"),
        ("a/**", "b/a"),
        ("a?c", "a/c"),
        ("a[!x]c", "a/c"),
        ("[!a-c]x", "ax"),
        ("**", ".flowserverless/context.json"),
        (".flowserverless/", ".flowserverless/context.json"),
        ("A", "a"),
    ],
)
def test_does_not_match(pattern, path):
    assert not paths.matches(pattern, path)


def _means(parts, names):
    """Wildcards as the standard library has them for one name, and the plain definition of `**` for many."""
    if not parts or not names:
        return not names and all(part == "**" for part in parts)
    if parts[0] == "**":
        return _means(parts[1:], names) or _means(parts, names[1:])
    return fnmatch.fnmatchcase(names[0], parts[0]) and _means(parts[1:], names[1:])


GLOBS = st.lists(st.just("**") | st.text("ab*?[]!-", min_size=1, max_size=5), min_size=1, max_size=4)


@given(GLOBS, st.lists(st.text("ab[]-!", min_size=1, max_size=4), min_size=1, max_size=5))
def test_globs_are_those_of_the_standard_library(parts, names):
    pattern, path = "/".join(parts), "/".join(names)
    if not paths.is_glob(pattern):
        parts = [*parts, "**"]
    elif parts[-1] == "**":
        parts = [*parts, "*"]
    assert paths.matches(pattern, path) == (pattern == path or _means(parts, names))


@given(st.text(string.printable), PATHS)
def test_any_pattern_is_answered(pattern, path):
    assert paths.matches(pattern, path) in (True, False)


def test_no_pattern_takes_long():
    assert not paths.matches("*a" * 400 + "b", "a" * 255)
    assert not paths.matches("**/a/" * 180 + "b", "/".join("a" * 450))


def test_outputs_are_matched_and_missing_ones_named():
    matched, missing = paths.match_outputs(["r/", "*.csv", "x.json"], ["r/b", "r/a", "t.csv", "u/v.csv"])
    assert matched == {"r/": ["r/a", "r/b"], "*.csv": ["t.csv"], "x.json": []}
    assert missing == ["x.json"]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [("a", "a", False), ("a", "a/b", False), ("a/b/c", "a", False), ("a", "ab", True), ("a/b", "a/c", True)],
)
def test_what_cannot_be_side_by_side(one, other, together):
    assert paths.conflict(one, other) is paths.conflict(other, one) is not together
