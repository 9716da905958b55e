"""Straddle states: told right behind the quotes that begin and end them, however a tape is cut into blocks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, content
from test_bands import Row, bands, quote, trade
from us_markets import us

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.reference.status import STATUSES, status_number
from ticker.regulation.limiting import limited
from ticker.regulation.straddling import straddling
from ticker.rows import SCRIPT, Standings, statuses

NOON = us("2026-01-05T12:00")
SHIFT = NOON - us("2026-01-05T09:30")  # test_bands counts from there
SYMBOLS = 2


def batch_of(made: list[tuple[int, Row]]) -> tuple[TickBatch, np.ndarray]:
    """Rows of symbols as a batch, in the order of time."""
    columns = [(symbol, *row) for symbol, row in sorted(made, key=lambda one: one[1][0])]
    symbol, time, channel, price, ask, origin = np.array(columns, dtype=np.int64).reshape(-1, 6).T
    none = np.zeros(len(time), dtype=np.int64)
    size = np.where(channel == STATUS, 0, 100)
    batch = TickBatch.unnumbered(
        symbol=symbol,
        channel=channel,
        time=time + SHIFT,
        price=price,
        size=size,
        ask=ask,
        ask_size=none,
    )
    return batch, origin.astype(np.uint8)


def told(
    made: list[tuple[int, Row]],
    cuts: tuple[int, ...] = (),
    seconds: int = 30,
    *,
    rules: bool = True,
) -> tuple[TickBatch, Standings]:
    """What comes of a tape, in blocks that are cut at some seconds, and how symbols stand at its end."""
    limits = {i: bands(us=rules, from_us=NOON) for i in range(SYMBOLS)}
    none = np.zeros(SYMBOLS, dtype=np.int64)
    standing = Standings(none, none, none > 0)
    batch, origin = batch_of(made)
    edges = [NOON - 1, *[NOON + cut * SECOND for cut in cuts], NOON + seconds * SECOND]
    parts = []
    for begin, end in itertools.pairwise(edges):
        mine = (batch.time >= begin) & (batch.time < end)
        part, where, limits, band = limited(batch[mine], origin[mine], limits, end)
        before = standing
        status, standing = statuses(part, before)
        part, _, status, standing = straddling(part, where, status, band, before, standing)
        assert len(status) == len(part)
        parts.append(part)
    return TickBatch.join(parts), standing


def shown(batch: TickBatch, symbol: int = 0) -> list[tuple[float, str]]:
    """The changes of status of a symbol: seconds, and the status."""
    mine = batch[(batch.symbol == symbol) & (batch.channel == STATUS)]
    seconds = (mine.time - NOON) / SECOND
    return [(at, STATUSES[n]) for at, n in zip(seconds.tolist(), mine.price.tolist(), strict=True)]


STEPS = [
    quote(1, 9_499, 9_510),
    trade(2, 9_505),
    quote(10, 9_498, 9_502),
    quote(11, 9_490, 9_500),  # the ask stands at the lower band
    quote(12, 9_490, 9_501),
    quote(13, 9_600),
    quote(14, 10_400, 10_501),
    quote(15, 9_400, 10_600),
    quote(16, 10_000),
]


def test_a_quote_beyond_a_band_is_a_straddle_state_as_long_as_it_is_no_limit_state() -> None:
    """Under the rules of the US market it is told, trading goes on, and nobody pauses for it; elsewhere nothing is told."""
    batch, standing = told([(0, step) for step in STEPS])
    assert shown(batch) == [
        (1, "straddle_state"),
        (11, "limit_state"),
        (12, "straddle_state"),
        (13, "trading"),
        (14, "straddle_state"),
        (16, "trading"),
    ]
    assert not standing.status.any()
    quotes = batch[batch.channel == QUOTES]
    assert (quotes.price[5], quotes.ask[5]) == (10_400, 10_501), "it isn't moved to the band"
    batch, _ = told([(0, step) for step in STEPS], rules=False)
    assert shown(batch) == [(11, "limit_state"), (12, "trading")]


def test_it_is_told_right_behind_the_quote() -> None:
    """Before what else happens at that time."""
    begins = quote(1, 9_499, 9_510)
    batch, standing = told([(1, quote(1, 10_000)), (0, begins), (0, begins), (1, trade(1, 10_001))])
    assert batch.channel.tolist() == [QUOTES, QUOTES, STATUS, QUOTES, TRADES]
    assert batch.symbol.tolist() == [1, 0, 0, 0, 1]
    assert [STATUSES[n] for n in standing.status] == ["straddle_state", "trading"]


@pytest.mark.parametrize("cut", [(), (6,)])
@pytest.mark.parametrize(
    ("status", "then", "expected"),
    [
        ("halted", (20, 9_499), []),
        ("trading", (20, 9_499), [(20, "straddle_state")]),
        ("trading", (20, 9_999), []),
        ("straddle_state", (20, 9_999), [(20, "trading")]),
        ("straddle_state", (20, 9_499), []),
    ],
)
def test_a_script_is_taken_at_its_word(
    cut: tuple[int, ...], status: str, then: tuple[int, int], expected: list[Any]
) -> None:
    """What is told next goes by what was told last; a scripted quote is no reason to tell anything."""
    word = (quote(0, 0)[0] + 5 * SECOND, STATUS, status_number(status), 0, SCRIPT)
    own = (*quote(3, 9_000, 11_000)[:4], SCRIPT)
    steps = [
        quote(1, 9_999, 10_001),
        quote(2, 9_400, 10_000),
        own,
        word,
        quote(then[0], then[1], 10_100),
    ]
    batch, _ = told([(0, step) for step in steps], cut)
    assert shown(batch) == [(2, "straddle_state"), (5, status), *expected]


prices = st.one_of(
    st.integers(9_490, 9_510), st.integers(9_900, 10_100), st.integers(10_490, 10_510)
)
steps = st.lists(
    st.tuples(
        st.integers(0, SYMBOLS - 1),
        st.builds(
            lambda at, bid, wide: quote(at / 4, bid, bid + wide),
            st.integers(4, 110),
            prices,
            st.sampled_from([1, 5, 30, 1_000]),
        ),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(steps, st.sets(st.integers(1, 28), max_size=4))
def test_a_straddle_state_is_told_of_just_the_quotes_that_straddle(
    made: list[tuple[int, Row]], cuts: set[int]
) -> None:
    """Between two changes of status, all quotes straddle or none does; and blocks change nothing."""
    batch, standing = told(made)
    cut, ends = told(made, tuple(sorted(cuts)))
    assert content(batch) == content(cut)
    assert (standing.status == ends.status).all()
    status = ["trading"] * SYMBOLS
    for row in range(len(batch)):
        symbol = int(batch.symbol[row])
        if batch.channel[row] == STATUS:
            assert STATUSES[batch.price[row]] != status[symbol]
            status[symbol] = STATUSES[batch.price[row]]
            continue
        behind = batch[row + 1 : row + 2]
        after = status[symbol]
        key = (STATUS, symbol, batch.time[row])
        if len(behind) and (behind.channel[0], behind.symbol[0], behind.time[0]) == key:
            after = STATUSES[behind.price[0]]
        bid, ask = int(batch.price[row]), int(batch.ask[row])
        limit = bid >= 10_500 or ask <= 9_500
        outside = bid < 9_500 or ask > 10_500
        expected = "limit_state" if limit else "straddle_state" if outside else "trading"
        if status[symbol] != "paused":
            assert after == expected
    assert [STATUSES[n] for n in standing.status] == status
