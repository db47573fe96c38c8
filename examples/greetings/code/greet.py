"""Write a greeting for everyone on a list."""

import argparse
import pathlib
import sys


def greetings(names: list[str], greeting: str, times: int, voice: str) -> list[str]:
    lines = [f"{greeting}, {name}!" for name in names for _ in range(times)]
    return [line.upper() for line in lines] if voice == "loud" else lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=pathlib.Path, required=True, help="text file with one name on each line")
    parser.add_argument("--greeting", required=True)
    parser.add_argument("--times", type=int, required=True)
    parser.add_argument("--voice", choices=["calm", "loud"], required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    try:
        text = arguments.names.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        sys.exit("The list of names is not a text file in UTF-8.")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        sys.exit("The list of names is empty: there is nobody to greet.")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    lines = greetings(names, arguments.greeting, arguments.times, arguments.voice)
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(names)} people greeted")


if __name__ == "__main__":
    main()
