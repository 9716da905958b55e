"""
The encoder of the native protocol: its two ways give the same bytes, and those are what the document says.

The oracle is `orjson.dumps` of the documented object, with prices from exact fractions.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.dialects.native import NativeEncoder, message
from feeds.dialects.trades import MergedTrades
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
)
from ticker.bookkeeping.daybook import Snapshot
from ticker.instruments import Instrument, tick_fraction
from ticker.market import Market
from ticker.reference.marks import mark_of
from ticker.reference.status import REASONS, STATUSES
from ticker.universe import Universe

TICKS = [0.01, 1.0, 0.005, 0.0001, 0.25, 0.125, 0.05, 5.0, 0.00025, 1e-7]
NAMES = ["AAPL", "BRK.B", "X", "ES=F", "S^X", "A-VERY-LONG-SYMBOL.1", "7203", "a/b", "Q_1", "Z.."]
UNIVERSE = Universe(
    [
        Instrument(name, 10_000 * tick, tick_size=tick)
        for name, tick in zip(NAMES, TICKS, strict=True)
    ]
)
ENCODER = NativeEncoder(UNIVERSE)
INTERVAL_NAMES = list(INTERVALS)

symbols = st.integers(0, len(NAMES) - 1)
ticks = st.one_of(st.integers(1, 10**6), st.integers(1, 10**12))
sizes = st.integers(0, 10**9)
seqs = st.one_of(st.integers(1, 1000), st.integers(1, 2**53))
times = st.integers(0, 4 * 10**15)


def price(symbol: int, ticks: int) -> float:
    """The decimal price, as the float nearest to it."""
    return float(Fraction(ticks) * tick_fraction(TICKS[symbol]))


@st.composite
def trades(draw: st.DrawFn) -> dict[str, Any]:
    symbol, at = draw(symbols), draw(ticks)
    row = {"symbol": symbol, "channel": TRADES, "seq": draw(seqs), "time": draw(times)}
    row |= {"price": at, "size": draw(sizes)}
    event = {"type": "trade", "symbol": NAMES[symbol], "seq": row["seq"]}
    event |= {"time": row["time"] / 1000, "price": price(symbol, at), "size": row["size"]}
    exchange, codes = (
        draw(st.sampled_from([None, "N", "V"])),
        draw(st.sampled_from(["", "I", "TI"])),
    )
    row["ask"] = mark_of(exchange, codes)
    if exchange:
        event["exchange"] = exchange
    if codes:
        event["conditions"] = sorted(codes)
    return {"row": row, "event": event}


@st.composite
def quotes(draw: st.DrawFn) -> dict[str, Any]:
    symbol = draw(symbols)
    row = {"symbol": symbol, "channel": QUOTES, "seq": draw(seqs), "time": draw(times)}
    row |= {"price": draw(ticks), "size": draw(sizes)}
    row |= {"ask": draw(ticks), "ask_size": draw(sizes)}
    event = {"type": "quote", "symbol": NAMES[symbol], "seq": row["seq"]}
    event |= {"time": row["time"] / 1000}
    event |= {"bid": price(symbol, row["price"]), "bid_size": row["size"]}
    event |= {"ask": price(symbol, row["ask"]), "ask_size": row["ask_size"]}
    return {"row": row, "event": event}


@st.composite
def bars(draw: st.DrawFn) -> dict[str, Any]:
    symbol, channel = draw(symbols), draw(st.integers(BARS, DEPTH - 1))
    row = {"symbol": symbol, "channel": channel, "seq": draw(seqs), "time": draw(times)}
    open_, high, low, close = (draw(st.integers(1, 10**6)) for _ in range(4))
    volume, start = draw(st.integers(1, 10**6)), draw(times)
    notional = draw(st.integers(volume, volume * 10**6))
    bar = [symbol, start, open_, high, low, close, volume, notional, draw(st.integers(1, 10**6))]
    event = {"type": "bar", "symbol": NAMES[symbol], "seq": row["seq"], "time": start / 1000}
    event |= {"interval": INTERVAL_NAMES[channel - BARS]}
    for name, at in (("open", open_), ("high", high), ("low", low), ("close", close)):
        event[name] = price(symbol, at)
    event |= {"volume": volume, "vwap": None, "trades": bar[-1]}
    vwap = Fraction(notional) * tick_fraction(TICKS[symbol]) / volume
    return {"row": row, "event": event, "bar": bar, "vwap": vwap}


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    symbol = draw(symbols)
    status, reason = draw(st.sampled_from(STATUSES)), draw(st.sampled_from(list(REASONS)))
    row = {"symbol": symbol, "channel": STATUS, "seq": draw(seqs), "time": draw(times)}
    event = {"type": "status", "symbol": NAMES[symbol], "seq": row["seq"]}
    event |= {"time": row["time"] / 1000, "status": status, "reason": reason}
    row |= {"price": STATUSES.index(status), "size": list(REASONS).index(reason)}
    return {"row": row, "event": event}


def batch_of(made: list[dict[str, Any]]) -> TickBatch:
    """Put rows of all channels into one batch, the bars' own table beside it."""
    table: list[list[int]] = []
    rows = []
    for one in made:
        row = {"price": 0, "size": 0, "ask": 0, "ask_size": 0} | one["row"]
        if "bar" in one:
            row["price"] = len(table)
            table.append(one["bar"])
        rows.append(row)
    columns = {
        name: np.array([row[name] for row in rows], dtype=np.int64)
        for name in ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")
    }
    columns["symbol"] = columns["symbol"].astype(np.int32)
    columns["channel"] = columns["channel"].astype(np.uint8)
    cells = np.array(table, dtype=np.int64).reshape(-1, 9)
    bar_table = BarTable(cells[:, 0].astype(np.int32), *(cells[:, i] for i in range(1, 9)))
    return TickBatch(**columns, bars=bar_table)


def expected(made: dict[str, Any], fragment: bytes) -> bytes:
    """The documented object as JSON; of a bar's average price, the sixth decimal may be rounded either way."""
    event = made["event"]
    if "vwap" in made:
        vwap = orjson.loads(fragment[:-1])["vwap"]
        assert abs(Fraction(vwap) - made["vwap"]) < Fraction(1, 10**6) * max(
            1, made["vwap"] // 10**8
        )
        event = event | {"vwap": vwap}
    return orjson.dumps(event) + b","


@settings(max_examples=150)
@given(st.lists(st.one_of(trades(), quotes(), bars(), changes()), max_size=60))
def test_every_event_is_the_documented_object(made: list[dict[str, Any]]) -> None:
    """
    Both ways of encoding, on batches with all channels mixed, with any tick size.

    A batch of many events goes column by column, one of a single event the plain way.
    """
    batch = batch_of(made)
    fragments = ENCODER.encode(batch)
    assert fragments == [expected(m, f) for m, f in zip(made, fragments, strict=True)]
    one_by_one = [f for i in range(len(batch)) for f in ENCODER.encode(batch[i : i + 1])]
    assert fragments == one_by_one


@pytest.mark.parametrize(
    "kind",
    [trades(), quotes(), bars(), changes()],
    ids=["trades", "quotes", "bars", "changes"],
)
@given(data=st.data())
@settings(max_examples=30)
def test_a_batch_of_one_kind_is_encoded_like_a_mixed_one(kind: Any, data: st.DataObject) -> None:
    made = data.draw(st.lists(kind, min_size=13, max_size=20))
    fragments = ENCODER.encode(batch_of(made))
    assert fragments == [expected(m, f) for m, f in zip(made, fragments, strict=True)]


@pytest.mark.parametrize("size", [0, 1, 12, 13, 14, 4_000])
def test_the_market_of_any_batch_size_is_encoded_the_same(size: int) -> None:
    """Around the number of events at which the way changes."""
    market = Market(Universe.of_size(20), seed=1, rate=100.0)
    encoder = NativeEncoder(market.universe)
    market.step(market.now_us + 59_900_000)
    batch = market.step(market.now_us + 10_000_000)
    assert {TRADES, QUOTES, BARS, BARS + 1} <= set(batch.channel.tolist())
    fragments = [f for i in range(len(batch)) for f in encoder.encode(batch[i : i + 1])]
    at = int(np.flatnonzero(batch.channel == BARS)[0])  # so that bars are among them
    start = max(0, at - size // 2)
    assert encoder.encode(batch[start : start + size]) == fragments[start : start + size]
    assert all(f.endswith(b"},") for f in fragments)


def test_prices_are_the_decimals_that_a_person_would_write() -> None:
    """187.43, never 187.43000000000001: for every cent up to 1,000, and every tenth of a cent up to 100."""
    universe = Universe([Instrument("CENT", 50.0), Instrument("HALF", 50.0, tick_size=0.005)])
    encoder = NativeEncoder(universe)
    for symbol, step, count in ((0, 100, 100_000), (1, 200, 20_000)):
        at = np.arange(1, count, dtype=np.int64)
        ones = np.ones(len(at), dtype=np.int64)
        batch = TickBatch(
            symbol=(ones * symbol).astype(np.int32),
            channel=np.zeros(len(at), np.uint8),
            seq=ones,
            time=ones,
            price=at,
            size=ones,
            ask=0 * ones,
            ask_size=0 * ones,
        )
        texts = [f.split(b'"price":')[1].split(b",")[0].decode() for f in encoder.encode(batch)]
        assert [Fraction(t) * step for t in texts] == at.tolist()


def test_an_event_says_how_many_it_replaces_as_its_last_field() -> None:
    fragment = b'{"type":"quote","symbol":"AAPL","seq":7},'
    expected = b'{"type":"quote","symbol":"AAPL","seq":7,"merged":3},'
    assert ENCODER.with_merged(fragment, 3) == expected


def test_a_merged_trade_says_what_all_of_them_come_to() -> None:
    fragment = b'{"type":"trade","symbol":"AAPL","seq":7,"time":1,"price":1.2,"size":300},'
    sums = MergedTrades(symbol=0, volume=900, open=100, high=120, low=99)
    event = orjson.loads(ENCODER.with_merged(fragment, 3, sums)[:-1])
    tick = TICKS[0]
    assert list(event)[-5:] == ["merged", "volume", "open", "high", "low"]
    assert (event["merged"], event["volume"]) == (3, 900)
    assert [event[name] / tick for name in ("open", "high", "low")] == pytest.approx([100, 120, 99])
    assert orjson.loads(fragment[:-1]).items() <= event.items(), "what it says of itself stays"


def test_a_merged_trade_of_such_that_do_not_move_everything_says_its_close() -> None:
    """Null, where nothing moved it."""
    fragment = b'{"type":"trade","symbol":"AAPL","seq":7,"time":1,"price":1.2,"size":300},'
    sums = MergedTrades(0, 900, 100, 120, 99, 110, all=False)
    event = orjson.loads(ENCODER.with_merged(fragment, 3, sums)[:-1])
    assert list(event)[-6:] == ["merged", "volume", "open", "high", "low", "close"]
    assert event["close"] / TICKS[0] == pytest.approx(110)
    sums = MergedTrades(0, 900, None, None, None, all=False)
    event = orjson.loads(ENCODER.with_merged(fragment, 3, sums)[:-1])
    assert [event[name] for name in ("open", "high", "low", "close")] == [None] * 4


def test_objects_are_joined_into_an_array() -> None:
    assert message([b'{"a":1}']) == b'[{"a":1}]'
    assert message([b'{"a":1}', b'{"b":2}']) == b'[{"a":1},{"b":2}]'


# Snapshots.

STATE = Snapshot(
    symbol=0,
    time_us=1_763_800_000_123_456,
    last=18_743,
    size=100,
    bid=18_742,
    bid_size=300,
    ask=18_744,
    ask_size=200,
    open=18_610,
    high=18_800,
    low=18_590,
    prev_close=18_600,
    volume=120_300,
)


def test_a_snapshot_is_the_documented_object() -> None:
    seq = np.zeros(CHANNELS, dtype=np.int64)
    seq[[TRADES, QUOTES]] = 123, 456
    assert ENCODER.snapshot(STATE, seq, (TRADES, QUOTES, STATUS)) == (
        b'{"type":"snapshot","symbol":"AAPL","time":1763800000123.456,'
        b'"seq":{"trades":123,"quotes":456,"status":0},'
        b'"last":187.43,"size":100,"bid":187.42,"bid_size":300,"ask":187.44,"ask_size":200,'
        b'"open":186.1,"high":188.0,"low":185.9,"prev_close":186.0,"volume":120300,'
        b'"status":"trading"}'
    )


def test_a_snapshot_of_a_halted_symbol_says_why() -> None:
    seq = np.zeros(CHANNELS, dtype=np.int64)
    halted = replace(STATE, status="halted", reason="T1")
    snapshot = orjson.loads(ENCODER.snapshot(halted, seq, (STATUS,)))
    assert list(snapshot.items())[-2:] == [("status", "halted"), ("reason", "T1")]


def test_a_snapshot_carries_the_id_of_its_request_and_the_channels_asked_for() -> None:
    seq = np.arange(CHANNELS, dtype=np.int64)
    snapshot = orjson.loads(ENCODER.snapshot(STATE, seq, (TRADES, BARS + 1, BARS + 4), "req-1"))
    assert list(snapshot)[:3] == ["type", "id", "symbol"]
    assert snapshot["id"] == "req-1"
    assert snapshot["seq"] == {"trades": 0, "bars:1m": BARS + 1, "bars:1d": BARS + 4}


def test_before_the_days_first_trade_its_prices_are_null() -> None:
    """Size, open, high and low are; the last price is the previous close."""
    market = Market(Universe.of_size(1), seed=1, rate=0)
    encoder = NativeEncoder(market.universe)
    snapshot = orjson.loads(
        encoder.snapshot(market.snapshot(0), market.sequences()[:, 0], (TRADES,))
    )
    nulls = {key for key, value in snapshot.items() if value is None}
    assert nulls == {"size", "open", "high", "low"}
    assert snapshot["volume"] == 0
    assert snapshot["last"] == snapshot["prev_close"]
    assert snapshot["bid"] < snapshot["ask"]
