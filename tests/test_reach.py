"""A scripted move of several symbols reaches each by its own beta; the size is their mean, and that of a single one exactly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, START, events, run

from ticker.batch import QUOTES, TickBatch
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.scenario import Scenario
from ticker.scenarios import scenario_named
from ticker.staging.reach import levels, reach
from ticker.universe import Universe

PURPOSE = "scenario.test"
MANY = Universe.of_size(500)


def reaches(universe: Universe, seed: int = 7) -> np.ndarray:
    return reach(universe, np.arange(len(universe)), seed, PURPOSE)


def last_middles(batch: TickBatch, count: int) -> np.ndarray:
    """The middle of the last quote of each symbol."""
    middle = np.zeros(count)
    quotes = batch[batch.channel == QUOTES]
    middle[quotes.symbol] = (quotes.price + quotes.ask) / 2
    return middle


def moves(universe: Universe, scenario: Scenario, symbols: list[int] | None = None) -> np.ndarray:
    """By how much a scenario has moved each price after ten seconds, as returns."""
    played, plain = (Market(universe, seed=3, rate=20, model="gbm") for _ in range(2))
    played.play(scenario, symbols=symbols)
    ends = [last_middles(run(market, 10), len(universe)) for market in (played, plain)]
    out: np.ndarray = ends[0] / ends[1] - 1
    return out


# How far it reaches.


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.sampled_from(["Energy", "Utilities", "Other"])),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 5),
    st.floats(-0.99, 99).filter(lambda size: abs(size) > 1e-6),
)
def test_the_mean_of_the_returns_is_what_was_asked_for(
    symbols: list[tuple[float, str]], seed: int, size: float
) -> None:
    """Whatever is traded; and all go the same way, none to 0."""
    universe = Universe(
        [
            Instrument(f"S{i}", 10.0, volatility=volatility, sector=sector)
            for i, (volatility, sector) in enumerate(symbols)
        ]
    )
    factors = reaches(universe, seed)
    assert factors.mean() == pytest.approx(1)
    assert (factors > 0).all()
    ((_, level),) = levels(((0, size),), factors)
    returns = np.expm1(level * factors)
    assert returns.mean() == pytest.approx(size, abs=1e-4)
    assert (np.exp(level * factors) > 0).all(), "though 1 - 1e-17 is 1"
    assert (np.sign(returns) == np.sign(size)).all()


def test_wild_stocks_go_further_and_those_of_a_sector_alike() -> None:
    """Medians over twenty seeds of 500 symbols."""
    volatility = MANY.column("volatility")
    wild, calm = (
        volatility > np.quantile(volatility, 0.8),
        volatility < np.quantile(volatility, 0.2),
    )
    sectors = np.array([instrument.sector for instrument in MANY])
    ratios, shares, spreads = [], [], []
    for seed in range(20):
        factors = reaches(MANY, seed)
        ratios.append(factors[wild].mean() / factors[calm].mean())
        own = np.log(factors / (1 / 3 + 2 / 3 * volatility / volatility.mean()))
        within = np.mean([own[sectors == sector].var() for sector in set(sectors)])
        shares.append(within / own.var())
        spreads.append(np.log(factors).std())
    assert 1.6 < np.median(ratios) < 2.6
    assert 0.55 < np.median(shares) < 0.9
    assert 0.35 < np.median(spreads) < 0.6


def test_a_wild_day_leaves_one_stock_in_seven_far_behind() -> None:
    """With an index at -5.5 %, as in the minutes of 6 May 2010: 5 to 20 % of the stocks fall by more than a tenth."""
    shares = []
    for seed in range(20):
        factors = reaches(MANY, seed)
        ((_, level),) = levels(((0, -0.055),), factors)
        shares.append((np.expm1(level * factors) < -0.1).mean())
    assert 0.05 < np.median(shares) < 0.2


def test_a_factor_is_drawn_by_name_and_by_seed() -> None:
    """In another order, each symbol has the same; with another seed, another."""
    forward = reaches(MANY)
    backward = reaches(Universe(MANY.instruments[::-1]))
    np.testing.assert_allclose(forward, backward[::-1], rtol=1e-12)
    assert np.abs(forward - reaches(MANY, 8)).max() > 0.1


def test_where_nothing_is_volatile_betas_are_one() -> None:
    still = Universe([Instrument(f"S{i}", 10.0, volatility=0.0) for i in range(30)])
    factors = reaches(still)
    assert factors.mean() == pytest.approx(1)
    assert 0.2 < np.log(factors).std() < 0.45


# In a market.


def test_a_market_moves_by_the_size_and_its_symbols_do_not() -> None:
    scenario = Scenario("step", path=((0, 0), (2, -0.2)))
    returns = moves(Universe.of_size(30), scenario)
    assert returns.mean() == pytest.approx(-0.2, abs=1e-4)
    assert returns.std() > 0.03
    assert (returns < -0.05).all()
    assert len(set(np.round(returns, 3))) > 25


def test_a_single_symbol_moves_by_exactly_the_size() -> None:
    scenario = Scenario("step", path=((0, 0), (2, -0.2)))
    returns = moves(Universe.of_size(30), scenario, [6])
    assert returns[6] == pytest.approx(-0.2, abs=1e-4)
    assert not np.delete(returns, 6).any()


def test_those_that_move_alike_do() -> None:
    scenario = Scenario("step", path=((0, 0), (2, 0.3)), alike=True)
    returns = moves(Universe.of_size(30), scenario, [3, 4, 6])
    np.testing.assert_allclose(returns[[3, 4, 6]], 0.3, atol=1e-3)


def test_what_has_moved_apart_stays_apart() -> None:
    """The walk goes on from there when the scenario is over, and a second one moves each by as much again."""
    universe = Universe.of_size(4)
    market, plain = (Market(universe, seed=3, rate=20, model="gbm") for _ in range(2))
    for at_s in (0, 20):
        market.play(
            scenario_named("closing_auction", size=-0.1, duration_s=5), START + at_s * SECOND
        )
    ratios = []
    for seconds in (12, 19, 39):
        until = START + seconds * SECOND
        ends = [last_middles(one.step(until), 4) for one in (market, plain)]
        ratios.append(np.log(ends[0] / ends[1]))
    assert np.ptp(ratios[0]) > 0.02
    for (first, second), times in zip(pairwise(ratios), (1, 2), strict=True):
        np.testing.assert_allclose(second, times * first, atol=0.006)


def test_however_it_is_asked_the_bytes_are_the_same() -> None:
    universe, tapes = Universe.of_size(4), []
    for lengths in ([5 * SECOND], [1, 999_999, 2 * SECOND, 17, 2 * SECOND - 17]):
        market = Market(universe, seed=3, rate=40)
        market.play(scenario_named("flash_crash", duration_s=4))
        tapes.append(TickBatch.join([market.step(market.now_us + length) for length in lengths]))
    assert events(tapes[0]) == events(tapes[1])
