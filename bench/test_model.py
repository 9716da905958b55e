"""What the model costs: the full one beside plain geometric Brownian motion, and each part beside none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.figures import Benchmark, note_cost, note_rate
from ticker.generator.prices import Prices
from ticker.market import Market
from ticker.model import FULL, GBM, Model
from ticker.scenario import Scenario
from ticker.scenarios import scenario_named
from ticker.script import ScriptedTrade
from ticker.universe import Universe

PARTS = ("volatility", "shape", "tails", "jumps", "lags", "arrivals", "signs", "spread")


def cost(
    benchmark: Benchmark,
    model: Model,
    symbols: int,
    rate: float,
    events: int,
    begin: Callable[[Market], object] = id,
) -> None:
    """Steps of about so many events, as the feed gets them: bars, day statistics and all; ``begin`` lays something over."""
    market = Market(Universe.of_size(symbols), seed=7, rate=rate, model=model)
    # Past the opening, where the day is neither busy nor quiet.
    market.step(market.now_us + 1_000_000)
    begin(market)
    step_us = round(events / (rate * symbols) * 1e6)
    sizes: list[int] = []
    benchmark(lambda: sizes.append(len(market.step(market.now_us + step_us))))
    mean = sum(sizes) / len(sizes)
    note_cost(benchmark, "ns_an_event", mean, of="min")
    note_rate(benchmark, mean, of="min", digits=2)


@pytest.mark.parametrize("model", [GBM, FULL], ids=lambda m: m.name)
@pytest.mark.parametrize("rate", [2.0, 20.0, 200.0])
def test_market_of_500_symbols(benchmark: Benchmark, model: Model, rate: float) -> None:
    """The whole market, by events a second and symbol."""
    cost(benchmark, model, 500, rate, 20_000)


LAID_OVER: dict[str, Callable[[Market], object]] = {
    "nothing": id,
    "a trade that is over": lambda m: m.schedule(m.now_us, ScriptedTrade(0, 100, 1)),
    "a scenario of one": lambda m: m.play(scenario_named("volatile"), symbols=[0]),
    "a scenario of all": lambda m: m.play(scenario_named("volatile")),
    "bands of all": lambda m: m.play(Scenario("bands", bands=1)),
}


@pytest.mark.parametrize("what", LAID_OVER)
def test_laid_over(benchmark: Benchmark, what: str) -> None:
    """The whole market with something laid over it: nothing must cost nothing."""
    cost(benchmark, FULL, 500, 20.0, 20_000, LAID_OVER[what])


@pytest.mark.parametrize("part", PARTS)
def test_one_part_alone(benchmark: Benchmark, part: str) -> None:
    """Plain GBM with one part more."""
    model = replace(GBM, **{part: getattr(FULL, part)})
    cost(benchmark, model, 500, 20.0, 20_000)


@pytest.mark.parametrize("model", [GBM, FULL], ids=lambda m: m.name)
def test_prices(benchmark: Benchmark, model: Model) -> None:
    """Prices without events: 1,000 symbols, ten seconds a call."""
    universe = Universe.of_size(1_000)
    walk = Prices(
        model,
        7,
        universe.symbols,
        [i.sector for i in universe],
        universe.start_ticks(),
        universe.column("volatility"),
    )
    benchmark(walk.seconds, 10)
    note_cost(benchmark, "ns_a_cell", 1_000 * 100, of="min", digits=1)
