"""Shared compression: bytes an event on the wire, and that its cost doesn't depend on how many share it."""

from typing import Any

import pytest

from bench.figures import Benchmark, note_cost
from bench.test_hub import NullTransport
from feeds.dialects.native import NativeEncoder
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.wire.deflate import Budget, DeflatedInWebSocket
from feeds.wire.envelope import WEBSOCKET, Envelope
from ticker.batch import CHANNELS, QUOTES, TRADES, TickBatch
from ticker.market import Market
from ticker.universe import Universe

SYMBOLS = 500
TURNS = 20


@pytest.mark.parametrize("clients", [1, 10, 100, 1_000])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("events", [10, 500])
def test_everything_to_all(benchmark: Benchmark, events: int, compress: bool, clients: int) -> None:
    """Turns of a real market, encoded, compressed once and written to null transports."""
    market = Market(Universe.parse(str(SYMBOLS)), seed=7, rate=100)
    hub = Hub(SYMBOLS, CHANNELS, NativeEncoder(market.universe))
    envelope: Envelope = DeflatedInWebSocket(15, Budget()) if compress else WEBSOCKET
    for _ in range(clients):
        member = hub.join(NullTransport(), 0.0, lambda _: None, envelope)
        hub.subscribe(member, Interest().add(range(SYMBOLS), [TRADES, QUOTES]), 0.0)

    def a_while_later() -> tuple[tuple[list[TickBatch]], dict[str, Any]]:
        return ([market.step(market.now_us + 10_000_000, limit=events) for _ in range(TURNS)],), {}

    def turns(batches: list[TickBatch]) -> None:
        for batch in batches:
            hub.publish(batch)
            for _ in hub.flush(0.0):
                pass

    benchmark.pedantic(turns, setup=a_while_later, rounds=20)
    benchmark.extra_info["bytes_an_event"] = round(hub.stats.bytes / hub.deliveries(), 1)
    note_cost(benchmark, "ns_an_event", TURNS * events)
