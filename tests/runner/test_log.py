"""The bounded log: what it keeps of any sequence of chunks."""

from hypothesis import given
from hypothesis import strategies as st

from runner import log


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=40))), st.integers(0, 60))
def test_the_log_is_everything_or_its_beginning_and_its_end(chunks, limit):
    book = log.StepLog(limit)
    everything = b""
    for stream, chunk in chunks:
        book.add(stream, chunk)
        everything += chunk
    content = book.content()
    assert book.size() == len(everything)
    if len(everything) <= limit:
        assert content == everything
    else:
        head, mark, tail = content.partition(b"\n[... ")
        number, _, tail = tail.partition(b" bytes are left out here ...]\n")
        assert mark
        assert int(number) == len(everything) - limit
        assert len(head) + len(tail) <= limit
        assert everything.startswith(head)
        assert everything.endswith(tail)


def test_what_was_not_read_is_counted_and_lies_between_the_ends():
    book = log.StepLog(10)
    book.add("stdout", b"0123456789ab")
    book.leave_out(1000)
    book.add("stdout", b"cdefghijkl")
    assert book.content() == b"01234\n[... 1012 bytes are left out here ...]\nhijkl"
    assert book.size() == 1022


@given(st.text(max_size=200), st.integers(0, 40))
def test_text_is_never_cut_within_a_character(text, limit):
    book = log.StepLog(limit)
    for byte in text.encode():
        book.add("stdout", bytes([byte]))
    book.content().decode()


def test_messages_are_the_ends_of_the_streams_that_said_something():
    book = log.StepLog(10)
    book.add("stderr", "ü".encode() * 5000)
    book.add("stdout", b" \n")
    assert book.messages() == ["ü" * 4000]
    book.add("stdout", b"end\xff\n")
    assert book.messages() == [" \nend\ufffd\n", "ü" * 4000]
