"""Keeping whole blocks inside the bands gives what going through them symbol by symbol gives; and the rules of the US market."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, content
from test_bands import bands, changes, quote, ruled, trade
from us_markets import market, rows, us

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.reference.marks import mark_of, marked
from ticker.reference.rules import collar_ticks
from ticker.reference.status import STATUSES
from ticker.regulation.bands import Bands
from ticker.regulation.limiting import limited
from ticker.rows import SCRIPT, WALK
from ticker.scenario import Scenario
from ticker.universe import Universe

NOON = us("2026-01-05T12:00")
SYMBOLS = 3

prices = st.one_of(
    st.integers(9_480, 9_520), st.integers(9_800, 10_200), st.integers(10_480, 10_520)
)
row = st.tuples(
    st.integers(0, 200 * SECOND),
    st.integers(0, SYMBOLS - 1),
    st.sampled_from([TRADES, TRADES, QUOTES, QUOTES, QUOTES, STATUS]),
    prices,
    st.integers(1, 3),
    st.sampled_from([WALK, WALK, WALK, SCRIPT]),
)


def batch_of(made: list[tuple[int, ...]]) -> tuple[TickBatch, np.ndarray]:
    made = sorted(made)
    time, symbol, channel, price, wide, origin = np.array(made, dtype=np.int64).reshape(-1, 6).T
    status = np.array([STATUSES.index("halted"), STATUSES.index("trading")])[price % 2]
    none = np.zeros(len(time), dtype=np.int64)
    batch = TickBatch(
        symbol.astype(np.int32),
        channel.astype(np.uint8),
        none,
        NOON + time,
        np.where(channel == STATUS, status, price),
        np.where(channel == STATUS, 0, 100),
        np.where(channel == QUOTES, price + wide, 0),
        np.where(channel == QUOTES, 100, 0),
    )
    return batch, origin.astype(np.uint8)


def through(made: list[tuple[int, ...]], cuts: list[int], rules: bool) -> tuple[bytes, Any]:
    """Go through a tape of 200 seconds in blocks."""
    one = {i: bands(from_us=NOON, us=rules, mark=mark_of("Q", "5")) for i in range(SYMBOLS - 1)}
    parts, bands_at = [], []
    times = [NOON, *[NOON + cut * SECOND for cut in sorted(set(cuts))], NOON + 201 * SECOND]
    batch, origin = batch_of(made)
    for begin, end in itertools.pairwise(times):
        mine = (batch.time >= begin) & (batch.time < end)
        part = batch[mine]
        columns = {name: getattr(part, name).copy() for name in ("price", "ask")}
        part.price, part.ask = columns["price"], columns["ask"]
        after, _, one, edges = limited(part, origin[mine], one, end)
        parts.append(after)
        bands_at.append(edges)
    return content(TickBatch.join(parts)) + np.concatenate(bands_at, axis=1).tobytes(), one


@settings(max_examples=80)
@given(st.lists(row, max_size=40), st.lists(st.integers(1, 200), max_size=8), st.booleans())
def test_a_block_at_once_is_the_same_as_symbol_by_symbol(
    made: list[tuple[int, ...]], cuts: list[int], rules: bool
) -> None:
    """However it is cut into blocks; the last symbol has no bands at all."""
    quick = through(made, cuts, rules)
    calm = Bands.calm
    Bands.calm = lambda self, end_us: False  # type: ignore[method-assign]
    try:
        slow = through(made, cuts, rules)
        whole = through(made, [], rules)
    finally:
        Bands.calm = calm  # type: ignore[method-assign]
    assert quick == slow
    assert quick[1] == whole[1]


def test_what_the_rules_make_of_several_symbols_is_in_the_order_of_time() -> None:
    """Also where nothing else happens in between."""
    one = {i: bands(from_us=NOON) for i in range(2)}
    # The second one stands at its band first.
    made = [(2 * SECOND, 0, QUOTES, 10_600, 2, WALK), (SECOND, 1, QUOTES, 10_600, 2, WALK)]
    batch = limited(*batch_of(made), one, NOON + 800 * SECOND).batch
    assert (np.diff(batch.time) >= 0).all()
    paused = batch[(batch.channel == STATUS) & (batch.price == STATUSES.index("paused"))]
    assert paused.symbol.tolist() == [1, 0]


def test_a_pause_goes_on_for_as_long_as_the_price_is_outside_the_collars() -> None:
    """They are 5 % around the band, and widen by as much; each time it is told."""
    one = bands(us=True, from_us=us("2026-01-05T12:00"))
    shift = (NOON - us("2026-01-05T09:30")) / SECOND
    steps = [quote(1, 10_700), quote(100, 11_500), quote(400, 11_300)]
    found, after = ruled(
        [(t + round(shift * SECOND), *rest) for t, *rest in steps], shift + 1_000, one
    )
    assert [(at - shift, *rest) for at, *rest in changes(found)] == [
        (1, "limit_state", None),
        (16, "paused", "LUDP"),
        (316, "paused", "LUDP"),
        (616, "trading", "LUDP"),
    ]
    assert after.reference == 11_301


def test_collars_are_five_percent_and_fifteen_cents_for_cheap_ones() -> None:
    assert [collar_ticks(price, 0.01) for price in (10_500, 301, 300, 20)] == [525, 15, 15, 15]


def test_a_fall_widens_the_other_collar() -> None:
    one = bands(us=True, from_us=NOON)
    shift = (NOON - us("2026-01-05T09:30")) / SECOND
    steps = [quote(1, 9_300), quote(100, 8_300)]
    found, _ = ruled([(t + round(shift * SECOND), *rest) for t, *rest in steps], shift + 1_300, one)
    told = [(round(at - shift), status) for at, status, _ in changes(found)]
    assert told == [
        (1, "limit_state"),
        (16, "paused"),
        (316, "paused"),
        (616, "paused"),
        (916, "trading"),
    ]


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-01-05T15:44:43", "2026-01-05T15:49:59"),
        ("2026-01-05T15:44:45", None),
        ("2026-01-05T15:58", None),
        ("2026-11-27T12:44:45", None),
    ],
)
def test_a_pause_that_would_last_into_the_last_ten_minutes_lasts_until_the_close(
    at: str, ends: str | None
) -> None:
    """
    It isn't reopened then: its next trade is the closing auction's.

    Section VII of the plan; Nasdaq Equity 4, 4754(b)(6): a pause that is in force at 15:50 or later.
    """
    one = bands(us=True, from_us=us(at))
    row = (us(at) + SECOND, QUOTES, 11_100, 11_102, WALK)
    back = (us(at) + 100 * SECOND, QUOTES, 11_000, 11_002, WALK)
    seconds = (us(at) - us("2026-01-05T09:30")) / SECOND
    found, _ = ruled([row, back], seconds + 1_200, one)
    start = us("2026-01-05T09:30") / SECOND
    told = [(status, start + at) for at, status, _ in changes(found)]
    assert [status for status, _ in told][:2] == ["limit_state", "paused"]
    assert [status for status, _ in told][2:] == (["trading"] if ends else [])
    if ends:
        assert told[2][1] * SECOND == us(ends)


def test_a_symbol_that_is_paused_closes_with_its_print() -> None:
    """Behind the change of status and a quote, wherever the price has gone meanwhile; bands don't hold it."""
    squeeze = Scenario("squeeze", path=((0, 0), (10, 0.3), (900, 0.3)), everybody=False)
    m = market("2026-01-05T15:55", 0, rate=10.0)
    m.play(squeeze)
    batch = m.step(us("2026-01-05T16:00:30"))
    told = [(d["time"], STATUSES[d["price"]]) for d in rows(batch, STATUS, 0)]
    assert [status for _, status in told] == ["limit_state", "paused", "post_market"]
    after = [t for t in rows(batch, TRADES, 0) if t["time"] > told[1][0]]
    (closing,) = [t for t in after if "6" in marked(t["ask"])[1]]
    assert after[0] == closing
    assert closing["time"] == told[2][0] == us("2026-01-05T16:00")
    assert closing["price"] > 1.25 * batch.price[(batch.channel == TRADES) & (batch.symbol == 0)][0]
    mine = batch[(batch.symbol == 0) & (batch.time == told[2][0]) & (batch.channel < 3)]
    assert mine.channel.tolist()[:3] == [STATUS, QUOTES, TRADES]
    assert m.snapshot(0).last == closing["price"]


def test_the_percentage_goes_by_the_close_of_the_day_before() -> None:
    """From the opening of a day on, whatever the price has become since: 20 % up to 3 dollars, 5 % above."""
    cheap = Universe([Instrument("A", 2.90, tier=1), Instrument("B", 3.20, tier=1)])
    m = market("2026-01-05T15:50", 0, universe=cheap, rate=20.0, model="gbm")
    path = ((0, 0.15), (60, 0.15))
    m.play(Scenario("up", path=path, everybody=False), us("2026-01-05T15:58"))
    m.step(us("2026-01-06T09:31"))
    assert m.snapshot(0).prev_close > 310
    up, same = (m._overlay._state.bands[i] for i in (0, 1))  # type: ignore[union-attr]
    assert (up.close, same.close) == (m.snapshot(0).prev_close, m.snapshot(1).prev_close)
    for one in (up, same):
        assert one.high - one.reference == pytest.approx(0.05 * one.reference, abs=1)


def test_bands_hold_in_the_regular_session_alone() -> None:
    """Before and after it a price goes where it likes; at the opening they are around the auction's."""
    one = bands(us=True, from_us=us("2026-01-05T09:00"), bid=9_999, ask=10_001)
    shift = (us("2026-01-05T09:00") - us("2026-01-05T09:30")) / SECOND
    wild = [quote(shift + 1, 20_000), trade(shift + 2, 20_001)]
    found, after = ruled(wild, shift + 10, one)
    assert [row[2] for row in found] == [20_000, 20_001]
    opening = (us("2026-01-05T09:30"), STATUS, STATUSES.index("trading"), 0, WALK)
    found, after = ruled([opening, quote(1, 20_100)], 5, after)
    assert after.reference == 20_001
    assert after.high == 21_001
    closing = (us("2026-01-05T16:00"), STATUS, STATUSES.index("post_market"), 0, WALK)
    late = us("2026-01-05T16:00") - us("2026-01-05T09:30")
    found, after = ruled([closing, quote(late / SECOND + 1, 90_000)], late / SECOND + 5, after)
    assert found[-1][2] == 90_000


@pytest.mark.parametrize(
    ("at", "tier", "wide"),
    [
        ("2026-01-05T09:31", 1, False),
        ("2026-01-05T15:34", 1, False),
        ("2026-01-05T15:36", 1, True),
        ("2026-01-05T15:36", 2, False),
        ("2026-11-27T12:34", 1, False),
        ("2026-11-27T12:36", 1, True),
    ],
)
def test_bands_are_twice_as_wide_late_in_the_day(at: str, tier: int, wide: bool) -> None:
    """On a half day, late is early."""
    one = bands(us=True, from_us=us(at), tier=tier)
    rows_ = [(us(at) + SECOND, QUOTES, 9_999, 10_001, WALK)]
    seconds = (us(at) - us("2026-01-05T09:30")) / SECOND + 2
    _, after = ruled(rows_, seconds, one)
    once = 500 if tier == 1 else 1_000
    assert after.high == 10_000 + (2 * once if wide else once)


def test_under_the_rules_all_symbols_have_bands() -> None:
    """Nothing trades outside of 5 % of the mean of five minutes, and what is halted so opens with a print."""
    squeeze = Scenario("squeeze", path=((0, 0), (120, 0.2), (900, 0.2)), everybody=False)
    universe = Universe([Instrument("UP", 50.0, tier=1, exchange="N"), Instrument("FLAT", 50.0)])
    m = market("2026-01-05T12:00", 0, universe=universe, rate=5.0)
    m.play(squeeze)
    batch = m.step(m.now_us + 1_800 * SECOND)
    told = [STATUSES[d["price"]] for d in rows(batch, STATUS, 0)]
    assert told[:2] == ["limit_state", "paused"]
    assert "trading" in told
    assert not rows(batch, STATUS, 1)
    (first, *_) = (t for t in rows(batch, TRADES, 0) if "5" in marked(t["ask"])[1])
    assert marked(first["ask"]) == ("N", ("5",))
    assert first["price"] > 5_250
    times = [(d["time"], STATUSES[d["price"]]) for d in rows(batch, STATUS, 0)]
    for (begin, status), (end, _) in itertools.pairwise(times):
        if status == "paused":
            assert not [t for t in rows(batch, TRADES, 0) if begin < t["time"] < end]
