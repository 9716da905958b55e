"""The pump. One turn: step the market, encode once, mark, write. Then it waits for the clock, and goes on."""

import asyncio
import math
import time
from collections.abc import Callable

import orjson

from feeds.clock import Clock
from feeds.counters.timing import Timing
from feeds.engine.throttle import Gathering, Pauses, Throttle
from feeds.engine.underway import MOST_OVERLAPS, Underway
from feeds.fanout.cursor import Place, parts
from feeds.fanout.hub import Hub
from feeds.fanout.stagger import Stagger
from ticker.batch import TickBatch
from ticker.venue import Venue

__all__ = ["Pump"]

MAX_TURN_EVENTS = 4_000
"""The most events that are written at once: keeps a message under 1 MiB, which common libraries read at most, and a step short."""

MAX_TURN_BOOKS = 500
"""The most events that are written at once where there are books, whose events are longer."""

_LONGEST_STEP_US = 10_000_000  # of the market's time, where nothing else bounds it
_LONGEST_WORK_S = 0.004  # without letting the event loop run
_LONGEST_TURN_S = 0.25
"""Of a market that is behind its clock: requests are answered between turns."""
_CONGESTION_WAIT_S = 0.001
_ANSWER_WAIT_S = 0.001
_NOBODY_WAIT_S = 0.005


class Pump:
    """
    Drives one market through one hub.

    Args:
        market: gives the events.
        hub: takes them to the clients.
        clock: gives the time.
        turn_events: with a clock that has no time of its own, the events of one turn.
        heartbeat_s: the longest silence of a connection; 0: no heartbeats.
        timer: gives the real seconds in which turns are timed, from any origin.
    """

    def __init__(
        self,
        market: Venue,
        hub: Hub,
        clock: Clock,
        *,
        turn_events: int = 500,
        heartbeat_s: float = 5.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._market, self._hub, self._clock = market, hub, clock
        hub.place = Place(market.now_us)
        self._turn_events = min(turn_events, MAX_TURN_EVENTS)
        self._heartbeat_s = heartbeat_s
        self._next_beat = clock.seconds() + heartbeat_s / 4
        self._pacing, self._tending, self._pauses = Throttle(clock), Throttle(clock), Pauses()
        self._gathering = Gathering(hub.stats, clock.speed)
        self._idle = asyncio.Event()
        self._idle.set()
        self.answers = Underway(MOST_OVERLAPS if clock.drains else math.inf)
        """Requests that are being answered. With a clock that drains, no turn begins meanwhile: how long it takes mustn't show."""
        self.events = 0
        """How many events the market gave."""
        self.turns = 0
        """How many turns there were."""
        self.timing = Timing(clock.speed, timer)
        self.stagger = Stagger(hub.roster, clock.turn_s)
        """Chooses whom the turns of the clock write to."""
        self._unwritten: list[TickBatch] = []  # to the first phase, by whose members ages are noted
        self.after_turn: Callable[[], object] | None = None
        """Called after each turn, before anything else can happen."""
        self.failure: Exception | None = None
        """What the pump failed with, which it never should."""

    @property
    def idle(self) -> bool:
        """Whether no turn is under way."""
        return self._idle.is_set()

    async def between_turns(self) -> None:
        """Return when no turn is under way; until the caller awaits again, none begins."""
        while not self._idle.is_set():
            await self._idle.wait()

    async def may_answer(self) -> None:
        """Return when no turn is under way and an answer may begin; until the caller awaits again, that stays so."""
        await self.answers.may_begin(self._idle)

    def settle(self) -> None:
        """Write to everybody what is pending; between turns."""
        for _ in self._hub.flush(self._clock.seconds()):
            pass  # nobody pauses it: it isn't followed by another turn

    async def run(self) -> None:
        """Turn until cancelled; what it fails with is noted and raised."""
        try:
            if self._clock.drains:
                await self._run_as_fast_as_drained()
            while True:
                await self.turn()
                await self._clock.turn_over(self.stagger.share, self._due_us())
                await self.between_turns()
        except Exception as error:
            self.failure = error
            raise
        finally:
            self.answers.allow(always=True)
            self._clock.close()

    def _due_us(self) -> int | None:
        """Give the market's time from which on a turn has something for somebody; None: as far as that matters, never."""
        if self.stagger.waiting:
            return self._market.now_us
        if not self._clock.speed:
            return None
        next_us = self._market.next_us(self._hub.roster.deliveries.members)
        return self._gathering.due_us(next_us, self._market.now_us)

    async def _run_as_fast_as_drained(self) -> None:
        """With no time to wait for, the event loop is let run after some work, not after each small turn."""
        seconds, hub = self._clock.seconds, self._hub
        yielded = seconds()
        while True:
            # With nobody there, or nothing left to give, not at all.
            while not hub.roster.interested or self._market.over:
                self.answers.allow()
                await self._stand(_NOBODY_WAIT_S)
            while self.answers:
                await self._stand(_ANSWER_WAIT_S)
            await self.between_turns()
            await self.turn()
            self.answers.allow()
            if seconds() - yielded > _LONGEST_WORK_S:
                await self._clock.turn_over()
                yielded = seconds()
            while hub.slow.congested and not hub.slow.relieved(seconds()):
                self.answers.allow()
                await self._stand(_CONGESTION_WAIT_S)

    async def _stand(self, seconds: float) -> None:
        """Let some real seconds pass without a turn; whoever asks, or listens, is told that this is as it should be."""
        self.timing.idle()
        self._beat()
        await asyncio.sleep(seconds)

    @property
    def behind_s(self) -> float:
        """How far the market is behind its clock, in real seconds; 0.0 with a clock that doesn't move by itself."""
        now_us = self._clock.now_us()
        if now_us is None or not self._clock.speed:
            return 0.0
        return (now_us - self._market.now_us) / 1e6 / self._clock.speed

    async def turn(self) -> None:
        """
        Do one turn: everything up to the clock's time. No other turn may be under way.

        Where the clock moves by itself and the market can't keep up, a turn ends after a quarter of a second, and the
        next one goes on from there.
        """
        now = self._clock.now_us()
        if now is None:
            await self._turn(self._market.now_us + _LONGEST_STEP_US, self._turn_events, once=True)
        else:
            longest = _LONGEST_TURN_S if self._clock.speed else math.inf
            await self._turn(now, MAX_TURN_EVENTS, phase=self.stagger.phase, longest_s=longest)

    async def direct(self, until_us: int, most: int | None = None) -> int:
        """
        Do one turn at once, between those of the clock; when it returns, its events are written.

        Args:
            until_us: the market's time up to which to go, not included.
            most: stop after this many events; ``Market.step`` says what belongs together.

        Returns:
            How many events there were.
        """
        await self.between_turns()
        before = self.events
        await self._turn(until_us, most or MAX_TURN_EVENTS, once=most is not None)
        return self.events - before

    async def _turn(
        self,
        until: int,
        limit: int,
        *,
        once: bool = False,
        phase: int | None = None,
        longest_s: float = math.inf,
    ) -> None:
        """Go up to a time of the market, for so long at the most; at ``once``, no further than the limit of one step."""
        timing, began = self.timing, self.timing.timer()
        writing = 0.0
        self._idle.clear()
        try:
            while True:
                batch = self._market.step(until, limit)
                self.events += len(batch)
                end = Place(self._market.now_us)
                books = self._hub.depth is not None and self._hub.depth.active
                most = MAX_TURN_BOOKS if books else MAX_TURN_EVENTS
                for part, place in parts(batch, most, self._hub.roster.symbols, end):
                    if not self.stagger.has_room(len(part), most):
                        writing += await self._write(None)
                    self._hub.publish(part)
                    self._hub.place = place
                    self.stagger.published(len(part))
                    self._unwritten.append(part)
                    writing += await self._write(phase)
                self._pauses.end()
                if self._hub.slow.laggards and self._tending.passes(self._clock.turn_s / 2):
                    self._hub.slow.tend(self._clock.seconds())
                if once or self._market.now_us >= until or timing.timer() - began > longest_s:
                    break
                await asyncio.sleep(0)
            if self._hub.newest.active and self._pacing.passes(self._hub.roster.lanes.rest_s):
                for _ in self._hub.pace(self._clock.seconds()):
                    await asyncio.sleep(0)
        finally:
            self._idle.set()
        self.turns += 1
        self.stagger.wrote(writing)
        timing.turned(began)
        if self.after_turn is not None:
            self.after_turn()
        self._beat()

    async def _write(self, phase: int | None) -> float:
        """Write what is pending for a phase of the members, or for all; gives how long that took, in seconds."""
        began = self.timing.timer()
        for _ in self._hub.flush(self._clock.seconds(), phase):
            await self._pauses()
        self.stagger.written(phase)
        if not phase:
            if self._hub.roster.interested:  # every one's age, at the end of a flush
                self.timing.written((part.time for part in self._unwritten), self._clock.now_us())
            self._unwritten.clear()
        return self.timing.timer() - began

    def _beat(self) -> None:
        """Send a heartbeat to every group that has been silent; looked at four times in its length."""
        now = self._clock.seconds()
        if not self._heartbeat_s or now < self._next_beat:
            return
        self._next_beat = now + self._heartbeat_s / 4
        beat = orjson.dumps([{"type": "heartbeat", "time": self._market.now_us / 1000}])
        self._hub.beat(beat, now, silent_since=now - 0.7 * self._heartbeat_s)
