"""What the hub costs by itself: everything of a turn but the encoding and the system call."""

import json
import random
from typing import Any

import pytest

from bench.figures import Benchmark, note_cost
from bench.load import SCENARIOS
from bench.ours import ReadyMadeEncoder, ReadyMadeMarket
from feeds.dialects.native import NativeEncoder
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from ticker.batch import CHANNELS, QUOTES, TRADES
from ticker.market import Market
from ticker.universe import Universe


class NullTransport:
    """Swallows what is written."""

    def __init__(self) -> None:
        nothing: list[int] = []
        self.send = len  # calls into C that do next to nothing
        self.write = self.rest = nothing.__contains__
        self.unread = nothing.__len__

    def abort(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("name", ["all-100", "all-1", "sub-20", "sub-100"])
def test_turn(benchmark: Benchmark, name: str) -> None:
    """One turn of a scenario of the fan-out, without encoding and without the kernel."""
    scenario = SCENARIOS[name]
    turn = [{"text": text, "symbol": json.loads(text)["symbol"]} for text in scenario.events()]
    market = ReadyMadeMarket(turn)
    hub = Hub(scenario.symbols, CHANNELS, ReadyMadeEncoder(market.universe, turn))
    for client in range(scenario.clients):
        member = hub.join(NullTransport(), 0.0, lambda _: None)
        picks = scenario.picks(client)
        symbols = range(scenario.symbols) if picks is None else picks
        hub.subscribe(member, Interest().add(symbols, [TRADES, QUOTES]), 0.0)
    batch = market.step(0)

    def one_turn() -> None:
        hub.publish(batch)
        for _ in hub.flush(0.0):
            pass

    benchmark(one_turn)
    note_cost(benchmark, "ns_a_delivery", scenario.deliveries, digits=1)
    note_cost(benchmark, "ns_a_write", scenario.clients)


@pytest.mark.parametrize("events", [1, 3, 12])
def test_turn_of_few(benchmark: Benchmark, events: int) -> None:
    """A turn with few events for 1,000 clients that want 20 of 500 symbols each, without the kernel: as at low rates."""
    scenario = SCENARIOS["sub-20"]
    market = Market(Universe.parse("500"), seed=7, rate=10.0)
    hub = Hub(500, CHANNELS, NativeEncoder(market.universe))
    for client in range(scenario.clients):
        member = hub.join(NullTransport(), 0.0, lambda _: None)
        hub.subscribe(member, Interest().add(scenario.picks(client) or (), [TRADES, QUOTES]), 0.0)

    def one_turn() -> None:
        hub.publish(market.step(market.now_us + 10_000_000, events))
        for _ in hub.flush(0.0):
            pass

    benchmark.pedantic(one_turn, rounds=3_000, warmup_rounds=1_000)
    benchmark.extra_info["writes"] = round(hub.stats.writes / 4_000)


@pytest.mark.parametrize("hz", [1, 10])
def test_second_of_the_latest(benchmark: Benchmark, hz: int) -> None:
    """A second of 100 turns for 1,000 clients that want the latest of 20 of 500 symbols, without the kernel."""
    market = Market(Universe.parse("500"), seed=7, rate=10.0)
    hub = Hub(500, CHANNELS, NativeEncoder(market.universe))
    for client in range(1_000):
        member = hub.join(NullTransport(), 0.0, lambda _: None)
        symbols = random.Random(client).sample(range(500), 20)
        paced = ((1_000_000 // hz, Interest().add(symbols, [TRADES, QUOTES])),)
        hub.subscribe(member, Interest(), 0.0, paced)
    begin = market.now_us

    def one_second() -> None:
        for _ in range(100):
            batch = market.step(market.now_us + 10_000)
            now = (market.now_us - begin) / 1e6
            hub.publish(batch)
            for _ in hub.flush(now):
                pass
            for _ in hub.pace(now):
                pass

    benchmark.pedantic(one_second, rounds=3, warmup_rounds=1)
    benchmark.extra_info["updates_a_second"] = round(hub.stats.writes / 4)


@pytest.mark.parametrize("way", ["taken", "pushed"])
def test_board_against_pushing(benchmark: Benchmark, way: str) -> None:
    """1,000 groups take 20 of 500 symbols off a board, against each event being pushed to each group's list."""
    scenario = SCENARIOS["sub-20"]
    fragments = [text.encode() + b"," for text in scenario.events()]
    picks = [random.Random(n).sample(range(500), 20) for n in range(1_000)]
    if way == "taken":
        from feeds.fanout.board import Board, Part

        board = Board(frozenset({TRADES}), 500, [b"["])
        board.read(whole=False)
        parts = [Part(board, pick, 500) for pick in picks]

        def turn() -> None:
            board.fill(range(500), fragments)
            for part in parts:
                b"".join(part.take())
            board.wipe()
    else:
        pending: list[list[bytes]] = [[] for _ in picks]
        appends: list[list[Any]] = [[] for _ in fragments]
        for chosen, into in zip(picks, pending, strict=True):
            for symbol in chosen:
                appends[symbol].append(into.append)

        def turn() -> None:
            for fragment, each in zip(fragments, appends, strict=True):
                for append in each:
                    append(fragment)
            for into in pending:
                b"".join(into)
                into.clear()

    benchmark(turn)
