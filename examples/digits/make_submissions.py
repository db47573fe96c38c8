"""Make the sample submissions of the digits benchmark: four honest classifiers, from poor to good.

    python examples/digits/make_submissions.py [DIRECTORY]

learns from `data/train.csv`, predicts `data/test.csv` and writes one `id,label` file for each classifier into
DIRECTORY, by default `submissions/` beside this file. It never reads `data/test_labels.csv`. Standard library
only, and whole numbers only, so that every machine writes the same bytes. Takes a few seconds.
"""

import collections
import csv
import operator
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

HERE = pathlib.Path(__file__).parent
DIGITS = range(10)

Pixels = tuple[int, ...]
Image = tuple[int, Pixels]
Classifier = Callable[[Pixels], int]


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(map(operator.mul, left, right))


def squared_distance(left: Sequence[int], right: Sequence[int]) -> int:
    return sum((a - b) ** 2 for a, b in zip(left, right, strict=True))


def nearest_centroid(train: Sequence[Image]) -> Classifier:
    """The digit whose average training image is nearest."""
    centroids = []
    for digit in DIGITS:
        members = [pixels for label, pixels in train if label == digit]
        # In thousandths of a pixel value: whole numbers, and fine enough to be exact for 100 images.
        centroids.append([1000 * sum(column) // len(members) for column in zip(*members, strict=True)])
    return lambda pixels: min(
        DIGITS, key=lambda digit: squared_distance(centroids[digit], [1000 * pixel for pixel in pixels])
    )


def four_quadrants(train: Sequence[Image]) -> Classifier:
    """`nearest_centroid` for someone who sees of an image only the ink in each of its four quarters."""
    classify = nearest_centroid([(label, quadrants(pixels)) for label, pixels in train])
    return lambda pixels: classify(quadrants(pixels))


def quadrants(pixels: Pixels) -> Pixels:
    rows = [pixels[start : start + 8] for start in range(0, 64, 8)]
    return tuple(sum(sum(row[left : left + 4]) for row in rows[top : top + 4]) for top in (0, 4) for left in (0, 4))


def averaged_perceptron(train: Sequence[Image], rounds: int = 12) -> Classifier:
    """One linear score for each digit, corrected on every mistake; the average of all corrections decides.

    (Freund and Schapire, Large Margin Classification Using the Perceptron Algorithm, 1999.)
    """
    weights = [[0] * 65 for _ in DIGITS]
    # Sum over all moments of the weights = moments * final weights - sum of (moment * correction).
    late = [[0] * 65 for _ in DIGITS]
    moment = 0
    for _ in range(rounds):
        for label, pixels in train:
            features = (*pixels, 16)
            moment += 1
            guess = max(DIGITS, key=lambda digit: dot(weights[digit], features))
            if guess != label:
                for digit, sign in ((label, 1), (guess, -1)):
                    weights[digit] = [w + sign * x for w, x in zip(weights[digit], features, strict=True)]
                    late[digit] = [s + sign * moment * x for s, x in zip(late[digit], features, strict=True)]
    averages = [[(moment + 1) * w - s for w, s in zip(weights[digit], late[digit], strict=True)] for digit in DIGITS]
    return lambda pixels: max(DIGITS, key=lambda digit: dot(averages[digit], (*pixels, 16)))


def nearest_neighbours(train: Sequence[Image], k: int = 3) -> Classifier:
    """The digit that most of the k nearest training images show; if they disagree, the nearest decides."""
    # |a - b|^2 = |a|^2 - 2ab + |b|^2, and |b|^2 is the same for every training image a.
    prepared = [(dot(pixels, pixels), label, pixels) for label, pixels in train]

    def classify(pixels: Pixels) -> int:
        nearest = sorted((length - 2 * dot(other, pixels), label) for length, label, other in prepared)[:k]
        return collections.Counter(label for _, label in nearest).most_common(1)[0][0]

    return classify


def read(path: pathlib.Path) -> Iterator[dict[str, int]]:
    with path.open(newline="", encoding="ascii") as stream:
        for row in csv.DictReader(stream):
            yield {name: int(text) for name, text in row.items()}


def pixels_of(row: dict[str, int]) -> Pixels:
    return tuple(value for name, value in row.items() if name.startswith("p"))


def main() -> None:
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "submissions"
    directory.mkdir(parents=True, exist_ok=True)
    train = [(row["label"], pixels_of(row)) for row in read(HERE / "data" / "train.csv")]
    test = [(row["id"], pixels_of(row)) for row in read(HERE / "data" / "test.csv")]
    for learn in (four_quadrants, nearest_centroid, averaged_perceptron, nearest_neighbours):
        classify = learn(train)
        with (directory / f"{learn.__name__}.csv").open("w", newline="", encoding="ascii") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["id", "label"])
            writer.writerows((number, classify(pixels)) for number, pixels in test)
        print(f"{learn.__name__}: {len(test)} predictions")


if __name__ == "__main__":
    main()
