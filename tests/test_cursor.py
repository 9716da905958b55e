"""Cursors: read what was written, know what was given, cut where nothing is parted."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from doubles import batch_of
from hypothesis import given
from hypothesis import strategies as st
from markets import SECOND, START

from feeds.dialects.native import NativeEncoder
from feeds.fanout.cursor import AHEAD, LOST, WHOLE, Cursor, Place, Since, parts
from feeds.fanout.history import EVENT_BYTES, History
from ticker.batch import BARS, CHANNELS, TRADES, TickBatch, channel_name
from ticker.market import Market
from ticker.universe import Universe

# Text.


@given(
    st.from_regex(r"[0-9a-z]{16}", fullmatch=True),
    st.integers(0, 2**59),
    st.integers(0, 10**6) | st.just(WHOLE),
)
def test_a_cursor_is_read_as_it_was_written(epoch: str, us: int, slot: int) -> None:
    cursor = Cursor(epoch, Place(us, slot))
    assert Cursor.parse(str(cursor)) == cursor


def test_it_looks_like_this() -> None:
    assert str(Cursor("9f3c", Place(17))) == "9f3c-17"
    assert str(Cursor("9f3c", Place(17, 4))) == "9f3c-17-4"


@pytest.mark.parametrize(
    "text",
    ["", "9f3c", "9f3c-", "-17", "9f3c-17-", "9f3c--17", "9f3c-1.5", "9f3c-17-4-4", "9f3c-17 ", "9f3c-١٧", "é-17", "9f3c-" + "1" * 19, "9f3c-17\n"],
)  # fmt: skip
def test_anything_else_is_no_cursor(text: str) -> None:
    assert Cursor.parse(text) is None


# Places.


def fragment(us: int) -> bytes:
    return b'{"time":%b},' % orjson.dumps(us / 1000)


@given(st.integers(START, START + 10**13))
def test_a_place_has_what_is_before_it_to_the_microsecond(us: int) -> None:
    """The time on the wire is a decimal of milliseconds; nothing of it is lost."""
    assert Place(us + 1).has(0, TRADES, fragment(us))
    assert not Place(us).has(0, TRADES, fragment(us))


@pytest.mark.parametrize(
    ("place", "has"),
    [
        (Place(59_999_999), False),
        (Place(60_000_000), True),
        (Place(60_000_000, 8), True),
        (Place(60_000_000, 7), False),
        (Place(60_000_001, 0), True),
    ],
)
def test_a_bar_counts_by_its_end_and_then_by_its_slot(place: Place, has: bool) -> None:
    assert place.has(7, BARS + 1, fragment(0)) is has


# Cutting.


def cut(batch: TickBatch, most: int) -> list[tuple[list[int], Place]]:
    end = Place(10**9)
    return [(part.seq.tolist(), place) for part, place in parts(batch, most, 100, end)]


def at(*times: int, channels: tuple[int, ...] = ()) -> TickBatch:
    """Events at some times, with sequences from 1; trades, unless told otherwise."""
    channels = channels or (0,) * len(times)
    batch = batch_of((n, c, n + 1) for n, c in enumerate(channels))
    batch.time = np.array(times, dtype=np.int64)
    return batch


def test_what_is_short_stays_whole() -> None:
    assert cut(at(1, 2, 3), 3) == [([1, 2, 3], Place(10**9))]
    assert cut(TickBatch.empty(), 3) == [([], Place(10**9))]


def test_a_part_ends_where_the_next_begins() -> None:
    assert cut(at(1, 2, 3, 4, 5), 2) == [
        ([1, 2], Place(3)),
        ([3, 4], Place(5)),
        ([5], Place(10**9)),
    ]


def test_what_is_of_one_time_stays_together() -> None:
    assert cut(at(1, 2, 2, 2, 3), 2) == [([1, 2, 3, 4], Place(3)), ([5], Place(10**9))]
    assert cut(at(1, 2, 2, 2), 2) == [([1, 2, 3, 4], Place(10**9))]


def test_bars_of_one_time_are_parted_at_a_slot() -> None:
    batch = at(1, 9, 9, 9, 9, channels=(0, 3, 3, 4, 4))
    assert cut(batch, 2) == [
        ([1, 2], Place(9, 302)),
        ([3, 4], Place(9, 404)),
        ([5], Place(10**9)),
    ]


def test_trades_after_the_bars_of_their_time() -> None:
    """A place at their time has the bars, and none of them."""
    assert cut(at(9, 9, 9, channels=(3, 3, 0)), 2) == [([1, 2], Place(9)), ([3], Place(10**9))]


# What a cursor knows of a slot, against the market itself.

UNIVERSE = Universe.of_size(4)
IDS = {name: i for i, name in enumerate(UNIVERSE.symbols)}
"""By symbol, its id."""


def recorded(length: int, most: int) -> tuple[Any, History, list[tuple[Place, np.ndarray]]]:
    """Three seconds of a market, in parts: the sequences at the end, the history, and each place with its sequences."""
    market, encoder = Market(UNIVERSE, seed=5, rate=40.0), NativeEncoder(UNIVERSE)
    history = History(4, length * 2 * 4 * EVENT_BYTES)
    seq = np.zeros(CHANNELS * 4, dtype=np.int64)
    places = [(Place(START), seq.copy())]
    while market.now_us < START + 3 * SECOND:
        batch = market.step(START + 3 * SECOND, 50)
        for part, place in parts(batch, most, 4, Place(market.now_us)):
            slots = part.channel * np.int64(4) + part.symbol
            history.extend(slots.tolist(), encoder.encode(part))
            np.maximum.at(seq, slots, part.seq)
            places.append((place, seq.copy()))
    return seq, history, places


@pytest.mark.parametrize("most", [1, 2, 1_000])
def test_each_place_gives_the_sequences_that_were_there(most: int) -> None:
    seq, history, places = recorded(2_000, most)
    channels = list(range(CHANNELS))
    assert any(place.slot != WHOLE for place, _ in places) == (most < 1_000)
    for place, then in places:
        since = Since(place, places[-1][0], history, UNIVERSE, channels, seq)
        for name, symbol in IDS.items():
            expected = {channel_name(c): int(then[c * 4 + symbol]) for c in channels}
            assert since[name] == expected, place
    assert list(since) == list(UNIVERSE.symbols)
    assert len(since) == 4


def test_where_the_history_is_too_short_it_says_so_and_nothing_wrong() -> None:
    seq, history, places = recorded(10, 5)
    lost = exact = 0
    for place, then in places:
        since = Since(place, places[-1][0], history, UNIVERSE, [0, 1], seq)
        for name, symbol in IDS.items():
            for channel, key in ((0, "trades"), (1, "quotes")):
                was = int(then[channel * 4 + symbol])
                had = since[name][key]
                assert had in (was, LOST)
                lost += had == LOST
                exact += had != LOST
                # Exactly known as long as one event that the client has is kept.
                assert (had == LOST) <= (seq[channel * 4 + symbol] - was >= 10)
    assert lost
    assert exact


def test_ahead_of_the_market() -> None:
    seq, history, places = recorded(10, 50)
    now = places[-1][0]
    since = Since(Place(now.us + 1), now, history, UNIVERSE, [0], seq)
    assert since["AAPL"] == {"trades": AHEAD}
    with pytest.raises(KeyError):
        since["NONE"]


def test_without_a_history_everything_is_lost_that_ever_happened() -> None:
    seq, _, places = recorded(10, 50)
    since = Since(Place(START), places[-1][0], History(4, 0), UNIVERSE, [0, 2], seq)
    assert since["AAPL"] == {"trades": LOST, "status": 0}


def test_what_was_looked_up_once_is_known() -> None:
    """And stays right, though the market goes on: it is a sequence of its own time."""
    seq, history, places = recorded(2_000, 50)
    place, then = places[len(places) // 2]
    found: dict[int, int] = {}
    first = Since(place, places[-1][0], history, UNIVERSE, [0, 1], seq, found)["AAPL"]
    assert found == {0: then[0], 4: then[4]}
    nothing = History(4, 0)
    assert Since(place, places[-1][0], nothing, UNIVERSE, [0, 1], seq, found)["AAPL"] == first
