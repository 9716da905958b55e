"""What a market with the rules of the US market publishes, read by somebody who knows the protocol alone."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from markets import SECOND
from us_checker import Reader
from us_markets import us

from feeds.dialects.native import NativeEncoder
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.scenario import Scenario
from ticker.universe import Universe

CHEAP: dict[str, Any] = {"tick_size": 1e-4, "spread": 20.0}
WILD = Universe(
    [
        Instrument("PENNY", 0.999, volatility=6.0, tier=2, exchange="A", **CHEAP),
        Instrument("CENTS", 0.76, volatility=5.0, tier=1, exchange="Q", **CHEAP),
        Instrument("THREE", 3.02, volatility=6.0, tier=1, exchange="N", spread=2.0),
        Instrument("TWO", 40.0, volatility=7.0, tier=2, exchange="P"),
        Instrument("HIGH", 1_200.0, volatility=5.0, tier=1, exchange="Z", round_lot=10),
        Instrument("HALF", 12.0, tick_size=0.005, volatility=5.0, tier=1, exchange="N"),
        *[
            Instrument(f"S{i}", 50.0 + 10 * i, volatility=4.0, exchange="NQ"[i % 2])
            for i in range(4)
        ],
    ]
)


def published(market: Market, encoder: NativeEncoder, step_s: float) -> list[dict[str, Any]]:
    batch = market.step(market.now_us + round(step_s * SECOND))
    return json.loads(b"[" + b",".join(part[:-1] for part in encoder.encode(batch)) + b"]")  # type: ignore[no-any-return]


def state(market: Market, encoder: NativeEncoder, symbol: int) -> dict[str, Any]:
    sequences = market.sequences()[:, symbol]
    return json.loads(encoder.snapshot(market.snapshot(symbol), sequences, range(3)))  # type: ignore[no-any-return]


def read(market: Market, seconds: float, chance: random.Random) -> Reader:
    """Read all that comes for some time, in uneven steps; snapshots are looked at now and then."""
    encoder, universe = NativeEncoder(market.universe), market.universe
    names = ("symbol", "tick_size", "round_lot", "exchange")
    infos = [{name: getattr(i, name) for name in names} for i in universe]
    states = [state(market, encoder, i) for i in range(len(universe))]
    reader = Reader(infos, states, [i.tier for i in universe])
    second, end_us = market.now_us // SECOND, market.now_us + seconds * SECOND
    while market.now_us < end_us:
        for event in published(market, encoder, chance.uniform(0.5, 20)):
            while event["type"] != "bar" and event["time"] >= (second + 1) * 1_000:
                second += 1
                reader.second(second * 1_000)
            reader.read(event)
        if chance.random() < 0.2:
            for i, one in enumerate(reader.symbols.values()):
                told = state(market, encoder, i)
                figures = (one.last, one.volume, one.status, one.bid, one.ask, one.open)
                names = ("last", "volume", "status", "bid", "ask", "open")
                assert figures == tuple(told[name] for name in names)
                if one.open is not None:
                    assert (one.high, one.low) == (told["high"], told["low"])
    return reader


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("2026-01-05T03:58", 300),
        ("2026-01-05T09:25", 1_800),
        ("2026-01-05T15:30", 1_900),
        ("2026-11-27T12:50", 900),
    ],
)
def test_what_is_published_is_what_the_protocol_says(at: str, seconds: int, seed: int) -> None:
    """
    Sequences, times, grids, lots, sessions, auctions, limit states, pauses, bands, bars and the day's figures.

    Of symbols that move far, so that there is all of this, and whatever the steps are.
    """
    chance = random.Random(seed)
    market = Market(WILD, seed=seed, rate=1.0, rules="us", start_us=us(at))
    path = ((0, 0), (120, chance.choice([-0.15, 0.15])), (1_500, 0.05))
    market.play(Scenario("far", path=path), market.now_us + 240 * SECOND, [0, 3, 4, 5])
    reader = read(market, seconds, chance)
    assert not reader.wrong
    assert reader.counts["trade"] > 3
    if seconds > 1_000:
        assert reader.counts["paused"] > 0
        assert reader.counts["straddle_state"] > 0 or seed == 2


GAPS = Universe(
    [
        Instrument("WIDE", 30.0, spread=12.0, tier=1, exchange="N"),
        Instrument("NARROW", 120.0, spread=6.0, tier=1, exchange="Q"),
    ]
)


@pytest.mark.parametrize("size", [-0.048, 0.049])
@pytest.mark.parametrize("seed", [2, 4])
def test_a_quote_that_a_trade_leaves_beyond_a_band_is_told_to_straddle(
    size: float, seed: int
) -> None:
    """A scripted price comes near a band; trades clear its levels, and what is behind them may be beyond it."""
    chance = random.Random(seed)
    market = Market(GAPS, seed=seed, rate=60.0, rules="us", start_us=us("2026-01-05T10:00"))
    near = Scenario("near", path=((0, 0), (2, size), (60, size)), alike=True)
    market.play(near, market.now_us + 3 * SECOND)
    reader = read(market, 25, chance)
    assert not reader.wrong
    assert reader.counts["straddle_state"] > 20
    assert reader.counts["trading"] > 20


@pytest.mark.parametrize(("fall", "level"), [(-0.09, 1), (-0.30, 3)])
def test_the_whole_market_halts_when_what_was_published_has_fallen(fall: float, level: int) -> None:
    """Each level at the first whole second after it; bands and pauses, which hold prices up, count."""
    market = Market(WILD, seed=3, rate=2.0, rules="us", start_us=us("2026-01-05T10:00"))
    market.play(Scenario("fall", path=((0, 0), (1_500, fall), (4_000, fall))))
    reader = read(market, 2_400 if level == 1 else 3_300, random.Random(3))
    assert not reader.wrong
    assert reader.level >= 1
    assert reader.counts["halted"] >= 10


def test_the_reader_sees_what_is_wrong() -> None:
    """A trade that is left out, one that is elsewhere, and one in a halt."""
    market = Market(WILD, seed=1, rate=5.0, rules="us", start_us=us("2026-01-05T10:00"))
    reader = read(market, 60, random.Random(1))
    assert not reader.wrong
    one = reader.symbols["TWO"]
    event = {"type": "trade", "symbol": "TWO", "seq": one.seq["trade"] + 2, "time": one.time}
    reader.read(event | {"price": 47.003, "size": 100})
    one.status = "halted"
    reader.read(event | {"seq": event["seq"], "price": one.bid, "size": 7, "exchange": "V"})
    said = " ".join(reader.wrong)
    for what in (
        "sequence",
        "multiple",
        "exchange",
        "outside of the quote",
        "bands",
        "halted",
        "odd",
    ):
        assert what in said
