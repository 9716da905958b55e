"""One connection's protocol without a connection, for tests: a market, a hub, a session, and what a client would get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from doubles import FaultyTransport

from feeds.dialects.native import NativeEncoder
from feeds.engine.feed import Feed
from feeds.fanout.hub import Hub
from feeds.fanout.snapshots import MarketSnapshots
from feeds.protocol.session import Session
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.envelope import ArrayInWebSocket
from ticker.batch import CHANNELS
from ticker.market import Market
from ticker.universe import Universe

__all__ = ["NAMES", "Rig"]

NAMES = ("AAPL", "AMZN", "GOOGL", "MSFT")


class Rig:
    """A market, a hub and one session; the transport has everything in the order in which a client would get it."""

    def __init__(
        self, symbols: str = ",".join(NAMES), *, soft_limit: int = 10**6, history: int = 10**6
    ) -> None:
        universe = Universe.parse(symbols)
        self.market = Market(universe, seed=7, rate=50.0)
        encoder = NativeEncoder(universe)
        policy = BacklogPolicy(soft_limit=soft_limit, low_water=0, hard_limit=10**9)
        self.hub = Hub(
            len(universe),
            CHANNELS,
            encoder,
            policy=policy,
            history_bytes=history,
            snapshots=MarketSnapshots(self.market, encoder),
        )
        self.feed = Feed(self.market, encoder, self.hub, self.market.epoch, 0)
        self.transport = FaultyTransport()
        self.member = self.hub.join(self.transport, 0.0, lambda _: None)
        self.session = Session(self.feed, self.member)
        self.now = 0.0

    def step(self, milliseconds: int, phase: int | None = None) -> None:
        """Let the market go on, and write what there is to write, to all or to the members of a phase."""
        batch = self.market.step(self.market.now_us + milliseconds * 1000)
        if len(batch):
            self.hub.publish(batch)
        for _ in self.hub.flush(0.0, phase):
            pass
        self.hub.slow.tend(0.0)
        if self.hub.newest.active:
            for _ in self.hub.pace(self.now):
                pass

    def raw(self, data: bytes) -> Iterator[bytes]:
        for reply in self.session.handle(data, 0.0):
            assert reply.close is None
            if reply.message:  # else it is a pause
                yield reply.message

    def pieces(self, **request: Any) -> Iterator[list[dict[str, Any]]]:
        """Ask, and give the answer's messages one by one, written as the server would."""
        for text in self.raw(orjson.dumps(request)):
            self.transport.write(ArrayInWebSocket.seal((b"\x81\x7e\0\0", text)))
            yield orjson.loads(text)

    def ask(self, **request: Any) -> list[dict[str, Any]]:
        """Ask, and give all objects of the answer."""
        return [item for piece in self.pieces(**request) for item in piece]

    def events(self) -> list[dict[str, Any]]:
        return self.transport.objects()
