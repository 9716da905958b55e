"""The past: bars from before the market started."""

import numpy as np
import pytest

from ticker.batch import INTERVALS, BarTable
from ticker.market import DEFAULT_START_US, Market
from ticker.universe import Universe

START_S = DEFAULT_START_US // 1_000_000


def market(*, symbols: str = "AAPL,MSFT", seed: int = 7, late_s: int = 0) -> Market:
    """Give a market that has just started, some seconds after the default start."""
    start_us = DEFAULT_START_US + late_s * 1_000_000
    return Market(Universe.parse(symbols), seed=seed, start_us=start_us)


def same(one: BarTable, other: BarTable) -> bool:
    """Tell whether two tables have the same rows, whatever the symbol's id."""
    names = [name for name in BarTable.__slots__ if name != "symbol"]
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_chart_is_full_in_the_first_second(interval: str) -> None:
    """Before anything has happened, there are hundreds of bars of every interval."""
    bars, partial = market().bars(0, interval, 500)
    assert not partial
    assert len(bars) >= 495


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("late_s", [0, 1, 59, 3_599, 86_399])
def test_bars_of_the_past_are_whole_aligned_and_consistent(interval: str, late_s: int) -> None:
    """Bars start on their interval's grid, none reaches into the market's own time, and high and low contain the rest."""
    length = INTERVALS[interval]
    bars, _ = market(late_s=late_s).bars(0, interval, 500)
    starts = bars.start // 1_000_000
    assert (starts % length == 0).all()
    assert (np.diff(starts) > 0).all()
    assert starts[-1] + length <= START_S + late_s
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.low >= 1).all()
    assert (bars.volume >= bars.trades).all()
    assert (bars.trades >= 1).all()
    vwap = bars.notional / bars.volume
    assert ((vwap >= bars.low - 1) & (vwap <= bars.high + 1)).all()


def test_the_past_ends_where_the_market_begins() -> None:
    """The last price of the past is the market's first."""
    bars, _ = market().bars(0, "1s", 10)
    assert abs(int(bars.close[-1]) - 18_743) <= 5


def test_intervals_agree_about_the_past() -> None:
    """Sixty bars of a minute make the hour's bar."""
    m = market()
    hour, _ = m.bars(0, "1h", 1)
    minutes, _ = m.bars(0, "1m", 200)
    inside = (minutes.start >= hour.start[0]) & (minutes.start < hour.start[0] + 3_600_000_000)
    part = minutes.take(inside)
    assert len(part) == 60
    assert part.high.max() == hour.high[0]
    assert part.low.min() == hour.low[0]
    assert part.open[0] == hour.open[0]
    assert part.close[-1] == hour.close[0]
    assert part.volume.sum() == hour.volume[0]


def test_the_past_depends_on_seed_and_symbol_alone() -> None:
    """The same seed gives the same past, whatever other symbols there are; another seed another one."""
    bars, _ = market(symbols="AAPL").bars(0, "1m", 300)
    beside_others, _ = market(symbols="MSFT,TSLA,AAPL").bars(2, "1m", 300)
    other_seed, _ = market(symbols="AAPL", seed=8).bars(0, "1m", 300)
    assert same(bars, beside_others)
    assert not same(bars, other_seed)


def test_the_past_joins_the_present_without_a_gap() -> None:
    """After some minutes, bars run from the past into the one under way, each interval once."""
    m = market()
    m.step(m.now_us + 150_000_000)
    bars, partial = m.bars(0, "1m", 60)
    assert partial
    assert len(bars) == 60
    assert (np.diff(bars.start) == 60_000_000).all()
    assert bars.start[-1] == DEFAULT_START_US + 120_000_000


def test_a_market_that_forgot_bars_does_not_jump_over_them() -> None:
    """Where the oldest bars of the market's own time are gone, the past is not shown before the rest."""
    m = market()
    history = m._books.bars.history[0]
    history._most_tables = 5
    m.step(m.now_us + 20_000_000)
    bars, _ = m.bars(0, "1s", 500)
    assert len(bars) <= 6
    assert (bars.start >= DEFAULT_START_US).all()


def test_without_trades_there_are_no_bars() -> None:
    """A market that has no trades had none."""
    m = Market(Universe.parse("AAPL"), seed=7, trade_share=0.0)
    assert len(m.bars(0, "1d", 100)[0]) == 0
