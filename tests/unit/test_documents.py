"""Documents of a package: YAML as the JSON that it spells, with includes, bounded, and with the lines of faults."""

import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from flowserverless.domain import validation
from flowserverless.packages import documents
from support import strategies


def loaded(name="a.yaml", **files):
    contents = {each.replace("_", "."): text for each, text in files.items()}

    def content(path):
        if path not in contents:
            raise ValueError("is not in the package")
        text = contents[path]
        return text if isinstance(text, bytes) else text.encode()

    return documents.Documents(content).load(name)


def refused(name="a.yaml", **files):
    with pytest.raises(validation.Faults) as found:
        loaded(name, **files)
    return [(fault.place, fault.message) for fault in found.value.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 1.5, true, null, ~]", {"a": 1, "b": ["x", 1.5, True, None, None]}),
        ("day: 2020-01-01\nat: 2020-01-01T00:00:00Z", {"day": "2020-01-01", "at": "2020-01-01T00:00:00Z"}),
        ("= : x", {"=": "x"}),
        (
            "a: 12:30\nb: 1:30.5\nc: 0x1F\nd: 1_000\ne: -1.5e+3",
            {"a": "12:30", "b": "1:30.5", "c": 31, "d": "1_000", "e": -1500.0},
        ),
        (
            "no: [no, No, NO, yes, on, off, y, n, true, True, TRUE, false]",
            {"no": ["no", "No", "NO", "yes", "on", "off", "y", "n", True, True, True, False]},
        ),
        ("[010, 08, 0o17, 0b11, +12, -0x1F, 0x, 1__0]", [10, 8, 15, "0b11", 12, "-0x1F", "0x", "1__0"]),
        ("[.5, 1., +.5, 1e3, 1.5E-2, 1.5e+3, ., e3]", [0.5, 1.0, 0.5, 1000.0, 0.015, 1500.0, ".", "e3"]),
        ("[.inf, -.Inf, +.INF]", [float("inf"), -float("inf"), float("inf")]),
        ("[null, Null, NULL, ~, nULL]", [None, None, None, None, "nULL"]),
        ("[!!int 010, !!float 1, !!bool True, !!str no]", [10, 1.0, True, "no"]),
        (r'{"\ud83d\ude00": "a\ud83d\ude00b", "x": "\uD83D\uDE00"}', {"😀": "a😀b", "x": "😀"}),
        ("a: 1\nb: 2\na: {c: 3}", {"a": {"c": 3}, "b": 2}),
        ("a: &x {k: 1}\nb: *x", {"a": {"k": 1}, "b": {"k": 1}}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}),
        ("text: |\n  a\n  b\n", {"text": "a\nb\n"}),
        ("\ufeffa: ü", {"a": "ü"}),
        ('{"json": ["is", "YAML"]}', {"json": ["is", "YAML"]}),
    ],
)
def test_yaml(text, value):
    assert loaded(a_yaml=text).value == value
    assert documents.plain_yaml(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "a.yaml", "is empty"),
        ("a: [1\nb: 2", "a.yaml:2", "expected ',' or ']'"),
        ("a: 1\n\tb: 2", "a.yaml:2", "cannot be read"),
        ("a: 1\n---\nb: 2", "a.yaml:2", "but found another document"),
        ("a: *x", "a.yaml:1", "undefined alias"),
        ("x: 1\na: !!python/object/apply:os.system ['true']", "a.yaml:2", "could not determine a constructor"),
        ("a: !!binary aGk=", "a.yaml:1", "could not determine a constructor"),
        ("a: !!set {x, y}", "a.yaml:1", "could not determine a constructor"),
        ("a: !!timestamp 2020-01-01", "a.yaml:1", "could not determine a constructor"),
        ("a: !other x", "a.yaml:1", "could not determine a constructor"),
        ('a: !!int ""', "a.yaml:1", "cannot be read"),
        ("a: !!int 1_000", "a.yaml:1", "is no number"),
        ("a: !!bool x", "a.yaml:1", "cannot be read"),
        ("a: !!bool yes", "a.yaml:1", "is no Boolean"),
        ("a: !!float x", "a.yaml:1", "cannot be read"),
        (f"a: {'9' * 4301}", "a.yaml:1", "is no number"),
        (f"a: 0x{'f' * 100_000}", "a.yaml:1", "is no number"),
        (f"a: !!float {'1:' * 1000}1.5", "a.yaml:1", "is no number"),
        ("a: !!int 12:30", "a.yaml:1", "is no number"),
        ("? [a]\n: b", "a.yaml:1", "unhashable key"),
        ("a: \0", "a.yaml", "cannot be read"),
        (b"a: \xff", "a.yaml", "cannot be read"),
        ("[" * 200_000, "a.yaml:1", "is nested too deeply"),
        ("- " * 100_000, "a.yaml:1", "is nested too deeply"),
        ("{a: [" * 50_000, "a.yaml:1", "is nested too deeply"),
        ("- a\n" * 60_000, "a.yaml:20000", "is nested too deeply or too large"),
        ("[" * 40 + "]" * 40, "a.yaml:1", "is nested too deeply"),
        ("a: &a [*a]", "a.yaml:1", "is nested too deeply or too large"),
        ("a: &a {<<: *a}", "a.yaml:1", "is nested too deeply or too large"),
        ("x" * (documents.MAX_BYTES + 1), "a.yaml", f"larger than {documents.MAX_BYTES} bytes"),
    ],
)
def test_what_is_not_json_in_yaml_is_refused_with_its_line(text, place, message):
    [(found, reason)] = refused(a_yaml=text)
    assert (found, message in reason) == (place, True)


@pytest.mark.parametrize("item", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_cannot_explode(item):
    first = "[1, 1, 1]" if item == "[{}]" else "{x: 1, y: 2, z: 3}"
    lines = [f"a: &a {first}"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} {item.format(', '.join([f'*{before}'] * 9))}")
    [(place, message)] = refused(a_yaml="\n".join(lines))
    assert place.startswith("a.yaml:")
    assert message == "is nested too deeply or too large"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "a.json:1", "is not JSON"),
        ('{"a": 1,\n}', "a.json:2", "is not JSON"),
        (b"\xff", "a.json", "is not a text in UTF-8"),
        ("9" * 5000, "a.json", "cannot be read"),
        ("[" * 100_000, "a.json", "cannot be read"),
    ],
)
def test_broken_json_is_refused(text, place, message):
    [(found, reason)] = refused("a.json", a_json=text)
    assert (found, message in reason) == (place, True)


def test_includes_are_read_by_their_kind():
    document = loaded(
        a_yaml="x: !include b.yaml\ny: [!include c.json, !include ./b.yaml]\nz: !include d.txt",
        b_yaml="- 1\n- !include e.yml",
        c_json='{"k": 2}',
        d_txt="some\ntext\n",
        e_yml="v: 3",
    )
    assert document.value == {"x": [1, {"v": 3}], "y": [{"k": 2}, [1, {"v": 3}]], "z": "some\ntext\n"}
    assert document.at("x[1].v") == "e.yml:1 x[1].v"
    assert document.at("y[1][1].v") == "e.yml:1 y[1][1].v"
    assert document.at("y[0].k") == "a.yaml:2 y[0].k"
    assert document.at("z") == "a.yaml:3 z"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("b.yaml", "'b.yaml' is not in the package"),
        ("../b.yaml", "'../b.yaml' a path must stay inside the run directory"),
        ("/etc/passwd", "a path must be relative"),
        ("[a, b]", "only a file of the same package can be included"),
        ("a.yaml", "'a.yaml' includes itself"),
        ("loop.yaml", "'a.yaml' includes itself"),
    ],
)
def test_includes_that_cannot_be_are_refused_where_they_stand(target, message):
    [(place, reason)] = refused(a_yaml=f"x: 1\ny: !include {target}", loop_yaml="\n- !include a.yaml")
    assert place == ("loop.yaml:2" if target == "loop.yaml" else "a.yaml:2")
    assert message in reason


def test_faults_of_an_included_file_stand_there():
    [(place, reason)] = refused(a_yaml="x: !include b.yaml", b_yaml="a: 1\nb: *c")
    assert (place, "undefined alias" in reason) == ("b.yaml:2", True)


def test_includes_cannot_explode():
    files = {f"f{n}_yaml": "\n".join([f"- !include f{n + 1}.yaml"] * 20) for n in range(5)}
    [(place, message)] = refused("f0.yaml", **files, f5_yaml="[1]")
    assert message == "is nested too deeply or too large"
    assert place.startswith("f")


def test_includes_are_not_followed_without_end():
    files = {f"f{n}_yaml": f"- !include f{n + 1}.yaml" for n in range(1000)}
    [(place, message)] = refused("f0.yaml", **files)
    assert (place, "more than 8 files" in message) == ("f8.yaml:1", True)


def test_all_documents_together_are_bounded():
    half = "x" * (documents.MAX_BYTES // 2)
    [(place, message)] = refused(a_yaml="- !include b.txt\n- !include c.txt", b_txt=half, c_txt=half)
    assert place == "a.yaml:2"
    assert "larger than" in message


def test_numbers_to_the_base_of_sixty_are_texts_however_long():
    assert loaded(a_yaml=f"a: {'1:' * 100_000}1.5").value == {"a": "1:" * 100_000 + "1.5"}


def test_a_standalone_file_includes_nothing():
    with pytest.raises(ValueError, match="only a file of the same package"):
        documents.plain_yaml(b"!include /etc/passwd")


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("", "a.yaml:1"),
        ("a", "a.yaml:1 a"),
        ("b", "a.yaml:3 b"),
        ("b[1].c", "a.yaml:5 b[1].c"),
        ("b[1].missing", "a.yaml:4 b[1].missing"),
        ("b[7].d", "a.yaml:3 b[7].d"),
        ("nothing", "a.yaml:1 nothing"),
    ],
)
def test_places_are_given_with_their_lines(place, shown):
    assert loaded(a_yaml="a: 1\nb:\n  - x\n  - d: 1\n    c: 2").at(place) == shown


def test_the_places_of_json_have_no_line():
    assert loaded("a.json", a_json='{"a": 1}').at("a") == "a.json a"


TEXTS = st.text("ab:-[]{},&*!<>|?#'\"\n \t1.~%@", max_size=60)


@given(TEXTS | st.text() | st.binary())
@example("!!int {}")
@example("!!map []")
@example("? !!float ''\n: x")
def test_any_bytes_are_read_or_refused(content):
    for name in ("a.yaml", "a.json", "a.txt"):
        try:
            document = loaded(name, **{name.replace(".", "_"): content})
        except validation.Faults as found:
            problem = found
            assert problem.faults
        else:
            assert document.weight >= 1


@given(strategies.VALUES)
def test_yaml_reads_what_json_writes(value):
    try:
        text = json.dumps(value, allow_nan=False)
        text.encode()
        yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return
    assert loaded(a_yaml=text).value == json.loads(text)


def warned(name="a.yaml", **files):
    contents = {each.replace("_", "."): text.encode() for each, text in files.items()}
    reader = documents.Documents(contents.__getitem__)
    reader.load(name)
    return [(warning.place, warning.message) for warning in reader.warned]


@pytest.mark.parametrize(
    ("text", "here", "flowserv"),
    [
        ("no", "'no'", "false"),
        ("Yes", "'Yes'", "true"),
        ("off", "'off'", "false"),
        ("010", "10", "8"),
        ("08", "8", "'08'"),
        ("1_000", "'1_000'", "1000"),
        ("1:30", "'1:30'", "90"),
        ("0b11", "'0b11'", "3"),
        ("0o17", "15", "'0o17'"),
        ("1e3", "1000.0", "'1e3'"),
        ("+.5", "0.5", "'+.5'"),
    ],
)
def test_what_yaml_1_1_reads_differently_is_warned_of_with_line_and_place(text, here, flowserv):
    [(place, message)] = warned(a_yaml=f"x: 1\na: [{{b: {text}}}]")
    assert place == "a.yaml:2 a[0].b"
    asked = " (unless true or false is asked for)" if flowserv in ("true", "false") else ""
    assert message.startswith(f"is {here} as in YAML 1.2{asked}, and {flowserv} for flowServ; ")


@pytest.mark.parametrize(
    "text",
    [
        *("'no'", '"010"', "!!str no", "true", "10", "1.5", ".5", "~", "null", "2026-12-01", "y", "=", "0x1F"),
        *("2026-02-30", "9" * 4000, "|\n  no", "1:" * 5000 + "1"),
    ],
)
def test_what_every_yaml_reads_alike_is_not_warned_of(text):
    assert warned(a_yaml=f"a: {text}") == []


def test_an_element_that_is_given_twice_counts_last_and_is_warned_of():
    text = "a:\n- b: 1\n  c: 2\n  b: 3\nd: 4"
    assert loaded(a_yaml=text).value == {"a": [{"b": 3, "c": 2}], "d": 4}
    assert warned(a_yaml=text) == [("a.yaml:4 a[0].b", "is given a second time: the last one counts")]
    assert loaded("a.json", a_json='{"a": 1, "b": {"c": 1, "c": 2}}').value == {"a": 1, "b": {"c": 2}}
    [(place, message)] = warned("a.json", a_json='{"a": 1, "b": {"c": 1e3,\n"c": 2}}')
    assert (place, message) == ("a.json:2 b.c", "is given a second time: the last one counts")
    [(place, message)] = warned("a.json", a_json='{"a": {\t"c": 1,\n\t"c": "\x7f"}}')
    assert (place, message) == ("a.json", "has the element 'c' twice: the last one counts")


def test_a_merged_element_is_not_given_twice():
    assert warned(a_yaml="a: &x {k: 1}\nb: {<<: *x, k: 3}\nc: {k: 1, <<: *x}") == []


def test_warnings_of_an_included_file_stand_there_once():
    files = {"a_yaml": "x: !include b.yaml\ny: !include b.yaml", "b_yaml": "\na: no"}
    assert [place for place, _ in warned(**files)] == ["b.yaml:2 a"]


def test_a_lone_surrogate_stays_what_it_is():
    assert loaded(a_yaml=r'"\ud83d"').value == "\ud83d"
    assert loaded(a_yaml=r'"\ude00\ud83d"').value == "\ude00\ud83d"
