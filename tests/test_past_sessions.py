"""The past of a market with the rules of the US market: its newest trades and quotes, and the bars of them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, UNIVERSES, Event, events, moved_by, naive_bars
from us_checker import session_at
from us_markets import us
from wire import running

from ticker.backfill.prelude import MOST_EVENTS
from ticker.batch import INTERVALS, QUOTES, TRADES, BarTable
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.reference.marks import marked
from ticker.universe import Universe

STARTS = {
    "the pre-market": "2026-01-05T07:30",
    "the first seconds of the day": "2026-01-05T04:00:10",
    "the opening": "2026-01-05T09:30",
    "the first seconds of trading": "2026-01-05T09:30:07",
    "the morning": "2026-01-06T09:41:13",
    "noon": "2026-01-05T12:00",
    "the close": "2026-01-05T16:00",
    "seconds after the close": "2026-01-05T16:00:02",
    "after hours": "2026-07-06T17:10",
    "the night": "2026-07-06T23:15",
    "midnight in Greenwich": "2026-01-06T19:20",
    "a Saturday": "2026-01-10T12:00",
    "a holiday": "2026-01-19T11:00",
    "half a day": "2026-11-27T12:50",
    "after half a day": "2026-11-27T13:20",
    "the night after half a day": "2026-11-27T18:20",
    "the Sunday of summer time": "2026-03-08T03:30",
    "the Monday after it": "2026-03-09T04:20",
    "the Monday of winter time": "2026-11-02T09:45",
}
DAY = 86_400 * SECOND
EVERYTHING = [i for name in sorted(UNIVERSES) for i in UNIVERSES[name]]
starts = st.sampled_from([us(text) for text in STARTS.values()])
any_second = st.integers(us("2026-01-06T00:00") // SECOND, us("2026-12-29T00:00") // SECOND)


def market(at_us: int, *, instruments: list[Instrument] | None = None, **options: Any) -> Market:
    universe = Universe(instruments) if instruments else Universe.parse("AAPL,KO,COST")
    own: dict[str, Any] = {"seed": 5} | options
    return Market(universe, start_us=at_us, rules="us", **own)


def read(m: Market, symbol: int) -> list[Event]:
    """The events from before the start, after a look at what holds for all of them."""
    batch, lot = m.recent(symbol), m.universe[symbol].round_lot
    assert (batch.symbol == symbol).all()
    assert (np.diff(batch.time) >= 0).all()
    assert (batch.time < m.now_us).all()
    tick = m.universe[symbol].tick_size
    cent = round(0.01 / tick) if tick < 0.005 else 1
    for channel in (TRADES, QUOTES):
        seq = batch.seq[batch.channel == channel]
        assert (seq == np.arange(1 - len(seq), 1)).all()
    standing, found = None, events(batch)
    for event in found:
        begin, status, _ = session_at(event.time / 1_000)
        assert status != "closed"
        prices = [event.price, event.ask] if event.channel == QUOTES else [event.price]
        assert all(price >= 1 for price in prices)
        assert cent <= 1 or all(p % cent == 0 for p in prices if p >= 100 * cent)
        if event.channel == QUOTES:
            standing = event
            assert event.price < event.ask
            assert event.size % lot == event.ask_size % lot == 0
            continue
        exchange, codes = marked(event.ask)
        if standing is not None:
            assert standing.price <= event.price <= standing.ask
        assert exchange is not None
        auction = set(codes) & {"O", "6"}
        assert ("I" in codes) == (event.size < lot)
        assert ("T" in codes) == (status != "trading" and not auction)
        if auction:
            assert event.time // SECOND == begin / 1_000
            assert exchange == (m.universe[symbol].exchange or "Q")
            assert auction == {"O" if status == "trading" else "6"}
            if standing is not None:
                assert (standing.price + standing.ask) // 2 == event.price
    return found


def trades_of(found: list[Event]) -> list[tuple[int, ...]]:
    return [(e.time, e.price, e.size, e.ask) for e in found if e.channel == TRADES]


def rows_of(bars: BarTable) -> list[tuple[int, ...]]:
    """Start, open, high, low, close, volume, notional, trades."""
    columns = ("start", "open", "high", "low", "close", "volume", "notional", "trades")
    return list(zip(*(getattr(bars, c).tolist() for c in columns), strict=True))


@pytest.mark.parametrize("at", STARTS.values(), ids=STARTS)
def test_there_is_a_tape_whenever_the_market_starts(at: str) -> None:
    """As long as elsewhere, or of an hour in which the market was open; and it ends with what the snapshot at the start says."""
    m = market(us(at))
    for symbol in range(3):
        found, state = read(m, symbol), m.snapshot(symbol)
        assert len(found) > 150
        assert len(found) < 3 * MOST_EVENTS
        quote = [e for e in found if e.channel == QUOTES][-1]
        assert (quote.price, quote.size) == (state.bid, state.bid_size)
        assert (quote.ask, quote.ask_size) == (state.ask, state.ask_size)
        moving = [t for t in trades_of(found) if "last" in moved_by(t[3])]
        assert not moving or moving[-1][1] == state.last
        codes = Counter(code for t in trades_of(found) for code in marked(t[3])[1])
        assert codes["I"] > 20
        assert codes["F"] > 10
        if session_at(found[0].time / 1_000)[1] != "trading":
            assert codes["T"] > 20


@settings(max_examples=25, deadline=None)
@given(
    any_second, st.integers(0, 99), st.sampled_from(EVERYTHING), st.sampled_from([0.01, 2.0, 300.0])
)
def test_what_holds_for_a_tape_holds_for_any(
    second: int, seed: int, instrument: Instrument, rate: float
) -> None:
    """At any second of a year, of any symbol: in order, on the grid, inside of the quote, in its session."""
    m = market(second * SECOND, instruments=[instrument], seed=seed, rate=rate)
    found, state = read(m, 0), m.snapshot(0)
    moving = [t for t in trades_of(found) if "last" in moved_by(t[3])]
    assert not moving or moving[-1][1] == state.last
    assert bool(found) == bool(instrument.activity) or rate == 0.01


@pytest.mark.parametrize("at", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("rate", [1.0, 30.0])
def test_bars_of_the_past_are_those_of_its_trades(at: str, rate: float) -> None:
    """Of those that last-sale rules count, exactly, where all trades of the interval are there; its shares are those of all."""
    m = market(us(at), rate=rate)
    trades = trades_of(read(m, 2))
    for interval, seconds in INTERVALS.items():
        expected = [b for b in naive_bars(trades, seconds * SECOND) if b[0] > trades[0][0]]
        found, _ = m.bars(2, interval, len(expected) + 1)
        first = int(np.searchsorted(found.start, trades[0][0], "right"))
        assert rows_of(found.take(slice(first, None))) == expected


@settings(max_examples=8, deadline=None)
@given(starts, st.integers(0, 99), st.sampled_from([0.01, 2.0, 100.0]), st.sampled_from([0, 75]))
def test_shorter_bars_make_the_longer_ones(start: int, seed: int, rate: float, live_s: int) -> None:
    """Prices do; shares too, but for those of intervals without a price, which are in the longer bar alone."""
    m = market(start, seed=seed, rate=rate)
    m.step(m.now_us + live_s * SECOND)
    for shorter, longer in pairwise(INTERVALS):
        parts, bars = m.bars(0, shorter, 1_000)[0], m.bars(0, longer, 1_000)[0]
        length = INTERVALS[longer] * SECOND
        groups: dict[int, list[tuple[int, ...]]] = {}
        for row in rows_of(parts):
            groups.setdefault(row[0] // length * length, []).append(row)
        by_start = {row[0]: row for row in rows_of(bars)}
        for begin in list(groups)[1:]:
            rows, whole = groups[begin], by_start[begin]
            assert (rows[0][1], rows[-1][4]) == (whole[1], whole[4])
            assert max(r[2] for r in rows) == whole[2]
            assert min(r[3] for r in rows) == whole[3]
            for column in (5, 7):
                assert sum(r[column] for r in rows) <= whole[column]
        if longer in ("5m", "1h") and rate == 100.0:
            regular = [
                b
                for b in list(groups)[1:]
                if len(groups[b]) == length // SECOND // INTERVALS[shorter]
            ]
            assert longer == "1h" or len(regular) > 100
            for begin in regular:
                for column in (5, 6, 7):
                    total = sum(r[column] for r in groups[begin])
                    assert total == pytest.approx(by_start[begin][column], rel=1e-12)


def test_opening_and_closing_prints_are_in_the_past() -> None:
    """Both on the second, at the listing exchange, with shares of the day's; the bar of the close has nothing else that moves."""
    m = market(us("2026-01-05T16:00:02"))
    (close,) = [t for t in trades_of(read(m, 1)) if "6" in marked(t[3])[1]]
    assert marked(close[3]) == ("N", ("6",))
    assert close[0] == us("2026-01-05T16:00")
    assert 0.03 < close[2] / m.snapshot(1).volume < 0.2
    m = market(us("2026-01-06T09:30:07"), rate=1.0)
    (opening,) = [t for t in trades_of(read(m, 0)) if "O" in marked(t[3])[1]]
    assert opening[0] == us("2026-01-06T09:30")
    assert m.snapshot(0).open == opening[1]
    bars, _ = m.bars(0, "5m", 3)
    assert bars.start.tolist()[1:] == [us("2026-01-05T16:00"), us("2026-01-06T09:30")]
    assert bars.open[1] == bars.close[1] == m.snapshot(0).prev_close


def test_days_have_the_shares_of_all_sessions() -> None:
    """About a tenth of them before and after the regular one; in summer the day in New York is that in Greenwich."""
    m = market(us("2026-07-10T21:00"), rate=4.0)
    for symbol in range(3):
        days, _ = m.bars(symbol, "1d", 12)
        minutes, _ = m.bars(symbol, "1m", 5_000)
        inside = np.zeros(12)
        row = np.searchsorted(days.start, minutes.start, "right") - 1
        np.add.at(inside, row[row >= 0], minutes.volume[row >= 0])
        shares = 1 - inside / days.volume
        assert 0.06 < shares.mean() < 0.14
        assert ((shares > 0.03) & (shares < 0.25)).all()
        assert days.volume[-1] == m.snapshot(symbol).volume


def test_a_past_hour_is_as_a_live_one() -> None:
    """In shares and trades: the last one of the regular session, and the one after it, which has the closing print."""
    live, past = (
        market(us(at), rate=4.0, model="gbm") for at in ("2026-07-06T14:59", "2026-07-10T20:30")
    )
    live.step(us("2026-07-06T17:00"))
    for symbol in range(3):
        hours = rows_of(live.bars(symbol, "1h", 2)[0])
        assert [hour[0] for hour in hours] == [us("2026-07-06T15:00"), us("2026-07-06T16:00")]
        others = rows_of(past.bars(symbol, "1h", 300)[0])
        for hour, room in zip(hours, (0.3, 0.6), strict=True):
            same = [row for row in others if row[0] % DAY == hour[0] % DAY]
            assert len(same) > 30
            assert hour[5] == pytest.approx(np.mean([row[5] for row in same]), rel=room)
            assert hour[7] == pytest.approx(np.mean([row[7] for row in same]), rel=0.15)


def test_figures_are_those_of_the_day_in_new_york() -> None:
    """From four in the morning to four: on a night or a weekend, those of the day before."""
    noon, night, weekend, monday = (
        market(us(at)).snapshot(0)
        for at in ("2026-01-09T12:00", "2026-01-09T23:30", "2026-01-11T12:00", "2026-01-12T04:30")
    )
    assert None not in (noon.open, night.open, weekend.open)
    assert weekend.open == night.open
    assert (weekend.volume, weekend.prev_close) == (night.volume, night.prev_close)
    assert night.volume > noon.volume
    assert (monday.open, monday.high, monday.low) == (None, None, None)
    assert monday.prev_close == monday.last == weekend.last
    early = market(us("2026-01-12T04:40"), rate=1.0)
    trades = [t for t in trades_of(read(early, 0)) if t[0] >= us("2026-01-12T04:00")]
    assert early.snapshot(0).volume == sum(t[2] for t in trades) > 0
    assert all("T" in marked(t[3])[1] for t in trades)


@pytest.mark.parametrize("at", ["2026-01-05T07:30", "2026-01-05T12:00", "2026-01-10T12:00"])
def test_the_market_follows_on(at: str) -> None:
    """In sequence, time, and price: the first live quotes are as near as others are."""
    instruments = [Instrument(f"S{n}", 100.0, volatility=0.3) for n in range(60)]
    m = market(us(at), instruments=instruments)
    before = [events(m.recent(i)) for i in range(60)]
    live = m.step(us("2026-01-12T04:05") if "10T" in at else m.now_us + 60 * SECOND)
    across = []
    for i in range(60):
        for channel in (TRADES, QUOTES):
            both = [e for e in [*before[i], *events(live, i)] if e.channel == channel]
            assert all(one.seq + 1 == other.seq for one, other in pairwise(both))
            assert all(one.time <= other.time for one, other in pairwise(both))
        first = next(e for e in events(live, i) if e.channel == QUOTES)
        last = [e for e in before[i] if e.channel == QUOTES][-1]
        across.append(abs(first.price + first.ask - last.price - last.ask) / 2)
    assert np.mean(across) < 15


def test_an_hour_under_way_has_the_shares_from_before_the_start() -> None:
    """Those before the opening, which make no bar of themselves, are in the one that the opening makes."""
    m = market(us("2026-01-05T09:15"), rate=1.0)
    shares = sum(t[2] for t in trades_of(read(m, 0)) if t[0] >= us("2026-01-05T09:00"))
    bars, partial = m.bars(0, "1h", 5)
    assert not partial
    assert len(bars) == 5
    assert bars.start[-1] == us("2026-01-02T16:00")
    live = m.step(us("2026-01-05T09:31"))
    bars, partial = m.bars(0, "1h", 5)
    assert partial
    assert bars.start[-1] == us("2026-01-05T09:00")
    own = live[(live.symbol == 0) & (live.channel == TRADES)]
    assert bars.volume[-1] == shares + own.size.sum()


def test_a_symbol_is_alike_alone_and_among_others() -> None:
    """And whenever one asks."""
    among = market(us("2026-01-05T10:30"))
    alone = market(us("2026-01-05T10:30"), instruments=[among.universe[2]])
    assert events(alone.recent(0)) == events(among.recent(2))
    among.step(among.now_us + 10 * SECOND)
    assert events(alone.recent(0)) == events(among.recent(2))
    other = market(us("2026-01-05T10:30"), seed=6)
    assert events(other.recent(2)) != events(among.recent(2))


@pytest.mark.parametrize(("share", "channel"), [(0.0, QUOTES), (1.0, TRADES)])
def test_a_market_of_one_kind_had_only_that(share: float, channel: int) -> None:
    m = market(us("2026-01-05T17:00"), trade_share=share)
    batch = m.recent(0)
    assert len(batch) > 500
    assert (batch.channel == channel).all()
    assert bool(len(m.bars(0, "1d", 5)[0])) == (channel == TRADES)


def test_a_market_without_events_had_none() -> None:
    """Neither prints: nothing trades in it but what somebody scripts."""
    m = market(us("2026-01-05T17:00"), rate=0.0)
    assert not len(m.recent(0))
    assert not len(m.bars(0, "1d", 5)[0])
    assert m.snapshot(0).volume == 0


def test_a_symbol_of_few_trades_has_days_of_prints() -> None:
    """A bar each day, at the opening's and the close's price."""
    m = market(us("2026-01-05T17:00"), rate=1e-7)
    days, _ = m.bars(0, "1d", 50)
    assert len(days) == 50
    assert (days.trades >= 2).all()
    assert (days.trades < 5).all()
    minutes, _ = m.bars(0, "1m", 4)
    opens = [
        us("2026-01-02T09:30"),
        us("2026-01-02T16:00"),
        us("2026-01-05T09:30"),
        us("2026-01-05T16:00"),
    ]
    assert minutes.start.tolist() == opens


@pytest.mark.asyncio
async def test_a_client_that_asks_on_a_weekend_gets_the_tape_of_friday() -> None:
    """Over HTTP: trades with exchange and conditions, quotes, and exactly those after a sequence."""
    options: dict[str, Any] = {"symbols": "AAPL", "rules": "us", "start_us": us("2026-01-10T12:00")}
    async with running(**options) as server, aiohttp.ClientSession(server.url) as http:

        async def get(query: str) -> Any:
            async with http.get(f"/api/history?symbol=AAPL&{query}") as answer:
                return await answer.json()

        trades = (await get("channel=trades"))["events"]
        assert len(trades) > 50
        assert trades[-1]["seq"] == 0
        assert {"D", "Q"} < {trade["exchange"] for trade in trades}
        assert all("T" in trade["conditions"] for trade in trades)
        assert trades[-1]["time"] < us("2026-01-09T20:00") / 1_000
        assert (await get("channel=trades&since=-20"))["events"] == trades[-20:]
        quotes = (await get("channel=quotes"))["events"]
        assert quotes[-1]["bid"] <= trades[-1]["price"] <= quotes[-1]["ask"]


def test_a_second_of_too_many_events_has_no_tape() -> None:
    """But bars."""
    m = market(us("2026-01-05T12:00"), instruments=[Instrument("A", 9.0, activity=10.0)], rate=6e3)
    assert not len(m.recent(0))
    assert len(m.bars(0, "1s", 100)[0]) == 100
