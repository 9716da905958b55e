"""What is sent for what was missed: the newest event, what it stands for, and bars one by one."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from market_tape import SYMBOLS, MarketTape, Tick

from feeds.dialects.trades import TradeRings
from feeds.fanout.conflation import MOST_BARS, Newest, Pieces
from feeds.fanout.history import History
from ticker.batch import BARS, CHANNELS, QUOTES, TRADES

MINUTES = BARS + 1


class Kept:
    """What a hub keeps of a tape."""

    def __init__(self, *, history: int = 1_000_000) -> None:
        self.tape = MarketTape()
        self.seq = np.zeros(SYMBOLS * CHANNELS, dtype=np.int64)
        self.history = History(SYMBOLS, history)
        self.newest = Newest(SYMBOLS, self.seq, self.tape.encoder, self.history)
        self.newest.begin()

    def add(self, *ticks: Tick) -> None:
        batch = self.tape.add(ticks)
        slots = batch.channel.astype(np.int64) * SYMBOLS + batch.symbol
        self.seq[slots] = batch.seq
        fragments = self.tape.encoder.encode(batch)
        if self.history:
            self.history.extend(slots.tolist(), fragments)
        self.newest.keep(slots, batch, fragments)

    def pieces(self, *rows: tuple[int, int, int]) -> Pieces:
        """Rows of symbol, channel, how many were missed."""
        slots = np.array([channel * SYMBOLS + symbol for symbol, channel, _ in rows])
        return self.newest.pieces(slots, np.array([count for *_, count in rows]))


def test_a_merged_trade_has_the_sums_and_an_unmerged_one_is_as_it_was() -> None:
    kept = Kept()
    kept.add(Tick(0, TRADES, 10, 1), Tick(0, TRADES, 30, 2), Tick(1, TRADES, 5, 3))
    kept.add(Tick(0, TRADES, 20, 4), Tick(0, QUOTES, 7, 7), Tick(0, QUOTES, 8, 8))
    pieces = kept.pieces((0, TRADES, 3), (1, TRADES, 1), (0, QUOTES, 2))
    assert pieces.replaced == [2, 0, 1]
    assert pieces.unsure == []
    trade, other, quote = (orjson.loads(f[:-1]) for f in pieces.fragments)
    assert {k: trade[k] for k in ("merged", "volume", "open", "high", "low", "price", "size")} == {
        "merged": 2,
        "volume": 7,
        "open": 10,
        "high": 30,
        "low": 10,
        "price": 20,
        "size": 4,
    }
    assert pieces.fragments[1] == kept.history.last(1, 1)[0]
    assert "merged" not in other
    assert quote["merged"] == 1
    assert "volume" not in quote


def test_what_several_get_is_made_once_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    kept.add(Tick(0, TRADES), Tick(0, TRADES))
    asked: list[int] = []
    before = TradeRings.sum_up

    def counted(self: TradeRings, *columns: np.ndarray) -> object:
        asked.append(len(columns[0]))
        return before(self, *columns)

    monkeypatch.setattr(TradeRings, "sum_up", counted)
    one, other = kept.pieces((0, TRADES, 2), (0, TRADES, 2)), kept.pieces((0, TRADES, 2))
    assert one.fragments == other.fragments * 2
    assert asked == [1]
    kept.add(Tick(0, TRADES))
    assert orjson.loads(kept.pieces((0, TRADES, 2)).fragments[0][:-1])["seq"] == 3
    assert asked == [1, 1]


def test_trades_from_before_or_too_many_of_them_are_merged_without_sums_and_named() -> None:
    kept = Kept()
    kept.newest.end()
    kept.add(Tick(0, TRADES))
    kept.newest.begin()
    kept.add(Tick(0, TRADES), Tick(1, TRADES), Tick(1, TRADES))
    pieces = kept.pieces((0, TRADES, 2), (1, TRADES, 2))
    assert pieces.unsure == [0]
    unsure, sure = (orjson.loads(f[:-1]) for f in pieces.fragments)
    assert unsure["merged"] == sure["merged"] == 1
    assert "volume" not in unsure
    assert sure["volume"] == 2


def test_a_few_missed_bars_are_sent_one_by_one() -> None:
    kept = Kept()
    kept.add(*[Tick(0, MINUTES, price) for price in range(1, MOST_BARS + 3)])
    pieces = kept.pieces((0, MINUTES, MOST_BARS))
    bars = orjson.loads(b"[" + pieces.fragments[0][:-1] + b"]")
    assert [bar["open"] for bar in bars] == list(range(3, MOST_BARS + 3))
    assert not any("merged" in bar for bar in bars)
    assert pieces.replaced == [0]


@pytest.mark.parametrize(("history", "count"), [(1_000_000, MOST_BARS + 1), (0, 2)])
def test_many_missed_bars_are_counted_as_merged_and_so_are_any_without_a_history(
    history: int, count: int
) -> None:
    kept = Kept(history=history)
    kept.add(*[Tick(0, MINUTES, price) for price in range(1, 20)])
    pieces = kept.pieces((0, MINUTES, count))
    bar = orjson.loads(pieces.fragments[0][:-1])
    assert (bar["open"], bar["merged"]) == (19, count - 1)
    assert pieces.replaced == [count - 1]


def test_nothing_is_kept_after_the_end() -> None:
    kept = Kept()
    kept.add(Tick(0, TRADES))
    kept.newest.end()
    assert not kept.newest.active
    assert kept.newest.events == {}
