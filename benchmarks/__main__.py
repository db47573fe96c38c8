"""Run the benchmarks named on the command line, or all of them."""

import importlib
import pathlib
import sys

PARTS = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    """Import each part when its turn comes: what it imports must not weigh on the others."""
    wanted = sys.argv[1:] or PARTS
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in wanted:
        print(f"== {part}", flush=True)
        importlib.import_module(f"benchmarks.{part}").main()


main()
