"""Keeps the bounded log of a step: the beginning and the end of what it wrote, in order of arrival.

A step can write for ever; what is kept never exceeds the limit by more than the line that says how much is
missing. Standard output and standard error are two pipes: what a step writes to both within the same instant may
arrive the other way round. Two threads use a log: one that hears the step, one that uploads the log.
"""

import re
import threading
import unicodedata

TAIL_CHARACTERS = 4000
MAX_LINE_CHARACTERS = 500
INVISIBLE = ("Cc", "Cf", "Cs", "Co")
COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def last_line(text: str) -> str | None:
    """The last line of a text that says something, as a person reads it: without colours; None if there is none."""
    for line in reversed(COLOURS.sub("", text).splitlines()):
        said = "".join(letter for letter in line if unicodedata.category(letter) not in INVISIBLE).strip()
        if any(letter.isalnum() for letter in said):
            return said if len(said) <= MAX_LINE_CHARACTERS else f"{said[:MAX_LINE_CHARACTERS]}..."
    return None


class _Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._kept = bytearray()

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        if self.limit:
            self._kept += chunk[-self.limit :]
        if len(self._kept) > 2 * self.limit:
            del self._kept[: -self.limit]

    def skip(self, count: int) -> None:
        self.total += count
        self._kept.clear()

    def content(self) -> bytes:
        return bytes(self._kept[-self.limit :]) if self.limit else b""


class StepLog:
    """Keeps at most `limit` bytes of what is added, half of them from the beginning and half from the end."""

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._head_limit = max(0, limit) // 2
        self._head = bytearray()
        self._rest = _Tail(max(0, limit) - self._head_limit)
        self._streams: dict[str, _Tail] = {}

    def add(self, stream: str, chunk: bytes) -> None:
        """Take down what a stream ("stdout" or "stderr") brought."""
        with self._lock:
            self._streams.setdefault(stream, _Tail(4 * TAIL_CHARACTERS)).add(chunk)
            room = self._head_limit - len(self._head)
            self._head += chunk[:room]
            if len(chunk) > room:
                self._rest.add(chunk[room:])

    def leave_out(self, count: int) -> None:
        """Count bytes that were never read: they lie between what was added so far and what comes."""
        with self._lock:
            self._rest.skip(count)

    def content(self) -> bytes:
        """The log as it is to be shown: UTF-8 as far as the step wrote UTF-8, no character is cut."""
        with self._lock:
            head, tail = bytes(self._head), self._rest.content()
            missing = self._rest.total - len(tail)
        if not missing:
            return head + tail
        head, tail = _cut_end(head), _cut_start(tail)
        return head + f"\n[... {missing} bytes are left out here ...]\n".encode() + tail

    def size(self) -> int:
        """How many bytes were added so far, kept or not: tells whether there is anything new."""
        with self._lock:
            return len(self._head) + self._rest.total

    def messages(self) -> list[str]:
        """The ends of standard output and of standard error, those that are not blank, as text."""
        with self._lock:
            tails = [self._streams[name].content() for name in ("stdout", "stderr") if name in self._streams]
        texts = [_cut_start(tail).decode("utf-8", "replace")[-TAIL_CHARACTERS:] for tail in tails]
        return [text for text in texts if text.strip()]


def _cut_start(data: bytes) -> bytes:
    """Without the continuation bytes of a character whose beginning is missing."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]


def _cut_end(data: bytes) -> bytes:
    """Without the beginning of a character whose end is missing."""
    for length in range(1, min(4, len(data)) + 1):
        byte = data[-length]
        if byte & 0xC0 != 0x80:
            needed = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-length] if needed > length else data
    return data
