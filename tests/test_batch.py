"""The struct of arrays that a step gives: cutting and joining lose nothing."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markets import COLUMNS, content, events, run, table_rows

from ticker.batch import (
    BARS,
    CHANNELS,
    DEPTH,
    INTERVALS,
    QUOTES,
    STATUS,
    TRADES,
    BarTable,
    TickBatch,
    channel_name,
)
from ticker.market import Market
from ticker.universe import Universe


@pytest.fixture(scope="module")
def batch() -> TickBatch:
    """Three seconds of five symbols, with their bars."""
    return run(Market(Universe.of_size(5), seed=2, rate=10), 3)


def bars(*symbols: int) -> BarTable:
    columns = [np.array(symbols, dtype=np.int64) * 10 + i for i in range(8)]
    return BarTable(np.array(symbols, dtype=np.int32), *columns)  # type: ignore[arg-type]


# Channels.


def test_every_channel_has_a_name() -> None:
    """Trades, quotes, status, and one for each bar interval."""
    names = [channel_name(channel) for channel in range(CHANNELS)]
    assert (names[TRADES], names[QUOTES], names[STATUS]) == ("trades", "quotes", "status")
    assert names[BARS:DEPTH] == ["bars:1s", "bars:1m", "bars:5m", "bars:1h", "bars:1d"]
    assert names[DEPTH:] == ["depth"]


def test_each_interval_is_a_multiple_of_the_one_before() -> None:
    """So bars can be folded into longer ones."""
    lengths = list(INTERVALS.values())
    assert all(long % short == 0 for short, long in pairwise(lengths))


# Batches.


@pytest.fixture(scope="module")
def expected(batch: TickBatch) -> list[Any]:
    return events(batch)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_pieces_of_a_batch_join_to_the_batch(
    batch: TickBatch, expected: list[Any], shares: list[float]
) -> None:
    """The same events, and each bar row finds its bar, wherever the batch is cut."""
    cuts = sorted(round(share * len(batch)) for share in shares)
    pieces = [batch[a:b] for a, b in pairwise([0, *cuts, len(batch)])]
    assert [len(piece) for piece in pieces] == list(np.diff([0, *cuts, len(batch)]))
    assert events(TickBatch.join(pieces)) == expected


def test_bars_of_several_batches_stay_with_their_rows(batch: TickBatch) -> None:
    """Joining moves the references, and leaves prices of trades and quotes alone."""
    closing = [TickBatch.of_bars(BARS, bars(n, n + 1), np.array([1, 2]), 5) for n in (3, 6)]
    joined = TickBatch.join([closing[0], batch, closing[1]])
    assert events(joined) == events(closing[0]) + events(batch) + events(closing[1])


def test_a_slice_is_no_copy(batch: TickBatch) -> None:
    """A slice shares its memory with the whole."""
    part = batch[3:9]
    for name in COLUMNS:
        assert np.shares_memory(getattr(part, name), getattr(batch, name))
    assert part.bars is batch.bars


def test_rows_can_be_picked(batch: TickBatch) -> None:
    """A mask gives the rows where it is true."""
    trades = batch[batch.channel == TRADES]
    assert events(trades) == [event for event in events(batch) if event.channel == TRADES]


def test_one_batch_joined_is_itself(batch: TickBatch) -> None:
    """Joining what needn't be joined costs nothing."""
    assert TickBatch.join([batch]) is batch


def test_nothing_joined_is_an_empty_batch() -> None:
    """It has every column, with the right type."""
    nothing = TickBatch.join([])
    assert (len(nothing), len(nothing.bars)) == (0, 0)
    assert content(nothing) == content(TickBatch.empty()) == b""
    assert (nothing.symbol.dtype, nothing.channel.dtype) == (np.int32, np.uint8)


def test_columns_have_the_same_types_in_every_batch(batch: TickBatch) -> None:
    """Joined with nothing or not, full or empty."""
    for other in (TickBatch.empty(), batch[:0], TickBatch.join([batch, TickBatch.empty(), batch])):
        for name in COLUMNS:
            assert getattr(other, name).dtype == getattr(batch, name).dtype
        for name in BarTable.__slots__:
            assert getattr(other.bars, name).dtype == getattr(batch.bars, name).dtype


def test_bars_become_events_at_the_end_of_their_interval() -> None:
    """A row for each bar, which refers to it."""
    batch = TickBatch.of_bars(BARS + 1, bars(4, 7), np.array([10, 20]), 60_000_000)
    assert batch.symbol.tolist() == [4, 7]
    assert batch.channel.tolist() == [BARS + 1] * 2
    assert batch.seq.tolist() == [10, 20]
    assert batch.time.tolist() == [60_000_000] * 2
    assert batch.price.tolist() == [0, 1]
    assert batch.bars is not None
    for column in (batch.size, batch.ask, batch.ask_size):
        assert column.tolist() == [0, 0]


# Tables of bars.


def test_tables_of_bars_join_in_order() -> None:
    """Rows of the first, then rows of the second."""
    joined = BarTable.join([bars(1, 2), BarTable.empty(), bars(3)])
    assert len(joined) == 3
    assert table_rows(joined) == table_rows(bars(1, 2, 3))


def test_rows_of_a_table_can_be_taken() -> None:
    """By a slice, or by their numbers."""
    assert table_rows(bars(1, 2, 3).take(slice(1, 3))) == table_rows(bars(2, 3))
    assert table_rows(bars(1, 2, 3).take(np.array([2, 0]))) == table_rows(bars(3, 1))
