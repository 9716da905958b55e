"""
The market: one object that is asked for time and gives events.

Plan: the walk and the order flow are made a *block* of whole cells ahead, for all symbols in one pass, and
:meth:`Market.step` hands out slices of the block. What is handed out depends on time alone, never on how the block
was cut or on the step length: stream equals batch, byte for byte.

What is scheduled and played is laid over the blocks by :mod:`ticker.staging.overlay`; :mod:`ticker.bookkeeping.books` records what was handed out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from ticker.backfill.past import Past
from ticker.backfill.sessioned import SessionPast
from ticker.batch import INTERVALS, BarTable, TickBatch
from ticker.bookkeeping.bars import meet
from ticker.bookkeeping.daybook import DayBook
from ticker.bookkeeping.outlet import Outlet
from ticker.cents import standing
from ticker.generator.source import MAX_RATE, MAX_TOTAL_RATE, Block, Source
from ticker.model import FULL, Model, model_named
from ticker.regulation import us
from ticker.regulation.us import UsRules, rules_named
from ticker.scenario import Scenario
from ticker.script import ScriptedEvent
from ticker.staging.overlay import Overlay
from ticker.staging.play import Play, chosen
from ticker.staging.scenes import Scene
from ticker.staging.staged import Staged
from ticker.staging.taking import Taking
from ticker.trading_day.hours import SessionShape
from ticker.trading_day.shape import DayShape
from ticker.universe import Universe

__all__ = ["DEFAULT_START_US", "MAX_RATE", "MAX_TOTAL_RATE", "TAPE", "Market"]

TAPE = 4
"""Goes up by 1 with every change after which the same arguments give other events; it is part of the epoch."""

DEFAULT_START_US = 1_767_623_400_000_000
"""2026-01-05 14:30 UTC, the opening of a Monday in New York: where a market starts that nobody gave a time."""

_PASTS: WeakValueDictionary[str, Past] = WeakValueDictionary()
"""By epoch, of markets that there are: one that is begun again, as tests do, needn't find out anew what was before it."""


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
        scenes: what is played from the start on.
        rules: ``open``: it is always open, and has no rules; ``us``: those of the US market, see :mod:`ticker.regulation.us`.
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
        scenes: Sequence[Scene] = (),
        rules: str = "open",
        block_events: int = 16_384,
    ) -> None:
        self.synthetic, self.over, self.rules = True, False, rules_named(rules)
        self.model = model_named(model) if isinstance(model, str) else model
        """What the market is made of."""
        numbers = (int(seed), float(rate), float(trade_share), int(start_us))
        self.epoch = _epoch(universe, numbers, self.model, scenes, rules)
        """Names this run: markets of one epoch give the same events, so sequences of one mean the same in another."""
        timed = self._timed(rules, start_us)
        self._source = source = Source(
            universe,
            seed=seed,
            rate=rate,
            trade_share=trade_share,
            start_us=start_us,
            model=timed,
            block_events=block_events,
            cents=rules == "us",
        )
        obeys, self._flow = rules == "us", (rate, trade_share)
        stands = standing(universe, source.flow.bid, source.flow.ask, cents=obeys)
        kind = SessionPast if obeys else Past
        past = partial(kind, seed, universe, start_us, stands, flow=self._flow, model=timed)
        self._past = _PASTS.get(self.epoch) or _PASTS.setdefault(self.epoch, past())
        book = DayBook(stands[0], stands[1], stands[2], universe, start_us)
        book.go_on(*self._past.figures())
        super().__init__(universe, start_us, book)
        self.seed, self._start_us, shape = seed, start_us, self.model.shape
        minute = (shape if isinstance(shape, DayShape) else DayShape()).first_minute
        self._day_us = start_us - minute * 60_000_000
        self._overlay: Overlay | None = None
        self._rules: UsRules | None = None
        if obeys:
            self._obey(UsRules(universe, seed, rate * trade_share, start_us))
        for scene in scenes:
            at_us = start_us + round(scene.start_s * 1e6)
            self.play(scene.scenario, at_us, scene.ids(universe), scene.seed)

    def _obey(self, rules: UsRules) -> None:
        """Have rules from the start on."""
        self._rules = rules
        self._books.day.begin(rules.status(self.now_us), rules.opens(self.now_us))
        self._books.day_ends = rules.day_ends
        self._lay_over(self.now_us)

    def _timed(self, rules: str, start_us: int) -> Model:
        """Give the model, with sessions if the rules have them."""
        shape = self.model.shape
        if rules == "open" or isinstance(shape, SessionShape):
            return self.model
        return replace(self.model, shape=SessionShape(shape, start_us // 1_000_000))

    def schedule(self, at_us: int, *events: ScriptedEvent) -> None:
        """
        Add events to those of the walk.

        They come after all others of their time, in the order given, and are numbered and go into snapshots and bars
        like any other. The walk doesn't know of them: its prices go on as they were.

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
        marked = self._rules is not None
        staged = Staged(scenario, at_us, ids, self.universe, self._flow, marked=marked)
        self._lay_over(at_us).play(Play(staged, seed=seed))

    def bars(self, symbol: int, interval: str, limit: int) -> tuple[BarTable, bool]:
        """
        Give the newest bars of a symbol, oldest first, at most ``limit``, which is at least 1.

        They reach back before the start, into the :class:`~ticker.backfill.past.Past`. The bar of an interval that was under way
        at the start includes the trades from before it.

        Returns:
            The bars, and whether the last of them is of an interval that is still under way.
        """
        self._bring_up_to_date()
        bars, partial, complete = self._books.newest(symbol, interval, limit, self.now_us)
        length_us = INTERVALS[interval] * 1_000_000
        first = self._start_us // length_us * length_us
        if complete and (len(bars) < limit or bars.start[0] == first):
            past = self._past.bars(symbol, interval, limit)
            bars = meet(past, bars).take(slice(-limit, None))
            partial = len(bars) > 0 and int(bars.start[-1]) == self.now_us // length_us * length_us
        return bars, partial

    def recent(self, symbol: int) -> TickBatch:
        batch = self._past.events(symbol)
        if self._rules is not None:
            self._rules.mark_past(batch)
        return batch

    def _lay_over(self, at_us: int) -> Overlay:
        """Begin to lay over what wasn't handed out yet, if that hasn't begun."""
        if at_us < self.now_us:
            raise ValueError(f"time {at_us!r} has passed: the market is at {self.now_us!r}")
        if self._overlay is None:
            self._bring_up_to_date()
            self._block = Block(self._block.batch[self._at :], self._block.end_us)
            self._at = self._booked = 0
            seq, stands, share = self._books.seq, self._books.day.standing(), self._flow[1]
            taking = Taking(self.universe, self.seed, share, cents=self.rules == "us")
            self._overlay = Overlay(
                self._block,
                self.now_us,
                seq,
                stands,
                self._source.flow.seq,
                self._day_us,
                taking,
                self._rules,
                quoted=share < 1,
            )
        return self._overlay

    def _next_block(self) -> Block:
        block = self._source.block()
        if self._overlay is not None:
            block = self._overlay.begin(block, self._source.flow.seq)
        return block

    def _refresh(self) -> None:
        if self._overlay is not None and self._overlay.stale:
            self._block = self._overlay.block()

    def _enter(self, rows: TickBatch) -> None:
        super()._enter(rows)
        if self._overlay is not None:
            self._books.enter_changes(rows)


def _epoch(
    universe: Universe,
    numbers: tuple[int, float, float, int],
    model: Model,
    scenes: Sequence[Scene],
    rules: str,
) -> str:
    played = (tuple(scenes),) if scenes else ()
    ruled = us.identity(universe) if rules != "open" else ()
    run = (TAPE, universe.instruments, *numbers, model, *played, *ruled)
    return hashlib.blake2b(repr(run).encode(), digest_size=8).hexdigest()
