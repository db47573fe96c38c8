"""Measurements of the parts whose speed, memory or cost was promised: `python -m benchmarks [PART ...]`."""

import pathlib
import sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent

sys.path.insert(0, str(PROJECT / "layers" / "flowserverless"))
