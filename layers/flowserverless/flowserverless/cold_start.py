"""Imports without looking for garbage, which takes a tenth of a cold start: importing makes objects that all stay."""

import gc
import os


def begin() -> None:
    """Collect no garbage while Lambda loads a function. Other programs decide that for themselves."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        gc.disable()


def end() -> None:
    """Collect garbage again from here on, and never look through what was imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
