"""The past: bars from before the market started."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from math import isclose
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import UNIVERSES, table_rows
from numpy.typing import NDArray

from ticker.backfill.days import Days
from ticker.batch import INTERVALS, BarTable
from ticker.instruments import Instrument
from ticker.market import DEFAULT_START_US, Market
from ticker.model import MODELS
from ticker.processes.walk import TRADING_YEAR_S
from ticker.trading_day.shape import DayShape
from ticker.universe import Universe

EVERYTHING = [i for name in sorted(UNIVERSES) for i in UNIVERSES[name]]

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
    bars, _ = market().bars(0, interval, 500)
    assert len(bars) >= 495


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("late_s", [0, 1, 59, 3_599, 34_200, 86_399])
def test_bars_of_the_past_are_aligned_and_consistent(interval: str, late_s: int) -> None:
    """Bars start on their interval's grid, none is of the market's own time, and high and low contain the rest."""
    length = INTERVALS[interval]
    bars, partial = market(late_s=late_s).bars(0, interval, 500)
    starts = bars.start // 1_000_000
    assert (starts % length == 0).all()
    assert (np.diff(starts) > 0).all()
    assert starts[-1] < START_S + late_s
    assert partial == (starts[-1] + length > START_S + late_s)
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.low >= 1).all()
    assert (bars.volume >= bars.trades).all()
    assert (bars.trades >= 1).all()
    assert (bars.notional >= bars.low * bars.volume).all()
    assert (bars.notional <= bars.high * bars.volume).all()


def test_the_past_ends_where_the_market_begins() -> None:
    """The last price of the past is the market's first."""
    m = market()
    for interval in INTERVALS:
        assert m.bars(0, interval, 1)[0].close.tolist() == [18_743]


STARTS = st.one_of(
    st.integers(0, 2_000_000_000), st.integers(0, 20_000).map(lambda day: day * 86_400)
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    start_s=STARTS,
    instrument=st.sampled_from(EVERYTHING),
    rate=st.sampled_from([0.001, 0.1, 4.0, 100.0]),
    share=st.sampled_from([0.1, 0.25, 0.9, 1.0]),
    model=st.sampled_from(list(MODELS)),
    live_s=st.sampled_from([0, 75]),
)
def test_shorter_bars_make_the_longer_ones(
    seed: int,
    start_s: int,
    instrument: Instrument,
    rate: float,
    share: float,
    model: str,
    live_s: int,
) -> None:
    """Exactly, in every column, of any market, at its start and later, and up to the bar under way."""
    m = Market(
        Universe([instrument]),
        seed=seed,
        start_us=start_s * 1_000_000,
        rate=rate,
        trade_share=share,
        model=model,
    )
    m.step(m.now_us + live_s * 1_000_000)
    for shorter, longer in pairwise(INTERVALS):
        parts, bars = m.bars(0, shorter, 5_000)[0], m.bars(0, longer, 5_000)[0]
        # The earlier part of the first one may not be there.
        made = list(merged(parts, INTERVALS[longer] * 1_000_000))[1:]
        wanted = [row[1:] for row in table_rows(bars)][-len(made) :]
        pairs = zip(made, wanted, strict=False)
        other = [(one, two) for one, two in pairs if not alike(one, two)]
        assert not other[:1]
        assert len(wanted) >= len(made)


def alike(one: tuple[Any, ...], two: tuple[Any, ...]) -> bool:
    """Alike in every column; prices times shares, which may be more than a float has digits for, up to its last ones."""
    return one[:6] == two[:6] and isclose(one[6], two[6], rel_tol=1e-12) and one[7:] == two[7:]


def merged(bars: BarTable, length: int) -> Iterator[tuple[Any, ...]]:
    """Bars put together to intervals of a length, the naive way."""
    for start, group in groupby(table_rows(bars), lambda row: row[1] // length * length):
        rows = list(group)
        high, low = max(row[3] for row in rows), min(row[4] for row in rows)
        sums = [sum(row[i] for row in rows) for i in (6, 7, 8)]
        yield (start, rows[0][2], high, low, rows[-1][5], *sums)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    start_s=STARTS,
    rate=st.sampled_from([0.0, 0.001, 0.1, 10.0]),
    live_s=st.sampled_from([0, 1, 75]),
)
def test_the_days_figures_are_those_of_its_bar(
    seed: int, start_s: int, rate: float, live_s: int
) -> None:
    """Open, high, low and volume of the bar under way, and the close of the one before."""
    m = Market(Universe(EVERYTHING), seed=seed, start_us=start_s * 1_000_000, rate=rate)
    m.step(m.now_us + live_s * 1_000_000)
    for symbol in range(seed % 7, len(EVERYTHING), 7):
        bars, partial = m.bars(symbol, "1d", 3)
        state = m.snapshot(symbol)
        assert partial == (state.volume > 0)
        if partial:
            today = (bars.open[-1], bars.high[-1], bars.low[-1], bars.volume[-1], bars.close[-1])
            assert today == (state.open, state.high, state.low, state.volume, state.last)
        else:
            assert state.open is state.high is state.low is None
        before = bars.close[: len(bars) - partial]
        if len(before):
            assert before[-1] == state.prev_close


def test_the_end_of_the_day_closes_its_bar() -> None:
    """Before and after it, the previous close is the close of the last whole day."""
    m = market(late_s=86_400 - 52_200 - 30)
    for _ in range(4):
        bars, partial = m.bars(0, "1d", 10)
        state = m.snapshot(0)
        assert state.prev_close == bars.close[-1 - partial]
        assert (state.open == bars.open[-1]) == partial
        m.step(m.now_us + 15_000_000)


def test_a_symbol_is_alike_alone_and_among_others() -> None:
    """The day's figures, which are made for all symbols at once, too."""
    everybody = Market(Universe.of_size(300), seed=11)
    for symbol in (0, 7, 299):
        alone = Market(Universe([everybody.universe[symbol]]), seed=11)
        assert replace(alone.snapshot(0), symbol=symbol) == everybody.snapshot(symbol)
        for interval in INTERVALS:
            assert same(alone.bars(0, interval, 300)[0], everybody.bars(symbol, interval, 300)[0])


def minutes_of(m: Market, symbol: int) -> tuple[BarTable, NDArray[np.int64]]:
    """The minutes of the past, and which minute of the market's day each is."""
    bars, _ = m.bars(symbol, "1m", 5_000)
    shape = m.model.shape
    first = 0 if shape is None else shape.first_minute
    return bars, ((bars.start - m.now_us) // 60_000_000 + first) % 390


@pytest.mark.parametrize("model", MODELS)
def test_the_past_has_the_shape_of_the_markets_days(model: str) -> None:
    """Volume and ranges are larger after an opening and before a close than at noon; in a plain market they are not."""
    m = Market(Universe.of_size(4), seed=5, model=model)
    volume, width = np.zeros(390), np.zeros(390)
    for symbol in range(4):
        bars, minute = minutes_of(m, symbol)
        volume += np.bincount(minute, bars.volume / bars.volume.mean(), 390)
        width += np.bincount(minute, (bars.high - bars.low) / (bars.high - bars.low).mean(), 390)
    noon = slice(150, 240)
    for made, least in ((volume, 1.25), (width, 1.1)):
        for part in (slice(0, 15), slice(375, 390)):
            ratio = made[part].mean() / made[noon].mean()
            assert (ratio > least) == (model == "full")
    assert volume[:15].mean() / volume[noon].mean() < 4


def test_days_are_unequal_with_a_heavy_tail() -> None:
    """The volume of days has a power law's tail, and days of more volume move more."""
    m = market(symbols="30")
    tails, together = [], []
    for symbol in range(0, 30, 3):
        bars, _ = m.bars(symbol, "1d", 500)
        volume = bars.volume[:-1]
        top = np.sort(volume)[-25:]
        tails.append(1 / np.log(top[1:] / top[0]).mean())
        moves = np.abs(np.log(bars.close[:-1] / bars.open[:-1]))
        together.append(np.corrcoef(moves, np.log(volume))[0, 1])
    assert 2 < np.median(tails) < 6
    assert np.median(together) > 0.1


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_past_is_as_volatile_as_the_instrument(interval: str) -> None:
    """Where the volatility is constant, the moves of any interval have the variance that the annual volatility says."""
    ratios = []
    for seed in range(5):
        m = Market(Universe.of_size(30), seed=seed, model="gbm")
        for symbol in range(0, 30, 6):
            bars, _ = m.bars(symbol, interval, 2_000)
            usual = m.universe[symbol].volatility ** 2 / TRADING_YEAR_S
            moves = np.diff(np.log(bars.close))
            ratios.append((moves**2).sum() / (usual * (bars.start[-1] - bars.start[0]) / 1e6))
    # Prices are whole ticks, which is more of a second's moves than of a minute's.
    assert 0.9 < np.mean(ratios) < (1.4 if interval == "1s" else 1.15)


def test_wild_days_keep_the_volatility_of_a_year() -> None:
    """On average over many: a day's variance is that of the instrument, however unequal days are."""
    universe, moves = Universe.of_size(10), []
    for seed in range(60):
        price = universe.start_ticks().astype(np.int64)
        days = Days(seed, universe, price, START_S, trade_rate=2.5, shape=DayShape(), wild=1.0)
        for symbol in range(10):
            usual = universe[symbol].volatility * np.sqrt(86_400 / TRADING_YEAR_S)
            moves.append(np.diff(np.log(days.of(symbol, 500).close))[:-1] / usual)
    assert 0.9 < np.mean(np.square(np.concatenate(moves))) < 1.1


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
