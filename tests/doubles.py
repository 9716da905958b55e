"""
Stand-ins for what `feeds` talks to, for tests that need no socket.

They implement the same small protocols as the real things (`feeds.wire.transport.Transport`,
`feeds.dialects.Dialect`, the market that the pump steps), and nothing of them is patched in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from feeds.dialects.trades import MergedTrades
from ticker.batch import TickBatch

__all__ = [
    "BrokenTransport",
    "Event",
    "FakeDialect",
    "FaultyTransport",
    "RecordingTransport",
    "ScriptedMarket",
    "StalledTransport",
    "batch_of",
    "frames",
    "messages",
]


# Frames, read by somebody else's parser.


def frames(data: bytes) -> Iterator[Frame]:
    """Read server frames with the parser of `websockets`; raises if they aren't whole."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    while not _at_end(reader):
        yield _run(Frame.parse(reader.read_exact, mask=False))


def messages(data: bytes) -> list[bytes]:
    """Give the payloads of text frames; anything else is a failure."""
    found = []
    for frame in frames(data):
        assert (frame.opcode, frame.fin) == (Opcode.TEXT, True)
        found.append(bytes(frame.data))
    return found


def _at_end(reader: StreamReader) -> bool:
    return _run(reader.at_eof())


def _run(parser: Any) -> Any:
    # All the data is there, so the parser finishes without asking for more.
    try:
        next(parser)
    except StopIteration as done:
        return done.value
    raise AssertionError("half a frame")


# Transports.


class RecordingTransport:
    """A client that reads everything at once. What it got is in `writes`."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.aborted = False
        self.closed = False
        """Set by the test where the connection is over; see `late`."""
        self.late = 0
        """How often it was written to after that."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.writes)} writes, {self.unread()} bytes unread>"

    def write(self, data: bytes) -> None:
        self.late += self.closed or self.aborted
        self.writes.append(data)

    def send(self, data: bytes) -> int:
        assert self.unread() == 0, "the short way is for those with nothing unread"
        self.write(data)
        return len(data)

    def rest(self, data: bytes, sent: int) -> None:
        self.write(data[sent:])

    def unread(self) -> int:
        return 0

    def abort(self) -> None:
        self.aborted = True

    def take(self) -> list[bytes]:
        """Give the messages written since the last time."""
        data, self.writes = b"".join(self.writes), []
        return messages(data)

    def objects(self) -> list[dict[str, Any]]:
        """Give the objects of the native protocol written since the last time, in one list."""
        return [item for text in self.take() for item in orjson.loads(text)]


class StalledTransport(RecordingTransport):
    """
    A client that has stopped to read, until `read` is called or `stalled` is set to False.

    Args:
        room: how much the kernel takes of what is sent to it while it is stalled.
    """

    def __init__(self, *, stalled: bool = True, room: int = 0) -> None:
        super().__init__()
        self.stalled, self.room = stalled, room
        self.backlog = 0

    def send(self, data: bytes) -> int:
        if not self.stalled:
            return super().send(data)
        assert self.backlog == 0, "the short way is for those with nothing unread"
        if not self.room:
            raise BlockingIOError
        self.writes.append(data[: self.room])
        return min(self.room, len(data))

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.stalled:
            self.backlog += len(data)

    def unread(self) -> int:
        return self.backlog

    def read(self, size: int | None = None) -> None:
        """Let the client read some bytes; None: all."""
        self.backlog = 0 if size is None else max(0, self.backlog - size)


class BrokenTransport(RecordingTransport):
    """A connection that breaks at `snap`: from then on, writing raises, as with uvloop's transports."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error

    def snap(self, error: Exception | None = None) -> None:
        self.error = error or RuntimeError("unable to perform operation: the handler is closed")

    def write(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        super().write(data)

    def send(self, data: bytes) -> int:
        if self.error is not None:
            raise self.error
        return super().send(data)


class FaultyTransport(BrokenTransport, StalledTransport):
    """Reads until told not to; breaks when told to."""

    def __init__(self, room: int = 0) -> None:
        StalledTransport.__init__(self, stalled=False, room=room)
        self.error = None

    def snap(self, error: Exception | None = None) -> None:
        super().snap(error)
        self.read()  # a closed transport has no buffer


# A dialect and a market.


class Event(NamedTuple):
    """One event of `FakeDialect`."""

    symbol: int
    channel: int
    seq: int
    merged: int = 0


class FakeDialect:
    """Writes an event as ``[symbol,channel,seq],``, with a fourth number where it replaces earlier ones."""

    def __init__(self) -> None:
        self.encoded = 0
        """How many events were encoded."""

    def encode(self, batch: TickBatch, /) -> list[bytes]:
        self.encoded += len(batch)
        rows = zip(batch.symbol.tolist(), batch.channel.tolist(), batch.seq.tolist(), strict=True)
        return [b"[%d,%d,%d]," % row for row in rows]

    def with_merged(
        self, fragment: bytes, merged: int, trades: MergedTrades | None = None, /
    ) -> bytes:
        return b"%b,%d]," % (fragment[:-2], merged)

    @staticmethod
    def decode(texts: Iterable[bytes]) -> list[Event]:
        """Give the events of messages, in their order."""
        return [Event(*numbers) for text in texts for numbers in orjson.loads(text)]


def batch_of(events: Iterable[tuple[int, int, int]], time_us: int = 1_000_000) -> TickBatch:
    """Make a batch of events (symbol, channel, seq), with prices and sizes of no interest."""
    rows = list(events)
    symbol, channel, seq = (np.array([r[i] for r in rows], dtype=np.int64) for i in range(3))
    ones = np.ones(len(rows), dtype=np.int64)
    return TickBatch(
        symbol=symbol.astype(np.int32),
        channel=channel.astype(np.uint8),
        seq=seq,
        time=ones * time_us,
        price=ones * 100,
        size=ones,
        ask=ones * 101,
        ask_size=ones,
    )


class ScriptedMarket:
    """
    A market that gives one trade of symbol 0 each `every_us`, and notes how it was stepped.

    Args:
        most_steps: fail beyond so many steps: what never waits would otherwise hang the test.
    """

    def __init__(self, every_us: int = 1_000, *, most_steps: int = 10_000) -> None:
        self.now_us = 0
        self.over = False
        self.steps: list[tuple[int, int | None]] = []
        self._every_us, self._most_steps = every_us, most_steps
        self._seq = 0

    def next_us(self, wanted: NDArray[np.int32]) -> int:
        return (self._seq + 1) * self._every_us if wanted[0] else 2**62

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        self.steps.append((until_us, limit))
        assert len(self.steps) <= self._most_steps, "stepped for ever, without a pause"
        due = max(self._seq, until_us // self._every_us)
        first, last = self._seq + 1, due if limit is None else min(due, self._seq + limit)
        self.now_us = max(self.now_us, until_us if last == due else last * self._every_us)
        self._seq = last
        return batch_of((0, 0, seq) for seq in range(first, last + 1))
