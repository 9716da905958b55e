"""
What is laid over the walk: plays of scenarios, scripted events, and halts, in which nothing comes out.

The walk's blocks stay as they are. What is laid over one is a function of the state at its start, of its rows, of the
plays and of the script, and an event of it depends on nothing that comes later: so when something is scheduled in the
middle of a block, the block is laid over again from its start, and what was handed out already comes out the same. So
the steps in which a market is asked for events change none of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import STATUS, TRADES, TickBatch
from ticker.generator.source import Block
from ticker.processes.grid import CELL_US
from ticker.regulation.breakers import Breakers
from ticker.regulation.us import UsRules
from ticker.rows import CHANNELS, EXTRA, SCRIPT, WALK, Standings, behind_trades, count, insert
from ticker.script import Script, ScriptedEvent
from ticker.staging.keeping import Kept, State, keep
from ticker.staging.play import Play
from ticker.staging.repricing import Prices, reprice
from ticker.staging.taking import Shown, Taking

__all__ = ["Overlay"]

I64 = NDArray[np.int64]
Origin = NDArray[np.uint8]


class Overlay:
    """
    What is laid over a market's blocks.

    Args:
        rest: what is left of the walk's block that is being handed out.
        now_us: from when on it is left.
        seq: the last sequences, by channel and symbol.
        standing: the standing bids, their sizes, asks, and theirs, shape (4, symbols).
        walk_seq: the walk's last sequences at the end of the block, by channel (trades, quotes) and symbol.
        day_us: when a day of the market began.
        taking: takes trades off the quotes.
        rules: those of the US market, if it has them; then blocks begin where sessions do.
        quoted: whether the walk makes quotes at all.
    """

    def __init__(
        self,
        rest: Block,
        now_us: int,
        seq: I64,
        standing: I64,
        walk_seq: I64,
        day_us: int,
        taking: Taking,
        rules: UsRules | None = None,
        *,
        quoted: bool = True,
    ) -> None:
        self._walk, self._begin_us, self._day_us = rest, now_us, day_us
        self._taking, self._rules, self._quoted = taking, rules, quoted
        seq = seq[:CHANNELS].copy()
        none = np.zeros(seq.shape[1], dtype=np.int64)
        status = none + (rules.status(now_us) if rules else 0)
        stands, quote = Standings(status, none, none > 0), standing[::2]
        bands = rules.bands(now_us, quote) if rules else {}
        start = quote.sum(axis=0) // 2
        breakers = Breakers(start, start)
        prices, shown = Prices.of(quote), Shown.of(standing)
        walk = seq[:STATUS].copy()
        self._state = State(walk, seq, stands, prices, shown, {}, bands, breakers)
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
        symbols = self._state.seq.shape[1]
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
        events: list[tuple[int, ScriptedEvent]] = [*play.changes(), *play.trades()]
        for at_us, event in events:
            self.add(at_us, (event,))
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
        busy = self._rules is not None or len(self._now) or state.plays or state.bands
        unsettled = state.prices.moved().any() or not state.shown.settled()
        if busy or state.standing.unusual() or unsettled:
            return Block(self._laid_over(), self._walk.end_us)
        batch = self._walk.batch
        prices = state.prices.copy()
        origin = np.full(len(batch), WALK, dtype=np.uint8)
        behind = behind_trades(batch, origin)
        prices.note(batch, origin, behind, np.ones(state.seq.shape[1], bool))
        moved = state.seq[:STATUS] - state.walk_seq
        seq = state.seq.copy()
        seq[:STATUS] = self._walk_seq + moved
        self._after = replace(
            state,
            walk_seq=self._walk_seq,
            seq=seq,
            prices=prices,
            shown=state.shown.after(batch, behind),
        )
        numbers = batch.seq + moved[batch.channel, batch.symbol]
        return Block(replace(batch, seq=numbers), self._walk.end_us)

    def _laid_over(self) -> TickBatch:
        before = self._state
        batch, origin = self._with_all(before)
        behind = behind_trades(batch, origin)
        prices, plays = self._price(batch, origin, behind)
        if self._rules is not None:
            self._rules.round(batch, origin)
        if self._rules is None:
            kept, breakers = self._kept(batch, origin), before.breakers
        else:
            kept, breakers = self._ruled(self._rules, batch, origin)
        seq = before.seq + count(kept.batch, before.seq.shape[1])
        self._after = State(
            self._walk_seq, seq, kept.standing, prices, kept.shown, plays, kept.bands, breakers
        )
        return kept.batch

    def _ruled(self, rules: UsRules, batch: TickBatch, origin: Origin) -> tuple[Kept, Breakers]:
        """Keep a block to the rules: what comes out moves the index, and where that trips, everything halts from there on."""
        before, span = self._state, (self._begin_us, self._walk.end_us)
        fresh = replace(batch, price=batch.price.copy(), ask=batch.ask.copy())
        kept = self._kept(batch, origin)
        breakers, halt = rules.watch(
            kept.batch, kept.origin, before.breakers, before.standing, *span
        )
        if halt is not None:
            kept = self._kept(*insert(fresh, origin, halt, EXTRA))
        bands = rules.closing(kept.bands, breakers, before.breakers)
        return kept._replace(bands=bands), breakers

    def _kept(self, batch: TickBatch, origin: Origin) -> Kept:
        ways = self._taking, self._rules
        return keep(batch, origin, self._state, self._walk.end_us, *ways, quoted=self._quoted)

    def _with_all(self, before: State) -> tuple[TickBatch, Origin]:
        """Put what plays, sessions and scripts add into the walk's events; prices and asks may be changed in place."""
        batch, origin = self._walk.batch, np.full(len(self._walk.batch), WALK, dtype=np.uint8)
        for play in before.plays:
            extras = play.extras.between(self._begin_us, self._walk.end_us)
            if extras is not None:
                batch, origin = insert(batch, origin, extras, EXTRA)
        if self._rules is not None:
            span = self._begin_us, self._walk.end_us
            rows = self._rules.rows(*span, before.standing, before.breakers)
            if len(rows):
                batch, origin = insert(batch, origin, rows, EXTRA)
        if len(self._now):
            rows = self._now.rows()
            if self._rules is not None:
                self._rules.resume(rows, self._begin_us)
            batch, origin = insert(batch, origin, rows, SCRIPT)
        return replace(batch, price=batch.price.copy(), ask=batch.ask.copy()), origin

    def _price(
        self, batch: TickBatch, origin: Origin, behind: NDArray[np.bool_]
    ) -> tuple[Prices, dict[Play, I64]]:
        """Reprice a block, in place, and give what stands at its end and the plays that go on."""
        end_us, prices = self._walk.end_us, self._state.prices.copy()
        touched = prices.moved()
        touched[batch.symbol[(origin == EXTRA) & (batch.channel == TRADES)]] = True
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
        prices.note(batch, origin, behind, ~touched)
        if touched.any():
            reprice(batch, origin, behind, touched, prices, levels)
        for play in levels.keys() - going.keys():
            path = play.path(np.array([play.end_us]), np.arange(len(play.symbols)))
            prices.level[play.symbols] += levels[play][1][:, -1] + (0 if path is None else path)
        return prices, going
