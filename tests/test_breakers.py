"""The market-wide circuit breakers: when the index falls, everything halts, and only as often as it may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from markets import SECOND, digest, run
from us_markets import market, rows, us

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.reference.marks import mark_of, marked
from ticker.reference.status import REASONS, STATUSES
from ticker.regulation.breakers import FEWEST, Breakers
from ticker.rows import SCRIPT, WALK
from ticker.scenario import Scenario
from ticker.script import ScriptedTrade
from ticker.universe import Universe

NOON = us("2026-01-05T12:00")
LATE = us("2026-01-05T15:25") + SECOND


def trades(prices: list[tuple[float, int, int]], begin: int, origin: int = WALK) -> Any:
    """Trades, by the second after the beginning, the symbol and the price."""
    time, symbol, price = np.array(
        [(begin + round(at * SECOND), s, p) for at, s, p in prices], dtype=np.int64
    ).T
    ones = np.ones(len(time), dtype=np.int64)
    columns = (0 * ones, time, price, ones, 0 * ones, 0 * ones)
    batch = TickBatch(symbol.astype(np.int32), (0 * ones).astype(np.uint8), *columns)
    return batch, np.full(len(time), origin, dtype=np.uint8)


def crash(to: int, at: float, begin: int = NOON) -> Any:
    """All ten symbols trade at a price, where they closed at 100."""
    return trades([(at, symbol, to) for symbol in range(10)], begin)


def breakers(count: int = 10, **changes: Any) -> Breakers:
    close = np.full(count, 100)
    return Breakers(close, close, **changes)


def watched(one: Breakers, made: Any, begin: int = NOON, seconds: int = 10) -> Any:
    batch, origin = made
    after, at = one.watch(batch, origin, begin, begin + seconds * SECOND)
    return after, None if at is None else (at - begin) / SECOND


@pytest.mark.parametrize(
    ("price", "level"), [(94, 0), (93, 1), (88, 1), (87, 2), (81, 2), (80, 3), (50, 3)]
)
def test_each_level_trips_at_its_decline(price: int, level: int) -> None:
    """At the first whole second after the trades, for a quarter of an hour, or for the rest of the day."""
    after, at = watched(breakers(), crash(price, 2.5))
    assert (after.level, at) == (level, 3 if level else None)
    until = {0: 2**62, 1: NOON + 903 * SECOND, 2: NOON + 903 * SECOND, 3: 2**62}
    assert after.until_us == until[level]
    assert after.last.tolist() == [price] * 10


def test_a_level_trips_once_a_day() -> None:
    """The next one may, and tomorrow it begins anew from the new close."""
    after, at = watched(breakers(level=1), crash(93, 1))
    assert (after.level, at) == (1, None)
    after, at = watched(after, crash(86, 1))
    assert (after.level, at) == (2, 2)
    tomorrow = after.new_day()
    assert (tomorrow.level, tomorrow.close.tolist()) == (0, [86] * 10)
    after, at = watched(tomorrow, crash(81, 1))
    assert (after.level, at) == (0, None)
    after, at = watched(tomorrow, crash(79, 1))
    assert (after.level, at) == (1, 2)


def test_late_in_the_day_only_the_last_level_trips() -> None:
    """
    After 15:25, and on half days after 12:25.

    NYSE Rule 7.12(b)(1): the others halt "up to and including 3:25 p.m.".
    """
    assert watched(breakers(), crash(90, 0.5, LATE - 2 * SECOND), LATE - 2 * SECOND)[1] == 1
    assert watched(breakers(), crash(90, 1.5, LATE - 2 * SECOND), LATE - 2 * SECOND)[1] is None
    assert watched(breakers(), crash(80, 0.5, LATE), LATE)[1] == 1
    half = us("2026-11-27T12:25")
    assert watched(breakers(), crash(90, -0.5, half), half)[1] == 0
    assert watched(breakers(), crash(90, 0.5, half), half)[1] is None


def test_what_is_no_index_trips_nothing() -> None:
    """Too few symbols, trades that are scripted, or such that move no last price; too few still have closes."""
    few = breakers(FEWEST - 1)
    made = trades([(1, symbol, 1) for symbol in range(FEWEST - 1)], NOON)
    after, at = watched(few, made)
    assert (at, after.last.tolist()) == (None, [1] * (FEWEST - 1))
    scripted = trades([(1, symbol, 1) for symbol in range(10)], NOON, SCRIPT)
    assert watched(breakers(), scripted)[1] is None
    odd, origin = crash(1, 1)
    odd.ask[:] = mark_of("V", "I")
    after, at = watched(breakers(), (odd, origin))
    assert (at, after.last.tolist()) == (None, [100] * 10)


def test_a_close_is_the_closing_auctions_print() -> None:
    """And not what trades at the same time after it, or before."""
    batch, _ = trades([(0, 0, 90), (0, 1, 80), (0, 0, 70)], us("2026-01-05T16:00"))
    batch.ask[:2] = mark_of("Q", "6")
    assert breakers(3).closed(batch).last.tolist() == [90, 80, 100]


def test_the_index_is_looked_at_on_whole_seconds_whatever_the_blocks_are() -> None:
    """A trade of the last second of a block counts at the beginning of the next."""
    after, at = watched(breakers(), crash(93, 9.5))
    assert (after.level, at) == (0, None)
    nothing = trades([(5, 0, 93)], NOON + 10 * SECOND)
    assert watched(after, nothing, NOON + 10 * SECOND)[1] == 0


FALL = Scenario("fall", path=((0, 0), (600, -0.075), (1_000, -0.075)), alike=True)


def test_everything_halts_and_is_opened_again_with_an_auction() -> None:
    """Whatever the steps are; who was halted otherwise stays so."""
    options: dict[str, Any] = {"universe": Universe.of_size(12), "rate": 0.5, "model": "gbm"}
    m, cut = (
        market("2026-01-05T12:00", 0, **options, **more) for more in ({}, {"block_events": 30})
    )
    for one in (m, cut):
        one.play(FALL)
    batch = run(m, 1_600)
    assert digest(TickBatch.join([run(cut, 100) for _ in range(16)])) == digest(batch)
    told = [
        (d["symbol"], d["time"], STATUSES[d["price"]], list(REASONS)[d["size"]])
        for d in rows(batch, STATUS)
        if list(REASONS)[d["size"]] in ("MWC1", "MWCQ")
    ]
    tripped = min(time for _, time, *_ in told)
    assert NOON + 450 * SECOND < tripped < NOON + 620 * SECOND
    assert not tripped % SECOND
    expected = [(i, tripped, "halted", "MWC1") for i in range(12)]
    again = tripped + 900 * SECOND
    assert told == expected + [(i, again, "trading", "MWCQ") for i in range(12)]
    for symbol in range(12):
        for channel in (TRADES, QUOTES):
            times = [r["time"] for r in rows(batch, channel, symbol)]
            assert not [t for t in times if tripped < t < again]
        (cross,) = [t for t in rows(batch, TRADES, symbol) if "5" in marked(t["ask"])[1]]
        quote = next(q for q in rows(batch, QUOTES, symbol) if q["time"] == again)
        assert cross["time"] == again
        assert quote["price"] <= cross["price"] <= quote["ask"]


def test_a_single_scripted_trade_halts_nothing() -> None:
    """A test's price may be what it likes."""
    m = market("2026-01-05T12:00", universe=Universe.of_size(12), rate=0.0)
    m.schedule(m.now_us, *[ScriptedTrade(i, 1, 100) for i in range(12)])
    assert not rows(run(m, 5), STATUS)
