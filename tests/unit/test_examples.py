"""The example workflows are accepted as packages and do what they promise, planned as for a run."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from flowserverless.domain import errors, paths, plans
from flowserverless.domain.ranking import results
from flowserverless.domain.templates import arguments
from flowserverless.packages import package
from local import publish

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
DIGITS = EXAMPLES / "digits"
GREETINGS = EXAMPLES / "greetings"
SVG = "{http://www.w3.org/2000/svg}"
SUBMISSIONS = ["nearest_neighbours", "averaged_perceptron", "nearest_centroid", "four_quadrants"]
NAMES = [
    "Ärger & Söhne",
    "<b onload='x()'>",
    "機械学習の会",
    'quo"te, comma',
    "control \x00\x0b \ud800",
    "x" * 300,
]


class Workspace:
    """A run's files, and the steps of an example executed on them as the service plans them.

    Arguments become environment variables, a step sees only its inputs and leaves only its outputs.
    """

    def __init__(self, example, directory):
        self.files = directory / "files"
        self.steps = directory / "steps"
        found = package.read(publish.package(example), 10**6, 100)
        self.template = found.template
        self.published = set(found.files)
        for target in found.files:
            self.write(target, found.open(target).read())

    def write(self, path, content):
        target = self.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))

    def read(self, path):
        return (self.files / path).read_text("utf-8")

    def has(self, path):
        return (self.files / path).exists()

    def run(self, *uploads, **values):
        """`uploads` are (parameter, content), `values` the other arguments."""
        contents = {f"file{index}": content for index, (_, content) in enumerate(uploads)}
        files = [
            {"name": name, "value": {"type": "$file", "value": {"fileId": file}}}
            for file, (name, _) in zip(contents, uploads, strict=True)
        ]
        others = [{"name": name, "value": value} for name, value in values.items()]
        bound = arguments.bind(self.template.parameters, files + others, dict.fromkeys(contents, "upload"))
        for file in bound.files:
            self.write(file.target, contents[file.file_id])
        return self._execute(plans.plan(self.template, bound))

    def post_process(self, runs):
        """`runs` are (run id, group name, {file: content}) in ranking order."""
        for run_id, _, files in runs:
            for name, content in files.items():
                assert name in self.template.postproc.inputs_files
                self.write(f"runs/{run_id}/{name}", content)
        listed = [{"id": run_id, "name": group, "files": list(files)} for run_id, group, files in runs]
        self.write("runs/runs.json", json.dumps(listed))
        return self._execute(plans.postproc_plan(self.template))

    def _execute(self, steps):
        done = None
        for step in steps:
            directory = self.steps / step.name
            shutil.rmtree(directory, ignore_errors=True)
            self._copy(self.files, directory, step.inputs)
            variables = {
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "python": sys.executable,
                **step.variables,
            }
            for command in step.commands:
                shell = ["/bin/sh", "-c", command]
                done = subprocess.run(
                    shell,
                    cwd=directory,
                    env=variables,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                if done.returncode:
                    return done
            self._copy(directory, self.files, step.outputs)
        return done

    @staticmethod
    def _copy(source, target, patterns):
        files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
        matched, missing = paths.match_outputs(patterns or files, files)
        assert not missing
        for name in {name for names in matched.values() for name in names}:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


@pytest.fixture
def digits(tmp_path):
    return Workspace(DIGITS, tmp_path)


@pytest.fixture
def greetings(tmp_path):
    return Workspace(GREETINGS, tmp_path)


def ranked_by(workspace):
    """The run's row of the leaderboard."""
    schema = workspace.template.results
    return results.read(schema, results.load(workspace.read(schema.file).encode("utf-8"), schema.file))


def submission(name):
    return (DIGITS / "submissions" / f"{name}.csv").read_text("ascii")


def scored(workspace, predictions, **values):
    return workspace.run(("predictions", predictions), **values)


def scores_document(accuracy, f1=0.5, **more):
    digits = [{"digit": str(digit), "images": 80, "f1": f1} for digit in range(10)]
    document = {"accuracy": accuracy, "macroF1": f1, "correct": 1, "images": 797, "digits": digits, **more}
    return {"results/scores.json": json.dumps(document)}


def picture_of(workspace):
    """The texts of each row of the picture, and all texts."""
    root = ET.fromstring(workspace.read("results/scores.svg").encode("utf-8"))
    rows = [[text.text for text in row.iter(f"{SVG}text")] for row in root.iter(f"{SVG}g")]
    return rows, [text.text for text in root.iter(f"{SVG}text")]


def table_of(workspace):
    with (workspace.files / "results/scores.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def lines(header="id,label", change=lambda rows: rows):
    rows = submission("nearest_centroid").splitlines()[1:]
    return "\n".join([header, *change(rows)]) + "\n"


class TestDigitsData:
    def test_split_is_complete_and_disjoint(self):
        files = {}
        for name in ("train", "test", "test_labels"):
            with (DIGITS / "data" / f"{name}.csv").open(newline="") as stream:
                files[name] = list(csv.DictReader(stream))
        images = [tuple(row[f"p{r}{c}"] for r in range(8) for c in range(8)) for row in files["train"] + files["test"]]
        assert len(images) == 1797
        assert len(set(images)) == 1797
        assert {int(pixel) for image in images for pixel in image} == set(range(17))
        assert [row["id"] for row in files["test"]] == [row["id"] for row in files["test_labels"]]
        assert not {row["id"] for row in files["train"]} & {row["id"] for row in files["test"]}
        labels = [row["label"] for row in files["train"]]
        assert {label: labels.count(label) for label in set(labels)} == {str(digit): 100 for digit in range(10)}

    @pytest.mark.long
    def test_submissions_are_what_their_script_makes(self, tmp_path):
        subprocess.run([sys.executable, DIGITS / "make_submissions.py", tmp_path], check=True, capture_output=True)
        made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        kept = {path.name: path.read_bytes() for path in (DIGITS / "submissions").iterdir()}
        assert made == kept
        assert set(kept) == {f"{name}.csv" for name in SUBMISSIONS}


class TestDigitsScore:
    def test_only_the_code_and_the_labels_are_published(self, digits):
        assert digits.published == {"code/score.py", "code/compare.py", "data/test_labels.csv"}

    def test_scores_are_the_values_that_rank_the_run(self, digits):
        assert scored(digits, submission("nearest_centroid"), method="x" * 2000).returncode == 0
        scores = json.loads(digits.read("results/scores.json"))
        expected = (scores["accuracy"], scores["macroF1"], 703, "x" * 200)
        assert ranked_by(digits) == expected

    def test_without_a_method_a_run_is_ranked_all_the_same(self, digits):
        assert scored(digits, submission("nearest_centroid")).returncode == 0
        assert ranked_by(digits)[2:] == (703, None)

    @pytest.mark.parametrize("name", SUBMISSIONS)
    def test_scores_are_those_of_the_definition(self, digits, name):
        assert scored(digits, submission(name), method=name).returncode == 0
        found = json.loads(digits.read("results/scores.json"))
        truth = dict(line.split(",") for line in (DIGITS / "data/test_labels.csv").read_text().splitlines()[1:])
        guess = dict(line.split(",") for line in submission(name).splitlines()[1:])
        correct = sum(truth[number] == guess[number] for number in truth)
        assert found["correct"] == correct
        assert found["accuracy"] == correct / 797
        f1 = []
        for digit in "0123456789":
            hits = sum(truth[number] == guess[number] == digit for number in truth)
            precision = hits / list(guess.values()).count(digit)
            recall = hits / list(truth.values()).count(digit)
            f1.append(2 * precision * recall / (precision + recall))
        assert [digit["f1"] for digit in found["digits"]] == pytest.approx(f1)
        assert found["macroF1"] == pytest.approx(sum(f1) / 10)
        assert found["method"] == name

    def test_confusion_counts_every_image_once(self, digits):
        rows = [line.split(",") for line in submission("nearest_neighbours").splitlines()]
        always_three = "\n".join([",".join(rows[0]), *(f"{number},3" for number, _ in rows[1:])])
        assert scored(digits, always_three).returncode == 0
        found = json.loads(digits.read("results/scores.json"))
        assert [row[3] for row in found["confusion"]] == [digit["images"] for digit in found["digits"]]
        assert sum(map(sum, found["confusion"])) == 797
        assert [digit["f1"] > 0 for digit in found["digits"]] == [digit == 3 for digit in range(10)]
        table = [line.split(",") for line in digits.read("results/confusion.csv").splitlines()]
        assert table[0] == ["digit", *(f"taken for {digit}" for digit in range(10))]
        assert [[int(count) for count in row[1:]] for row in table[1:]] == found["confusion"]

    @pytest.mark.parametrize(
        "predictions",
        [
            "\ufeff" + lines(),
            lines().replace("\n", "\r\n"),
            lines("label, id ", lambda rows: [",".join(reversed(row.split(","))) for row in rows]),
            lines("id,label,confidence", lambda rows: [f"{row},0.9" for row in reversed(rows)]),
            lines(change=lambda rows: ['"' + row.replace(",", '", ') + " " for row in rows]),
            lines() + "\n\n",
        ],
        ids=[
            "byte order mark",
            "windows",
            "columns swapped",
            "more columns",
            "blanks and quotes",
            "blank lines",
        ],
    )
    def test_harmless_differences_of_the_file_change_nothing(self, digits, predictions):
        assert scored(digits, lines()).returncode == 0
        expected = digits.read("results/scores.json")
        shutil.rmtree(digits.files / "results")
        assert scored(digits, predictions).returncode == 0
        assert digits.read("results/scores.json") == expected

    @pytest.mark.parametrize(
        ("predictions", "message"),
        [
            (lines(change=lambda rows: rows[:-2]), "no prediction for 2 of 797 test images (id 1796, 1797)"),
            (
                lines(change=lambda rows: []),
                "no prediction for 797 of 797 test images (id 1001, 1002, 1003, 1004, 1005",
            ),
            (lines(change=lambda rows: [*rows, rows[4]]), "line 799: id '1005' was there before"),
            (lines(change=lambda rows: [*rows, "7,1"]), "line 799: id '7' is not the id of a test image"),
            (
                lines(change=lambda rows: ["1001,10", *rows[1:]]),
                "line 2: unknown label '10': the labels are 0 to 9",
            ),
            (lines(change=lambda rows: ["1001,-1", *rows[1:]]), "line 2: unknown label '-1'"),
            (lines(change=lambda rows: ["1001,3.0", *rows[1:]]), "line 2: unknown label '3.0'"),
            (lines(change=lambda rows: ["1001,seven", *rows[1:]]), "line 2: label 'seven' is not a number"),
            (lines(change=lambda rows: ["1001,", *rows[1:]]), "line 2: label '' is not a number"),
            (lines(change=lambda rows: ["1001,1,2", *rows[1:]]), "line 2: 3 columns instead of 2"),
            (
                lines("number,digit"),
                "the first line has to name the columns id and label, not 'number,digit'",
            ),
            (lines("id,label,id"), "the first line has to name the columns id and label"),
            ("", "the first line has to name the columns id and label, not ''"),
            (b"\xff\xfe\x00i\x00d", "not a text file in UTF-8"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "not a text file in UTF-8"),
            ('id,label\n"1001,3\n', "not a CSV file"),
            ("id,label\n" + "1" * 200_000 + ",1\n", "not a CSV file"),
        ],
    )
    def test_wrong_files_are_refused_with_the_reason(self, digits, predictions, message):
        done = scored(digits, predictions)
        assert done.returncode == 1
        assert done.stderr.startswith("The predictions cannot be scored:\n")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert not digits.has("results")

    def test_many_faults_are_named_up_to_a_number(self, digits):
        done = scored(digits, lines(change=lambda rows: [row.replace(",", ",x") for row in rows]))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 12
        assert done.stderr.splitlines()[-1] == "... and 787 more"

    def test_arguments_are_never_code(self, digits):
        method = '"; touch broken; echo $(touch broken) `touch broken` --scores=elsewhere'
        assert scored(digits, lines(), method=method).returncode == 0
        assert json.loads(digits.read("results/scores.json"))["method"] == method
        assert {path.name for path in (digits.steps / "score").iterdir()} == {"code", "data", "results"}


class TestDigitsCompare:
    def test_table_and_picture_hold_the_scores_of_real_runs_in_order(self, digits):
        runs = []
        for name in SUBMISSIONS:
            assert scored(digits, submission(name)).returncode == 0
            runs.append((f"run-{name}", name, {"results/scores.json": digits.read("results/scores.json")}))
        done = digits.post_process(runs)
        assert done.returncode == 0, done.stderr
        rows, texts = picture_of(digits)
        assert [row[:3] for row in rows] == [
            ["1", "nearest_neighbours", "98.0 %"],
            ["2", "averaged_perceptron", "94.5 %"],
            ["3", "nearest_centroid", "88.2 %"],
            ["4", "four_quadrants", "52.7 %"],
        ]
        assert {"accuracy", "macro F1", "F1 of each digit, in per cent", "100 %", "40 %"} <= set(texts)
        table = table_of(digits)
        assert [(row["rank"], row["group"], row["correct"]) for row in table] == [
            ("1", "nearest_neighbours", "781"),
            ("2", "averaged_perceptron", "753"),
            ("3", "nearest_centroid", "703"),
            ("4", "four_quadrants", "420"),
        ]
        for (_, _, files), row in zip(runs, table, strict=True):
            scores = json.loads(files["results/scores.json"])
            assert float(row["accuracy"]) == pytest.approx(scores["accuracy"], abs=0.0001)
            shown = [float(row[f"f1_{digit}"]) for digit in range(10)]
            assert shown == pytest.approx([digit["f1"] for digit in scores["digits"]], abs=0.0001)

    def test_equal_scores_share_a_rank(self, digits):
        shares = [(0.9, 0.8), (0.8, 0.8), (0.8, 0.8), (0.8, 0.7), (0.1, 0.1)]
        runs = [(f"r{index}", f"group {index}", scores_document(*share)) for index, share in enumerate(shares)]
        assert digits.post_process(runs).returncode == 0
        assert [row["rank"] for row in table_of(digits)] == ["1", "2", "2", "4", "5"]
        assert [row[0] for row in picture_of(digits)[0]] == ["1", "2", "2", "4", "5"]

    def test_names_cannot_become_markup(self, digits):
        runs = [(f"r{index}", name, scores_document(0.9)) for index, name in enumerate(NAMES)]
        assert digits.post_process(runs).returncode == 0
        root = ET.fromstring(digits.read("results/scores.svg").encode("utf-8"))
        elements = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert elements == {"svg", "title", "defs", "clipPath", "rect", "text", "g", "line", "circle"}
        assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
        replaced = "control \ufffd\ufffd \ufffd"
        expected = [*NAMES[:4], replaced, NAMES[5]]
        titles = [row.find(f"{SVG}title").text for row in root.iter(f"{SVG}g")]
        assert titles == [f"1. {name}: accuracy 90.00%, macro F1 50.00%" for name in expected]
        assert [row["group"] for row in table_of(digits)] == expected
        shown = [row[1] for row in picture_of(digits)[0]]
        assert shown[:5] == expected[:5]
        assert shown[5].startswith("xxxx")
        assert shown[5].endswith("…")
        assert len(shown[5]) < 30

    def test_names_cannot_become_formulas(self, digits):
        runs = [("r0", "=1+1", scores_document(0.9)), ("r1", "a=b", scores_document(0.8))]
        assert digits.post_process(runs).returncode == 0
        assert [row["group"] for row in table_of(digits)] == ["'=1+1", "a=b"]

    @pytest.mark.parametrize(
        "files",
        [
            {},
            {"results/scores.json": "not JSON"},
            {"results/scores.json": "{}"},
            {"results/scores.json": "[1]"},
            {"results/scores.json": b"\xff"},
        ],
        ids=["no file", "no JSON", "no scores", "a list", "no text"],
    )
    def test_a_run_without_readable_scores_is_left_out_and_counted(self, digits, files):
        runs = [
            ("a", "first", scores_document(0.9)),
            ("b", "lost", files),
            ("c", "last", scores_document(0.8)),
        ]
        done = digits.post_process(runs)
        assert done.returncode == 0
        assert "run b is left out" in done.stderr
        assert [(row["rank"], row["group"]) for row in table_of(digits)] == [("1", "first"), ("2", "last")]
        rows, texts = picture_of(digits)
        assert [row[1] for row in rows] == ["first", "last"]
        assert "Left out: 1 run without readable scores" in texts

    def test_no_groups_make_an_empty_table_and_a_picture_that_says_so(self, digits):
        assert digits.post_process([]).returncode == 0
        assert table_of(digits) == []
        rows, texts = picture_of(digits)
        assert rows == []
        assert "No group has been scored yet." in texts

    @pytest.mark.parametrize("count", [1, 2, 40])
    @pytest.mark.parametrize("lowest", [0.0, 0.47, 0.999, 1.0])
    def test_every_mark_lies_inside_the_plot(self, digits, count, lowest):
        shares = [lowest + (1 - lowest) * (count - index - 1) / count for index in range(count)]
        runs = [(f"r{index}", f"g{index}", scores_document(share, share)) for index, share in enumerate(shares)]
        assert digits.post_process(runs).returncode == 0
        root = ET.fromstring(digits.read("results/scores.svg").encode("utf-8"))
        grid = [float(line.get("x1")) for line in root.iter(f"{SVG}line")]
        assert 2 <= len(grid) <= 8
        marks = [circle for row in root.iter(f"{SVG}g") for circle in row.iter(f"{SVG}circle")]
        assert len(marks) == count
        places = [float(mark.get("cx")) for mark in marks]
        assert places == sorted(places, reverse=True)
        assert all(min(grid) <= place <= max(grid) for place in places)
        heights = [float(mark.get("cy")) for mark in marks]
        assert heights == sorted(set(heights))
        assert max(heights) < float(root.get("height"))


class TestGreetings:
    @pytest.mark.parametrize("times", [0, 6])
    def test_times_has_a_range(self, greetings, times):
        with pytest.raises(errors.InvalidRequest, match="times"):
            greetings.run(("names", "Ada"), times=times)

    def test_two_steps_greet_and_count(self, greetings):
        done = greetings.run(("names", (GREETINGS / "names.txt").read_bytes()), greeting="Hi", times=2)
        assert done.returncode == 0
        written = greetings.read("results/greetings.txt").splitlines()
        assert written[:3] == ["Hi, Ada!", "Hi, Ada!", "Hi, Grace!"]
        assert ranked_by(greetings) == (4, 8, "Hi, Ada!")

    def test_shouting(self, greetings):
        done = greetings.run(("names", "\ufeff  Žofia \r\n\r\n"), greeting="-x", shout=True)
        assert done.returncode == 0
        assert greetings.read("results/greetings.txt") == "-X, ŽOFIA!\n"

    @pytest.mark.parametrize(("content", "reason"), [("\n \n", "nobody to greet"), (b"\xff", "not a text file")])
    def test_a_wrong_list_of_names_is_refused(self, greetings, content, reason):
        done = greetings.run(("names", content))
        assert done.returncode == 1
        assert reason in done.stderr
        assert "Traceback" not in done.stderr

    def test_the_wall_shows_every_group_that_has_a_summary(self, greetings):
        def summary(first, people):
            return {"results/summary.json": json.dumps({"people": people, "lines": people, "first": first})}

        runs = [(f"r{index}", name, summary(f"Hi, {name}!", index)) for index, name in enumerate(NAMES)]
        runs.insert(2, ("lost", "lost", {}))
        done = greetings.post_process(runs)
        assert done.returncode == 0
        assert "run lost has no summary" in done.stdout
        root = ET.fromstring(greetings.read("results/wall.svg").encode("utf-8"))
        assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "rect", "text"}
        texts = [text.text for text in root.iter(f"{SVG}text")]
        assert texts[2:8] == [
            *("Hi, Ärger & Söhne!", "Ärger & Söhne", "0"),
            *("Hi, <b onload='x()'>!", "<b onload='x()'>", "1"),
        ]
        assert "control \ufffd\ufffd \ufffd" in texts


@pytest.mark.parametrize("example", sorted(path.parent for path in EXAMPLES.glob("*/flowserv.yaml")))
def test_examples_are_published_without_warnings(example):
    assert package.read(publish.package(example), 10**6, 100).warnings == ()
