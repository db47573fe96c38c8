"""Asks while a step runs whether its run was canceled, and uploads its log while it grows."""

import sys
import threading
from collections.abc import Callable
from typing import Self

from runner import log, manifest, transfer

CANCEL_SECONDS = 1.5
ANSWER_SECONDS = 1.5
LOG_SECONDS = 3.0
LOG_TYPE = "text/plain; charset=utf-8"


class Monitor:
    """Sets `canceled` when the run is, and keeps the stored log up to date; a context manager.

    The two do not wait for each other: a long log on a slow line must not delay the end of a canceled step.
    """

    def __init__(self, order: manifest.StepOrder, step_log: log.StepLog) -> None:
        self.canceled = threading.Event()
        self._order = order
        self._log = step_log
        self._uploaded = 0
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(self._look, CANCEL_SECONDS), daemon=True),
            threading.Thread(target=self._repeat, args=(self._upload, LOG_SECONDS), daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._upload()

    def _repeat(self, action: Callable[[], None], seconds: float) -> None:
        while not self._done.wait(seconds) and not self.canceled.is_set():
            action()

    def _look(self) -> None:
        if self._order.cancel_url and transfer.exists(self._order.cancel_url, ANSWER_SECONDS):
            self.canceled.set()

    def _upload(self) -> None:
        size = self._log.size()
        if size == self._uploaded:
            return
        try:
            transfer.post_bytes(self._order.log, self._order.log.key, self._log.content(), LOG_TYPE)
            self._uploaded = size
        except transfer.Refused as refusal:
            # A step is not a failure because its log cannot be read.
            print(f"log of step {self._order.step} of {self._order.run}: {refusal}", file=sys.stderr)
