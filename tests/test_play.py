"""Scenarios that are played: each has its effect, they add up, and the same bytes come however the market is asked."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, START, content, digest, events, naive_bars, run, table_rows
from markets import market_of_three as market

from ticker.batch import BARS, QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.reference.status import QUOTES_IN, REASONS, STATUSES, TRADES_IN
from ticker.scenario import Change, Scenario
from ticker.scenarios import SCENARIOS, scenario_named
from ticker.script import ScriptedEvent, ScriptedQuote, ScriptedStatus, ScriptedTrade
from ticker.universe import Universe

SYMBOLS = 3
END = START + 4 * SECOND
Step = tuple[int, int | None]


def only(batch: TickBatch, symbol: int, channel: int) -> TickBatch:
    return batch[(batch.symbol == symbol) & (batch.channel == channel)]


def middles(batch: TickBatch, symbol: int, seconds: np.ndarray) -> np.ndarray:
    """The middle of the quote that stands some seconds after the start."""
    quotes = only(batch, symbol, QUOTES)
    at = np.searchsorted(quotes.time, START + seconds * SECOND, "right") - 1
    middle: np.ndarray = (quotes.price[at] + quotes.ask[at]) / 2
    return middle


def played(name: str, seconds: float, **options: Any) -> tuple[TickBatch, TickBatch, Market]:
    """What a market gives with a scenario from its start on, and without."""
    with_it, without = market(), market()
    with_it.play(scenario_named(name, **options))
    return run(with_it, seconds), run(without, seconds), with_it


def moved(batch: TickBatch, plain: TickBatch, seconds: float, symbol: int = 0) -> float:
    """By how much a scenario has moved a price, as a return."""
    at = np.array([seconds])
    return float(middles(batch, symbol, at)[0] / middles(plain, symbol, at)[0] - 1)


# However it is asked.

limited = st.builds(
    lambda size, begin: Scenario("limited", path=((0, 0), (begin, 0), (2 * begin, size)), bands=1),
    st.floats(-0.5, 0.5),
    st.floats(0.01, 3),
)
named = st.builds(
    lambda name, duration, size: scenario_named(
        name,
        duration_s=duration,
        size={"microburst": 2_000 * duration, "market_wide_halt": -abs(size) - 0.01}.get(
            name, size
        ),
    ),
    st.sampled_from(sorted(SCENARIOS)),
    st.floats(0.05, 5),
    st.floats(-0.5, 0.5),
)
symbols = st.one_of(st.none(), st.lists(st.integers(0, SYMBOLS - 1), min_size=1, max_size=3))
times = st.one_of(st.integers(START, END - 1), st.sampled_from([START, START + SECOND, END]))
plays = st.lists(
    st.tuples(times, st.one_of(named, limited), symbols, st.integers(0, 3)), max_size=3
)
scripted = st.one_of(
    st.builds(ScriptedTrade, st.integers(0, 2), st.integers(1, 20_000), st.integers(1, 500)),
    st.builds(
        lambda symbol, bid: ScriptedQuote(symbol, bid, 100, bid + 2, 100),
        st.integers(0, 2),
        st.integers(1, 20_000),
    ),
    st.builds(ScriptedStatus, st.integers(0, 2), st.sampled_from(STATUSES)),
)
scripts = st.lists(st.tuples(times, scripted), max_size=5)
steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 3_000), st.integers(1, 900_000), st.just(SECOND)),
        st.one_of(st.none(), st.integers(1, 40)),
    ),
    max_size=20,
)


def begin(instance: Market, commands: list[tuple[int, Any]]) -> None:
    for at_us, command in commands:
        if isinstance(command, tuple):
            instance.play(command[0], at_us, command[1], command[2])
        else:
            instance.schedule(at_us, command)


@settings(max_examples=80, deadline=None)
@given(plays, scripts, steps, st.sampled_from([1, 50, 16_384]))
def test_a_stream_with_scenarios_is_the_batch(
    plays: list[tuple[int, Scenario, list[int] | None, int]],
    script: list[tuple[int, ScriptedEvent]],
    steps: list[Step],
    block_events: int,
) -> None:
    """Whatever the steps, limits and blocks, and whether they are started long before their time or just then."""
    commands: list[tuple[int, Any]] = [(at, (one, who, seed)) for at, one, who, seed in plays]
    commands += script
    commands.sort(key=lambda command: command[0])
    whole, streamed = market(), market(block_events=block_events)
    begin(whole, commands)
    expected = whole.step(END)
    parts = []
    left = list(commands)
    for length, limit in [*steps, (END, None)]:
        until = min(END, streamed.now_us + length)
        due = [command for command in left if command[0] < until]
        begin(streamed, due)
        left = left[len(due) :]
        parts.append(streamed.step(until, limit))
    assert digest(TickBatch.join(parts)) == digest(expected)
    for symbol in range(SYMBOLS):
        assert streamed.snapshot(symbol) == whole.snapshot(symbol)


def test_what_a_scenario_leaves_behind_does_not_depend_on_blocks() -> None:
    """A trade after its end prints inside the last quote that it added, until the next one of the walk."""
    for seed in range(12):
        tapes = set()
        for block_events in (1, 16_384):
            instance = market(seed=seed, block_events=block_events)
            burst = scenario_named("microburst", size=40, duration_s=0.2)
            for at in range(1, 15):
                instance.play(burst, START + at * 250_000 + 1, [0, 1, 2])
            tapes.add(digest(instance.step(END)))
        assert len(tapes) == 1


@settings(max_examples=60, deadline=None)
@given(plays)
def test_what_holds_of_every_event_holds_in_every_scenario(
    plays: list[tuple[int, Scenario, list[int] | None, int]],
) -> None:
    """
    Bid < ask, a trade inside the quote that stands, nothing while it is halted, no number left out, bars of the trades.
    """
    instance = market()
    for at_us, scenario, who, seed in plays:
        instance.play(scenario, at_us, who, seed)
    batch = instance.step(END)
    for symbol in range(SYMBOLS):
        state = market().snapshot(symbol)
        quote, status, trades = (state.bid, state.ask), "trading", []
        seq = [0, 0, 0]
        for event in events(batch, symbol):
            if event.channel >= BARS:
                continue
            seq[event.channel] += 1
            assert event.seq == seq[event.channel]
            if event.channel == STATUS:
                status = STATUSES[event.price]
            elif event.channel == QUOTES:
                quote = event.price, event.ask
                assert 1 <= event.price < event.ask
                assert event.size >= 1 <= event.ask_size
                assert status in QUOTES_IN
            else:
                trades.append((event.time, event.price, event.size))
                assert quote[0] <= event.price <= quote[1]
                assert event.size >= 1
                assert status in TRADES_IN
        bars = [row[1:] for row in table_rows(batch.bars) if row[0] == symbol]
        assert bars == list(naive_bars(trades, SECOND))


@cache
def plain() -> TickBatch:
    return run(market(), 20)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_other_symbols_and_other_times_know_nothing_of_it(name: str) -> None:
    """What a scenario doesn't happen to is as it would have been, byte for byte, and so is all before it begins."""
    instance = market()
    instance.play(scenario_named(name, duration_s=5), START + 3 * SECOND, [1])
    batch = run(instance, 20)
    for symbol in (0, 2):
        assert events(batch, symbol) == events(plain(), symbol)
    begin = START + 3 * SECOND
    before, after = ([e for e in events(b, 1) if e.time < begin] for b in (batch, plain()))
    assert before == after
    assert events(batch, 1) != events(plain(), 1)


def test_a_symbol_has_its_scenario_in_any_company() -> None:
    """Neither other symbols of the market nor other symbols of the scenario change what happens to one."""
    tapes = []
    for instruments, who in (
        (["A", "B"], [0, 1]),
        (["A", "B"], [0]),
        (["C", "A", "D"], [1]),
    ):
        universe = Universe([Instrument(name, 50.0) for name in instruments])
        instance = Market(universe, seed=1, rate=50)
        instance.play(scenario_named("volatile", duration_s=3, volatility=20), symbols=who)
        tapes.append(events(run(instance, 4), instruments.index("A")))
    assert tapes[0] == tapes[1] == tapes[2]


def test_another_seed_is_another_course_of_the_same_scenario() -> None:
    tapes = set()
    for seed in (None, 7, 8):
        instance = market()
        instance.play(scenario_named("volatile"), seed=seed)
        tapes.add(content(run(instance, 5)))
    assert len(tapes) == 2, "None is the market's own"


# What each does.


def test_a_flash_crash_falls_by_its_size_and_recovers() -> None:
    crash = scenario_named("flash_crash", size=-0.2, duration_s=100, volatility=1.0)
    instance = market()
    instance.play(crash, symbols=[0])
    batch, plain = run(instance, 120), run(market(), 120)
    assert moved(batch, plain, 40.2) == pytest.approx(-0.2, abs=0.01)
    assert moved(batch, plain, 25) == pytest.approx(-0.04, abs=0.005)
    assert moved(batch, plain, 110) == pytest.approx(-0.02, abs=0.005)
    spread = [
        float(
            (q.ask - q.price)[
                (q.time > START + 35 * SECOND) & (q.time < START + 50 * SECOND)
            ].mean()
        )
        for q in (only(batch, 0, QUOTES), only(plain, 0, QUOTES))
    ]
    assert spread[0] > 3 * spread[1]


def test_what_a_scenario_has_moved_stays_moved() -> None:
    """The walk goes on from there, long after the last block in which it was played."""
    batch, plain, _ = played("earnings_gap", 400, size=0.25, duration_s=10, volatility=1.0)
    assert moved(batch, plain, 30) == pytest.approx(0.25, abs=0.002)
    assert moved(batch, plain, 399) == pytest.approx(0.25, abs=0.002)


@pytest.mark.parametrize(("name", "multiplier"), [("volatile", 5.0), ("calm", 0.25)])
def test_a_multiplier_multiplies_the_volatility(name: str, multiplier: float) -> None:
    """Sampled every ten seconds, over an hour."""
    seconds = np.arange(10, 3_600, 10)
    instruments = [Instrument("A", 10_000.0, spread=1.0), Instrument("B", 20_000.0, spread=1.0)]
    realised = []
    for playing in (True, False):
        instance = Market(Universe(instruments), seed=3, rate=4, trade_share=0.0, model="gbm")
        if playing:
            instance.play(scenario_named(name, duration_s=3_600, volatility=multiplier))
        batch = run(instance, 3_600)
        returns = [np.diff(np.log(middles(batch, symbol, seconds))) for symbol in (0, 1)]
        realised.append(np.concatenate(returns).std())
    assert realised[0] / realised[1] == pytest.approx(multiplier, rel=0.12)


def test_a_microburst_is_exactly_so_many_quotes_in_its_second() -> None:
    batch, plain, _ = played("microburst", 3)
    inside = [int((only(b, 0, QUOTES).time < START + SECOND).sum()) for b in (batch, plain)]
    assert inside[0] - inside[1] == 20_000
    assert len(only(batch, 0, QUOTES)) - len(only(plain, 0, QUOTES)) == 20_000
    assert len(only(batch, 0, TRADES)) == len(only(plain, 0, TRADES))
    assert events(batch, 1) == events(plain, 1), "of one symbol, if nobody says of which"


def test_a_halt_for_news_ends_with_a_cross() -> None:
    """Nothing from the halt on, quotes before the reopening, and a large print as the first trade."""
    batch, _, instance = played("halt_and_reopen", 40, duration_s=20, size=0.1)
    changes = only(batch, 0, STATUS)
    assert [STATUSES[n] for n in changes.price.tolist()] == [
        "halted",
        "halted",
        "quoting",
        "trading",
    ]
    assert ((changes.time - START) / SECOND).tolist() == [0, 12, 16, 20]
    trades, quotes = only(batch, 0, TRADES), only(batch, 0, QUOTES)
    first = trades[trades.time > START]
    assert first.time[0] == START + 20 * SECOND + 1
    assert first.size[0] == 200 * 100
    late = quotes[quotes.time > START]
    assert late.time[0] == START + 16 * SECOND + 1
    assert instance.snapshot(0).status == "trading"
    assert instance.snapshot(0).reason == "T3"


@pytest.mark.parametrize(
    ("size", "reason", "after"),
    [
        (-0.07, "MWC1", ["quoting", "trading"]),
        (-0.14, "MWC2", ["quoting", "trading"]),
        (-0.25, "MWC3", []),
    ],
)
def test_a_market_wide_halt_is_of_everybody_and_of_its_level(
    size: float, reason: str, after: list[str]
) -> None:
    """The third level is for the rest of the day."""
    options: Any = {"size": size, "duration_s": 24, "volatility": 1.0}
    batch, plain, instance = played("market_wide_halt", 28, **options)
    assert moved(batch, plain, 5.99) == pytest.approx(size, rel=0.1)
    for symbol in range(SYMBOLS):
        changes = only(batch, symbol, STATUS)
        assert [STATUSES[n] for n in changes.price.tolist()] == ["halted", *after]
        assert list(REASONS)[int(changes.size[0])] == reason
        trades = only(batch, symbol, TRADES)
        assert (trades.time > START + 24 * SECOND).any() == bool(after)
        status = instance.snapshot(symbol).status
        assert status == ("trading" if after else "halted")


def test_a_stale_feed_says_nothing_and_goes_on_with_a_quote() -> None:
    batch, plain, instance = played("stale_feed", 20, duration_s=8, size=0.05)
    mine = batch[(batch.symbol == 0) & (batch.channel < STATUS)]
    assert mine.time[0] == START + 8 * SECOND
    assert mine.channel[0] == QUOTES
    assert moved(batch, plain, 9) == pytest.approx(0.05, abs=0.005)
    assert STATUS not in batch.channel
    assert instance.snapshot(0).status == "trading"


def test_the_opening_bell_begins_with_quotes_alone_and_a_cross() -> None:
    batch, plain, _ = played("opening_bell", 60, duration_s=60)
    for symbol in range(SYMBOLS):
        trades = only(batch, symbol, TRADES)
        after = trades[trades.time > START + symbol]
        assert after.time[0] == START + SECOND + symbol + 1
        assert after.size[0] >= 200
        quotes = only(batch, symbol, QUOTES)
        assert (quotes.time < START + SECOND).any()
    assert len(batch) > 2 * len(plain)


def test_the_closing_auction_prints_and_closes() -> None:
    batch, _, _ = played("closing_auction", 25, duration_s=20)
    trades = only(batch, 0, TRADES)
    closing = trades[trades.time == START + 20 * SECOND - 1]
    assert closing.size.max() == 200 * 100
    shut = (trades.time >= START + 20 * SECOND) & (trades.time <= START + 22 * SECOND)
    assert not shut.any()
    busy = ((trades.time - START) // (5 * SECOND) == 3).sum()
    assert busy > 2 * ((trades.time - START) // (5 * SECOND) == 0).sum()


def test_a_short_squeeze_goes_up_and_comes_down_by_a_part() -> None:
    batch, plain, _ = played("short_squeeze", 700, size=0.5, duration_s=100, volatility=1.0)
    assert moved(batch, plain, 20) == pytest.approx(0.05 * 2 / 3, abs=0.01)
    assert moved(batch, plain, 699) == pytest.approx(0.3, abs=0.02)


def test_scenarios_add_up() -> None:
    """Two at once move a price by the product of their factors."""
    instance, plain = market(), market()
    for size in (0.5, -0.2):
        instance.play(Scenario("step", path=((1, 0), (1, size))), symbols=[0])
    batch, other = run(instance, 10), run(plain, 10)
    assert moved(batch, other, 5) == pytest.approx(1.5 * 0.8 - 1, abs=1e-3)


def test_a_quiet_market_moves_in_a_scenario() -> None:
    """Where it is made busier, it has events at all; they begin at the quote that was scripted last."""
    instance = market(rate=0.0)
    instance.schedule(START + 100, ScriptedQuote(0, 20_000, 100, 20_002, 100))
    instance.play(scenario_named("flash_crash", duration_s=60, volatility=1.0), START + SECOND, [0])
    batch = run(instance, 90)
    quotes, trades = only(batch, 0, QUOTES), only(batch, 0, TRADES)
    assert len(quotes) > 50 < len(trades) * 10
    assert quotes.price.max() <= 20_010
    assert quotes.price.min() == pytest.approx(20_000 * 0.91, rel=0.01)
    assert not len(only(batch, 1, QUOTES))


# What is refused.


def test_a_scenario_that_cannot_be_played_is_refused() -> None:
    instance = market()
    run(instance, 1)
    calm = scenario_named("calm")
    with pytest.raises(ValueError, match=f"time {START} has passed"):
        instance.play(calm, START)
    with pytest.raises(ValueError, match="symbol id 3 is not between 0 and 2"):
        instance.play(calm, symbols=[0, 3])
    with pytest.raises(ValueError, match="scenario calm: no symbol is chosen"):
        instance.play(calm, symbols=[])
    many = Market(Universe.of_size(20), seed=1)
    with pytest.raises(
        ValueError, match="microburst: 400000 quotes a second of 20 symbols; at most 200000"
    ):
        many.play(scenario_named("microburst"), symbols=range(20))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scenario_named("crash"), "scenario 'crash' is not one of calm, volatile, opening_bell"),
        (lambda: scenario_named("calm", duration_s=0), "duration_s 0 is not between 0.001 and 518400"),
        (lambda: scenario_named("calm", volatility=-1), "volatility: a value -1 is not between 0 and 100"),
        (lambda: scenario_named("flash_crash", size=-1.0), "size -1.0 is not between -0.99 and 99"),
        (lambda: scenario_named("calm", volatility=float("nan")), "volatility: a value nan is not between"),
        (lambda: scenario_named("market_wide_halt", size=0.1), "size 0.1 of market_wide_halt is no fall"),
        (lambda: Scenario("x", path=((2, 0), (1, 0))), "path: the times [2, 1] are not in order"),
        (lambda: Scenario("x", spread=((0, 0.5),)), "spread: a value 0.5 is not between 1 and 1000"),
        (lambda: Scenario("x", activity=((-1, 1),)), "activity: a time -1 is not between 0 and"),
        (lambda: Scenario("x", silences=((5, 5),)), "silences: 5 to 5 is not an interval of time"),
        (lambda: Scenario("x", bands=3), "bands 3 is not 1 or 2"),
        (lambda: Scenario("x", path=((0, "a"),)), "path: a value 'a' is not a number"),  # type: ignore[arg-type]
        (lambda: Change(-1, "halted"), "a change's time -1 is not between"),
        (lambda: Change(0, "dead"), "status 'dead' is not one of trading"),
    ],
)  # fmt: skip
def test_a_scenario_that_cannot_be_is_refused(make: Any, message: str) -> None:
    """The message has the value and what is allowed."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared)
        make()
    assert message in str(caught.value)
