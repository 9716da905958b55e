"""What a load generator counts, and the cheap rules by which it counts. No I/O.

Nothing is parsed for each event. The rules are exact because a quote inside a JSON string is
escaped, so that `"seq":` can only be a key:

* Only the sequenced events (trade, quote, bar, status, depth) have a number under the key `seq`, once
  each. A snapshot has an object there, but the load generator asks for none.
* `merged` is looked for only in messages with a small `g`, which trades, quotes
  and changes of books don't have.
* Latency is sampled: of about 2,000 events a second, at random, the object is parsed and its `time`
  compared with this machine's. A bar's time is its beginning and says nothing about latency.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from hdrh.histogram import HdrHistogram

__all__ = ["SAMPLES_PER_S", "Tally", "Traffic", "new_histogram"]

SAMPLES_PER_S = 2000
MERGED = re.compile(rb'"merged":\s*(\d+)')
LONGEST_US = 60_000_000
"""Latencies above, or as far below zero as clocks of one machine can't be, are no latencies."""
EARLIEST_US = -50_000


def new_histogram() -> Any:
    """Return an empty histogram of microseconds, up to a minute, to three digits."""
    return HdrHistogram(1, LONGEST_US, 3)


class Traffic(NamedTuple):
    """What only ever grows."""

    frames: int = 0
    events: int = 0
    received: int = 0
    """Bytes, of everything after the handshake, frame headers too."""
    merged_events: int = 0
    """Events that replaced others."""
    merged: int = 0
    """How many others."""

    def since(self, earlier: Traffic) -> Traffic:
        """Return what came after an earlier moment."""
        return Traffic(*(now - then for now, then in zip(self, earlier, strict=True)))

    @classmethod
    def total(cls, some: Iterable[Traffic]) -> Traffic:
        """Return the sum of what several processes found."""
        return cls(*(sum(column) for column in zip(*some, strict=True)))


@dataclass(slots=True)
class Tally:
    """The counts of all connections of one process."""

    connected: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Connections that never became live, by reason."""
    lost: Counter[str] = field(default_factory=Counter)
    """Connections that were live and ended before we ended them, by close code."""
    # As of Traffic, each by itself: counting is cheapest so.
    frames: int = 0
    events: int = 0
    received: int = 0
    merged_events: int = 0
    merged: int = 0
    insane: int = 0
    """Samples that are no latencies, since the feed's clock is not the wall clock."""
    histogram: Any = field(default_factory=new_histogram)
    sample_every: int = 101
    _until_sample: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    def message(self, payload: bytes, now_ms: float) -> None:
        """Count a text message; the cost per event is that of finding a key."""
        count = payload.count(b'"seq":')
        self.frames += 1
        self.events += count
        if b"g" in payload:
            for number in MERGED.findall(payload):
                self.merged_events += 1
                self.merged += int(number)
        self._until_sample -= count
        if self._until_sample <= 0 and count:
            self._until_sample = self.sample_every
            self._sample(payload, now_ms)

    def _sample(self, payload: bytes, now_ms: float) -> None:
        """Take an event at a random place of the message."""
        key = b'"time":'
        place = payload.find(key, self._random.randrange(len(payload)))
        if place < 0:
            place = payload.find(key)
        start, end = payload.rfind(b"{", 0, place), payload.find(b"}", place)
        try:
            item = orjson.loads(payload[start : end + 1])
            if item["type"] in ("trade", "quote", "status", "depth"):
                self._latency(round((now_ms - item["time"]) * 1000))
        except (orjson.JSONDecodeError, LookupError, TypeError):
            self.insane += 1

    def _latency(self, late_us: int) -> None:
        if EARLIEST_US < late_us < LONGEST_US:
            self.histogram.record_value(max(1, late_us))
        else:
            self.insane += 1

    def adapt(self, events_per_s: float) -> None:
        """Choose how many events lie between two samples, an odd number so as not to fall into step."""
        self.sample_every = int(events_per_s / SAMPLES_PER_S) | 1

    def traffic(self) -> Traffic:
        """Return what came so far."""
        return Traffic(self.frames, self.events, self.received, self.merged_events, self.merged)

    def forget_latency(self) -> None:
        """Begin to sample afresh: clients that were still connecting slowed everything down."""
        self.insane = 0
        self.histogram.reset()
