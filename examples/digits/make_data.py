"""Make the three data files of the digits benchmark from the copy of the UCI data that scikit-learn carries.

    python examples/digits/make_data.py [DIRECTORY]

writes `train.csv` (for the groups: images with labels), `test.csv` (for the groups: images only) and
`test_labels.csv` (for the organiser: what the scoring step compares with) into DIRECTORY, by default `data/`
beside this file. Needs the packages of `requirements/data.lock`. The files depend on the images alone, not on
a random number generator or on the order in which scikit-learn hands them out: everyone gets the same bytes.
"""

import csv
import hashlib
import pathlib
import sys
from collections.abc import Iterable, Sequence

from sklearn import datasets

HERE = pathlib.Path(__file__).parent
TRAINING_IMAGES_PER_DIGIT = 100
PIXELS = [f"p{row}{column}" for row in range(8) for column in range(8)]

Image = tuple[int, tuple[int, ...]]


def images() -> list[Image]:
    """Every (digit, 64 pixels of 0 to 16, row by row)."""
    bunch = datasets.load_digits()
    return [
        (int(digit), tuple(int(pixel) for pixel in pixels))
        for digit, pixels in zip(bunch.target, bunch.data, strict=True)
    ]


def shuffled(found: Iterable[Image], deal: bytes) -> list[Image]:
    """The images in an order that says nothing about their digits, and another order for another deal."""
    return sorted(found, key=lambda image: hashlib.sha256(deal + bytes(image[1])).digest())


def split(found: Iterable[Image]) -> tuple[list[Image], list[Image]]:
    """The same number of training images of every digit; the other images are the test."""
    train: list[Image] = []
    test: list[Image] = []
    seen = [0] * 10
    for image in shuffled(found, b"split"):
        seen[image[0]] += 1
        (train if seen[image[0]] <= TRAINING_IMAGES_PER_DIGIT else test).append(image)
    return shuffled(train, b"train"), shuffled(test, b"test")


def write(path: pathlib.Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="ascii") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data"
    directory.mkdir(parents=True, exist_ok=True)
    train, test = split(images())
    numbered_train = list(enumerate(train, start=1))
    numbered_test = list(enumerate(test, start=len(train) + 1))
    labelled = ((number, digit, *pixels) for number, (digit, pixels) in numbered_train)
    unlabelled = ((number, *pixels) for number, (_, pixels) in numbered_test)
    labels = ((number, digit) for number, (digit, _) in numbered_test)
    write(directory / "train.csv", ["id", "label", *PIXELS], labelled)
    write(directory / "test.csv", ["id", *PIXELS], unlabelled)
    write(directory / "test_labels.csv", ["id", "label"], labels)
    print(f"{len(train)} training images and {len(test)} test images written to {directory}")


if __name__ == "__main__":
    main()
