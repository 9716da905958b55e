"""The prelude: trades and quotes from before the market started, which the market's own follow on."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from markets import SECOND, START, UNIVERSES, Event, digest, events, naive_bars, run

from ticker.backfill.prelude import MOST_EVENTS, MOST_SECONDS, seconds_of
from ticker.batch import BARS, INTERVALS, QUOTES, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.ladder import Ladders
from ticker.market import Market
from ticker.universe import Universe

EVERYTHING = [i for name in sorted(UNIVERSES) for i in UNIVERSES[name]]


def market(instruments: list[Instrument] | int = 3, **options: float) -> Market:
    universe = (
        Universe.of_size(instruments) if isinstance(instruments, int) else Universe(instruments)
    )
    return Market(universe, seed=7, **options)  # type: ignore[arg-type]


def of_channel(batch: TickBatch, channel: int) -> list[Event]:
    return [e for e in events(batch) if e.channel == channel]


@pytest.mark.parametrize("symbol", range(len(EVERYTHING)), ids=[i.symbol for i in EVERYTHING])
def test_what_holds_for_a_market_holds_for_its_prelude(symbol: int) -> None:
    """Times rise and end before the start, sequences rise by 1 to 0, bid < ask, trades are inside the standing quote."""
    m = market(EVERYTHING, rate=20.0)
    batch = m.recent(symbol)
    lot = m.universe[symbol].round_lot
    assert (batch.symbol == symbol).all()
    assert (np.diff(batch.time) >= 0).all()
    assert (batch.time < START).all()
    assert (batch.time >= START - MOST_SECONDS * SECOND).all()
    assert (batch.price >= 1).all()
    assert (batch.size >= 1).all()
    for channel in (TRADES, QUOTES):
        seq = batch.seq[batch.channel == channel]
        assert (seq == np.arange(1 - len(seq), 1)).all()
    standing = None
    for event in events(batch):
        if event.channel == QUOTES:
            standing = event
            assert event.ask > event.price
            assert event.size % lot == event.ask_size % lot == 0
            assert event.ask_size >= lot
        elif standing is not None:
            assert standing.price <= event.price <= standing.ask
            assert event.ask == event.ask_size == 0


def test_the_market_follows_on() -> None:
    """In time, sequence, price and standing quote: the snapshot at the start is what the prelude ends with."""
    m = market(30)
    states = [m.snapshot(i) for i in range(30)]
    live = run(m, 30)
    for i, state in enumerate(states):
        before = events(m.recent(i))
        trade = [e for e in before if e.channel == TRADES][-1]
        quote = [e for e in before if e.channel == QUOTES][-1]
        assert trade.price == state.last
        assert (quote.price, quote.size) == (state.bid, state.bid_size)
        assert (quote.ask, quote.ask_size) == (state.ask, state.ask_size)
        for channel in (TRADES, QUOTES):
            of_live = [e for e in events(live, i) if e.channel == channel]
            both = [*(e for e in before if e.channel == channel), *of_live]
            assert of_live
            assert all(one.seq + 1 == other.seq for one, other in pairwise(both))
            assert all(one.time <= other.time for one, other in pairwise(both))


def test_moves_over_the_start_are_as_large_as_others() -> None:
    """No jump is hidden where the two meet: the first live middle price is as near as any is to the one before."""
    instruments = [Instrument(f"S{n}", 100.0, volatility=0.3) for n in range(200)]
    m = market(instruments, rate=10.0)
    live = run(m, 5)

    def middles(batch: TickBatch) -> list[float]:
        return [(e.price + e.ask) / 2 for e in events(batch) if e.channel == QUOTES]

    within, across = [], []
    for i in range(200):
        before, after = middles(m.recent(i)), middles(live[live.symbol == i])
        within += [other - one for one, other in pairwise(before)]
        across += [other - one for one, other in pairwise([*before[-1:], *after[:1]])]
    assert len(across) > 190
    assert np.std(across) < 3 * np.std(within)


@pytest.mark.parametrize("interval", ["1s", "1m", "5m", "1h"])
@pytest.mark.parametrize("rate", [0.5, 10.0, 200.0])
def test_bars_of_the_past_are_those_of_its_trades(interval: str, rate: float) -> None:
    """Exactly, where the trades of the whole interval are there; and further back there are bars all the same."""
    length = INTERVALS[interval] * SECOND
    for late_s in (0, 1_234, 1_803):
        m = market(2, rate=rate, start_us=START + late_s * SECOND)
        batch = m.recent(1)
        trades = [(e.time, e.price, e.size) for e in of_channel(batch, TRADES)]
        from_us = m.now_us - seconds_of(rate * m.universe[1].activity) * SECOND
        expected = [b for b in naive_bars(trades, length) if from_us <= b[0]]
        table, partial = m.bars(1, interval, max(1, len(expected)))
        assert partial == (int(table.start[-1]) + length > m.now_us)
        columns = ("start", "open", "high", "low", "close", "volume", "notional", "trades")
        got = list(zip(*(getattr(table, c).tolist() for c in columns), strict=True))
        assert got[len(got) - len(expected) :] == [tuple(b) for b in expected]
        assert len(m.bars(1, interval, 300)[0]) > 250


def best(state: Event | None, universe: Universe, symbol: int) -> list[list[tuple[int, int]]]:
    """The first two levels of each side of the book of a quote."""
    assert state is not None
    quote = (np.array([n]) for n in (symbol, 1, state.price, state.size, state.ask, state.ask_size))
    book = Ladders(7, universe).at(*quote)
    return [
        list(zip(book.price[0, side, :2].tolist(), book.size[0, side, :2].tolist(), strict=True))
        for side in (0, 1)
    ]


@pytest.mark.parametrize("symbol", range(len(EVERYTHING)), ids=[i.symbol for i in EVERYTHING])
def test_trades_take_their_shares_off_the_book(symbol: int) -> None:
    """As live ones: no larger than what is shown, and the next event is the quote that each leaves, at its time."""
    m = market(EVERYTHING, rate=20.0)
    lot = m.universe[symbol].round_lot
    found = events(m.recent(symbol))
    kinds: Counter[str] = Counter()
    for standing, trade, behind in zip(found, found[1:], found[2:], strict=False):
        if trade.channel != TRADES:
            continue
        assert (standing.channel, behind.channel, behind.time) == (QUOTES, QUOTES, trade.time)
        sides = best(standing, m.universe, symbol)
        expected = [side[0] for side in sides]
        hit = [n for n in (0, 1) if sides[n][0][0] == trade.price]
        kind = "inside" if not hit else "block" if trade.size >= 20 * lot else "taken"
        if kind == "taken":
            price, size = sides[hit[0]][0]
            assert trade.size <= size, "more than is shown"
            left = (size - trade.size) // lot * lot
            kind = "left" if left else "gone"
            # The lowest price never runs out.
            lowest = hit == [0] and price == 1
            expected[hit[0]] = (
                (price, size if lowest else left) if left or lowest else sides[hit[0]][1]
            )
        told = [(behind.price, behind.size), (behind.ask, behind.ask_size)]
        last = behind is found[-1]
        for (price, size), (wanted, left) in zip(told, expected, strict=True):
            assert price == wanted or not wanted or last
            assert size == left or kind == "gone" or last
        kinds[kind] += 1
    if len(found) > 1_000:
        assert kinds["left"] > 50
        assert kinds["gone"] > 50


@pytest.mark.parametrize("share", [0.45, 0.7])
def test_where_there_is_no_room_for_a_quote_behind_each_trade_none_is_larger_than_what_is_shown(
    share: float,
) -> None:
    m = market(3, trade_share=share, rate=20.0)
    for symbol in range(3):
        standing, taken = None, 0
        for event in events(m.recent(symbol)):
            if event.channel == QUOTES:
                standing = event
            elif standing is not None and event.size < 20 * m.universe[symbol].round_lot:
                shown = {standing.price: standing.size, standing.ask: standing.ask_size}
                assert event.size <= shown.get(event.price, event.size)
                taken += event.price in shown
        assert taken > 100


def test_how_far_back_depends_on_the_rate() -> None:
    """About two thousand events; at least a second, at most an hour; nothing where a second would be too many."""
    assert seconds_of(0.0) == MOST_SECONDS
    assert seconds_of(10.0) == MOST_EVENTS / 10
    assert seconds_of(40_000.0) == 1
    assert seconds_of(50_001.0) == 0
    m = market([Instrument("A", 100.0, activity=10.0)], rate=6_000.0)
    assert len(m.recent(0)) == 0
    assert len(m.bars(0, "1s", 100)[0]) == 100


@pytest.mark.parametrize(("share", "channel"), [(0.0, QUOTES), (1.0, TRADES)])
def test_a_market_of_one_kind_had_only_that(share: float, channel: int) -> None:
    batch = market(1, trade_share=share).recent(0)
    assert len(batch) > 1_000
    assert (batch.channel == channel).all()


def test_a_market_without_events_had_none() -> None:
    assert len(market([Instrument("DEAD", 10.0, activity=0.0)]).recent(0)) == 0


def test_the_last_event_alone_is_a_trade() -> None:
    """However few there are, what stands at the start is right."""
    for n in range(40):
        m = market([Instrument(f"S{n}", 10.0, activity=0.0001)], rate=4.0)
        kinds = m.recent(0).channel.tolist()
        assert kinds[-3:] in ([], [QUOTES, TRADES, QUOTES])


def test_the_prelude_depends_on_seed_and_symbol_alone() -> None:
    """Whatever other symbols there are, and whenever it is asked for; it is the same on every machine."""
    alone, among = market([Universe.of_size(3)[2]]), market(3)
    assert events(alone.recent(0)) == events(among.recent(2))
    run(among, 10)
    assert events(alone.recent(0)) == events(among.recent(2))
    other = Market(Universe.of_size(3), seed=8).recent(2)
    assert events(other) != events(among.recent(2))
    assert digest(market(30).recent(7)) == (
        "8a4c95563d9ae4c7e31982a8335e2eacf1ca9b997cd3f9528adfa2e79ab05260"
    )
    assert BARS not in among.recent(2).channel
