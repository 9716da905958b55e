"""Clients of all kinds at once, at random: in full, at a pace, stalled, changing their minds. Every book stays right."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from doubles import StalledTransport
from markets import SECOND
from order_books import OrderBooks

from feeds.dialects.native import NativeEncoder
from feeds.fanout.depth import Depth
from feeds.fanout.hub import Hub
from feeds.fanout.interest import NOTHING, Interest
from feeds.fanout.snapshots import MarketSnapshots
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.batch import CHANNELS, DEPTH, QUOTES, TRADES
from ticker.market import Market
from ticker.scenarios import scenario_named
from ticker.universe import Universe

SYMBOLS, CLIENTS, TURNS = 5, 6, 150
POLICY = BacklogPolicy(
    soft_limit=3_000, low_water=500, hard_limit=10**8, no_progress_s=1e6, soft_seconds=0
)


class Client:
    """A connection, what it has subscribed to, and the books that it has made of what it was told."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.transport = StalledTransport(stalled=False)
        self.member = model.hub.join(self.transport, model.now, lambda _: None)
        self.books = OrderBooks()
        self.wanted: set[int] = set()

    def wish(self, symbols: set[int], window_us: int | None, others: bool) -> None:
        """Subscribe to the books of some symbols, with a snapshot of each, as a session does; and to quotes and trades, or not."""
        model = self._model
        interest = Interest().add(symbols, [DEPTH])
        full = NOTHING if window_us is not None else interest
        if others:
            full = full.add(range(SYMBOLS), [TRADES, QUOTES])
        paced = () if window_us is None or not symbols else ((window_us, interest),)
        self.wanted = symbols
        model.hub.subscribe(self.member, full, model.now, paced)
        told = model.snapshots.snapshots(sorted(symbols), (DEPTH,))
        model.hub.snapshotted(self.member, interest.slots(SYMBOLS), model.now)
        if told:
            model.hub.reply(self.member, b"[" + b",".join(told) + b"]", model.now)

    def take(self) -> None:
        """Read what was written; what is of a book that it doesn't want any more is passed over, as clients do."""
        names = {self._model.market.universe.symbols[i] for i in self.wanted}
        for item in self.transport.objects():
            if item["type"] != "depth" or item["symbol"] in names:
                self.books.feed([item])


class Model:
    """A market, its hub, and clients."""

    def __init__(self, seed: int, slow: Slow) -> None:
        self.market = Market(Universe.of_size(SYMBOLS), seed=seed, rate=15)
        self.market.play(scenario_named("flash_crash", size=-0.2), self.market.now_us + SECOND)
        encoder = NativeEncoder(self.market.universe)
        depth = Depth(self.market)
        self.snapshots = MarketSnapshots(self.market, encoder, depth)
        terms: dict[str, Any] = {"policy": POLICY, "slow": slow, "snapshots": self.snapshots}
        self.hub = Hub(SYMBOLS, CHANNELS, encoder, depth=depth, **terms)
        self.now = 0.0
        self.clients = [Client(self) for _ in range(CLIENTS)]

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self.hub.publish(self.market.step(self.market.now_us + round(seconds * SECOND)))
        for _ in self.hub.flush(self.now):
            pass
        self.hub.slow.tend(self.now)
        for _ in self.hub.pace(self.now):
            pass

    def settle(self) -> None:
        """Let everybody read and catch up."""
        for client in self.clients:
            client.transport.stalled = False
        for _ in range(40):
            for client in self.clients:
                client.transport.read()
            self.turn(0.001)
        assert not self.hub.slow.laggards
        self.now += 1.0  # the longest window
        self.turn(0.0)


@pytest.mark.parametrize("slow", [Slow.CONFLATE, Slow.DROP])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_book_of_every_client_stays_right(seed: int, slow: Slow) -> None:
    """Each checksum, each sequence, and in the end each book is the market's."""
    model, chance = Model(seed, slow), random.Random(seed)
    for _ in range(TURNS):
        client = chance.choice(model.clients)
        match chance.randrange(6):
            case 0:
                some = set(chance.sample(range(SYMBOLS), chance.randint(0, SYMBOLS)))
                window = chance.choice([None, None, 200_000, 1_000_000])
                client.take()
                client.wish(some, window, chance.random() < 0.5)
            case 1 | 2:
                client.transport.stalled = True
            case _:
                client.transport.stalled = False
                client.transport.read()
        model.turn(chance.choice([0.0, 0.02, 0.2, 0.5]))
        for each in model.clients:
            each.take()
    model.settle()
    kinds = sum(
        (client.books.kinds for client in model.clients), start=model.clients[0].books.kinds
    )
    assert min(kinds["snapshot"], kinds["change"], kinds["merged"]) > 20
    for client in model.clients:
        client.take()
        for symbol in client.wanted:
            name = model.market.universe.symbols[symbol]
            whole = orjson.loads(model.snapshots.snapshots([symbol], (DEPTH,))[1])
            book = client.books.books[name]
            assert book.seq == whole["seq"]
            assert book.checksum() == whole["checksum"]
