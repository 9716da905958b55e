"""
The market: one object that is asked for time and gives events.

Plan: the walk and the order flow are made a *block* of whole cells ahead, for all symbols in one pass, and
:meth:`Market.step` hands out slices of the block. What is handed out depends on time alone, never on how the block
was cut or on the step length: stream equals batch, byte for byte.

What somebody scheduled is laid over the walk's blocks by :mod:`ticker.overlay`; :mod:`ticker.books` keep what was handed out.
"""

import hashlib

from ticker.batch import TickBatch
from ticker.books import Books
from ticker.model import FULL, Model, model_named
from ticker.outlet import Outlet
from ticker.overlay import Overlay
from ticker.past import Past
from ticker.script import ScriptedEvent
from ticker.source import MAX_RATE, MAX_TOTAL_RATE, Block, Source
from ticker.universe import Universe

__all__ = ["DEFAULT_START_US", "MAX_RATE", "MAX_TOTAL_RATE", "TAPE", "Market"]

TAPE = 2
"""Goes up by 1 with every change after which the same arguments give other events; it is part of the epoch."""

DEFAULT_START_US = 1_767_623_400_000_000
"""2026-01-05 14:30 UTC, the opening of a Monday in New York: where a market starts that nobody gave a time."""


class Market(Outlet):
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
        self.seed = seed
        self.synthetic, self.over = True, False
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
        self._overlay: Overlay | None = None
        first, flow = universe.start_ticks(), source.flow
        past = Past(seed, start_us, rate, trade_share)
        books = Books(universe, first, flow.bid, flow.ask, start_us, past)
        super().__init__(universe, start_us, books)

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
        if at_us < self.now_us:
            raise ValueError(f"time {at_us!r} has passed: the market is at {self.now_us!r}")
        if self._overlay is None:
            self._overlay = Overlay(self._block, self._source.flow.seq)
        self._overlay.add(at_us, events)

    def _next_block(self) -> Block:
        block = self._source.block()
        return block if self._overlay is None else self._overlay.begin(block, self._source.flow.seq)

    def _make_ready(self) -> None:
        super()._make_ready()
        if self._overlay is not None and self._overlay.stale:
            self._block = self._overlay.block()

    def _enter(self, rows: TickBatch) -> None:
        super()._enter(rows)
        if self._overlay is not None:
            self._books.enter_changes(rows)
