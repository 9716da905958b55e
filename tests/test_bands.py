"""Limit up, limit down: nothing trades outside the bands or in a pause, and the states follow one another as they must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, START, digest, events, run

from ticker.batch import BARS, QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.reference.rules import band_ticks, doubled, round_lot
from ticker.reference.status import REASONS, STATUSES, TRADES_IN
from ticker.regulation.bands import Bands
from ticker.regulation.limiting import limited
from ticker.rows import EXTRA, SCRIPT, WALK
from ticker.scenario import Scenario
from ticker.scenarios import scenario_named
from ticker.script import ScriptedStatus, ScriptedTrade
from ticker.universe import Universe

DAY = START - 3_600 * SECOND
Row = tuple[int, int, int, int, int]
"""Time, channel, price, ask, origin."""


def bands(**changes: Any) -> Bands:
    """Tier 1, in cents, around 100 dollars from the start on: 95 and 105."""
    own: dict[str, Any] = {"tier": 1, "tick_size": 0.01, "lot": 100, "from_us": START}
    return Bands(**(own | {"day_us": DAY, "bid": 9_999, "ask": 10_001} | changes))


def batch_of(rows: list[Row]) -> tuple[TickBatch, np.ndarray]:
    time, channel, price, ask, origin = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    ones = np.ones(len(time), dtype=np.int64)
    size = np.where(channel == STATUS, 0, ones)
    batch = TickBatch(
        (0 * ones).astype(np.int32),
        channel.astype(np.uint8),
        0 * ones,
        time,
        price,
        size,
        ask,
        size,
    )
    return batch, origin.astype(np.uint8)


def ruled(rows: list[Row], seconds: float, one: Bands | None = None) -> tuple[list[Any], Bands]:
    """What comes of some rows: seconds, channel, price, ask; changes of status by name."""
    end = START + round(seconds * SECOND)
    batch, _, after, _ = limited(*batch_of(rows), {0: one or bands()}, end)
    found: list[Any] = []
    for time, channel, price, size, ask in zip(
        batch.time.tolist(),
        batch.channel.tolist(),
        batch.price.tolist(),
        batch.size.tolist(),
        batch.ask.tolist(),
        strict=True,
    ):
        at = (time - START) / SECOND
        if channel == STATUS:
            found.append((at, STATUSES[price], list(REASONS)[size]))
        else:
            found.append((at, channel, price, ask))
    return found, after[0]


def quote(at: float, bid: int, ask: int | None = None) -> Row:
    return START + round(at * SECOND), QUOTES, bid, bid + 2 if ask is None else ask, WALK


def trade(at: float, price: int, origin: int = WALK) -> Row:
    return START + round(at * SECOND), TRADES, price, 0, origin


def changes(found: list[Any]) -> list[Any]:
    return [row for row in found if isinstance(row[1], str)]


def test_inside_the_bands_nothing_changes() -> None:
    rows = [quote(1, 10_300), trade(2, 10_499), quote(3, 9_600), trade(4, 9_501)]
    found, _ = ruled(rows, 20)
    assert found == [
        (1, 1, 10_300, 10_302),
        (2, 0, 10_499, 0),
        (3, 1, 9_600, 9_602),
        (4, 0, 9_501, 0),
    ]


def test_quotes_stop_at_a_band_and_what_trades_there_trades_at_it() -> None:
    """A limit state begins with the quote that stands at the band, and ends with the first that doesn't."""
    rows = [quote(1, 9_300), trade(2, 9_300), trade(2.5, 9_302), quote(3, 9_600), trade(4, 9_600)]
    found, _ = ruled(rows, 30)
    assert found == [
        (1, 1, 9_300, 9_500),
        (1, "limit_state", None),
        (2, 0, 9_500, 0),
        (2.5, 0, 9_500, 0),
        (3, 1, 9_600, 9_602),
        (3, "trading", None),
        (4, 0, 9_600, 0),
    ]


def test_a_limit_state_of_fifteen_seconds_is_a_pause_of_five_minutes() -> None:
    """It ends with a quote and a cross around where the price is now, and bands around that."""
    rows = [quote(1, 10_700), quote(5, 10_800), quote(100, 11_000, 11_010), trade(320, 11_010)]
    found, after = ruled(rows, 400)
    assert changes(found) == [
        (1, "limit_state", None),
        (16, "paused", "LUDP"),
        (316, "trading", "LUDP"),
    ]
    assert found[:2] == [(1, 1, 10_500, 10_702), (1, "limit_state", None)]
    assert found[-3:] == [(316, 1, 11_000, 11_010), (316, 0, 11_005, 0), (320, 0, 11_010, 0)]
    assert (after.low, after.high) == (11_005 - 550, 11_005 + 550)


def test_new_bands_follow_the_mean_of_five_minutes() -> None:
    """Looked at every 30 seconds, if it has moved by a hundredth; they hold from the next quote on."""
    rows = [trade(1, 10_200), quote(29, 10_190), quote(31, 10_200), trade(32, 10_900)]
    found, after = ruled(rows, 33)
    assert after.reference == 10_200
    assert found[-1] == (32, 0, 10_200 + 510, 0)
    _, same = ruled([trade(1, 10_099), quote(31, 10_100)], 33)
    assert same.reference == 10_000
    _, none = ruled([quote(31, 10_200)], 400)
    assert none.reference == 10_000, "without a trade it stays"


def test_a_script_is_taken_at_its_word_and_a_halt_stops_the_bands() -> None:
    halted, trading = (STATUSES.index(s) for s in ("halted", "trading"))
    rows = [
        trade(1, 5, SCRIPT),
        (START + 2 * SECOND, STATUS, halted, 0, SCRIPT),
        quote(3, 8_000),
        (START + 60 * SECOND, STATUS, trading, 0, SCRIPT),
        quote(61, 8_010),
    ]
    found, after = ruled(rows, 70)
    assert found[0] == (1, 0, 5, 0)
    assert changes(found) == [(2, "halted", None), (60, "trading", None)]
    assert after.reference == 8_001, "it begins anew around the newest quote"


def test_bands_hold_from_their_time_on() -> None:
    late = bands(from_us=START + 10 * SECOND)
    found, _ = ruled([quote(1, 20_000), trade(2, 30_000), trade(11, 30_000)], 20, late)
    assert found[1:] == [(2, 0, 30_000, 0), (11, 0, 21_001, 0)]
    _, waiting = ruled([quote(1, 20_000)], 5, late)
    assert (waiting.bid, waiting.reference) == (20_000, 0)


rows = st.lists(
    st.tuples(
        st.integers(0, 700_000),  # milliseconds
        st.sampled_from([QUOTES, QUOTES, TRADES, STATUS]),
        st.integers(8_800, 11_200),
        st.integers(1, 9),
        st.sampled_from([WALK, WALK, EXTRA, SCRIPT]),
    ).map(
        lambda r: (
            START + r[0] * 1_000,
            r[1],
            r[2] % len(STATUSES) if r[1] == STATUS else r[2],
            r[2] + r[3] if r[1] == QUOTES else 0,
            SCRIPT if r[1] == STATUS else r[4],
        )
    ),
    min_size=1,
    max_size=60,
).map(lambda found: sorted(found, key=lambda row: row[0]))


@settings(max_examples=150, deadline=None)
@given(rows)
def test_nothing_trades_outside_the_bands(rows: list[Row]) -> None:
    """
    Whatever happens, and the same in one pass as time by time: the bands are looked at after each.

    But for what is scripted, a quote's bid is not above the upper band, nor its ask below the lower one.
    """
    whole, origins, *_ = limited(*batch_of(rows), {0: bands()}, START + 800 * SECOND)
    one, parts = bands(), []
    times = sorted({row[0] for row in rows})
    for time, until in zip(times, [*times[1:], START + 800 * SECOND], strict=True):
        for end, due in ((time + 1, [row for row in rows if row[0] == time]), (until, [])):
            before = one
            batch, origin, after, _ = limited(*batch_of(due), {0: one}, end)
            one = after[0]
            parts.append(batch)
            if before.mode == one.mode == 0 and not before.pending and before.low == one.low:
                free = origin != SCRIPT
                prices = batch.price[(batch.channel == TRADES) & free]
                assert ((prices >= one.low) & (prices <= one.high)).all()
                quotes = (batch.channel == QUOTES) & free
                assert (batch.price[quotes] <= one.high).all()
                assert (batch.ask[quotes] >= one.low).all()
    together = TickBatch.join([part for part in parts if len(part)])
    assert digest(together) == digest(whole)
    quotes = (whole.channel == QUOTES) & (origins != SCRIPT)
    assert (whole.price[quotes] < whole.ask[quotes]).all()


# In a market.


def crashing(**options: Any) -> Market:
    universe = Universe([Instrument("A", 100.0), Instrument("B", 50.0, activity=2.0)])
    return Market(universe, **({"seed": 5, "rate": 8.0} | options))


def crash(instance: Market) -> None:
    path = ((5, 0), (100, -0.3), (600, -0.1))
    instance.play(Scenario("crash", path=path, bands=1), START + 3 * SECOND)
    instance.schedule(START + 40 * SECOND, ScriptedTrade(0, 12_345, 7))
    instance.schedule(START + 500 * SECOND, ScriptedStatus(1, "halted", "T1"))
    instance.schedule(START + 520 * SECOND, ScriptedStatus(1, "trading"))


@pytest.mark.parametrize("block_events", [100, 16_384])
def test_a_crash_is_paused_the_same_in_any_steps(block_events: int) -> None:
    """Bands, limit states and pauses go on over blocks, and nothing depends on the pace at which they are asked for."""
    whole, streamed = crashing(), crashing(block_events=block_events)
    crash(whole)
    crash(streamed)
    batch = run(whole, 900)
    end = START + 900 * SECOND
    parts = [
        streamed.step(min(end, streamed.now_us + microseconds), 700)
        for microseconds in [500_000, 2_501_000, 100, 13_700_000] * 60
    ]
    parts.append(streamed.step(end))
    assert digest(TickBatch.join(parts)) == digest(batch)
    for symbol in (0, 1):
        status, quote = "trading", (0, 2**60)
        names = []
        for event in events(batch, symbol):
            if event.channel >= BARS:
                continue
            if event.channel == STATUS:
                status = STATUSES[event.price]
                names.append(status)
            elif event.channel == QUOTES:
                quote = event.price, event.ask
                assert event.price < event.ask
            elif event[3:5] != (12_345, 7):
                assert status in TRADES_IN
                assert quote[0] <= event.price <= quote[1]
        assert "paused" in names
        assert names[names.index("paused") - 1] == "limit_state"
        assert names[names.index("paused") + 1] == "trading"


def test_a_short_squeeze_is_paused_on_its_way_up() -> None:
    """Without the bands it would have gone further at that time."""
    instance = crashing()
    instance.play(scenario_named("short_squeeze"), symbols=[0])
    batch = run(instance, 1_800)
    mine = batch[(batch.symbol == 0) & (batch.channel == STATUS)]
    names = [STATUSES[n] for n in mine.price.tolist()]
    assert names.count("paused") >= 1
    pause = int(mine.time[names.index("paused")])
    inside = (batch.time > pause) & (batch.time < pause + 300 * SECOND) & (batch.symbol == 0)
    assert not (batch.channel[inside] < STATUS).any()


# The rules.


@pytest.mark.parametrize(
    ("close", "price", "tier", "wide", "distance"),
    [
        (100.0, 100.0, 1, False, 5.0),
        (100.0, 100.0, 2, False, 10.0),
        (100.0, 100.0, 1, True, 10.0),
        (2.0, 2.0, 1, False, 0.4),
        (3.0, 3.0, 2, False, 0.6),
        (3.01, 2.0, 2, False, 0.2),
        (3.0, 8.0, 1, False, 1.6),
        (0.75, 0.75, 1, False, 0.15),
        (0.74, 2.0, 1, False, 0.15),
        (0.75, 0.5, 1, False, 0.10),
        (0.5, 0.5, 2, False, 0.15),
        (0.1, 0.1, 2, False, 0.08),
        (0.5, 0.1, 2, True, 0.15),
        (0.01, 0.01, 2, False, 0.01),
    ],
)
def test_bands_are_those_of_the_plan(
    close: float, price: float, tier: int, wide: bool, distance: float
) -> None:
    """
    A percentage by the tier and the last close, of the reference price, on the tick grid, at least a tick.

    Appendix A of the plan: which percentage holds is settled by the close of the day before, not by the price now.
    """
    ticks = band_ticks(price / 0.01, 0.01, tier=tier, close=close / 0.01, doubled=wide)
    assert ticks * 0.01 == pytest.approx(distance)


def test_round_lots_go_by_the_price() -> None:
    prices = [0.5, 250.0, 250.01, 1_000.0, 1_000.01, 10_000.0, 10_000.01]
    assert [round_lot(price) for price in prices] == [100, 100, 40, 40, 10, 10, 1]


@pytest.mark.parametrize(
    ("minute", "tier", "price", "expected"),
    [
        (0, 2, 2.0, False),
        (14, 1, 50.0, False),
        (364, 1, 50.0, False),
        (365, 1, 50.0, True),
        (365, 2, 50.0, False),
        (365, 2, 3.0, True),
        (389, 2, 2.0, True),
        (390, 1, 50.0, False),
    ],
)
def test_bands_are_doubled_in_the_last_25_minutes(
    minute: int, tier: int, price: float, expected: bool
) -> None:
    """
    No longer after the opening, nor for all of tier 2.

    The plan's 18th amendment, SEC Release 34-85623 (84 FR 16086), which is in force since February 2020.
    """
    assert doubled(DAY + minute * 60 * SECOND, DAY, tier, price) is expected


def test_bands_become_wide_when_the_end_is_near_and_narrow_when_it_is_over() -> None:
    """Also where the reference price stays."""
    late = bands(day_us=START - 364 * 60 * SECOND)
    found, after = ruled([quote(1, 10_000), quote(95, 10_800), trade(96, 10_990)], 97, late)
    assert (after.low, after.high) == (9_000, 11_000)
    assert found == [(1, 1, 10_000, 10_002), (95, 1, 10_800, 10_802), (96, 0, 10_990, 0)]
    _, after = ruled([quote(1, 10_000)], 2, bands(day_us=START - 389 * 60 * SECOND))
    assert after.high == 11_000
    _, after = ruled([quote(95, 10_000)], 96, after)
    assert (after.low, after.high) == (9_500, 10_500)


def test_only_trades_that_count_move_the_reference_price() -> None:
    """The plan's eligible transactions are those that may be the last price: an odd lot is none."""
    rows = [quote(1, 10_000), trade(2, 10_200), trade(3, 10_000), quote(95, 10_000)]
    made = batch_of(rows)
    odd = np.array([False, True, False, False])
    for counts, reference in ((None, 10_100), (~odd, 10_000), (odd, 10_200)):
        batch, origin = made
        fresh = replace(batch, price=batch.price.copy(), ask=batch.ask.copy())
        after = limited(fresh, origin, {0: bands()}, START + 96 * SECOND, counts).bands
        assert after[0].reference == reference
