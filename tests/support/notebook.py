"""Notebooks for steps to execute, in Jupyter's format 4.5."""

import json
from typing import Any


def of(*cells: str, **metadata: Any) -> bytes:
    """A notebook of these cells, the first of which has the defaults of its parameters."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {} if number else {"tags": ["parameters"]},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": metadata,
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    ).encode()
