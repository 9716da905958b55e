"""What books cost: made, changed, encoded; what they cost where nobody wants them, and others where somebody does."""

import numpy as np
import pytest

from bench.figures import Benchmark, note_cost
from feeds.dialects.native import NativeEncoder
from feeds.fanout.depth import Depth
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from ticker.batch import CHANNELS, DEPTH, QUOTES, TRADES
from ticker.market import Market
from ticker.universe import Universe

UNIVERSE = Universe.of_size(500)


class _NullTransport:
    def send(self, data: bytes) -> int:
        return len(data)

    def write(self, data: bytes) -> None:
        """Do nothing."""

    def rest(self, data: bytes, sent: int) -> None:
        """Do nothing."""

    def unread(self) -> int:
        return 0

    def abort(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("wanted", ["no books", "nobody", "20", "500"])
@pytest.mark.parametrize("events", [50, 4_000])
def test_turn_with_books(benchmark: Benchmark, events: int, wanted: str) -> None:
    """A turn of 500 symbols with a history, one client: where there are no books, where nobody wants them, or some, or all."""
    market = Market(UNIVERSE, seed=7, rate=20)
    depth = None if wanted == "no books" else Depth(market)
    hub = Hub(500, CHANNELS, NativeEncoder(UNIVERSE), history_bytes=64_000_000, depth=depth)
    member = hub.join(_NullTransport(), 0.0, lambda _: None)
    interest = Interest().add(range(500), [TRADES, QUOTES])
    if wanted.isdecimal():
        interest = interest.add(range(int(wanted)), [DEPTH])
    hub.subscribe(member, interest, 0.0)
    batch = market.step(market.now_us + 2_000_000)[:events]

    def one_turn() -> None:
        hub.publish(batch)
        for _ in hub.flush(0.0):
            pass

    benchmark(one_turn)
    quotes = batch.symbol[batch.channel == QUOTES]
    books = np.count_nonzero(quotes < int(wanted)) if wanted.isdecimal() else 0
    note_cost(benchmark, "us_an_event", events, digits=2)
    benchmark.extra_info["books"] = int(books)


@pytest.mark.parametrize("books", ["nobody", "one, of all", "each, of its own"])
@pytest.mark.parametrize("events", [500, 4_000])
def test_a_thousand_clients_and_books(benchmark: Benchmark, events: int, books: str) -> None:
    """A turn of 500 symbols; 1,000 clients, each on 20 of them: trades and quotes, and who also wants books."""
    market = Market(UNIVERSE, seed=7, rate=20)
    hub = Hub(500, CHANNELS, NativeEncoder(UNIVERSE), history_bytes=64_000_000, depth=Depth(market))
    random = np.random.default_rng(1)
    channels = [TRADES, QUOTES, *([DEPTH] if books == "each, of its own" else [])]
    for _ in range(1_000):
        member = hub.join(_NullTransport(), 0.0, lambda _: None)
        symbols = random.choice(500, 20, replace=False).tolist()
        hub.subscribe(member, Interest().add(symbols, channels), 0.0)
    if books == "one, of all":
        member = hub.join(_NullTransport(), 0.0, lambda _: None)
        hub.subscribe(member, Interest().add(range(500), [DEPTH]), 0.0)
    batch = market.step(market.now_us + 2_000_000)[:events]

    def one_turn() -> None:
        hub.publish(batch)
        for _ in hub.flush(0.0):
            pass

    benchmark(one_turn)
    note_cost(benchmark, "us_an_event", events, digits=2)
