"""The market: the same events however it is asked, and books that agree with what it published."""

import hashlib
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import (
    SECOND,
    START,
    UNIVERSES,
    Bar,
    Event,
    assert_well_formed,
    content,
    digest,
    events,
    naive_bars,
    run,
    table_rows,
)

from ticker.batch import BARS, CHANNELS, DEPTH, INTERVALS, QUOTES, STATUS, TRADES, TickBatch
from ticker.bookkeeping.daybook import Snapshot
from ticker.instruments import Instrument
from ticker.market import DEFAULT_START_US, MAX_RATE, TAPE, Market
from ticker.model import FULL, MODELS
from ticker.processes.grid import CELL_US
from ticker.universe import Universe

BEFORE_MIDNIGHT = START - START % (86_400 * SECOND) + 86_396 * SECOND
"""Four seconds before the end of a day: intervals of every length close soon."""

SMALL = [*UNIVERSES["penny stocks"], *UNIVERSES["unequal activity"], UNIVERSES["expensive ones"][1]]


def market(instruments: list[Instrument] | int = 5, **options: Any) -> Market:
    """A market with a seed, if it isn't given one."""
    universe = (
        Universe.of_size(instruments) if isinstance(instruments, int) else Universe(instruments)
    )
    return Market(universe, **({"seed": 7} | options))


# Determinism. The golden tape.


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("full", "05f0a8f9374c95f5b6e4b53b96b652c30ccda35f67a2689e601bb83b2e8f9df8"),
        ("gbm", "23e70db14613ffd27c9bf35f86023f8961d13d79d3952eaa8857febe1e933e04"),
    ],
)
def test_the_golden_tape(model: str, expected: str) -> None:
    """
    The first 20,000 events of a fixed market are these, with every version of Python and numpy, on every machine.

    If this fails after a change of the market, recorded tapes and clients that resume are affected. A change that
    is meant to give other events adds 1 to `ticker.market.TAPE` and puts the new hash here; a change that isn't
    meant to, such as an optimisation, must not touch this test.
    """
    batch = Market(Universe.of_size(30), seed=7, model=model).step(2**62, limit=20_000)
    assert TAPE == 4
    assert digest(batch[:20_000]) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("full", "ee683a5dd3733c2eea5638550f3396c4e3c6d85d3223b359efe37f8ef2e73bcb"),
        ("gbm", "a9b4256db3d60a041db2a3048ce8a0cdb0d173862a6b7118a7fef0eb71c2dfd7"),
    ],
)
def test_the_golden_tape_of_extremes(model: str, expected: str) -> None:
    """The same for instruments at the edges of what is allowed, over midnight, at a high rate."""
    everything = [i for name in sorted(UNIVERSES) for i in UNIVERSES[name]]
    batch = run(market(everything, rate=300.0, start_us=BEFORE_MIDNIGHT, model=model), 5)
    assert digest(batch) == expected


@pytest.fixture(scope="module", params=MODELS)
def whole(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """The model's name, and six seconds over midnight, in one step."""
    batch = run(market(SMALL, rate=20.0, start_us=BEFORE_MIDNIGHT, model=request.param), 6)
    return request.param, content(batch)


@pytest.mark.parametrize("model", MODELS)
def test_the_pace_of_steps_changes_nothing(model: str) -> None:
    """A step a second, ten or a thousand: the same bytes, so the same statistics."""
    tapes = set()
    for steps in (1, 10, 1_000):
        instance = market(SMALL, rate=20.0, model=model)
        parts = [instance.step(START + n * SECOND // steps) for n in range(1, 3 * steps + 1)]
        tapes.add(content(TickBatch.join(parts)))
    assert len(tapes) == 1


QUERIES: dict[str, Any] = {
    "nothing": lambda market: None,
    "snapshot": lambda market: market.snapshot(2),
    "sequences": lambda market: market.sequences(),
    "bars": lambda market: market.bars(1, "1m", 10),
    "an old time": lambda market: market.step(market.now_us - 10),
    "no time": lambda market: market.step(market.now_us),
    "no event": lambda market: market.step(2**62, limit=0),
}


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(1, 3_000), st.integers(1, 2_000_000), st.just(SECOND)),
            st.one_of(st.none(), st.integers(1, 300)),
            st.sampled_from(sorted(QUERIES)),
        ),
        max_size=40,
    ),
    st.sampled_from([1, 50, 16_384, 10**9]),
)
def test_a_stream_is_the_batch_however_it_is_cut(
    whole: tuple[str, bytes], steps: list[tuple[int, int | None, str]], block_events: int
) -> None:
    """Steps of any length, limits, blocks and questions in between change no byte, bars and their order included."""
    end = BEFORE_MIDNIGHT + 6 * SECOND
    model, expected = whole
    streamed = market(
        SMALL, rate=20.0, start_us=BEFORE_MIDNIGHT, block_events=block_events, model=model
    )
    parts = []
    for length, limit, query in steps:
        parts.append(streamed.step(min(end, streamed.now_us + length), limit))
        QUERIES[query](streamed)
    parts.append(streamed.step(end))
    assert content(TickBatch.join(parts)) == expected


@settings(max_examples=20)
@given(
    st.permutations(range(len(SMALL))).flatmap(
        lambda p: st.integers(1, len(p)).map(lambda n: p[:n])
    ),
    st.integers(0, 3),
)
def test_a_symbol_has_its_events_in_any_company(
    everybody: dict[str, list[Any]], which: list[int], more: int
) -> None:
    """Adding, removing and reordering symbols changes no other symbol's trades, quotes and bars."""
    others = [Instrument(f"MORE{i}", 50.0, activity=10.0, sector=f"New {i}") for i in range(more)]
    some = [*others, *(SMALL[i] for i in which)]
    batch = run(market(some, rate=20.0, start_us=BEFORE_MIDNIGHT), 6)
    for position, instrument in enumerate(some):
        if instrument.symbol in everybody:
            assert events(batch, position) == everybody[instrument.symbol]


@pytest.fixture(scope="module")
def everybody() -> dict[str, list[Any]]:
    """What each of the small universe's symbols does in six seconds over midnight."""
    batch = run(market(SMALL, rate=20.0, start_us=BEFORE_MIDNIGHT), 6)
    return {instrument.symbol: events(batch, i) for i, instrument in enumerate(SMALL)}


def test_another_seed_gives_other_events() -> None:
    """For every symbol."""
    one, other = (run(market(seed=seed), 20) for seed in (1, 2))
    for symbol in range(5):
        mine, theirs = (
            {event[2:] for event in events(batch, symbol) if event.channel < BARS}
            for batch in (one, other)
        )
        assert mine
        assert not mine & theirs


def test_a_later_start_gives_the_same_events_later() -> None:
    """The time of the start moves all times, and nothing else."""
    one, other = (
        run(market(rate=3.0), 10),
        run(market(rate=3.0, start_us=START + 3_600 * SECOND), 10),
    )
    for name in ("symbol", "channel", "seq", "price", "size", "ask", "ask_size"):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert set(other.time - one.time) == {3_600 * SECOND}


def test_an_epoch_names_what_decides_about_the_events() -> None:
    """Another seed, universe, rate, share, start or model is another epoch; another block size isn't."""
    epoch = market(seed=7, rate=10).epoch
    assert epoch == market(seed=np.int64(7), rate=10.0, block_events=3).epoch
    assert len(epoch) == 16
    assert epoch not in {
        market(seed=8, rate=10).epoch,
        market(6, rate=10).epoch,
        market(rate=11).epoch,
        market(rate=10, trade_share=0.3).epoch,
        market(rate=10, model="gbm").epoch,
        market(rate=10, model=replace(FULL, jumps=None)).epoch,
        market(rate=10, start_us=START + SECOND).epoch,
    }


# What holds of all events.


@pytest.mark.parametrize("which", sorted(UNIVERSES))
@pytest.mark.parametrize("rate", [0.0, 0.02, 20.0, 10_000.0])
@pytest.mark.parametrize("model", MODELS)
def test_events_are_well_formed(which: str, rate: float, model: str) -> None:
    """Over steps of uneven length: times inside each step, sequences without a gap, prices and sizes that can be."""
    instruments = UNIVERSES[which][:3]
    instance = market(instruments, rate=rate, start_us=BEFORE_MIDNIGHT, model=model)
    seconds = 8.0 if rate < 1_000 else 1.1 / max(i.activity for i in instruments)
    parts = []
    for length in (0.3, 0.0001, 0.5, 0.1999, 4.0, 3.0):
        since = instance.now_us
        until = since + round(length * SECOND * seconds / 8)
        parts.append(instance.step(until))
        assert instance.now_us == until
        tick = parts[-1].channel < BARS
        assert ((parts[-1].time[tick] >= since) & (parts[-1].time[tick] < until)).all()
        assert ((parts[-1].time[~tick] > since) & (parts[-1].time[~tick] <= until)).all()
    batch = TickBatch.join(parts)
    assert_well_formed(batch, instance.universe, BEFORE_MIDNIGHT, instance.now_us)
    assert STATUS not in batch.channel
    if rate == 0:
        assert len(batch) == 0
    expected = (
        rate * sum(i.activity for i in instruments) * (instance.now_us - BEFORE_MIDNIGHT) / 1e6
    )
    ticks = int((batch.channel < BARS).sum())
    if model == "gbm":
        assert ticks == pytest.approx(expected, abs=5 * expected**0.5 + 3)
    else:  # busier at the opening, and in bursts
        assert ticks <= 8 * expected + 20 * expected**0.5 + 30


def test_bars_come_before_the_events_of_the_next_interval() -> None:
    """At the full second, shortest interval first, with the time at which they ended."""
    batch = run(market(rate=100.0, start_us=BEFORE_MIDNIGHT), 6)
    rows = events(batch)
    for before, row in pairwise(rows):
        if isinstance(row, Bar):
            length = list(INTERVALS.values())[row.channel - BARS] * SECOND
            assert row.start == row.time - length
            assert row.time % length == 0
            assert before.time < row.time or isinstance(before, Bar)
    at_midnight = [
        r.channel - BARS for r in rows if isinstance(r, Bar) and r.time % (86_400 * SECOND) == 0
    ]
    assert at_midnight == sorted(at_midnight)
    assert set(at_midnight) == {0, 1, 2, 3, 4}


# Limits.


@settings(max_examples=40)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=30))
def test_a_limit_gives_as_many_events_as_it_says(limits: list[int]) -> None:
    """And the time tells where it stopped: at the next event, or at the end of a cell before it."""
    limited, expected = market(rate=50.0), events(run(market(rate=50.0), 3))
    until, given_ = START + 3 * SECOND, 0
    for limit in limits:
        rows = events(limited.step(until, limit))
        assert rows == expected[given_ : given_ + len(rows)]
        given_ += len(rows)
        if limited.now_us == until:
            assert given_ == len(expected)
            break
        assert len(rows) >= limit
        # More than the limit are given only if bars that close together are the last of them, or events of one time.
        over = [row for row in rows[limit - 1 :] if isinstance(row, Event)]
        assert len(rows) == limit or isinstance(rows[-1], Bar) or len(over) > 1
        assert len({row.time for row in over}) <= 1
        stopped, following = limited.now_us, expected[given_].time
        assert rows[-1].time < following or isinstance(rows[-1], Bar), "parted what is of one time"
        assert stopped == following or (
            rows[-1].time <= stopped < following and not stopped % CELL_US
        )


def test_events_of_one_microsecond_are_never_parted() -> None:
    """Or else a time couldn't say what has been given."""
    crowd = Universe.of_size(400)
    whole = run(Market(crowd, seed=3, rate=500.0), 0.5)
    assert (np.diff(whole.time) == 0).sum() > 1_000, "a market without ties proves nothing"
    limited = Market(crowd, seed=3, rate=500.0)
    parts = []
    while limited.now_us < START + SECOND // 2:
        parts.append(limited.step(START + SECOND // 2, 7))
        assert len(parts[-1]) >= 7 or limited.now_us == START + SECOND // 2
        assert len(parts[-1]) == 0 or parts[-1].time[-1] < limited.now_us
    assert content(TickBatch.join(parts)) == content(whole)


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    """The step ends at its time."""
    one, other = market(), market()
    assert content(one.step(START + SECOND, 10**9)) == content(other.step(START + SECOND))
    assert one.now_us == other.now_us == START + SECOND


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_1_gives_nothing_and_takes_no_time(limit: int) -> None:
    """Time doesn't pass over events that nobody got."""
    instance = market()
    assert len(instance.step(START + SECOND, limit)) == 0
    assert instance.now_us == START


def test_time_does_not_go_back() -> None:
    """A time that has passed gives no events and changes nothing."""
    instance = market()
    run(instance, 2)
    assert len(instance.step(START + SECOND)) == 0
    assert instance.now_us == START + 2 * SECOND


def test_a_market_without_a_time_starts_on_a_monday_morning() -> None:
    """At the opening in New York."""
    assert market().now_us == DEFAULT_START_US
    assert np.datetime64(DEFAULT_START_US, "us").astype(str) == "2026-01-05T14:30:00.000000"


# Bars.


@pytest.mark.parametrize(("rate", "seconds"), [(2.0, 700), (0.02, 900), (200.0, 5)])
def test_bars_equal_the_naive_aggregation_of_the_trades(rate: float, seconds: int) -> None:
    """Of every interval and every symbol, as published and as asked for, finished or under way."""
    start = BEFORE_MIDNIGHT - 302 * SECOND
    instance = market(SMALL[:4], rate=rate, start_us=start, trade_share=0.6)
    earlier = {
        (symbol, interval): table_rows(instance.bars(symbol, interval, 1)[0])
        for symbol in range(4)
        for interval in INTERVALS
    }
    rows = TickBatch.join([run(instance, seconds / 7) for _ in range(7)])
    for symbol in range(4):
        mine = events(rows, symbol)
        trades = [(e.time, e.price, e.size) for e in mine if e.channel == TRADES]
        for number, (interval, length) in enumerate(INTERVALS.items()):
            current = instance.now_us - instance.now_us % (length * SECOND)
            expected = list(naive_bars(trades, length * SECOND))
            closed = [bar for bar in expected if bar[0] < current]
            published = [event for event in mine if event.channel == BARS + number]
            assert [tuple(bar[3:]) for bar in published] == closed
            assert [bar.time for bar in published] == [bar[0] + length * SECOND for bar in closed]
            for before in earlier[symbol, interval]:
                if before[1] + length * SECOND > start:
                    expected = begun(before[1:], expected)
            for limit in (1, 3, 1_000):
                table, partial = instance.bars(symbol, interval, limit)
                assert partial == (bool(expected) and expected[-1][0] == current)
                own = [row[1:] for row in table_rows(table) if row[1] + length * SECOND > start]
                assert own == expected[-limit:]
                assert set(table.symbol.tolist()) <= {symbol}
                assert len(table) <= limit


def begun(earlier: tuple[Any, ...], bars: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Bars of which the first has an earlier part, from before the market started."""
    if not bars or bars[0][0] != earlier[0]:
        return [earlier, *bars]
    start, opened, high, low, _, *sums = earlier
    _, _, other_high, other_low, close, *others = bars[0]
    both = [one + other for one, other in zip(sums, others, strict=True)]
    return [(start, opened, max(high, other_high), min(low, other_low), close, *both), *bars[1:]]


def test_a_bar_encloses_its_prices() -> None:
    """high >= open, close >= low; the average price is between low and high; there are trades in it."""
    bars = run(market(rate=50.0, start_us=BEFORE_MIDNIGHT), 30).bars
    assert len(bars) > 100
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.notional >= bars.low * bars.volume).all()
    assert (bars.notional <= bars.high * bars.volume).all()
    assert (bars.trades >= 1).all()
    assert (bars.volume >= bars.trades).all()


def test_bars_reach_back_before_the_start() -> None:
    """A chart is full in the first second; what is asked for later is the same, and what the market made follows."""
    instance = market()
    past, partial = instance.bars(0, "1m", 50)
    assert not partial
    assert len(past) == 50
    assert (past.start + 60 * SECOND <= START).all()
    run(instance, 125)
    now, partial = instance.bars(0, "1m", 52)
    assert partial
    assert table_rows(now)[:49] == table_rows(past)[1:]
    assert now.start[-3:].tolist() == [START, START + 60 * SECOND, START + 120 * SECOND]


def test_where_nothing_trades_there_are_no_bars() -> None:
    """Neither before the start nor after it."""
    instance = market(UNIVERSES["unequal activity"], rate=10.0)
    run(instance, 2)
    for interval in INTERVALS:
        bars, partial = instance.bars(0, interval, 10)
        assert (len(bars), partial) == (0, False)


# Snapshots and sequences.


class Day:
    """One symbol's state, kept the naive way, from the market's start on."""

    def __init__(self, start: Snapshot) -> None:
        self.last, self.prev_close = start.last, start.prev_close
        self.size: int | None = None
        self.quote: tuple[int, ...] = ()
        # The day's first price, its highest and its lowest from before the start count as trades.
        self.today = [(price, 0) for price in (start.open, start.high, start.low) if price]
        self.volume = start.volume
        self.day = BEFORE_MIDNIGHT // (86_400 * SECOND)

    def roll(self, time: int) -> None:
        if time // (86_400 * SECOND) > self.day:
            self.day += 1
            self.prev_close, self.today, self.volume = self.last, [], 0

    def enter(self, event: Event) -> None:
        self.roll(event.time)
        if event.channel == QUOTES:
            self.quote = (event.price, event.size, event.ask, event.ask_size)
        else:
            self.last, self.size = event.price, event.size
            self.today.append((event.price, event.size))
            self.volume += event.size


def test_snapshots_are_what_the_published_events_say() -> None:
    """At any time, over the end of a day: last trade, quote, and the statistics of the day so far."""
    instance = market(SMALL, rate=1.0, start_us=BEFORE_MIDNIGHT)
    days = [Day(instance.snapshot(symbol)) for symbol in range(len(SMALL))]
    newest = [BEFORE_MIDNIGHT] * len(days)
    for length in [0.01, 0.4, 0.003, 0.9] * 6:
        batch = run(instance, length)
        for symbol, day in enumerate(days):
            for event in events(batch, symbol):
                if isinstance(event, Event):
                    day.enter(event)
                    newest[symbol] = event.time
            day.roll(instance.now_us)
            state = instance.snapshot(symbol)
            prices = [price for price, _ in day.today]
            assert (state.symbol, state.time_us) == (symbol, newest[symbol])
            assert (state.last, state.size, state.prev_close) == (
                day.last,
                day.size,
                day.prev_close,
            )
            if day.quote:
                assert (state.bid, state.bid_size, state.ask, state.ask_size) == day.quote
            assert state.bid < state.ask
            assert state.volume == day.volume
            if prices:
                assert (state.open, state.high, state.low) == (prices[0], max(prices), min(prices))
            else:
                assert state.open is state.high is state.low is None


def test_before_any_event_a_snapshot_tells_the_start() -> None:
    """The price at the start is the last one; a quote of one round lot stands around it."""
    state = market([Instrument("A", 10.0, round_lot=40, spread=3.0)]).snapshot(0)
    assert (state.last, state.size, state.time_us) == (1_000, None, START)
    assert (state.bid, state.ask, state.bid_size, state.ask_size) == (998, 1_002, 40, 40)


def test_without_a_past_the_start_is_the_previous_close() -> None:
    """And there was no trade in the day so far."""
    state = market([Instrument("A", 10.0)], rate=0.0).snapshot(0)
    assert (state.last, state.prev_close, state.volume) == (1_000, 1_000, 0)
    assert state.open is state.high is state.low is None


def test_sequences_are_those_of_the_last_events() -> None:
    """By channel and symbol, wherever a step ended; 0 before the first one."""
    instance = market(SMALL, rate=20.0, start_us=BEFORE_MIDNIGHT)
    expected: dict[tuple[int, int], int] = defaultdict(int)
    assert not instance.sequences().any()
    for limit in (1, 100, 250, 1, 17):
        batch = instance.step(2**62, limit)
        for symbol, channel, seq in zip(
            batch.symbol.tolist(), batch.channel.tolist(), batch.seq.tolist(), strict=True
        ):
            expected[channel, symbol] = seq
            if channel == QUOTES:
                expected[DEPTH, symbol] = seq  # a book is its quote's
        sequences = instance.sequences()
        assert sequences.shape == (CHANNELS, len(SMALL))
        for channel, symbol in np.ndindex(sequences.shape):
            assert sequences[channel, symbol] == expected[channel, symbol]


def test_sequences_can_be_read_but_not_changed() -> None:
    """A reader can't break the market's count."""
    instance = market()
    with pytest.raises(ValueError, match="read-only"):
        instance.sequences()[0, 0] = 5


# Statistics.


def middles(batch: TickBatch, symbol: int, every: int) -> np.ndarray:
    """The middle of the quote that stands at the end of every so many seconds."""
    quotes = batch[(batch.channel == QUOTES) & (batch.symbol == symbol)]
    ends = np.arange(START, quotes.time[-1], every * SECOND)[1:]
    at = np.searchsorted(quotes.time, ends) - 1
    return (quotes.price[at] + quotes.ask[at]) / 2


@pytest.mark.parametrize("rate", [5.0, 100.0])
def test_realised_volatility_does_not_depend_on_the_rate(rate: float) -> None:
    """Sampled every ten seconds, quotes move as the annual volatility says, however many there are."""
    instrument = Instrument("A", 10_000.0, volatility=0.8, spread=1.0)
    batch = run(market([instrument], rate=rate, trade_share=0.0, model="gbm"), 4_000)
    realised = np.diff(np.log(middles(batch, 0, 10))).std() * (252 * 6.5 * 360) ** 0.5
    assert realised == pytest.approx(0.8, rel=0.1)


def test_prices_of_one_sector_move_together() -> None:
    """More than those of different sectors, which move together too."""
    instruments = [
        Instrument(f"{sector}{i}", 10_000.0, sector=sector, spread=1.0)
        for sector in "XYZ"
        for i in range(4)
    ]
    batch = run(market(instruments, rate=2.0, trade_share=0.0, model="gbm"), 4_000)
    prices = np.array([middles(batch, symbol, 4) for symbol in range(12)])
    correlation = np.corrcoef(np.diff(np.log(prices), axis=1))
    same = np.equal.outer(np.arange(12) // 4, np.arange(12) // 4)
    within = correlation[same & ~np.eye(12, dtype=bool)].mean()
    across = correlation[~same].mean()
    assert within == pytest.approx(0.32, abs=0.05)
    assert across == pytest.approx(0.20, abs=0.05)


def test_a_walk_turns_back_above_two_spreads() -> None:
    """So that even a penny stock has room for bid and ask."""
    walk = market(UNIVERSES["penny stocks"], model="gbm")._source._prices
    walk.price = np.array([2.0, 2.0, 40.0])
    assert (walk.advance(1_000) >= [[2.0], [2.0], [40.0]]).all()


# Arguments.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rate": -1}, "rate -1 is not between 0 and 10000 events a second and symbol"),
        ({"rate": 10_001.0}, "rate 10001.0 is not between 0 and 10000 events a second and symbol"),
        ({"rate": float("nan")}, "rate nan is not between 0 and 10000 events a second and symbol"),
        ({"rate": float("inf")}, "rate inf is not between 0 and 10000 events a second and symbol"),
        ({"trade_share": -0.1}, "trade share -0.1 is not between 0 and 1"),
        ({"trade_share": 1.1}, "trade share 1.1 is not between 0 and 1"),
        ({"trade_share": float("nan")}, "trade share nan is not between 0 and 1"),
        ({"start_us": 1_500_000}, "start 1500000 is not a whole second"),
        ({"model": "black-scholes"}, "model 'black-scholes' is not one of full, gbm"),
    ],
)
def test_an_argument_out_of_range_is_refused(options: dict[str, Any], expected: str) -> None:
    """The message tells the value and the range."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        market(**options)
    assert str(caught.value) == expected


def test_more_events_than_fit_into_memory_are_refused() -> None:
    """The sum over all symbols counts."""
    busy = [Instrument(f"S{i}", 10.0, activity=1_000.0) for i in range(3)]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        market(busy, rate=MAX_RATE)
    assert str(caught.value) == (
        "rate 10000.0 makes 30000000 events a second of 3 symbols; at most 20000000 are allowed"
    )


def test_blocks_are_small_enough_whatever_is_asked() -> None:
    """A block has at least one cell, at most ten seconds (a minute where nothing happens), and not too many events or symbols."""
    assert market(rate=10_000.0, block_events=1)._source.block_cells == 1
    assert (market(rate=0.0)._source.block_cells, market(rate=1e-9)._source.block_cells) == (
        600,
        100,
    )
    assert market(500, rate=10_000.0, block_events=2**40)._source.block_cells == 8
    assert market(15_000, rate=0.0)._source.block_cells == 60


def test_seeds_may_be_any_whole_number() -> None:
    """Also negative and large ones."""
    tapes = {
        hashlib.sha256(content(run(market(seed=s), 1))).hexdigest() for s in (-1, 0, 1, 10**30)
    }
    assert len(tapes) == 4


def test_steps_follow_one_another_without_a_gap() -> None:
    """Where a step ends, the next one begins."""
    instance = market(rate=500.0)
    ends = [int(t) for t in np.cumsum([1, 1, 7, 1_000, 99_991, 1, 500_000, 1])]
    times = [instance.step(START + end).time for end in ends]
    for (begin, end), time in zip(pairwise([0, *ends]), times, strict=True):
        ticks = time[time % SECOND != 0]
        assert ((ticks >= START + begin) & (ticks < START + end)).all()
