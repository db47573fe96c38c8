"""Count the greetings that the first step wrote; the service ranks the run by these numbers."""

import argparse
import json
import pathlib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--greetings", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    lines = arguments.greetings.read_text(encoding="utf-8").splitlines()
    summary = {"people": len(set(lines)), "lines": len(lines), "first": lines[0][:200]}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
