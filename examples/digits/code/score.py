"""Compare a group's predictions with the labels of the test images.

Writes accuracy, macro F1 and the confusion matrix as JSON, and the confusion matrix as CSV. Ends with exit
code 1 and says on stderr what is wrong when the predictions are not one label for every test image.
"""

import argparse
import csv
import json
import pathlib
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence

FAULTS_SHOWN = 10
# A leaderboard has room for a few words; a run is not to lose its rank over more of them.
MAX_METHOD_LENGTH = 200


class WrongFile(Exception):
    """What is wrong with the predictions, one line for each fault."""


def shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


def rows(path: pathlib.Path) -> Iterator[tuple[int, str, str]]:
    """The (line number, id, label) of each line after the header; other columns are ignored."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front of what they export.
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if header.count("id") != 1 or header.count("label") != 1:
                names = shown(",".join(header))
                raise WrongFile(f"the first line has to name the columns id and label, not {names}")
            number, label = header.index("id"), header.index("label")
            for row in reader:
                if len(row) == len(header):
                    yield reader.line_num, row[number].strip(), row[label].strip()
                elif row:
                    raise WrongFile(f"line {reader.line_num}: {len(row)} columns instead of {len(header)}")
    except OSError as error:
        raise WrongFile(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongFile("not a text file in UTF-8") from error
    except csv.Error as error:
        raise WrongFile(f"not a CSV file: {error}") from error


def label_fault(label: str, labels: Sequence[str]) -> str:
    try:
        float(label)
    except ValueError:
        return f"label {shown(label)} is not a number"
    return f"unknown label {shown(label)}: the labels are {labels[0]} to {labels[-1]}"


def read_predictions(path: pathlib.Path, truth: Mapping[str, str]) -> dict[str, str]:
    """The predicted label of every id in `truth`. Raises WrongFile naming up to FAULTS_SHOWN faults."""
    labels = sorted(set(truth.values()))
    predictions: dict[str, str] = {}
    faults: list[str] = []
    for line, number, label in rows(path):
        if number not in truth:
            faults.append(f"line {line}: id {shown(number)} is not the id of a test image")
        elif number in predictions:
            faults.append(f"line {line}: id {shown(number)} was there before")
        elif label not in labels:
            faults.append(f"line {line}: {label_fault(label, labels)}")
        if number in truth:
            predictions.setdefault(number, label)
    missing = [number for number in truth if number not in predictions]
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        faults.append(f"no prediction for {len(missing)} of {len(truth)} test images (id {some})")
    if faults:
        more = len(faults) - FAULTS_SHOWN
        raise WrongFile("\n".join(faults[:FAULTS_SHOWN] + ([f"... and {more} more"] if more > 0 else [])))
    return predictions


def score(truth: Mapping[str, str], predictions: Mapping[str, str]) -> dict[str, object]:
    """The scores of predictions for exactly the ids in `truth`.

    F1 of a digit is 2 TP / (2 TP + FP + FN), macro F1 is its mean over the digits. `confusion[i][j]` counts
    the images of digit i that were taken for j.
    """
    labels = sorted(set(truth.values()))
    place = {label: index for index, label in enumerate(labels)}
    confusion = [[0] * len(labels) for _ in labels]
    for number, label in truth.items():
        confusion[place[label]][place[predictions[number]]] += 1
    digits = []
    for index, label in enumerate(labels):
        actual, predicted = sum(confusion[index]), sum(row[index] for row in confusion)
        f1 = 2 * confusion[index][index] / (actual + predicted)
        digits.append({"digit": label, "images": actual, "f1": f1})
    correct = sum(confusion[index][index] for index in range(len(labels)))
    return {
        "accuracy": correct / len(truth),
        "macroF1": statistics.fmean(digit["f1"] for digit in digits),
        "correct": correct,
        "images": len(truth),
        "digits": digits,
        "confusion": confusion,
    }


def write_confusion(path: pathlib.Path, scores: Mapping[str, object]) -> None:
    labels = [digit["digit"] for digit in scores["digits"]]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["digit", *(f"taken for {label}" for label in labels)])
        writer.writerows([label, *counts] for label, counts in zip(labels, scores["confusion"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=pathlib.Path, required=True, help="CSV file id,label: the truth")
    parser.add_argument("--predictions", type=pathlib.Path, required=True, help="CSV file id,label")
    parser.add_argument("--method", default="", help="how the predictions were made, in a few words")
    parser.add_argument("--scores", type=pathlib.Path, required=True, help="JSON file to write")
    parser.add_argument("--confusion", type=pathlib.Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()

    truth = {number: label for _, number, label in rows(arguments.labels)}
    try:
        scores = score(truth, read_predictions(arguments.predictions, truth))
    except WrongFile as wrong:
        sys.exit(f"The predictions cannot be scored:\n{wrong}")
    if arguments.method:
        scores["method"] = arguments.method[:MAX_METHOD_LENGTH]
    for path in (arguments.scores, arguments.confusion):
        path.parent.mkdir(parents=True, exist_ok=True)
    arguments.scores.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    write_confusion(arguments.confusion, scores)
    print(f"{scores['correct']} of {scores['images']} test images were recognised")


if __name__ == "__main__":
    main()
