"""The past looks like a market too: the literature's facts, on bars from before the start."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ticker.batch import BarTable
from ticker.facts.measures import (
    aggregate,
    autocorrelation,
    correlation,
    cross_correlation,
    deseasonalised,
    excess_kurtosis,
    hill,
    pairs,
)
from ticker.market import DEFAULT_START_US, Market
from ticker.universe import Universe

F64 = NDArray[np.float64]

SYMBOLS, SESSIONS, MINUTES = 20, 12, 390
MINUTE_US = 60_000_000


def past(model: str = "full") -> Market:
    """A market that starts at an opening: with ten trades a second and symbol or so, no minute is without one."""
    universe = Universe.of_size(SYMBOLS)
    return Market(universe, seed=9301, rate=40.0, model=model)


@pytest.fixture(scope="module")
def minutes() -> tuple[F64, F64]:
    """Returns and volumes of the minutes of whole days of the market, shape (symbols, sessions, minutes)."""
    market = past()
    opening = market.now_us - 60 * MINUTE_US
    rows = []
    for symbol in range(SYMBOLS):
        bars, _ = market.bars(symbol, "1m", 5_000)
        end = int(np.searchsorted(bars.start, opening))
        days = slice(end - SESSIONS * MINUTES, end)
        assert (np.diff(bars.start[days]) == MINUTE_US).all()
        close = np.log(bars.close[days.start - 1 : end])
        rows.append((np.diff(close), bars.volume[days].astype(float)))
    returns, volume = (np.stack(c).reshape(SYMBOLS, SESSIONS, -1) for c in zip(*rows, strict=True))
    return returns, volume


def median(values: F64) -> float:
    """Over symbols."""
    return float(np.median(values))


def test_returns_of_the_past_know_nothing_of_those_before(minutes: tuple[F64, F64]) -> None:
    """Facts 1: no linear autocorrelation over minutes, nor over five minutes."""
    returns, _ = minutes
    for sums in (returns, aggregate(returns, 5)):
        assert np.abs(np.median(autocorrelation(sums, range(1, 11)), axis=0)).max() <= 0.03


def test_tails_of_the_past_are_heavy(minutes: tuple[F64, F64]) -> None:
    """Facts 2, 3 and 6: and lighter over longer intervals."""
    returns, _ = minutes
    found = [
        median(excess_kurtosis(aggregate(returns, n).reshape(SYMBOLS, -1))) for n in (1, 5, 30)
    ]
    assert 3 < found[0] < 40
    assert found[0] > found[1] > found[2]
    assert 2.2 < median(hill(returns, 0.015)) < 5


def test_the_volatility_of_the_past_clusters(minutes: tuple[F64, F64]) -> None:
    """Facts 4, 5 and 10: for hours, and busy minutes are wild."""
    returns, volume = minutes
    size = deseasonalised(np.abs(returns))
    memory = autocorrelation(size, [*range(1, 21), 60, 200])
    assert 0.05 < median(memory[:, :20].mean(axis=1)) < 0.4
    assert median(memory[:, 20]) > 0
    assert memory[:, 21].mean() > 0
    assert 0.15 < median(correlation(deseasonalised(volume), size)) < 0.8


def test_the_past_has_the_shape_of_a_day(minutes: tuple[F64, F64]) -> None:
    """Fact 11: wild and busy at first, calm at noon, busy at the end."""
    returns, volume = minutes
    early, noon, late = slice(0, 30), slice(150, 270), slice(-30, None)
    for values, opening, closing in ((np.abs(returns), 4, 2.5), (volume, 4, 5)):
        middle = values[:, :, noon].mean(axis=(1, 2))
        assert 1.5 < median(values[:, :, early].mean(axis=(1, 2)) / middle) < opening
        assert 1.1 < median(values[:, :, late].mean(axis=(1, 2)) / middle) < closing


def test_symbols_of_the_past_move_together(minutes: tuple[F64, F64]) -> None:
    """Fact 12: those of a sector more."""
    returns, _ = minutes
    sectors = np.array([i.sector for i in past().universe])
    same = np.equal.outer(sectors, sectors)
    for intervals in (1, 5):
        matrix = np.corrcoef(aggregate(returns, intervals).reshape(SYMBOLS, -1))
        assert 0.05 < pairs(matrix, np.ones_like(same)) < 0.45
        assert pairs(matrix, same) - pairs(matrix, ~same) >= 0.05


def daily(model: str) -> tuple[F64, list[BarTable]]:
    """Returns of 499 days, shape (symbols, 1, days)."""
    market = past(model)
    tables = [market.bars(symbol, "1d", 500)[0] for symbol in range(SYMBOLS)]
    closes = np.log(np.stack([table.close for table in tables])[:, :-1])
    return np.diff(closes, axis=1)[:, None], tables


def test_days_of_the_past_cluster_and_falls_raise_the_volatility() -> None:
    """Heavy tails, volatility in clusters of weeks, leverage, and returns without memory; nothing of that in the plain market."""
    for model in ("full", "gbm"):
        returns, tables = daily(model)
        size = np.abs(returns)
        memory = autocorrelation(size, range(1, 11)).mean()
        leverage = cross_correlation(returns, size, range(1, 11)).mean()
        kurtosis = median(excess_kurtosis(returns[:, 0]))
        assert abs(autocorrelation(returns, range(1, 6)).mean()) < 0.02
        if model == "full":
            assert memory > 0.04
            assert leverage < -0.02
            assert kurtosis > 1.5
        else:
            assert abs(memory) < 0.02
            assert abs(kurtosis) < 0.5
        assert all((table.high > table.low).all() for table in tables)


def test_nights_move_prices_where_there_are_sessions() -> None:
    """15 % of a day's variance is between one regular session and the next; a market that is always open has no gaps."""
    shares = []
    for rules in ("us", "open"):
        market = Market(
            Universe.of_size(SYMBOLS), seed=9301, rules=rules, start_us=DEFAULT_START_US
        )
        night, day = [], []
        for symbol in range(SYMBOLS):
            bars, _ = market.bars(symbol, "1d", 500)
            night.append(np.log(bars.open[1:] / bars.close[:-1]))
            day.append(np.log(bars.close[1:] / bars.open[1:]))
        gaps, moves = np.square(night).mean(), np.square(day).mean()
        shares.append(gaps / (gaps + moves))
    assert 0.12 < shares[0] < 0.18
    assert shares[1] < 0.001
