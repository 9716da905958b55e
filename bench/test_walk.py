"""What the market costs: the plain walk, the whole generator, and the generator's cost by the number of symbols."""

from collections.abc import Callable

import numpy as np
import pytest

from bench.figures import Benchmark, note_cost, note_rate
from ticker.market import Market
from ticker.processes.walk import RandomWalk
from ticker.universe import Universe


def test_plain_walk(benchmark: Benchmark) -> None:
    """10,000 symbols, 64 cells a call: steps x symbols a second."""
    universe = Universe.of_size(10_000)
    sectors = [i.sector for i in universe]
    walk = RandomWalk(
        7, universe.symbols, sectors, universe.column("price"), universe.column("volatility")
    )
    benchmark(walk.advance, 64)
    note_rate(benchmark, 10_000 * 64)


def test_numpy_generator_as_baseline(benchmark: Benchmark) -> None:
    """What as many normal numbers cost from numpy's own generator, without any walk."""
    benchmark(np.random.default_rng(7).standard_normal, (10_000, 64))
    note_rate(benchmark, 10_000 * 64)


def market_of(symbols: int, events: int) -> Callable[[], int]:
    """Give a function that makes about so many events of a market that gives ten thousand a second."""
    market = Market(Universe.of_size(symbols), seed=7, rate=10_000 / symbols)
    step_us = round(events / 10_000 * 1e6)
    return lambda: len(market.step(market.now_us + step_us))


@pytest.mark.parametrize("symbols", [10, 30, 100, 500, 2_000, 10_000])
def test_generator_by_symbols(benchmark: Benchmark, symbols: int) -> None:
    """The market's cost an event, at the same number of events a second whatever the number of symbols."""
    step = market_of(symbols, 20_000)
    events = step()
    benchmark(step)
    note_cost(benchmark, "ns_an_event", events)


def test_step_of_one_event(benchmark: Benchmark) -> None:
    """The fixed cost of a step: one event a turn."""
    market = Market(Universe.of_size(500), seed=7, rate=20)
    benchmark(lambda: market.step(1 << 62, limit=1))
