"""Scripted events: laid over the walk in their place, the same bytes however the market is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import COLUMNS, SECOND, START, digest, moved_by, naive_bars, run, table_rows
from markets import market_of_three as market
from wire import RawClient, running, step

from ticker.batch import BARS, DEPTH, QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.reference.marks import mark_of
from ticker.reference.status import QUOTES_IN, REASONS, STATUSES, TRADES_IN
from ticker.script import MAX_SIZE, ScriptedEvent, ScriptedQuote, ScriptedStatus, ScriptedTrade
from ticker.universe import Universe

SYMBOLS = 3
END = START + 3 * SECOND
Plan = list[tuple[int, ScriptedEvent]]
Row = tuple[int, ...]


@cache
def walk() -> TickBatch:
    """What the market gives where nothing is scripted."""
    return market().step(END)


WALK_TIMES = sorted({int(t) for t in walk().time.tolist() if t < END})

symbols = st.integers(0, SYMBOLS - 1)
prices, sizes = st.integers(1, 50_000), st.integers(1, 9_000)
times = st.one_of(
    st.integers(START, END - 1),
    st.sampled_from(WALK_TIMES),  # at the very time of an event of the walk
    st.sampled_from([START, START + SECOND - 1, START + SECOND, END - 1, END, END + SECOND]),
)
trades = st.builds(
    ScriptedTrade,
    symbols,
    prices,
    sizes,
    exchange=st.sampled_from([None, "N", "V"]),
    conditions=st.sampled_from([(), (), ["I"], ("T", "I"), ("Z",), ("M",)]),
)
quotes = st.builds(
    lambda symbol, bid, spread, size: ScriptedQuote(symbol, bid, size, bid + spread, size + 1),
    symbols,
    prices,
    st.integers(1, 5),
    sizes,
)
changes = st.builds(
    ScriptedStatus, symbols, st.sampled_from(STATUSES), st.sampled_from([None, "T1", "LUDP"])
)
plans = st.lists(st.tuples(times, st.one_of(trades, quotes, changes)), max_size=25)
steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 3_000), st.integers(1, 900_000), st.just(SECOND)),
        st.one_of(st.none(), st.integers(1, 40)),
    ),
    max_size=30,
)


def rows_of(batch: TickBatch) -> list[Row]:
    return list(zip(*(getattr(batch, name).tolist() for name in COLUMNS), strict=True))


def columns_of(event: ScriptedEvent) -> Row:
    """Channel, price, size, ask and ask size of a scripted event."""
    match event:
        case ScriptedTrade(_, price, size, exchange, conditions):
            return TRADES, price, size, mark_of(exchange, conditions), 0
        case ScriptedQuote(_, bid, bid_size, ask, ask_size):
            return QUOTES, bid, bid_size, ask, ask_size
        case ScriptedStatus(_, status, reason):
            return STATUS, STATUSES.index(status), list(REASONS).index(reason), 0, 0


def expected(plan: Plan) -> list[Row]:
    """Trades, quotes and changes of status, merged the plain way, one after the other."""
    walked = [(time, 0, (s, c, *rest)) for s, c, _, time, *rest in rows_of(walk()) if c < BARS]
    planned = [(time, 1, (event.symbol, *columns_of(event))) for time, event in plan if time < END]
    status: defaultdict[int, str] = defaultdict(lambda: "trading")
    waits: set[int] = set()  # for a quote, before the walk trades
    seq: defaultdict[tuple[int, int], int] = defaultdict(int)
    found = []
    for time, scripted, (symbol, channel, *rest) in sorted(
        [*walked, *planned], key=lambda entry: entry[:2]
    ):
        if channel == STATUS:
            status[symbol] = STATUSES[rest[0]]
        elif not scripted and (
            status[symbol] not in (TRADES_IN, QUOTES_IN)[channel]
            or (channel == TRADES and symbol in waits)
        ):
            continue
        if status[symbol] not in QUOTES_IN:
            waits.add(symbol)
        elif channel == QUOTES:
            waits.discard(symbol)
        seq[symbol, channel] += 1
        found.append((symbol, channel, seq[symbol, channel], time, *rest))
    return found


def stream(instance: Market, steps: Iterable[tuple[int, int | None]], plan: Plan) -> TickBatch:
    """Step a market to the end, and schedule each event at the last moment."""
    left = sorted(plan, key=lambda entry: entry[0])
    parts = []
    for length, limit in [*steps, (END, None)]:
        until = min(END, instance.now_us + length)
        while left and left[0][0] < until:
            instance.schedule(*left.pop(0))
        parts.append(instance.step(until, limit))
    return TickBatch.join(parts)


@settings(max_examples=80)
@given(plans)
def test_scripted_events_are_laid_over_the_walk(plan: Plan) -> None:
    """
    Each in its place, behind what the walk has at its time.

    All are numbered on, and what the walk would have done in a symbol that doesn't trade is neither there nor counted.
    """
    instance = market()
    for time, event in plan:
        instance.schedule(time, event)
    batch = instance.step(END)
    rows = [row for row in rows_of(batch) if row[1] < BARS]
    assert rows == expected(plan)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(START, END - 1), st.sampled_from(STATUSES)), max_size=40))
def test_a_trade_prints_inside_the_quote_that_clients_have(plan: list[tuple[int, str]]) -> None:
    """Of the walk, whenever it is halted and resumed; what would have been quoted in the halt isn't known to them."""
    wild = [Instrument(name, 100.0, volatility=10.0) for name in "AB"]
    instance = Market(Universe(wild), seed=7, rate=200.0, trade_share=0.5)
    quote = {n: (state.bid, state.ask) for n in range(2) for state in [instance.snapshot(n)]}
    for time, status in plan:
        instance.schedule(time, ScriptedStatus(0, status))
    for symbol, channel, _, _, price, _, ask, _ in rows_of(instance.step(END)):
        if channel == QUOTES:
            quote[symbol] = price, ask
        elif channel == TRADES:
            bid, ask = quote[symbol]
            assert bid <= price <= ask


@settings(max_examples=80)
@given(plans, steps, st.sampled_from([1, 50, 16_384]))
def test_a_stream_with_a_script_is_the_batch(
    plan: Plan, steps: list[tuple[int, int | None]], block_events: int
) -> None:
    """Whatever the steps, limits and blocks, and whether an event is scheduled long before or just before its time."""
    whole = market()
    for time, event in plan:
        whole.schedule(time, event)
    batch = whole.step(END)
    streamed = market(block_events=block_events)
    assert digest(stream(streamed, steps, plan)) == digest(batch)
    assert (streamed.sequences() == whole.sequences()).all()
    for symbol in range(SYMBOLS):
        assert streamed.snapshot(symbol) == whole.snapshot(symbol)


@settings(max_examples=40)
@given(plans, steps)
def test_the_books_have_what_was_handed_out(
    plan: Plan, steps: list[tuple[int, int | None]]
) -> None:
    """Bars, snapshots and sequences are those of the published events, the scripted ones included."""
    instance = market()
    batch = stream(instance, steps, plan)
    rows = rows_of(batch)
    bars = table_rows(batch.bars)
    for symbol in range(SYMBOLS):
        mine = [row for row in rows if row[0] == symbol]
        traded = [(*row[3:6], row[6]) for row in mine if row[1] == TRADES]
        moving = {
            name: [trade for trade in traded if name in moved_by(trade[3])]
            for name in ("last", "range", "volume")
        }
        made = [bars[row[4]][1:] for row in mine if row[1] == BARS]
        assert made == list(naive_bars(traded, SECOND))
        begun, state = market().snapshot(symbol), instance.snapshot(symbol)
        assert state.volume == begun.volume + sum(size for _, _, size, _ in moving["volume"])
        assert (state.open, state.prev_close) == (begun.open, begun.prev_close)
        if moving["last"]:
            assert (state.last, state.size) == moving["last"][-1][1:3]
        if moving["range"]:
            assert state.high == max(begun.high or 0, *(row[1] for row in moving["range"]))
        changed = [row for row in mine if row[1] == STATUS]
        status, reason = changed[-1][4:6] if changed else (0, 0)
        assert (state.status, state.reason) == (STATUSES[status], list(REASONS)[reason])
        for channel in range(DEPTH):
            newest = [row[2] for row in mine if row[1] == channel]
            assert newest == list(range(1, len(newest) + 1))
            assert instance.sequences()[channel, symbol] == len(newest)


@settings(max_examples=40)
@given(plans, st.integers(1, 6))
def test_what_is_of_one_microsecond_stays_together(plan: Plan, limit: int) -> None:
    """A limit parts no time, so that the market's time says what was handed out."""
    instance = market()
    for time, event in [
        *plan,
        (START + 7, ScriptedTrade(0, 5, 5)),
        (START + 7, ScriptedTrade(1, 5, 5)),
    ]:
        instance.schedule(time, event)
    while instance.now_us < END:
        batch = instance.step(END, limit)
        ticks = batch.time[batch.channel < BARS]
        assert not len(ticks) or ticks[-1] < instance.now_us


def test_events_of_one_time_come_in_the_order_in_which_they_were_scheduled() -> None:
    """Those of one call and those of several."""
    instance = market()
    instance.schedule(START + 500, ScriptedTrade(0, 3, 1), ScriptedTrade(1, 2, 1))
    instance.step(START + 100)
    instance.schedule(START + 500, ScriptedTrade(0, 1, 1))
    instance.schedule(START + 200, ScriptedTrade(0, 9, 1))
    instance.schedule(START + 500, ScriptedTrade(1, 8, 1))
    rows = [row for row in rows_of(instance.step(START + 501)) if row[3] == START + 500]
    assert [row[4] for row in rows][-4:] == [3, 2, 1, 8]
    assert instance.now_us == START + 501


def test_a_quiet_market_moves_by_script_alone() -> None:
    """With a rate of 0 there is nothing else; bars and snapshots are of the script."""
    for model in ("full", "gbm"):
        instance = market(rate=0.0, model=model)
        assert len(run(instance, 30)) == 0
        at = instance.now_us
        instance.schedule(at, ScriptedQuote(0, 90, 100, 95, 200), ScriptedTrade(0, 95, 40))
        instance.schedule(at + 400_000, ScriptedTrade(0, 90, 60))
        batch = run(instance, 3_600)
        assert [row[:2] for row in rows_of(batch)][:3] == [(0, QUOTES), (0, TRADES), (0, TRADES)]
        state = instance.snapshot(0)
        assert (state.last, state.open, state.high, state.low) == (90, 95, 95, 90)
        assert (state.bid, state.ask, state.volume) == (90, 95, 100)
        bars, partial = instance.bars(0, "1m", 1)
        assert not partial
        assert table_rows(bars) == [(0, at // (60 * SECOND) * 60 * SECOND, 95, 95, 90, 90, 100, 95 * 40 + 90 * 60.0, 2)]  # fmt: skip
        assert not instance.sequences()[:, 1:].any()


def test_a_halted_symbol_stands_still_until_it_resumes() -> None:
    """The others go on as they would have, and nothing that didn't happen is counted."""
    plain, halted = market(), market()
    halted.schedule(START + SECOND, ScriptedStatus(1, "halted", "T1"))
    halted.schedule(START + 20 * SECOND, ScriptedStatus(1, "quoting", "T3"))
    halted.schedule(START + 25 * SECOND, ScriptedStatus(1, "trading"))
    whole, rest = run(plain, 40), run(halted, 40)

    def of(batch: TickBatch, symbol: int) -> TickBatch:
        return batch[(batch.symbol == symbol) & (batch.channel < STATUS)]

    for symbol in (0, 2):
        assert rows_of(of(whole, symbol)) == rows_of(of(rest, symbol))
    mine = of(rest, 1)
    seconds = (mine.time - START) / SECOND
    trade, quote = mine.channel == TRADES, mine.channel == QUOTES
    assert not ((seconds[trade] > 1) & (seconds[trade] <= 25)).any()
    assert not ((seconds[quote] > 1) & (seconds[quote] <= 20)).any()
    assert ((seconds[quote] > 20) & (seconds[quote] <= 25)).any()
    assert (seconds[trade] > 25).any()
    for rows in (trade, quote):
        assert mine.seq[rows].tolist() == list(range(1, int(rows.sum()) + 1))
    assert halted.snapshot(1).status == "trading"


def test_a_script_that_is_over_leaves_the_walk_as_it_was() -> None:
    """But for the numbers: they go on."""
    plain, scripted = market(), market()
    scripted.schedule(
        START, ScriptedTrade(0, 1, 1), ScriptedTrade(0, 2, 1), ScriptedStatus(2, "trading")
    )
    first, second = run(plain, 1), run(scripted, 1)
    assert (second.channel < BARS).sum() == (first.channel < BARS).sum() + 3
    for seconds in (30, 1, 30):  # over several blocks
        first, second = run(plain, seconds), run(scripted, seconds)
        ticks, others = (batch[batch.channel < BARS] for batch in (first, second))
        for name in ("symbol", "channel", "time", "price", "size", "ask", "ask_size"):
            assert (getattr(ticks, name) == getattr(others, name)).all()
        moved = 2 * ((ticks.symbol == 0) & (ticks.channel == TRADES))
        assert (others.seq == ticks.seq + moved).all()


def test_a_script_reaches_as_far_as_it_likes() -> None:
    """What is for much later waits, however many blocks there are in between."""
    instance = market(block_events=50)
    instance.schedule(START + 100 * SECOND, ScriptedTrade(0, 77, 1))
    instance.schedule(START + 50 * SECOND, ScriptedTrade(0, 78, 1))
    batch = run(instance, 101)
    rows = [row for row in rows_of(batch) if row[1] == TRADES and row[4] in (77, 78) and not row[0]]
    assert [(row[4], (row[3] - START) // SECOND) for row in rows] == [(78, 50), (77, 100)]


def test_a_time_that_has_passed_is_refused() -> None:
    """The market's own time isn't: nothing of it was handed out."""
    instance = market()
    run(instance, 1)
    with pytest.raises(
        ValueError, match=f"time {START} has passed: the market is at {START + SECOND}"
    ):
        instance.schedule(START, ScriptedTrade(0, 1, 1))
    instance.schedule(instance.now_us, ScriptedTrade(0, 1, 1))
    assert instance.step(instance.now_us + 1).price.tolist()[-1] == 1


def test_an_unknown_symbol_is_refused_with_all_that_came_with_it() -> None:
    instance = market(rate=0.0)
    with pytest.raises(ValueError, match="symbol id 3 is not between 0 and 2"):
        instance.schedule(START, ScriptedTrade(0, 1, 1), ScriptedTrade(3, 1, 1))
    assert len(run(instance, 1)) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScriptedTrade(0, 0, 1), "price 0 is not between 1 and 10000000000000"),
        (lambda: ScriptedTrade(0, 1, 0), f"size 0 is not between 1 and {MAX_SIZE}"),
        (lambda: ScriptedTrade(-1, 1, 1), "symbol -1 is not between 0 and 99999"),
        (lambda: ScriptedTrade(0, 1.5, 1), "price 1.5 is not a whole number"),  # type: ignore[arg-type]
        (lambda: ScriptedTrade(0, True, 1), "price True is not a whole number"),
        (lambda: ScriptedTrade(0, 1, 1, "?"), "exchange '?' is not one of A, B, "),
        (lambda: ScriptedTrade(0, 1, 1, None, ("?",)), "condition '?' is not one of A, C, "),
        (lambda: ScriptedTrade(0, 1, 1, None, "IT"), "conditions 'IT' is no list of codes"),  # type: ignore[arg-type]
        (lambda: ScriptedQuote(0, 5, 1, 5, 1), "bid 5 is not below ask 5"),
        (lambda: ScriptedQuote(0, 5, 1, 6, 0), f"ask_size 0 is not between 1 and {MAX_SIZE}"),
        (
            lambda: ScriptedStatus(0, "asleep"),
            "status 'asleep' is not one of trading, limit_state, quoting, paused, halted, closed, pre_market",
        ),
        (lambda: ScriptedStatus(0, "halted", "T9"), "reason 'T9' is not one of T1, T2, "),
    ],
)
def test_an_event_that_cannot_be_is_refused(make: Any, message: str) -> None:
    """The message has the value and what is allowed."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared)
        make()
    assert str(caught.value).startswith(message)


def test_numbers_may_be_those_of_numpy() -> None:
    instance = market(rate=0.0)
    instance.schedule(START, ScriptedTrade(np.int32(1), np.int64(5), np.int64(6)))  # type: ignore[arg-type]
    assert rows_of(run(instance, 0.5)) == [(1, TRADES, 1, START, 5, 6, 0, 0)]


@pytest.mark.asyncio
async def test_clients_are_told_of_a_halt() -> None:
    """As an event of its own channel, in every snapshot, and when they come back."""
    async with running(symbols="AAPL,MSFT", rate=20.0) as server, RawClient(server) as client:
        (hello,) = await client.message()
        client.send(action="subscribe", symbols="*", channels=["trades", "status"])
        await client.until("subscribed")
        at = server.plant.market.now_us + 1_000
        server.plant.market.schedule(at, ScriptedStatus(0, "halted", "T1"))
        await step(server, 10_000)
        (event,) = [item for item in await client.until("status") if item["type"] == "status"]
        assert event == {
            "type": "status",
            "symbol": "AAPL",
            "seq": 1,
            "time": at / 1000,
            "status": "halted",
            "reason": "T1",
        }
        client.send(action="snapshot", symbols="*")
        halted, other = await client.until("snapshot")
        assert (halted["status"], halted["reason"], halted["seq"]["status"]) == ("halted", "T1", 1)
        assert other["status"] == "trading"
        assert "reason" not in other
        client.send(
            action="subscribe",
            symbols="AAPL",
            channels=["status"],
            epoch=hello["epoch"],
            since={"AAPL": {"status": 0}},
        )
        assert event in await client.until("status")


def test_a_walk_of_trades_alone_trades_after_a_halt() -> None:
    """It has no quotes to wait for."""
    instance = Market(Universe.parse("AAPL"), seed=7, rate=50.0, trade_share=1.0)
    instance.schedule(START, ScriptedStatus(0, "halted"))
    instance.schedule(START + SECOND, ScriptedStatus(0, "trading"))
    times = [time for _, channel, _, time, *_ in rows_of(instance.step(END)) if channel == TRADES]
    assert times
    assert min(times) > START + SECOND
