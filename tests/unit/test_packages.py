"""Packages: a good one gives every file whole; a bad one is refused with all its faults and read within bounds."""

import io
import json
import stat
import struct
import zipfile

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import validation
from flowserverless.packages import package
from support import strategies

MOST_BYTES = 2_000_000
MOST_FILES = 50
MANIFEST = """
name: Hello
description: Greets.
instructions: docs/instructions.md
specfile: benchmark.yaml
files:
  - {source: template/code, target: code}
  - {source: data/names.txt}
"""
TEMPLATE = """
workflow:
  files:
    outputs: [results/a.json]
  parameters:
    names: $[[names]]
  steps:
    - name: hello
      action:
        environment: python:3.11
        commands:
          - ${python} code/hello.py "${names}"
parameters:
  - !include parameters/names.yaml
"""
FILES = {
    "flowserv.yaml": MANIFEST,
    "benchmark.yaml": TEMPLATE,
    "parameters/names.yaml": "name: names\ndtype: file\ntarget: data/names.txt\n",
    "docs/instructions.md": "Hello.\n{{more.md}}\n",
    "docs/more.md": "And more.\n",
    "template/code/hello.py": "print('hello')\n",
    "template/code/lib/x.py": "",
    "data/names.txt": "Alice\n",
}


def packed(files, top="", compression=zipfile.ZIP_DEFLATED):
    """A zip of files (name -> content); a name may be a ZipInfo."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            if isinstance(name, str):
                archive.writestr(top + name, content)
            else:
                archive.writestr(name, content)
    return stream.getvalue()


def read(files, **options):
    content = files if isinstance(files, bytes) else packed(files)
    return package.read(content, options.pop("max_bytes", MOST_BYTES), options.pop("max_files", MOST_FILES), **options)


def faults_of(files, **options):
    """Places and messages of everything that is wrong with a package."""
    try:
        read(files, **options)
    except validation.Faults as found:
        return [(fault.place, fault.message) for fault in found.faults]
    return []


def refused(files, **options):
    found = faults_of(files, **options)
    assert found
    return found


def member(name, mode=0, **attributes):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def test_a_package_is_read():
    package = read(FILES)
    assert (package.name, package.description) == ("Hello", "Greets.")
    assert package.instructions == "Hello.\nAnd more."
    assert package.specfile == "benchmark.yaml"
    assert package.template.parameters[0].target == "data/names.txt"
    assert package.document == package.template.document
    assert package.files == {
        "code/hello.py": "template/code/hello.py",
        "code/lib/x.py": "template/code/lib/x.py",
        "data/names.txt": "data/names.txt",
    }
    with package.open("code/hello.py") as stream:
        assert stream.read() == b"print('hello')\n"
    assert package.size("code/hello.py") == 15
    assert package.checksums["code/lib/x.py"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "my-benchmark/", "a b/"])
def test_however_it_is_packed_it_is_the_same_workflow(top, compression):
    content = packed({f"{top}{name}": FILES[name] for name in reversed(FILES)}, compression=compression)
    for source in (content, io.BytesIO(content)):
        found = read(content) if source is content else package.read(source, MOST_BYTES, MOST_FILES)
        assert found.digest == read(FILES).digest
        assert found.files["code/hello.py"] == f"{top}template/code/hello.py"
        assert found.open("data/names.txt").read() == b"Alice\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"flowserv.yaml": MANIFEST.replace("Hello", "Other")},
        {"flowserv.yaml": MANIFEST.replace("Greets", "Waves")},
        {"benchmark.yaml": TEMPLATE.replace("hello.py", "other.py")},
        {"docs/more.md": "Less."},
        {"data/names.txt": "Bob\n"},
        {"template/code/new.py": ""},
    ],
)
def test_any_change_makes_another_version(changed):
    assert read(FILES | changed).digest != read(FILES).digest


def test_what_is_not_part_of_the_workflow_makes_no_other_version():
    assert read(FILES | {"README.md": "x", ".DS_Store": "x", "__MACOSX/._a": "x"}).digest == read(FILES).digest


LITTER = [
    "._flowserv.yaml",
    "code/._hello.py",
    "__MACOSX/code/hello.py",
    "code/__MACOSX/x",
    ".DS_Store",
    "code/.DS_Store",
    "code/Thumbs.db",
    "thumbs.db",
    "desktop.ini",
    ".AppleDouble/x",
    ".Spotlight-V100/Store-V2/x",
]


@pytest.mark.parametrize("top", ["", "folder/"])
def test_what_desktop_systems_add_to_a_zip_stays_out(top):
    manifest = {"flowserv.yaml": "name: x\nspecfile: benchmark.yaml"}
    files = {f"{top}{name}": content for name, content in (FILES | manifest).items()}
    added = dict.fromkeys((*LITTER, *(f"{top}{each}" for each in LITTER)), "x")
    package = read(added | files)
    assert (set(package.files), package.digest) == (set(FILES), read(FILES | manifest).digest)
    assert read(FILES | manifest | {"code/a._b": "", "DS_Store": "", "macosx/x": ""}).files.keys() - FILES.keys() == {
        "code/a._b",
        "DS_Store",
        "macosx/x",
    }


@pytest.mark.parametrize("place", ["a/b/flowserv.yaml", "b/flowserv.yml", "b/FlowServ.json", "FLOWSERV.YAML"])
def test_a_manifest_that_lies_elsewhere_is_named(place):
    [(_, reason)] = refused({"README.md": "x", "a/x": "", place: "name: x"})
    assert f"there is '{place}'" in reason


def test_everything_is_a_file_of_the_workflow_if_the_manifest_names_none():
    files = FILES | {"flowserv.yaml": "name: x\nspecfile: benchmark.yaml", "docs/": "", "__MACOSX/docs/._x": "x"}
    package = read(files)
    assert set(package.files) == set(FILES)
    assert package.instructions is None


@pytest.mark.parametrize(
    ("listed", "files"),
    [
        ("- {source: data}", {"data/names.txt"}),
        ("- {source: data/, target: ./in/x/}", {"in/x/names.txt"}),
        ("- {source: data/names.txt, target: n}", {"n"}),
        ("- {source: template/code, target: .}", {"hello.py", "lib/x.py"}),
        ("- {source: template, target: ''}", {"code/hello.py", "code/lib/x.py"}),
        ("- {source: ., target: all}", {f"all/{name}" for name in FILES}),
        ("- {source: data}\n  - {source: data/names.txt}", {"data/names.txt"}),
    ],
)
def test_files_go_where_the_manifest_says(listed, files):
    manifest = f"name: x\nspecfile: benchmark.yaml\nfiles:\n  {listed}"
    assert set(read(FILES | {"flowserv.yaml": manifest}).files) == files


@pytest.mark.parametrize("name", ["flowserv.json", "flowserv.yml"])
def test_the_manifest_may_have_other_names(name):
    files = {each: content for each, content in FILES.items() if each != "flowserv.yaml"}
    assert read(files | {name: '{"name": "x", "specfile": "benchmark.yaml"}'}).name == "x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a zip file"),
        (b"name: x", "is not a zip file"),
        (packed(FILES)[:-30], "is not a zip file"),
        (packed({}), "has no manifest"),
        (packed(FILES, top="a/b/"), "has no manifest"),
        (packed({"a/flowserv.yaml": "", "b/x": ""}), "has no manifest"),
    ],
)
def test_what_is_no_package_is_refused(content, message):
    [(place, reason)] = refused(content)
    assert (place, message in reason) == ("package", True)


@pytest.mark.parametrize(
    ("changed", "place", "message"),
    [
        ({"flowserv.yaml": "a: [1\nb: 2"}, "flowserv.yaml:2", "cannot be read"),
        ({"flowserv.yaml": "[1, 2]"}, "flowserv.yaml:1", "is a list, must be an object"),
        ({"flowserv.yaml": "name: x\nspecfile: .inf"}, "flowserv.yaml:2 specfile", "JSON cannot say"),
        ({"flowserv.yaml": "specfile: benchmark.yaml"}, "flowserv.yaml:1 name", "is missing"),
        ({"flowserv.yaml": "name: x"}, "flowserv.yaml:1 specfile", "is missing"),
        ({"flowserv.yaml": "name: x\nspecfile: 5"}, "flowserv.yaml:2 specfile", "must be a text"),
        ({"flowserv.yaml": "name: x\nspecfile: no.yaml"}, "no.yaml", "is not in the package"),
        ({"flowserv.yaml": "name: x\nspecfile: ../x"}, "flowserv.yaml:2 specfile", "inside the run directory"),
        ({"flowserv.yaml": f"{MANIFEST}title: x"}, "flowserv.yaml:9 title", "is not one of name, description"),
        (
            {"flowserv.yaml": MANIFEST.replace("Hello", "H" * 513)},
            "flowserv.yaml:2 name",
            "has more than 512 characters",
        ),
        ({"flowserv.yaml": MANIFEST.replace("Greets.", "[x]")}, "flowserv.yaml:3 description", "must be a text"),
        ({"flowserv.yaml": f"{MANIFEST}  - x"}, "flowserv.yaml:9 files[2]", "must be an object"),
        ({"flowserv.yaml": f"{MANIFEST}  - {{target: x}}"}, "flowserv.yaml:9 files[2].source", "is missing"),
        ({"flowserv.yaml": f"{MANIFEST}  - {{source: nope}}"}, "flowserv.yaml:9 files[2]", "'nope' is not in"),
        ({"flowserv.yaml": f"{MANIFEST}  - {{source: /etc}}"}, "flowserv.yaml:9 files[2]", "relative"),
        (
            {"flowserv.yaml": f"{MANIFEST}  - {{source: data, target: ../x}}"},
            "flowserv.yaml:9 files[2]",
            "inside the run directory",
        ),
        (
            {"flowserv.yaml": f"{MANIFEST}  - {{source: data, target: .flowserverless}}"},
            "flowserv.yaml:9 files[2]",
            "reserved",
        ),
        (
            {"flowserv.yaml": f"{MANIFEST}  - {{source: docs/more.md, target: data/names.txt}}"},
            "flowserv.yaml:9 files[2]",
            "puts a second file at 'data/names.txt'",
        ),
        (
            {"flowserv.yaml": f"{MANIFEST}  - {{source: docs/more.md, target: code}}"},
            "package",
            "'code' would be a file and a folder",
        ),
        ({"benchmark.yaml": "workflow: ["}, "benchmark.yaml:1", "cannot be read"),
        ({"benchmark.yaml": TEMPLATE.replace("names.yaml", "no.yaml")}, "benchmark.yaml:14", "is not in the package"),
        ({"parameters/names.yaml": "name: x\ndtype: no"}, "parameters/names.yaml:2 parameters[0].dtype", "must be"),
        (
            {"benchmark.yaml": TEMPLATE.replace("$[[names]]", "$[[nope]]")},
            "benchmark.yaml:6 workflow.parameters.names",
            "'nope', which is not declared",
        ),
        (
            {"benchmark.yaml": TEMPLATE.replace("python:3.11", "r-base")},
            "benchmark.yaml:10 workflow.steps[0].action",
            "needs AWS Batch",
        ),
        ({"benchmark.yaml": b"\xff\xfe\xff"}, "benchmark.yaml", "cannot be read"),
        ({"docs/instructions.md": b"\xff"}, "docs/instructions.md", "not a text in UTF-8"),
        ({"docs/instructions.md": "a\0"}, "docs/instructions.md", "NUL"),
        ({"docs/instructions.md": "x" * 100_001}, "docs/instructions.md", "is larger than 100000 bytes"),
        ({"docs/more.md": "x" * 99_990}, "docs/instructions.md:2", "more than 100000 characters"),
        ({"docs/instructions.md": "a\n\n{{no.md}}"}, "docs/instructions.md:3", "'{{no.md}}' is not in the package"),
        ({"docs/instructions.md": "{{../../x}}"}, "docs/instructions.md:1", "inside the run directory"),
        ({"docs/more.md": "{{instructions.md}}"}, "docs/more.md:1", "includes itself"),
        ({"docs/instructions.md": "{{more.md}}" * 51}, "docs/instructions.md:1", "more than 50 includes"),
        ({"template/code/x": "x", "template/code/x/y": "y"}, "package", "'code/x' would be a file and a folder"),
        ({"flowserv.yaml": f"{MANIFEST}  - {{source: docs/more.md, target: data/names.txt/x}}"}, "package", "folder"),
    ],
)
def test_every_fault_has_its_place(changed, place, message):
    found = refused(FILES | changed)
    assert [message in reason for where, reason in found if where == place] == [True]


def test_all_faults_are_found_at_once():
    found = refused(
        FILES
        | {
            "../evil": "x",
            "flowserv.yaml": f"{MANIFEST}  - {{source: nope}}\n".replace("name: Hello", "name: ''"),
            "benchmark.yaml": TEMPLATE.replace("$[[names]]", "$[[nope]]").replace("python:3.11", "r-base"),
            "docs/more.md": "{{no.md}}",
        }
    )
    assert {place for place, _ in found} == {
        "../evil",
        "flowserv.yaml:2 name",
        "flowserv.yaml:9 files[2]",
        "benchmark.yaml:6 workflow.parameters.names",
        "benchmark.yaml:10 workflow.steps[0].action",
        "docs/more.md:1",
    }


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (member("../x"), "inside the run directory"),
        (member("a/../../x"), "inside the run directory"),
        (member("/etc/passwd"), "relative"),
        (member("a\\..\\x"), "'\\'"),
        (member("../"), "inside the run directory"),
        (member("data/\nx"), "control characters"),
        (member("x" * 300), "255 bytes"),
        (member("link", stat.S_IFLNK | 0o777), "is a link or a device"),
        (member("pipe", stat.S_IFIFO | 0o644), "is a link or a device"),
        (member("disk", stat.S_IFBLK | 0o644), "is a link or a device"),
        (member("x.bz2", compress_type=zipfile.ZIP_BZIP2), "another method than deflate"),
        (member("x.xz", compress_type=zipfile.ZIP_LZMA), "another method than deflate"),
    ],
)
def test_members_that_are_no_files_of_a_package_are_refused(info, message):
    [(place, reason)] = refused(FILES | {info: "x"})
    assert message in reason
    assert place.isprintable()


def test_ordinary_modes_are_accepted():
    assert read(FILES | {member("data/x", stat.S_IFREG | 0o755): "x", member("more/", stat.S_IFDIR | 0o755): ""})


def patched(files, name, offset, value):
    """A zip in whose list of members the entry of `name` has other bytes at `offset`, and its own header as well."""
    content = bytearray(packed(files))
    # https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3.12 and 4.3.7: flags and sizes stand two
    # bytes further in the entry of the list.
    for signature, names, shift in ((b"PK\1\2", 46, 0), (b"PK\3\4", 30, -2)):
        start = content.find(signature)
        while content[start + names : start + names + len(name)] != name.encode():
            start = content.find(signature, start + 1)
        content[start + offset + shift : start + offset + shift + len(value)] = value
    return bytes(content)


def test_encrypted_members_are_refused():
    content = patched(FILES, "data/names.txt", 8, struct.pack("<H", 1))
    assert ("data/names.txt", "is encrypted") in refused(content)


def test_names_are_not_cut_off():
    content = packed(FILES | {"data/x.txtXsuffix": "x"}).replace(b"data/x.txtXsuffix", b"data/x.txt\0suffix")
    [(place, message)] = refused(content)
    assert place == "data/x.txt\\x00suffix"
    assert "control characters" in message


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["data/names.txt", "data//names.txt", "./data/names.txt", "data/x/../names.txt"])
def test_no_file_is_there_twice(name):
    stream = io.BytesIO(packed(FILES))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(name, "Mallory\n")
    assert refused(stream.getvalue()) == [("data/names.txt", "is in the package twice")]


def test_damaged_members_are_noticed_before_anything_is_stored():
    content = bytearray(packed(FILES, compression=zipfile.ZIP_STORED))
    at = content.find(b"Alice")
    content[at] ^= 1
    [(place, message)] = refused(bytes(content))
    assert (place, "is damaged: Bad CRC-32" in message) == ("data/names.txt", True)


@pytest.mark.parametrize("name", ["benchmark.yaml", "parameters/names.yaml", "README.md", "flowserv.yaml"])
def test_the_damage_is_told_once(name):
    content = bytearray(packed(FILES | {"README.md": "unused\n"}, compression=zipfile.ZIP_STORED))
    at = content.find(b"PK\1\2", content.rfind(b"PK\3\4"))
    while content[at + 46 : at + 46 + len(name)] != name.encode():
        at = content.find(b"PK\1\2", at + 1)
    content[at + 16] ^= 1
    damage = [(place, message) for place, message in refused(bytes(content)) if "is damaged" in message]
    assert [place for place, _ in damage if place == name] == [name]


def test_a_package_can_be_too_large_in_every_way():
    random = bytes(range(256)) * 4000
    assert refused(FILES | {"data/x": random, "data/y": random}) == [
        (
            "package",
            f"has {2 * len(random) + sum(map(len, FILES.values()))} bytes when unpacked, more than {MOST_BYTES}",
        )
    ]
    many = {f"data/{n}": "" for n in range(MOST_FILES)}
    assert refused(FILES | many) == [("package", f"has {len(FILES) + MOST_FILES} members, more than {MOST_FILES}")]
    assert read(FILES | {"data/x": random})
    assert read(FILES | {f"data/{n}": "" for n in range(MOST_FILES - len(FILES))})


def test_a_bomb_is_refused_by_its_ratio():
    assert refused(FILES | {"data/zeros": bytes(1_500_000)}) == [
        ("data/zeros", "unpacks to more than 500 times its size")
    ]
    assert read(FILES | {"data/zeros": bytes(1_000_000)})


def test_a_member_that_lies_about_its_size_is_noticed():
    files = FILES | {"flowserv.yaml": MANIFEST.replace("data/names.txt", "data")}
    content = patched(files | {"data/bomb": bytes(1_000_000)}, "data/bomb", 24, struct.pack("<I", 1000))
    [(place, message)] = refused(content)
    assert (place, message.startswith("is damaged: Bad CRC-32")) == ("data/bomb", True)


def test_a_list_of_members_without_end_is_not_read():
    entries = packed({f"data/{n:06d}": "" for n in range(10_000)})

    class Counting(io.BytesIO):
        largest = 0

        def read(self, size=-1):
            content = super().read(size)
            Counting.largest = max(Counting.largest, len(content))
            return content

    with pytest.raises(validation.Faults) as found:
        package.read(Counting(entries), MOST_BYTES, MOST_FILES)
    assert "its list of members is too long" in str(found.value)
    assert Counting.largest < 100_000


def test_a_target_that_can_never_be_had_is_refused():
    for target in ("data", "data/names.txt/x", "code/hello.py/y"):
        declaration = f"name: names\ndtype: list\npara: {{name: each, dtype: file, target: {target}}}\n"
        [(place, message)] = refused(FILES | {"parameters/names.yaml": declaration})
        assert place == "parameters/names.yaml:3 parameters[0].para.target"
        assert "is in the way of other files" in message


def test_what_may_not_have_been_meant_is_a_warning_with_its_line():
    package = read(FILES | {"parameters/names.yaml": "name: names\ndtype: file\ntarget: code/names.py\n"})
    [warning] = package.warnings
    assert warning.place == "parameters/names.yaml:3 parameters[0].target"
    assert warning.message == "an upload for 'names' lies beside programs of the package, such as 'code/hello.py'"
    [warning] = read(FILES | {"parameters/names.yaml": "name: names\ndtype: file\n"}).warnings
    assert warning.place == "parameters/names.yaml:1 parameters[0].name"
    assert "has no target" in warning.message
    assert read({**FILES, "parameters/names.yaml": "name: names\ndtype: file\ntarget: in/names.txt\n"}).warnings == ()


def test_the_folder_of_uploads_without_a_target_is_kept_apart():
    files = {**FILES, "flowserv.yaml": MANIFEST + "  - {source: uploads}\n", "uploads/json.py": ""}
    assert read(files).files["uploads/json.py"]
    [(place, message)] = refused({**files, "parameters/names.yaml": "name: names\ndtype: file\n"})
    assert place == "benchmark.yaml:1 document" or place.startswith("benchmark.yaml")
    assert "'uploads/json.py' is in 'uploads/', where uploads without a target land" in message


def test_with_anything_exchanged_a_manifest_is_read_or_refused():
    manifests = [json.dumps(each) for each in strategies.exchanges(yaml.safe_load(MANIFEST))]
    found = [faults_of(FILES | {"flowserv.yaml": manifest}) for manifest in manifests]
    assert found.count([]) > 5
    places = {place for each in found for place, _ in each}
    assert {place for place in places if not place.startswith("flowserv.yaml:1")} == {"x"}


@given(st.binary(max_size=200), st.integers(0, len(packed(FILES))), st.sampled_from(["cut", "insert", "overwrite"]))
def test_any_damage_is_refused_or_harmless(noise, at, how):
    good = packed(FILES)
    broken = {
        "cut": good[:at] + good[at + len(noise) :],
        "insert": good[:at] + noise + good[at:],
        "overwrite": good[:at] + noise + good[at + len(noise) :],
    }[how]
    try:
        package = read(broken)
    except validation.Faults:
        return
    assert package.digest == read(FILES).digest


def test_a_warning_refuses_nothing_and_names_the_line():
    package = read(FILES | {"benchmark.yaml": TEMPLATE + "deadline: tomorrow\nreslts: {}\n"})
    noted = [(warning.place, warning.message) for warning in package.warnings]
    assert noted[:-1] == [
        ("benchmark.yaml:15 deadline", "is ignored: it is unknown at the top of a template"),
        ("benchmark.yaml:16 reslts", "is ignored: it is unknown at the top of a template, did you mean `results`?"),
    ]
    replaced = "an upload for 'names' replaces the package's own 'data/names.txt'"
    assert noted[-1] == ("parameters/names.yaml:3 parameters[0].target", replaced)
    assert package.digest == read(FILES).digest
    assert read(FILES).warnings == package.warnings[2:]


def test_a_refused_package_has_its_warnings_beside_its_faults():
    with pytest.raises(validation.Faults) as found:
        read(FILES | {"benchmark.yaml": TEMPLATE + "deadline: tomorrow\noutputs: 1\n"})
    assert [fault.place for fault in found.value.faults] == ["benchmark.yaml:16 outputs"]
    assert [warning.place for warning in found.value.warnings] == ["benchmark.yaml:15 deadline"]


def test_a_yes_of_yaml_1_1_is_true_where_true_or_false_is_asked_for_and_a_text_elsewhere():
    more = """
      - {name: a, dtype: string, isRequired: no, defaultValue: no, label: Off}
      - {name: b, dtype: bool, defaultValue: Yes}
    """.replace("\n    ", "\n")
    template = read(FILES | {"benchmark.yaml": TEMPLATE + more}).template
    a, b = template.parameters[1:]
    assert (a.required, a.default, a.label, b.default) == (False, "no", "Off", True)
    more = more.replace("isRequired: no", "isRequired: 'no'")
    [(place, message)] = refused(FILES | {"benchmark.yaml": TEMPLATE + more})
    assert (place.split()[1], message) == ("parameters[1].isRequired", "is 'no', must be true or false")


def test_a_command_that_no_shell_can_execute_as_flowserv_does_is_refused():
    command = "          - echo $$$names\n"
    text = TEMPLATE.replace("parameters:\n  - !include", command + "parameters:\n  - !include")
    [(place, message)] = refused(FILES | {"benchmark.yaml": text})
    assert (place, "`" in message) == ("benchmark.yaml:13 workflow.steps[0].action.commands[1]", False)


ALONE = json.dumps(
    {"workflow": {"steps": [{"name": "a", "action": {"environment": "python:3.11", "commands": ["true"]}}]}}
)


@pytest.mark.parametrize("top", ["", "top/"])
def test_executable_bits_and_empty_folders_are_of_the_package(top):
    everything = {"flowserv.json": json.dumps({"name": "x", "specfile": "t.yaml"}), "t.yaml": ALONE}
    plain = {**everything, "tools/run.sh": "", "tools/a.txt": ""}
    files = {
        **everything,
        member(f"{top}tools/run.sh", 0o100755): "",
        "tools/a.txt": "",
        member(f"{top}tools/", 0o40755): "",
        member(f"{top}plots/old/", 0o40755): "",
        member(f"{top}plots/", 0o40755): "",
    }
    package = read(packed(files, top))
    assert (package.executables, package.folders) == (("tools/run.sh",), ("plots/old",))
    assert package.digest != read(plain).digest


def test_empty_folders_go_where_the_manifest_says():
    listed = [{"source": "a", "target": "b"}, {"source": "c/d", "target": "d"}]
    manifest = json.dumps({"name": "x", "specfile": "t.yaml", "files": listed})
    folders = {member(name, 0o40755): "" for name in ("a/x/", "c/d/", "e/")}
    package = read({"flowserv.json": manifest, "t.yaml": ALONE, "a/y": "", **folders})
    assert (set(package.files), package.folders) == ({"b/y"}, ("b/x", "d"))


def test_a_file_and_a_folder_of_one_name_are_refused():
    listed = [{"source": "a", "target": "c"}, {"source": "b", "target": "c"}]
    manifest = json.dumps({"name": "x", "specfile": "t.yaml", "files": listed})
    found = refused({"flowserv.json": manifest, "t.yaml": ALONE, "a": "", member("b/", 0o40755): ""})
    assert found == [("package", "'c' would be a file and a folder")]
