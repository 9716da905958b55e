"""Shared compression: what each member of a group can read, whenever it came, and what is left alone."""

from __future__ import annotations

import zlib

import pytest
from doubles import frames
from hypothesis import given
from hypothesis import strategies as st

from feeds.wire.deflate import Budget, DeflatedInWebSocket, agreement
from feeds.wire.envelope import HEADS

HEAD = HEADS[0]


class Reader:
    """A client with the decompressor of permessage-deflate, with context takeover."""

    def __init__(self, wbits: int = 15) -> None:
        self._zlib = zlib.decompressobj(-wbits)
        self.texts: list[bytes] = []
        self.compressed = 0

    def read(self, data: bytes) -> None:
        # RSV1 is the extension's, not the frame parser's.
        compressed = bool(data[0] & 0x40)
        (frame,) = frames(bytes([data[0] & ~0x40]) + data[1:])
        payload = bytes(frame.data)
        if compressed:
            payload = self._zlib.decompress(payload + b"\0\0\xff\xff")
            self.compressed += 1
        self.texts.append(payload)


def fragments(number: int, size: int = 5) -> list[bytes]:
    return [b'{"type":"trade","symbol":"S%d","seq":%d},' % (i, number) for i in range(size)]


def text(number: int, size: int = 5) -> bytes:
    return b"[" + b"".join(fragments(number, size))[:-1] + b"]"


def test_all_members_read_one_stream_and_it_is_small() -> None:
    stream = DeflatedInWebSocket(15, Budget()).open()
    stream.audience(2)
    readers = [Reader(), Reader()]
    plain = deflated = 0
    for number in range(50):
        data = stream.seal((HEAD, *fragments(number, 20)))
        plain += len(text(number, 20))
        deflated += len(data)
        assert stream.saved > 0
        for reader in readers:
            reader.read(bytes(data))
    assert readers[0].texts == readers[1].texts == [text(n, 20) for n in range(50)]
    assert deflated < 0.2 * plain


@pytest.mark.parametrize("wbits", [9, 12, 15])
def test_who_joins_in_the_middle_reads_from_there(wbits: int) -> None:
    stream = DeflatedInWebSocket(wbits, Budget()).open()
    stream.audience(2)
    early, late = Reader(wbits), Reader(wbits)
    for number in range(20):
        if number == 10:
            stream.restart()
        data = bytes(stream.seal((HEAD, *fragments(number))))
        early.read(data)
        if number >= 10:
            late.read(data)
    assert early.texts == [text(n) for n in range(20)]
    assert late.texts == [text(n) for n in range(10, 20)]


def test_without_a_restart_it_could_not_read() -> None:
    """So the restart is what makes it right, not luck."""
    stream = DeflatedInWebSocket(15, Budget()).open()
    stream.audience(2)
    stream.seal((HEAD, *fragments(1)))
    with pytest.raises(zlib.error):
        Reader().read(bytes(stream.seal((HEAD, *fragments(2)))))


def test_a_turn_without_events_is_no_message() -> None:
    stream = DeflatedInWebSocket(15, Budget()).open()
    stream.audience(2)
    assert stream.seal((HEAD, b"")) == b""
    assert stream.seal(()) == b""
    assert stream.saved == 0


def test_a_reply_stands_outside_of_the_stream() -> None:
    stream = DeflatedInWebSocket(15, Budget()).open()
    stream.audience(2)
    reader = Reader()
    reader.read(bytes(stream.seal((HEAD, *fragments(1)))))
    reader.read(bytes(stream.wrap(b"[1]")))
    reader.read(bytes(stream.seal((HEAD, *fragments(2)))))
    assert reader.texts == [text(1), b"[1]", text(2)]
    assert reader.compressed == 2


def incompressible(number: int) -> bytes:
    state = number + 1
    digits = bytearray()
    for _ in range(400):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        digits.append(33 + (state >> 33) % 90)
    return bytes(digits) + b","


def test_a_group_of_one_is_compressed_while_that_pays() -> None:
    budget = Budget()
    stream = DeflatedInWebSocket(15, budget).open()
    stream.audience(1)
    reader = Reader()
    for number in range(100):
        reader.read(bytes(stream.seal((HEAD, *fragments(number, 10)))))
    assert reader.texts == [text(n, 10) for n in range(100)]
    assert reader.compressed == 100
    assert budget.used == 1
    stream.audience(0)
    assert budget.used == 0


def test_a_group_of_one_is_left_alone_where_it_doesnt_pay() -> None:
    budget = Budget()
    stream = DeflatedInWebSocket(15, budget).open()
    stream.audience(1)
    reader = Reader()
    for number in range(100):
        reader.read(bytes(stream.seal((HEAD, incompressible(number)))))
    assert reader.compressed == 32, "that many to find out"
    assert budget.used == 0
    small = Reader()
    for number in range(1_100):
        small.read(bytes(stream.seal((HEAD, *fragments(number, 1)))))
    assert small.compressed == 0, "short ones aren't even tried"


def test_no_more_groups_of_one_than_the_budget_allows() -> None:
    budget = Budget(most=2)
    streams = [DeflatedInWebSocket(15, budget).open() for _ in range(3)]
    readers = [Reader() for _ in streams]
    for stream, reader in zip(streams, readers, strict=True):
        stream.audience(1)
        reader.read(bytes(stream.seal((HEAD, *fragments(1, 10)))))
    assert [r.compressed for r in readers] == [1, 1, 0]
    streams[0].audience(0)
    readers[2].read(bytes(streams[2].seal((HEAD, *fragments(2, 10)))))
    assert readers[2].compressed == 1
    assert readers[2].texts == [text(1, 10), text(2, 10)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["message", "join", "leave", "back"]), st.integers(1, 30)),
        max_size=60,
    )
)
def test_whoever_comes_and_goes_everybody_reads_everything(steps: list[tuple[str, int]]) -> None:
    """Members join, leave, miss messages and come back: each reads all that was sent while it was live."""
    stream = DeflatedInWebSocket(15, Budget()).open()
    live: list[tuple[Reader, list[bytes]]] = []
    away: list[tuple[Reader, list[bytes]]] = []
    for number, (what, size) in enumerate(steps):
        if what == "message" and live:
            data = bytes(stream.seal((HEAD, *fragments(number, size))))
            for reader, sent in live:
                reader.read(data)
                sent.append(text(number, size))
        elif what == "join" or (what == "back" and away):
            live.append(away.pop() if what == "back" else (Reader(), []))
            stream.restart()
            stream.audience(len(live))
        elif what == "leave" and live:
            away.append(live.pop(0))
            stream.audience(len(live))
    for reader, sent in [*live, *away]:
        assert reader.texts == sent


@pytest.mark.parametrize(
    ("offers", "agreed", "answer"),
    [
        ("permessage-deflate", "permessage-deflate", ""),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate", ""),
        ("permessage-deflate; server_max_window_bits=15", "permessage-deflate", "15"),
        (
            "permessage-deflate;server_max_window_bits=15;client_max_window_bits",
            "permessage-deflate",
            "15",
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate",
            "",
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=15",
            "permessage-deflate",
            "15",
        ),
        ("x; server_max_window_bits=15, permessage-deflate", "permessage-deflate", ""),
        (
            "permessage-deflate; x; server_max_window_bits=15, permessage-deflate",
            "permessage-deflate",
            "",
        ),
        (
            "permessage-deflate, permessage-deflate; server_max_window_bits=15",
            "permessage-deflate",
            "",
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
            "permessage-deflate; server_no_context_takeover",
            "15",
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
            "",
        ),
    ],
)
def test_an_offer_that_limits_the_window_is_told_which_one_it_got(
    offers: str, agreed: str, answer: str
) -> None:
    """Of the offers it is the first that can be accepted; aiohttp has chosen, and told windows below 15."""
    assert agreement(offers, agreed) == agreed + (answer and f"; server_max_window_bits={answer}")
