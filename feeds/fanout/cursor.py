"""
Cursors: a short text that says up to where a client has everything.

A sequence counts one symbol on one channel, so a client of 500 symbols holds a thousand of them. A *place* is one time of
the market instead, and means the same for all of them; a *cursor* is a place in a run of the market, as clients see it.
What a client with a cursor has of one slot is found in the history's ring by bisection: the events carry their times.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.fanout.history import History
from ticker.batch import BARS, DEPTH, INTERVALS, TickBatch, channel_name
from ticker.universe import Universe

__all__ = ["AHEAD", "LOST", "WHOLE", "Cursor", "Place", "Since", "parts"]

WHOLE = 2**31
"""A slot above all others: nothing of the place's time is left to give."""

LOST, AHEAD = -1, 2**60
"""What stands for a sequence where there is none: before everything that is kept, and after everything there is."""

_LENGTHS_US = [seconds * 1_000_000 for seconds in INTERVALS.values()]
_CURSOR = re.compile(r"([0-9A-Za-z_]{1,64})-([0-9]{1,18})(?:-([0-9]{1,9}))?", re.ASCII)


class Place(NamedTuple):
    """
    How far the market was given to everybody: everything before a time, and the bars that end at it.

    The bars that end at one time can be too many for one message. They are in the order of slots, so that a place
    among them is a slot.
    """

    us: int
    """Unix time in microseconds."""
    slot: int = WHOLE
    """Of the bars that end at this very time, those of slots below this one were given."""

    def has(self, slot: int, channel: int, fragment: bytes) -> bool:
        """Tell whether an event was given. About a microsecond."""
        us: int = round(orjson.loads(fragment[:-1])["time"] * 1000)
        if channel < BARS or channel == DEPTH:
            return us < self.us
        ends = us + _LENGTHS_US[channel - BARS]  # a bar's time on the wire is its start
        return (ends, slot) < self


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one run of the market."""

    epoch: str
    place: Place

    def __str__(self) -> str:
        us, slot = self.place
        return f"{self.epoch}-{us}" + ("" if slot == WHOLE else f"-{slot}")

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """Read what :meth:`__str__` wrote; None if it is something else."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            return None
        epoch, us, slot = found.groups()
        return cls(epoch, Place(int(us), WHOLE if slot is None else int(slot)))


def parts(
    batch: TickBatch, most: int, symbols: int, end: Place
) -> Iterator[tuple[TickBatch, Place]]:
    """
    Cut a batch that is too long for one message, and give with each part the place that it ends at.

    Trades and quotes of one time stay together, even past the limit: no place parts them.

    Args:
        most: about how many events a part may have.
        symbols: how many symbols the market has.
        end: the place after the whole batch.
    """
    start = 0
    while len(batch) - start > most:
        cut = start + most
        time = batch.time[cut - 1]
        if batch.channel[cut - 1] < BARS and batch.time[cut] == time:
            cut = int(np.searchsorted(batch.time, time, "right"))
            if cut == len(batch):
                break
        place = Place(int(batch.time[cut]))
        if batch.channel[cut] >= BARS:
            place = Place(place.us, int(batch.channel[cut]) * symbols + int(batch.symbol[cut]))
        yield batch[start:cut], place
        start = cut
    yield batch[start:], end


@dataclass(frozen=True)
class Since(Mapping[str, Mapping[str, int]]):
    """
    A cursor's sequences, by symbol and channel name: what a client that has everything up to it has of each.

    Looked up when asked for, about ten microseconds a channel. :data:`LOST` where the history no longer knows, and
    :data:`AHEAD` where the market has not come that far.

    Args:
        place: the cursor's.
        now: how far the market is.
        history: the events that are still there.
        universe: the market's instruments.
        channels: the channel numbers that are asked for.
        seq: the newest sequence of every slot; its owner goes on writing it.
        found: by slot, what was looked up for this place before: many clients come back with the same cursor.
    """

    place: Place
    now: Place
    history: History
    universe: Universe
    channels: Sequence[int]
    seq: NDArray[np.int64]
    found: dict[int, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Mapping[str, int]:
        symbol = self.universe.find(name)
        if symbol is None:
            raise KeyError(name)
        size = len(self.universe)
        return {channel_name(c): self._had(c * size + symbol, c) for c in self.channels}

    def __iter__(self) -> Iterator[str]:
        return iter(self.universe.symbols)

    def __len__(self) -> int:
        return len(self.universe)

    def _had(self, slot: int, channel: int) -> int:
        if self.place > self.now:
            return AHEAD
        had = self.found.get(slot)
        if had is None:
            had = self.found[slot] = self._look_up(slot, channel)
        return had

    def _look_up(self, slot: int, channel: int) -> int:
        newest = int(self.seq[slot])
        kept, missed = self.history.split(slot, lambda f: self.place.has(slot, channel, f))
        if missed == kept < newest:
            return LOST  # perhaps the event before the oldest that is kept is missing too
        return newest - missed
