"""The rules of the US market: sessions, auctions, conditions, ticks; the same bytes however the market is asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import COLUMNS, SECOND, digest, moved_by, naive_bars, run, table_rows
from us_markets import CHANGES, NAMES, market, rows, us
from wire import RawClient, running, step

from feeds.cli.banner import banner
from ticker.batch import BARS, INTERVALS, QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.reference.marks import marked
from ticker.reference.status import STATUSES
from ticker.scenarios import scenario_named
from ticker.script import ScriptedEvent, ScriptedStatus, ScriptedTrade
from ticker.trading_day.sessions import session_at
from ticker.universe import Universe


@pytest.mark.parametrize("at", CHANGES)
def test_every_change_of_session_is_told_to_every_symbol(at: str) -> None:
    """At its time, once, and what a snapshot says changes with it."""
    before, after = CHANGES[at]
    m = market(at)
    assert {m.snapshot(i).status for i in range(3)} == {before}
    batch = run(m, 6)
    told = [(d["symbol"], d["seq"], d["time"], STATUSES[d["price"]]) for d in rows(batch, STATUS)]
    assert told == [(i, 1, us(at), after) for i in range(3)]
    assert {m.snapshot(i).status for i in range(3)} == {after}


@pytest.mark.parametrize("at", CHANGES)
def test_trades_say_where_they_were_made_and_what_they_are(at: str) -> None:
    """Each has an exchange of its tape; odd lots and trades outside of regular hours have their conditions."""
    m = market(at, 60, rate=400.0)
    batch = run(m, 120)
    status = [STATUSES.index(CHANGES[at][0])] * 3
    seen: Counter[str] = Counter()
    for row in rows(batch, TRADES) + rows(batch, STATUS):
        row["turn"] = row["channel"] == STATUS
    ordered = zip(*(getattr(batch, name).tolist() for name in COLUMNS), strict=True)
    for symbol, channel, _, _, price, size, mark, _ in ordered:
        if channel == STATUS:
            status[symbol] = price
        if channel != TRADES:
            continue
        exchange, codes = marked(mark)
        assert exchange is not None
        seen.update(codes)
        assert (exchange == "Q") <= (symbol != 1), "Nasdaq is T on tape A"
        assert ("I" in codes) == (size < m.universe[symbol].round_lot)
        outside = STATUSES[status[symbol]] in ("pre_market", "post_market")
        assert ("T" in codes) == outside
        assert STATUSES[status[symbol]] != "closed"
    if "closed" not in CHANGES[at]:
        assert seen["I"] > seen["F"] > 10


def test_the_sessions_open_and_close_with_an_auction() -> None:
    """One print for each symbol, where it is listed, in the middle of the quote; the first and last trade that moves."""
    for at, code in (("2026-01-05T09:30", "O"), ("2026-01-05T16:00", "6")):
        m = market(at)
        batch = run(m, 6)
        for symbol, listing in enumerate("QNQ"):
            trades = rows(batch, TRADES, symbol)
            crosses = [t for t in trades if code in marked(t["ask"])[1]]
            (cross,) = crosses
            assert marked(cross["ask"]) == (listing, (code,))
            assert cross["time"] == us(at)
            quote = [q for q in rows(batch, QUOTES, symbol) if q["time"] < us(at)][-1:]
            for q in quote:
                assert q["price"] <= cross["price"] <= q["ask"]
            moving = [t for t in trades if "last" in moved_by(t["ask"])]
            assert cross is moving[0 if code == "O" else -1]
            assert cross["size"] % m.universe[symbol].round_lot == 0
            assert cross["size"] > 1_000
            state = m.snapshot(symbol)
            assert cross["price"] == (state.open if code == "O" else state.last)


def test_at_night_nothing_happens_and_it_costs_nothing() -> None:
    """A weekend is one block, and not a second for each of its seconds."""
    m = market("2026-01-02T20:00")
    assert len(run(m, 4))
    before = m._next_second
    blocks: list[int] = []
    make = m._next_block

    def counted() -> Any:
        blocks.append(1)
        return make()

    m._next_block = counted  # type: ignore[method-assign]
    closes: list[int] = []
    close = m._books.close

    def closing(second: int) -> TickBatch:
        closes.append(second)
        return close(second)

    m._books.close = closing  # type: ignore[method-assign]
    batch = m.step(us("2026-01-05T04:00"))
    assert not len(batch[batch.channel < BARS])
    assert len(blocks) <= 1
    assert len(closes) < 20
    assert before < m._next_second
    assert m.snapshot(1).status == "closed"
    assert len(rows(run(m, 1), STATUS)) == 3, "it opens on Monday, on the second"


def test_a_day_has_the_statistics_of_its_regular_session_and_all_shares() -> None:
    """Before the opening there is no open, and the last price is the last close; shares count from 4:00 on."""
    m = market("2026-01-05T20:00", 4 * 3_600 + 5, rate=2.0, model="gbm")  # just before 16:00
    begun = m.snapshot(0)
    batch = run(m, 20)
    trades = rows(batch, TRADES, 0)
    (last,) = [t for t in trades if "6" in marked(t["ask"])[1]]
    assert m.snapshot(0).last == last["price"]
    batch = TickBatch.join([batch, m.step(us("2026-01-06T03:59:59"))])
    night = m.snapshot(0)
    assert night.volume == begun.volume + sum(t["size"] for t in rows(batch, TRADES, 0))
    assert (night.last, night.prev_close) == (last["price"], begun.prev_close)
    m.step(us("2026-01-06T04:00") + 1)
    day = m.snapshot(0)
    assert (day.open, day.high, day.low, day.volume) == (None, None, None, 0)
    assert (day.last, day.prev_close, day.status) == (last["price"], last["price"], "pre_market")
    early = run(m, 1_200)
    day = m.snapshot(0)
    assert day.volume == sum(t["size"] for t in rows(early, TRADES, 0)) > 0
    assert (day.open, day.last) == (None, last["price"])


times = st.integers(0, 9 * SECOND)
events = st.one_of(
    st.builds(ScriptedTrade, st.integers(0, 2), st.integers(1, 30_000), st.integers(1, 500)),
    st.builds(
        ScriptedTrade,
        st.integers(0, 2),
        st.integers(1, 30_000),
        st.integers(1, 500),
        exchange=st.sampled_from([None, "V"]),
        conditions=st.sampled_from([("I",), ("Z",), ("T", "I")]),
    ),
    st.builds(ScriptedStatus, st.integers(0, 2), st.sampled_from(["halted", "trading", "quoting"])),
)
plans = st.lists(st.tuples(times, events), max_size=12)
cuts = st.lists(
    st.tuples(st.integers(1, 2_500_000), st.one_of(st.none(), st.integers(1, 50))), max_size=12
)


def stream(m: Market, plan: list[tuple[int, ScriptedEvent]], cuts: list[Any]) -> TickBatch:
    """Ten seconds in uneven steps; events are scheduled as late as it goes."""
    end, waiting = m.now_us + 10 * SECOND, sorted(plan, key=lambda entry: entry[0])
    start, parts = m.now_us, []
    for by, limit in [*cuts, *[(10 * SECOND, None)] * 2]:
        until = min(end, m.now_us + by)
        while waiting and start + waiting[0][0] < until:
            at, event = waiting.pop(0)
            m.schedule(max(m.now_us, start + at), event)
        parts.append(m.step(until, limit))
        while m.now_us < until:
            parts.append(m.step(until, limit))
    return TickBatch.join(parts)


@settings(max_examples=25)
@given(st.sampled_from(list(CHANGES)), plans, cuts)
def test_a_stream_over_a_change_of_session_is_the_batch(
    at: str, plan: list[tuple[int, ScriptedEvent]], cuts: list[Any]
) -> None:
    """Whatever the steps and blocks are, with a script or without."""
    whole, cut = market(at, 5), market(at, 5, block_events=64)
    for offset, event in sorted(plan, key=lambda entry: entry[0]):
        whole.schedule(whole.now_us + offset, event)
    batch = run(whole, 10)
    stream_of_it = stream(cut, plan, cuts)
    assert digest(stream_of_it) == digest(batch)
    assert [whole.snapshot(i) for i in range(3)] == [cut.snapshot(i) for i in range(3)]


@settings(max_examples=25)
@given(st.sampled_from(list(CHANGES)), plans)
def test_what_is_published_obeys_the_rules(at: str, plan: list[tuple[int, ScriptedEvent]]) -> None:
    """
    Bars and snapshots are those of the published trades; quotes are on the grid and not crossed; nothing trades that may not.

    A scripted trade is taken at its word, and comes anyway.
    """
    m = market(at, 5)
    scripted, begun = set(), [m.snapshot(symbol).volume for symbol in range(3)]
    for offset, event in plan:
        m.schedule(m.now_us + offset, event)
        if isinstance(event, ScriptedTrade):
            scripted.add((event.symbol, m.now_us + offset, event.price, event.size))
    batch = run(m, 10)
    bars = table_rows(batch.bars)
    for symbol in range(3):
        trades = rows(batch, TRADES, symbol)
        columns = [(t["time"], t["price"], t["size"], t["ask"]) for t in trades]
        made = [bars[b["price"]][1:] for b in rows(batch, BARS, symbol)]
        assert made == list(naive_bars(columns, SECOND))
        state = m.snapshot(symbol)
        moving = [t for t in trades if "last" in moved_by(t["ask"])]
        fresh = [t for t in trades if at != "2026-01-05T04:00" or t["time"] >= us(at)]
        shares = sum(t["size"] for t in fresh if "volume" in moved_by(t["ask"]))
        before = 0 if at == "2026-01-05T04:00" else begun[symbol]  # a day begins
        assert state.volume == before + shares
        if moving:
            assert (state.last, state.size) == (moving[-1]["price"], moving[-1]["size"])
        for channel in (TRADES, QUOTES, STATUS):
            seq = [row["seq"] for row in rows(batch, channel, symbol)]
            assert seq == list(range(1, len(seq) + 1))
    status = [CHANGES[at][0]] * 3
    for symbol, channel, _, time, price, size, ask, _ in zip(
        *(getattr(batch, name).tolist() for name in COLUMNS), strict=True
    ):
        if channel == STATUS:
            status[symbol] = STATUSES[price]
        elif channel == QUOTES:
            assert price < ask
            assert status[symbol] not in ("halted", "closed")
        elif channel == TRADES and (symbol, time, price, size) not in scripted:
            assert status[symbol] in ("trading", "pre_market", "post_market")


def test_a_halt_outlasts_sessions_and_ends_in_the_one_that_is() -> None:
    """Who resumes after hours is in the session after hours, and at night closed."""
    m = market("2026-01-05T16:00", 5, model="gbm", rate=5.0)
    m.schedule(m.now_us + SECOND, ScriptedStatus(0, "halted", "T1"), ScriptedStatus(1, "halted"))
    m.schedule(m.now_us + 8 * SECOND, ScriptedStatus(0, "trading", "T3"))
    batch = run(m, 10)
    told = [[STATUSES[d["price"]] for d in rows(batch, STATUS, i)] for i in range(3)]
    assert told == [["halted", "post_market"], ["halted"], ["post_market"]]
    assert not [
        t
        for t in rows(batch, TRADES, 0)
        if us("2026-01-05T15:59:56") < t["time"] < us("2026-01-05T16:00:03")
    ]
    m.schedule(us("2026-01-05T21:00"), ScriptedStatus(1, "trading"))
    m.step(us("2026-01-05T20:30"))
    assert [m.snapshot(i).status for i in range(3)] == ["closed", "halted", "closed"]
    m.step(us("2026-01-05T21:01"))
    assert m.snapshot(1).status == "closed"


def test_a_halt_for_the_rest_of_the_day_ends_with_it() -> None:
    """The third level of the market-wide circuit breakers; a halt for news doesn't."""
    m = market("2026-01-05T20:00", 5)
    m.schedule(m.now_us, ScriptedStatus(0, "halted", "MWC3"), ScriptedStatus(1, "halted", "T1"))
    m.step(us("2026-01-06T03:59"))
    assert [m.snapshot(i).status for i in range(3)] == ["halted", "halted", "closed"]
    m.step(us("2026-01-06T04:00:01"))
    assert [m.snapshot(i).status for i in range(3)] == ["pre_market", "halted", "pre_market"]


def test_from_a_dollar_on_prices_are_whole_cents() -> None:
    """Below it they are hundredths of a cent, on both sides of the same quote; without rules they always are."""
    penny = Universe([Instrument("PENNY", 0.9995, tick_size=1e-4, spread=30.0, volatility=9.0)])
    options: dict[str, Any] = {"universe": penny, "rate": 300.0}
    m = market("2026-01-05T12:00", **options)
    batch = run(m, 120)
    quotes, trades = rows(batch, QUOTES), rows(batch, TRADES)
    prices = np.array([p for q in quotes for p in (q["price"], q["ask"])])
    assert (prices[prices >= 10_000] % 100 == 0).all()
    assert (prices[prices < 10_000] % 100 != 0).any()
    assert min(prices) < 10_000 < max(prices)
    stands = None
    for row in sorted([*quotes, *trades], key=lambda row: (row["time"], row["channel"] == TRADES)):
        if row["channel"] == QUOTES:
            assert row["price"] < row["ask"]
            stands = row
        elif stands and stands["time"] < row["time"]:
            assert stands["price"] <= row["price"] <= stands["ask"]
            assert row["price"] < 10_000 or row["price"] % 100 == 0
    half = Universe([Instrument("HALF", 12.0, tick_size=0.005)])
    quotes = rows(run(market("2026-01-05T12:00", universe=half, rate=300.0), 5), QUOTES)
    assert any(q["price"] % 2 for q in quotes), "half a cent is a tick, for who has it"
    free = Market(penny, seed=5, rate=300.0)
    asks = run(free, 120).ask
    assert (asks[asks > 10_000] % 100).any()


def test_thin_sessions_have_few_trades_and_wide_quotes() -> None:
    """A tenth of the volume is before and after; half an hour of each shows the way."""
    shares, widths = {}, {}
    universe = Universe.parse("META,LLY,COST,NFLX,UNH")
    for at in ("2026-01-05T06:00", "2026-01-05T12:00", "2026-01-05T18:00"):
        batch = run(market(at, 0, rate=5.0, universe=universe), 1_800)
        shares[at] = sum(t["size"] for t in rows(batch, TRADES))
        widths[at] = np.mean([q["ask"] - q["price"] for q in rows(batch, QUOTES)])
    early, noon, late = shares.values()
    assert max(early, late) < noon / 4
    assert (
        min(widths["2026-01-05T06:00"], widths["2026-01-05T18:00"]) > 2 * widths["2026-01-05T12:00"]
    )


def test_a_chart_has_no_bars_of_the_night() -> None:
    """What is invented from before the start is, too."""
    m = market("2026-01-05T09:31", 0)
    for interval, length in (("1m", 60), ("5m", 300), ("1h", 3_600), ("1d", 86_400)):
        bars, _ = m.bars(0, interval, 50)
        assert len(bars) == 50
        for start in bars.start.tolist():
            first = start // SECOND
            closes = session_at(first).begin_s == first  # with the print of the auction
            seconds = range(first, first + length, 60)
            assert closes or any(session_at(second).status == "trading" for second in seconds)


@pytest.mark.parametrize("at", ["2026-01-05T09:30", "2026-01-05T11:07", "2026-11-28T12:00"])
def test_the_past_of_sessions_agrees_with_itself(at: str) -> None:
    """Minutes make hours and days, also of half days; the day's bar has the figures of the snapshot; there is enough of it."""
    m = market(at, 0)
    days, partial = m.bars(0, "1d", 5_000)
    assert len(days) >= 500
    day, state = table_rows(days)[-1], m.snapshot(0)
    if at.endswith("09:30"):
        assert not partial
        assert state.open is None
        assert 0 < state.volume < day[6]
        assert state.prev_close == days.close[-1]
    else:
        assert (state.open, state.high, state.low) == day[2:5]
        assert state.prev_close == days.close[-2]
    minutes, _ = m.bars(0, "1m", 5_000)
    assert len(minutes) == 5_000
    for interval in ("5m", "1h", "1d"):
        length = INTERVALS[interval] * SECOND
        bars, _ = m.bars(0, interval, 5_000)
        bars = bars.take(np.flatnonzero(bars.start > minutes.start[0]))
        assert len(bars) >= 12
        number = np.searchsorted(bars.start, minutes.start, "right") - 1
        mine = minutes.take(np.flatnonzero(number >= 0))
        at_bar = number[number >= 0]
        assert (mine.start < bars.start[at_bar] + length).all()
        aside = bars.volume - np.bincount(at_bar, mine.volume)
        assert (aside >= 0).all()
        late = [
            session_at(start // SECOND).status == "post_market" for start in bars.start.tolist()
        ]
        assert (aside[late] > 0).all(), "what trades in its minutes after the close"
        assert interval != "5m" or not aside[~np.array(late)].any()
        first = np.searchsorted(at_bar, np.arange(len(bars)))
        assert (np.maximum.reduceat(mine.high, first) == bars.high).all()
        assert (mine.open[first] == bars.open).all()


def test_a_print_of_an_auction_waits_for_no_quote() -> None:
    """Where nothing was quoted since the night, the session opens with it all the same."""
    m = market("2026-01-05T04:00", rate=0.0001)
    batch = m.step(us("2026-01-05T09:30") + SECOND)
    assert not rows(batch, QUOTES)
    assert [marked(t["ask"])[1] for t in rows(batch, TRADES)] == [("O",)] * 3


def test_a_market_of_trades_alone_waits_for_no_quote() -> None:
    """It trades again after the night."""
    m = market("2026-01-05T04:00", trade_share=1.0)
    assert rows(run(m, 60), TRADES)


def test_a_quiet_market_has_sessions_and_no_prints() -> None:
    """Nothing happens but what somebody commands, and what the clock does."""
    batch = run(market("2026-01-05T09:30", rate=0.0), 6)
    assert batch.channel.tolist() == [STATUS] * 3
    assert STATUSES[batch.price[0]] == "trading"


def test_scenarios_are_played_under_the_rules() -> None:
    """Their crosses say what they are, and nothing of them happens at night."""
    m = market("2026-01-05T12:00")
    m.play(scenario_named("halt_and_reopen", duration_s=10))
    batch = run(m, 20)
    (cross,) = [t for t in rows(batch, TRADES, 0) if "5" in marked(t["ask"])[1]]
    assert marked(cross["ask"]) == ("Q", ("5",))
    m = market("2026-01-05T21:00")
    m.play(scenario_named("volatile", duration_s=60))
    assert not len(run(m, 60))


def test_wrong_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="rules 'uk' is not one of open, us"):
        Market(NAMES, seed=1, rules="uk")


def test_rules_make_another_epoch() -> None:
    """And so do other listings, which change where trades are made; without rules they change nothing."""
    plain, listed = (Universe([Instrument("A", 10.0, exchange=e)]) for e in ("", "N"))
    assert Market(plain, seed=1).epoch == Market(listed, seed=1).epoch
    epochs = {Market(u, seed=1, rules="us").epoch for u in (plain, listed)}
    assert len(epochs | {Market(plain, seed=1).epoch}) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-01-10T12:00", "closed until Mon 2026-01-12 09:00 UTC, 04:00 in New York"),
        ("2026-07-06T08:00", "pre_market until Mon 2026-07-06 13:30 UTC, 09:30 in New York"),
    ],
)
async def test_whoever_starts_it_is_told_which_session_it_is(at: str, told: str) -> None:
    """So that nobody waits for prices on a weekend; a market that is always open has none."""
    async with running(symbols="AAPL", rules="us", start_us=us(at)) as server:
        assert f"\n  session    {told}\n" in banner(server)
    async with running(symbols="AAPL") as server:
        assert "session" not in banner(server)


@pytest.mark.asyncio
async def test_a_client_is_told_of_the_sessions() -> None:
    """Over a WebSocket: hello names the rules, the snapshot the session, events its end."""
    options: dict[str, Any] = {"symbols": "AAPL", "rules": "us", "rate": 100.0}
    options["start_us"] = us("2026-01-05T19:59:58")
    async with running(**options) as server, RawClient(server) as client:
        (hello,) = await client.message()
        assert hello["rules"] == "us"
        client.send(action="subscribe", symbols=["AAPL"], channels=["trades", "status"])
        (snapshot,) = [i for i in await client.until("snapshot") if i["type"] == "snapshot"]
        assert snapshot["status"] == "post_market"
        await step(server, 3 * SECOND)
        (status,) = [i for i in await client.until("status") if i["type"] == "status"]
        assert (status["status"], status["reason"], status["seq"]) == ("closed", None, 1)
        assert status["opens"] == us("2026-01-06T09:30") / 1_000
        snapshot = await client.ask(action="snapshot", symbols=["AAPL"])
        assert snapshot["status"] == "closed"
        assert snapshot["opens"] == status["opens"]


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-01-05T09:29:57", "2026-01-05T09:30"),
        ("2026-11-25T19:59:57", "2026-11-27T09:30"),
        ("2026-03-06T19:59:57", "2026-03-09T09:30"),
        ("2026-01-05T12:00", None),
    ],
)
def test_outside_of_the_regular_session_it_is_told_when_the_next_one_begins(
    at: str, opens: str | None
) -> None:
    """In snapshots and with the change; over a holiday, and clocks that go forward. In it, and of a halt, nothing is told."""
    m, when = market(at, 0), us(opens) // SECOND if opens else None
    assert m.snapshot(1).opens == when
    m.schedule(m.now_us + SECOND, ScriptedStatus(0, "halted", "T1"))
    told = rows(run(m, 6), STATUS)
    assert next(row["ask"] for row in told if row["symbol"] == 0) == 0
    assert m.snapshot(0).opens is None
    assert m.snapshot(1).opens == (None if opens == "2026-01-05T09:30" else when)
    m.schedule(m.now_us, ScriptedStatus(0, "trading", "T3"))
    run(m, 1)
    assert m.snapshot(0).opens == m.snapshot(1).opens
