"""A hub with a fake dialect and numbered events, for the tests of the fan-out and of slow consumers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from doubles import Event, FakeDialect, RecordingTransport, batch_of

from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.fanout.snapshots import Snapshots
from feeds.wire.backlog import BacklogPolicy, Eviction, Slow

SYMBOLS, CHANNELS = 4, 3

POLICY = BacklogPolicy(soft_limit=100, low_water=20, hard_limit=1_000, no_progress_s=5.0)


class HubBench:
    """A hub, its dialect, and the sequences of its market."""

    def __init__(
        self,
        *,
        slow: Slow | None = Slow.CONFLATE,
        policy: BacklogPolicy = POLICY,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.dialect = FakeDialect()
        self.hub = Hub(
            SYMBOLS, CHANNELS, self.dialect, policy=policy, slow=slow, snapshots=snapshots
        )
        self.roster, self.slow = self.hub.roster, self.hub.slow
        self.seq: Counter[tuple[int, int]] = Counter()
        self.evicted: list[tuple[Any, Eviction]] = []
        self.now = 0.0

    def join(self, transport: Any, symbols: Iterable[int] = (), channels: Any = (0,)) -> Member:
        """Join, and subscribe to some symbols on some channels, if any."""
        member = self.hub.join(
            transport, self.now, lambda why: self.evicted.append((transport, why))
        )
        self.hub.subscribe(member, Interest().add(symbols, channels), self.now)
        return member

    def events(self, *events: tuple[int, int]) -> list[Event]:
        """Number some events (symbol, channel)."""
        numbered = []
        for symbol, channel in events:
            self.seq[symbol, channel] += 1
            numbered.append(Event(symbol, channel, self.seq[symbol, channel]))
        return numbered

    def publish(self, *events: tuple[int, int]) -> list[Event]:
        numbered = self.events(*events)
        if numbered:
            self.hub.publish(batch_of(e[:3] for e in numbered))
        return numbered

    def turn(self, *events: tuple[int, int]) -> list[Event]:
        """Publish and flush."""
        numbered = self.publish(*events)
        for _ in self.hub.flush(self.now):
            pass
        self.tend()
        return numbered

    def tend(self) -> None:
        """End a turn."""
        self.slow.tend(self.now)
        for _ in self.hub.pace(self.now):
            pass


def got(transport: RecordingTransport) -> list[Event]:
    return FakeDialect.decode(transport.take())
