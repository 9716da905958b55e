"""The price process: addressed by time and name, correlated by sector, as volatile as the instrument says."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.processes.grid import CELL_US, CELLS_PER_SECOND
from ticker.processes.walk import (
    MARKET_LOADING,
    OWN_LOADING,
    RANGE,
    SECTOR_LOADING,
    TRADING_YEAR_S,
    RandomWalk,
)
from ticker.randomness.noise import Stream

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]
SECTORS = ["Steel", "Steel", "Bread", "Bread", "Ink", "Ink"]


def walk(
    which: list[int] | None = None,
    *,
    seed: int = 1,
    volatility: float = 0.3,
    start: float = 10_000.0,
    floor: float | None = None,
) -> RandomWalk:
    """A walk of some of the six symbols, each with a volatility of its own."""
    rows = np.array(range(6) if which is None else which)
    return RandomWalk(
        seed,
        [SYMBOLS[i] for i in rows],
        [SECTORS[i] for i in rows],
        np.full(len(rows), start) + rows,
        volatility * (1 + rows / 10),
        None if floor is None else np.full(len(rows), floor),
    )


def returns(path: np.ndarray, start: float = 10_000.0) -> np.ndarray:
    """The relative change in each cell."""
    before = np.concatenate((start + np.arange(len(path))[:, None], path[:, :-1]), axis=1)
    return path / before - 1


# The path is a function of seed, name and time.


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.sampled_from([0.3, 10.0]))
def test_the_path_does_not_depend_on_the_lengths_of_steps(
    steps: list[int], volatility: float
) -> None:
    """Walking in parts is walking at once, to the last bit, also where the walk is reflected."""
    start = 50.0
    whole, parts = (
        walk(volatility=volatility, start=start, floor=49.9),
        walk(volatility=volatility, start=start, floor=49.9),
    )
    expected = whole.advance(sum(steps))
    assert np.concatenate([parts.advance(n) for n in steps], axis=1).tobytes() == expected.tobytes()
    assert parts.price.tobytes() == whole.price.tobytes() == expected[:, -1].tobytes()
    assert parts.cell == whole.cell == sum(steps)


@given(st.permutations(range(6)).flatmap(lambda p: st.integers(1, 6).map(lambda n: p[:n])))
def test_a_symbol_has_its_path_in_any_company(which: list[int]) -> None:
    """Adding, removing and reordering symbols, and with them sectors, changes nobody else's path."""
    assert walk(which).advance(70).tobytes() == walk().advance(70)[which].tobytes()


def test_a_symbol_at_its_floor_changes_no_other_path() -> None:
    """Reflection happens to one symbol alone."""
    floor = np.full(6, 1.0)
    floor[2] = 10_001.9
    one = walk(volatility=5.0)
    other = RandomWalk(1, SYMBOLS, SECTORS, one.price, 5.0 * (1 + np.arange(6) / 10), floor)
    a, b = one.advance(200), other.advance(200)
    assert (a[2] != b[2]).any()
    assert np.delete(a, 2, axis=0).tobytes() == np.delete(b, 2, axis=0).tobytes()


def test_another_seed_gives_another_path() -> None:
    """Every symbol's path changes in every cell."""
    assert (walk(seed=1).advance(20) != walk(seed=2).advance(20)).all()


def test_the_first_cells_are_pinned() -> None:
    """The path is the same on every machine; change it only together with the golden tape of test_market.py."""
    path = walk().advance(1_000).astype("<f8")
    assert hashlib.sha256(path.tobytes()).hexdigest()[:32] == "96b11260786aa6644848a5442aa0cc7c"


def test_a_path_is_the_product_of_its_factors() -> None:
    """Each cell multiplies by 1 + sigma times the weighted sum of market, sector and own draw."""
    path = walk().advance(30)
    market = Stream(1, "walk.market", [""]).normals(0, 30)[0]
    for i, (symbol, sector) in enumerate(zip(SYMBOLS, SECTORS, strict=True)):
        own = Stream(1, "walk.symbol", [symbol]).normals(0, 30)[0]
        shared = Stream(1, "walk.sector", [sector]).normals(0, 30)[0]
        price = 10_000.0 + i
        sigma = 0.3 * (1 + i / 10) / (TRADING_YEAR_S * CELLS_PER_SECOND) ** 0.5
        for cell in range(30):
            z = MARKET_LOADING * market[cell] + SECTOR_LOADING * shared[cell]
            price *= 1 + sigma * (z + OWN_LOADING * own[cell])
            assert path[i, cell] == pytest.approx(price, rel=1e-13)


def test_cells_divide_a_second() -> None:
    """Bars end where a cell ends."""
    assert CELL_US * CELLS_PER_SECOND == 1_000_000


# Statistics.


def test_returns_correlate_as_their_sectors_do() -> None:
    """About .20 across sectors, .32 within one."""
    correlation = np.corrcoef(returns(walk().advance(100_000)))
    for i in range(6):
        for j in range(i):
            expected = 0.325 if SECTORS[i] == SECTORS[j] else 0.2025
            assert correlation[i, j] == pytest.approx(expected, abs=0.015)
    loadings = (MARKET_LOADING, SECTOR_LOADING, OWN_LOADING)
    assert sum(loading**2 for loading in loadings) == pytest.approx(1)


def test_realised_volatility_is_the_annual_volatility() -> None:
    """Scaled to a year of trading, the standard deviation of returns is what the instrument says."""
    deviation = returns(walk().advance(100_000)).std(axis=1)
    annual = deviation * (TRADING_YEAR_S * CELLS_PER_SECOND) ** 0.5
    assert annual == pytest.approx(0.3 * (1 + np.arange(6) / 10), rel=0.015)


def test_returns_have_no_memory() -> None:
    """A return says nothing about the next ones, and has no drift."""
    changes = returns(walk().advance(100_000))
    changes /= changes.std(axis=1, keepdims=True)
    limit = 4.5 / 100_000**0.5
    assert (abs(changes.mean(axis=1)) < limit).all()
    for lag in (1, 2, 3, 4, 5, 10):
        assert (abs((changes[:, lag:] * changes[:, :-lag]).mean(axis=1)) < limit).all()


def test_without_volatility_the_price_stays() -> None:
    """A volatility of 0 is allowed."""
    assert (walk(volatility=0.0).advance(100) == 10_000 + np.arange(6)[:, None]).all()


# The bounds.


def naive(growth: np.ndarray, price: float, floor: float, ceiling: float) -> list[float]:
    """A reflected walk, written without arrays."""
    path = []
    for factor in growth:
        price *= float(factor)
        if price < floor:
            price = floor * (floor / price)
        if price > ceiling:
            price = ceiling * (ceiling / price)
        path.append(price)
    return path


@pytest.mark.parametrize(("low", "start", "high"), [(49.99, 50.0, 5_000.0), (0.5, 50.0, 50.05)])
def test_a_path_is_mirrored_at_its_floor_and_its_ceiling(
    low: float, start: float, high: float
) -> None:
    """At a bound, the logarithm of the price turns back."""
    free = RandomWalk(1, ["AAA"], ["Steel"], np.array([1e6]), np.array([10.0]))
    bound = RandomWalk(1, ["AAA"], ["Steel"], np.array([start]), np.array([10.0]), np.array([low]))
    bound._ceiling = np.array([high])
    factors = np.concatenate(([1e6], free.advance(1_000)[0]))
    path = bound.advance(1_000)[0]
    assert path == pytest.approx(naive(factors[1:] / factors[:-1], start, low, high), rel=1e-9)
    assert low <= path.min() < path.max() <= high
    assert abs(path - (low if high > 100 else high)).min() < 0.01


def test_a_wild_price_neither_vanishes_nor_explodes() -> None:
    """At the highest volatility, years of trading keep the price within a hundredth and a hundred times its start."""
    wild = RandomWalk(
        1,
        ["A", "B", "C"],
        ["S", "S", "T"],
        np.array([4.0, 1e4, 1e11]),
        np.full(3, 10.0),
        np.full(3, 2.0),
    )
    low, high = np.full(3, np.inf), np.zeros(3)
    for _ in range(120):
        path = wild.advance(5_000)
        low, high = np.minimum(low, path.min(axis=1)), np.maximum(high, path.max(axis=1))
    assert (low >= [2.0, 100.0, 1e9]).all()
    assert (high <= np.array([4.0, 1e4, 1e11]) * RANGE).all()


@settings(max_examples=20)
@given(st.floats(0.01, 9.99))
def test_a_floor_is_never_below_a_hundredth_of_the_start(floor: float) -> None:
    """A floor only narrows the range."""
    assert walk(start=1_000.0, floor=floor)._floor.min() == 10.0
    assert walk(start=1_000.0)._floor.min() == 10.0
