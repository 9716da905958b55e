"""The time of one session, moved by hand: by so much, to a moment, by so many events."""

from datetime import datetime
from typing import Any

from feeds.clock import ManualClock
from feeds.directing import driving
from feeds.directing.expect import Expectations
from feeds.errors import CommandError
from feeds.notation.times import Duration, Moment, as_datetime, duration_us, in_new_york, moment_us
from feeds.plant import Plant
from feeds.plants import Plants

__all__ = ["Timekeeper"]


class Timekeeper(Expectations):
    """
    Moves the time of one session, in the event loop of its server.

    Under a manual clock, time stands still between commands. What is commanded happens at the market's time; each such event
    takes a microsecond, and :meth:`advance` counts that in, so that round times stay round. Under a clock that
    moves by itself, it happens at once, and :meth:`advance` and :meth:`run_until` wait.

    Args:
        plants: the server's plants.
        session: the key of the session.
    """

    def __init__(self, plants: Plants, session: str = "") -> None:
        super().__init__(plants, session)
        # A round time, and the one at which the market is since, a microsecond later for each command.
        self._round: tuple[Plant, int, int] | None = None

    @property
    def now(self) -> datetime:
        """The market's time, in UTC."""
        return as_datetime(self.plant.market.now_us)

    def at_us(self, when: Moment) -> int:
        """Give a moment as Unix time in microseconds; without a date, it is of the market's day in New York."""
        return moment_us(when, self.plant.market.now_us)

    async def advance(self, by: Duration) -> None:
        """Move the market's time on; returns when everything up to then is written."""
        us = duration_us(by)
        self._note("advance", by=str(by))
        plant = self.plant
        async with plant.directing:
            await driving.reach(plant, self._time() + us)

    async def run_until(self, when: Moment) -> None:
        """Move the market's time to a moment, of its day in New York if it is written ``"09:45"``."""
        now_us = self.plant.market.now_us
        target = self.at_us(when)
        if target < now_us:
            raise CommandError(f"{when!r} has passed: the market is at {in_new_york(now_us)}")
        self._note("run_until", when=str(when))
        plant = self.plant
        async with plant.directing:
            await driving.reach(plant, target)

    async def step(self, n: int = 1) -> int:
        """
        Let the market's next n events happen, and move a manual clock to just after them.

        Returns:
            How many there were: more than n, where several belong to one microsecond.
        """
        if n < 1:
            raise CommandError(f"n {n!r}: at least one event")
        plant, clock = self.plant, self.plant.clock
        if clock.speed:
            raise CommandError(f"step needs the clock 'manual' or 'max', not {clock.name!r}")
        self._note("step", n=n)
        async with plant.directing:
            return await driving.step(plant, n)

    # How it is done.

    def _time(self) -> int:
        """Give the time from which :meth:`advance` counts, in microseconds."""
        plant = self.plant
        stands = isinstance(plant.clock, ManualClock)
        if stands and self._round is not None and self._round[::2] == (plant, plant.market.now_us):
            return self._round[1]
        return driving.earliest(plant)

    def _note(self, command: str, **arguments: Any) -> None:
        if (clientele := self.plant.clientele) is not None:
            clientele.journal.note("command", command=command, **arguments)
