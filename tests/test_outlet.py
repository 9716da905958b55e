"""The outlet: what a market knows of the events to come."""

from typing import Any

import numpy as np
import pytest
from markets import SECOND

from ticker.batch import BARS, CHANNELS, DEPTH, QUOTES, STATUS, TRADES, TickBatch
from ticker.market import Market
from ticker.script import ScriptedStatus
from ticker.universe import Universe

SYMBOLS = 12


def market(**options: Any) -> Market:
    return Market(Universe.of_size(SYMBOLS), **({"seed": 7, "rate": 40.0} | options))


def wanted(*pairs: tuple[int, int]) -> Any:
    """Give the row that says that these are wanted, by channel and symbol."""
    row = np.zeros(CHANNELS * SYMBOLS, dtype=np.int32)
    for number, (channel, symbol) in enumerate(pairs):
        row[channel * SYMBOLS + symbol] = 1 + number
    return row


def hits(batch: TickBatch, row: Any) -> Any:
    """Give which events somebody wants; a book changes with its quote."""
    books = (batch.channel == QUOTES) & (row[DEPTH * SYMBOLS + batch.symbol] > 0)
    return (row[batch.channel.astype(np.int64) * SYMBOLS + batch.symbol] > 0) | books


@pytest.mark.parametrize("rules", ["open", "us"])
@pytest.mark.parametrize(
    "pairs",
    [
        [(TRADES, 0)],
        [(QUOTES, 5), (TRADES, 5), (TRADES, 2)],
        [(channel, symbol) for channel in (TRADES, QUOTES) for symbol in range(SYMBOLS)],
        [(DEPTH, 3)],
        [(BARS, 1)],
        [],
    ],
    ids=["trades of one", "some", "all", "a book", "bars", "nothing"],
)
def test_no_event_that_is_wanted_comes_before_the_time_that_it_gives(
    pairs: list[tuple[int, int]], rules: str
) -> None:
    """And whoever goes from one such time to the next meets all of them, at their times, in few steps."""
    stream, row = market(rules=rules, block_events=512), wanted(*pairs)
    end_us, met, steps = stream.now_us + 5 * SECOND, 0, 0
    while stream.now_us < end_us:
        next_us = stream.next_us(row)
        assert stream.now_us <= next_us <= stream.now_us + SECOND
        before = stream.step(next_us)
        bars = before.channel >= BARS
        assert not (hits(before, row) & ~bars).any(), "but bars, which end with a second"
        batch = stream.step(next_us + 1)
        assert (batch.time <= next_us).all()
        met += int(hits(batch, row).sum() + hits(before, row).sum())
        steps += 1
    whole = market(rules=rules).step(stream.now_us)
    assert stream.now_us >= end_us
    found = TickBatch.empty() if not len(whole) else whole
    assert met == int(hits(found, row).sum())
    assert steps <= met + len(whole) / 32 + 40


def test_what_is_scheduled_is_known() -> None:
    """Also where the block that it falls into was made before."""
    stream, row = market(rate=0.5), wanted((STATUS, 4))
    stream.step(stream.now_us + 1)  # makes a block
    start = stream.now_us
    assert stream.next_us(row) > start + 1_000
    stream.schedule(start + 1_000, ScriptedStatus(symbol=4, status="halted", reason="T1"))
    assert stream.next_us(row) == start + 1_000
    assert stream.step(start + 1_001).channel.tolist().count(STATUS) == 1


def test_looking_ahead_changes_nothing() -> None:
    plain, looked = market(), market()
    row = wanted((TRADES, 0))
    for _ in range(300):
        looked.next_us(row)
        a, b = plain.step(plain.now_us + 7_000), looked.step(looked.now_us + 7_000)
        assert a.time.tolist() == b.time.tolist()
        assert a.seq.tolist() == b.seq.tolist()
        assert a.price.tolist() == b.price.tolist()
