"""
What is laid over the walk: plays of scenarios, scripted events, and halts, in which nothing comes out.

The walk's blocks stay as they are. What is laid over one is a function of the state at its start, of its rows, of the
plays and of the script, and an event of it depends on nothing that comes later: so when something is scheduled in the
middle of a block, the block is laid over again from its start, and what was handed out already comes out the same. So
the steps in which a market is asked for events change none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ticker.bands import Bands, limited
from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.grid import CELL_US
from ticker.play import Play
from ticker.repricing import Prices, reprice
from ticker.rows import (
    CHANNELS,
    EXTRA,
    SCRIPT,
    WALK,
    count,
    insert,
    sequences,
    statuses,
    waiting,
)
from ticker.script import Script, ScriptedEvent
from ticker.source import Block
from ticker.status import QUOTES_IN, STATUSES, TRADES_IN

__all__ = ["Overlay"]

I64 = NDArray[np.int64]
Origin = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_MADE = np.array([[s in TRADES_IN, s in QUOTES_IN, True] for s in STATUSES])
"""By status and channel, whether the walk's events come out."""


@dataclass(slots=True)
class _State:
    """Where things are at the start of a block."""

    walk_seq: I64
    """The walk's last sequences, shape (2, symbols)."""
    seq: I64
    """The last sequences that came out, shape (channels, symbols)."""
    status: I64
    """By symbol."""
    waits: Flags
    """Which symbols make no trades until their next quote, because they were not quoted for some time."""
    prices: Prices
    plays: dict[Play, I64]
    """The plays that aren't over, with their levels."""
    bands: dict[int, Bands]
    """Limit up, limit down, by the symbols that have it."""


class Overlay:
    """
    What is laid over a market's blocks.

    Args:
        rest: what is left of the walk's block that is being handed out.
        now_us: from when on it is left.
        seq: the last sequences, by channel and symbol.
        quote: the standing bids and asks, shape (2, symbols).
        day_us: when a day of the market began.
        walk_seq: the walk's last sequences at the end of the block, by channel (trades, quotes) and symbol.
    """

    def __init__(
        self, rest: Block, now_us: int, seq: I64, quote: I64, walk_seq: I64, day_us: int
    ) -> None:
        self._walk, self._begin_us, self._day_us = rest, now_us, day_us
        seq = seq[:CHANNELS].copy()
        none = np.zeros(seq.shape[1], dtype=np.int64)
        waits = np.zeros(len(none), dtype=bool)
        self._state = _State(seq[:STATUS].copy(), seq, none, waits, Prices.of(quote), {}, {})
        self._after = self._state
        self._walk_seq = walk_seq
        self._now, self._later = Script(), Script()
        self.stale = True
        """Whether the block has to be laid over again before more of it is handed out."""

    def add(self, at_us: int, events: Sequence[ScriptedEvent]) -> None:
        """
        Add events to the script.

        Raises:
            ValueError: there is no symbol with such an id; then none is added.
        """
        symbols = len(self._state.status)
        for event in events:
            if event.symbol >= symbols:
                raise ValueError(f"symbol id {event.symbol!r} is not between 0 and {symbols - 1}")
        if at_us < self._walk.end_us:
            self._now.add(at_us, events)
            self.stale = True
        else:
            self._later.add(at_us, events)

    def play(self, play: Play) -> None:
        """Play a scenario; nothing of its time was handed out yet."""
        for at_us, change in play.changes():
            self.add(at_us, (change,))
        none = np.zeros(len(play.symbols), dtype=np.int64)
        bands = dict(self._state.bands)
        for symbol, limits in play.bands(self._day_us).items():
            bid, ask = self._state.prices.newest_shown[:, symbol].tolist()
            bands.setdefault(symbol, replace(limits, bid=bid, ask=ask))
        plays = self._state.plays | {play: none}
        self._state = replace(self._state, plays=plays, bands=bands)
        self.stale = True

    def begin(self, block: Block, walk_seq: I64) -> Block:
        """Go on to the walk's next block, and lay over that."""
        if self.stale:
            self.block()  # for the state at its end
        self._begin_us = self._walk.end_us
        self._walk, self._walk_seq = block, walk_seq
        self._state = self._after
        self._now = self._later.take(block.end_us)
        return self.block()

    def block(self) -> Block:
        """Lay over the block from its start. One with nothing to do costs a pass over its sequences."""
        self.stale = False
        state = self._state
        busy = len(self._now) or state.plays or state.bands
        if busy or state.status.any() or state.waits.any() or state.prices.moved().any():
            return Block(self._laid_over(), self._walk.end_us)
        batch = self._walk.batch
        prices = state.prices.copy()
        prices.note(batch, np.zeros(len(batch), np.uint8), np.ones(len(state.status), bool))
        moved = state.seq[:STATUS] - state.walk_seq
        seq = state.seq.copy()
        seq[:STATUS] = self._walk_seq + moved
        self._after = _State(self._walk_seq, seq, state.status, state.waits, prices, {}, {})
        numbers = batch.seq + moved[batch.channel, batch.symbol]
        return Block(replace(batch, seq=numbers), self._walk.end_us)

    def _laid_over(self) -> TickBatch:
        before = self._state
        batch, origin = self._walk.batch, np.full(len(self._walk.batch), WALK, dtype=np.uint8)
        for play in before.plays:
            extras = play.extras.between(self._begin_us, self._walk.end_us)
            if extras is not None:
                batch, origin = insert(batch, origin, extras, EXTRA)
        if len(self._now):
            batch, origin = insert(batch, origin, self._now.rows(), SCRIPT)
        batch = replace(batch, price=batch.price.copy(), ask=batch.ask.copy())
        prices, plays = self._price(batch, origin)
        batch, origin, bands = limited(batch, origin, before.bands, self._walk.end_us)
        out, status, waits = self._coming_out(batch, origin)
        batch = batch[out]
        seq = before.seq + count(batch, len(status))
        self._after = _State(self._walk_seq, seq, status, waits, prices, plays, bands)
        return replace(batch, seq=sequences(batch, before.seq))

    def _coming_out(self, batch: TickBatch, origin: Origin) -> tuple[Flags, I64, Flags]:
        """Tell which events come out, and of the symbols at the end the status, and whether they wait for a quote."""
        before = self._state
        status, waits = before.status, before.waits
        scripted, out = origin == SCRIPT, np.ones(len(batch), dtype=bool)
        for play in before.plays:
            if play.scenario.silences:
                out &= ~play.silent(batch.symbol, batch.time)
        if status.any() or waits.any() or STATUS in batch.channel:
            statuses_then, status = statuses(batch, before.status)
            out &= _MADE[statuses_then, batch.channel]
            quotes = (batch.channel == QUOTES) & (out | scripted)
            wait, waits = waiting(batch, ~_MADE[statuses_then, QUOTES], quotes, before.waits)
            out &= ~wait | (batch.channel != TRADES)
        return out | scripted, status, waits

    def _price(self, batch: TickBatch, origin: Origin) -> tuple[Prices, dict[Play, I64]]:
        """Reprice a block, in place, and give what stands at its end and the plays that go on."""
        end_us, prices = self._walk.end_us, self._state.prices.copy()
        touched = prices.moved()
        levels, going = {}, {}
        first = self._begin_us // CELL_US
        cells = -(-end_us // CELL_US) - first
        for play, level in self._state.plays.items():
            if play.at_us >= end_us:
                going[play] = level
                continue
            touched[play.symbols] = True
            edges = np.repeat(level[:, None], cells + 1, axis=1)
            if (moves := play.noise(first, cells)) is not None:
                edges[:, 1:] += np.cumsum(moves, axis=1)
            levels[play] = first, edges
            if play.end_us > end_us:
                going[play] = edges[:, -1]
        prices.note(batch, origin, ~touched)
        if touched.any():
            reprice(batch, origin, touched, prices, levels)
        for play in levels.keys() - going.keys():
            path = play.path(np.array([play.end_us]))
            prices.level[play.symbols] += levels[play][1][:, -1] + (0 if path is None else path)
        return prices, going
