"""
The market: one object that is asked for time and gives events.

Plan: the walk and the order flow are made a *block* of whole cells ahead, for all symbols in one pass, and
:meth:`Market.step` hands out slices of the block. What is handed out depends on time alone, never on how the block
was cut or on the step length: stream equals batch, byte for byte.

What is scheduled and played is laid over the blocks by :mod:`ticker.overlay`; :mod:`ticker.books` keep what was handed out.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ticker.batch import BarTable, TickBatch
from ticker.books import Books
from ticker.daybook import Snapshot
from ticker.model import FULL, Model, model_named
from ticker.overlay import Overlay
from ticker.past import Past
from ticker.play import Play, chosen
from ticker.scenario import Scenario
from ticker.script import ScriptedEvent
from ticker.source import MAX_RATE, MAX_TOTAL_RATE, Block, Source
from ticker.universe import Universe

__all__ = ["DEFAULT_START_US", "MAX_RATE", "MAX_TOTAL_RATE", "TAPE", "Market"]

TAPE = 2
"""Goes up by 1 with every change after which the same arguments give other events; it is part of the epoch."""

DEFAULT_START_US = 1_767_623_400_000_000
"""2026-01-05 14:30 UTC, the opening of a Monday in New York: where a market starts that nobody gave a time."""

_SECOND_US = 1_000_000


class Market:
    """
    An invented market for a universe of symbols.

    Args:
        universe: what is traded.
        seed: the same seed and arguments give the same events.
        rate: mean events a second and symbol, trades and quotes together.
        trade_share: the fraction of events that are trades.
        start_us: Unix time at which the market starts, in microseconds; whole seconds.
        model: what the market is made of, or the name of one of :data:`~ticker.model.MODELS`.
        block_events: about how many events to make in one pass. Changes memory and pace, never an event.

    Raises:
        ValueError: an argument is out of range; the message names it.
    """

    def __init__(
        self,
        universe: Universe,
        *,
        seed: int,
        rate: float = 10.0,
        trade_share: float = 0.25,
        start_us: int = DEFAULT_START_US,
        model: Model | str = FULL,
        block_events: int = 16_384,
    ) -> None:
        if start_us % _SECOND_US:
            raise ValueError(f"start {start_us!r} is not a whole second")
        self.universe, self.seed = universe, seed
        self.synthetic, self.over = True, False
        self.now_us = start_us
        """The market's time: everything before it has been handed out."""
        self.model = model_named(model) if isinstance(model, str) else model
        """What the market is made of."""
        numbers = (int(seed), float(rate), float(trade_share), int(start_us))
        run = (TAPE, universe.instruments, *numbers, self.model)
        self.epoch = hashlib.blake2b(repr(run).encode(), digest_size=8).hexdigest()
        """Names this run: markets of one epoch give the same events, so sequences of one mean the same in another."""
        self._source = source = Source(
            universe,
            seed=seed,
            rate=rate,
            trade_share=trade_share,
            start_us=start_us,
            model=self.model,
            block_events=block_events,
        )
        self._flow = rate, trade_share
        self._block = Block(TickBatch.empty(), start_us)
        self._overlay: Overlay | None = None
        # Rows of the block that were handed out, and that are in the books.
        self._at = self._booked = 0
        self._next_second = start_us + _SECOND_US
        self._books = Books(
            universe,
            Past(seed, start_us, rate * trade_share),
            universe.start_ticks(),
            source.flow.bid,
            source.flow.ask,
            start_us,
        )

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        """
        Move the time on and give the events from the old time, included, to the new one, excluded.

        Bars are given as soon as their interval is over: those that end at the new time too.

        Args:
            until_us: the new time, Unix time in microseconds; a time that has passed gives no events.
            limit: stop after this many events; ``now_us`` tells where. Events of the same microsecond, and bars that
                close together, are given together, even past the limit.
        """
        parts: list[TickBatch] = []
        given = 0
        while self.now_us < until_us:
            room = None if limit is None else limit - given
            if room is not None and room <= 0:
                break
            edge = min(until_us, self._next_second)
            part = self._release(edge, room)
            if len(part):
                parts.append(part)
                given += len(part)
            if self.now_us == self._next_second:
                bars = self._close_second()
                if len(bars):
                    parts.append(bars)
                    given += len(bars)
        return TickBatch.join(parts)

    def schedule(self, at_us: int, *events: ScriptedEvent) -> None:
        """
        Add events to those of the walk.

        They come behind all others of their time, in the order given, and are numbered and go into snapshots and bars
        as any other. The walk doesn't know of them: its prices go on as they were.

        Args:
            at_us: Unix time in microseconds, :attr:`now_us` or later.
            events: what happens then.

        Raises:
            ValueError: the time has passed, or there is no symbol with such an id; then nothing is added.
        """
        self._lay_over(at_us).add(at_us, events)

    def play(
        self,
        scenario: Scenario,
        at_us: int | None = None,
        symbols: Sequence[int] | None = None,
        seed: int | None = None,
    ) -> None:
        """
        Play a scenario over the walk, beside those that are played already.

        Args:
            scenario: what happens.
            at_us: when it begins, Unix time in microseconds, :attr:`now_us` or later; None: now.
            symbols: the ids of its symbols; None: all, or the first, as the scenario says.
            seed: of its noise; None: the market's.

        Raises:
            ValueError: the time has passed, there is no symbol with such an id, or it is too much.
        """
        at_us = self.now_us if at_us is None else at_us
        seed = self.seed if seed is None else seed
        ids = chosen(symbols, scenario, len(self.universe))
        play = Play(scenario, at_us, ids, seed=seed, universe=self.universe, flow=self._flow)
        self._lay_over(at_us).play(play)

    def snapshot(self, symbol: int) -> Snapshot:
        """Give the state of one symbol now."""
        self._bring_up_to_date()
        return self._books.day.snapshot(symbol)

    def sequences(self) -> NDArray[np.int64]:
        """
        Give the last sequence handed out, by channel number and symbol id: shape (channels, symbols).

        A read-only view, which later steps change.
        """
        self._bring_up_to_date()
        view = self._books.seq.view()
        view.flags.writeable = False
        return view

    def bars(self, symbol: int, interval: str, limit: int) -> tuple[BarTable, bool]:
        """
        Give the newest bars of a symbol, oldest first, at most ``limit``, which is at least 1.

        They begin before the market did, with whole intervals of the :class:`~ticker.past.Past`.

        Returns:
            The bars, and whether the last of them is of an interval that is still under way.
        """
        self._bring_up_to_date()
        return self._books.newest_bars(symbol, interval, limit, self.now_us)

    def _release(self, edge: int, room: int | None) -> TickBatch:
        """Hand out rows of the block up to ``edge``, and move the time."""
        if self._at == len(self._block.batch) and self.now_us >= self._block.end_us:
            self._make_block()
        if self._overlay is not None and self._overlay.stale:
            self._block = self._overlay.block()
        batch = self._block.batch
        end = int(np.searchsorted(batch.time, edge))
        reached = min(edge, self._block.end_us)
        if room is not None and end - self._at > room:
            last = batch.time[self._at + room - 1]  # what is of the same time stays together
            cut = int(np.searchsorted(batch.time, last, "right"))
            if cut < end:
                end, reached = cut, int(batch.time[cut])
        part = batch[self._at : end]
        self._at = end
        self.now_us = reached
        return part

    def _lay_over(self, at_us: int) -> Overlay:
        """Begin to lay over what wasn't handed out yet, if that hasn't begun."""
        if at_us < self.now_us:
            raise ValueError(f"time {at_us!r} has passed: the market is at {self.now_us!r}")
        if self._overlay is None:
            self._bring_up_to_date()
            self._block = Block(self._block.batch[self._at :], self._block.end_us)
            self._at = self._booked = 0
            seq, quotes = self._books.seq, self._books.day.quotes()
            walk_seq = self._source.flow.seq
            self._overlay = Overlay(self._block, self.now_us, seq, quotes, walk_seq)
        return self._overlay

    def _make_block(self) -> None:
        self._bring_up_to_date()
        self._block = self._source.block()
        if self._overlay is not None:
            self._block = self._overlay.begin(self._block, self._source.flow.seq)
        self._at = self._booked = 0

    def _bring_up_to_date(self) -> None:
        """Enter what was handed out into the books. Linear in those events."""
        if self._booked == self._at:
            return
        rows = self._block.batch[self._booked : self._at]
        self._booked = self._at
        self._books.enter(rows)
        if self._overlay is not None:
            self._books.enter_changes(rows)

    def _close_second(self) -> TickBatch:
        """Close the bars, and the day, that end now."""
        self._bring_up_to_date()
        second = self._next_second // _SECOND_US
        self._next_second += _SECOND_US
        return self._books.close(second)
