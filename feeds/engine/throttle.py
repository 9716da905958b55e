"""Throttles for what is done in turns, but not in each of them; and the pauses of a turn."""

import asyncio

from feeds.clock import Clock

__all__ = ["Pauses", "Throttle"]


class Throttle:
    """
    Keeps what was done from being done again for some time.

    Args:
        clock: tells the time. One without a pace throttles nothing: a turn is what somebody asked for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.seconds()

    def passes(self, seconds: float) -> bool:
        """Tell whether it is time again; if so, it isn't for so many seconds."""
        now = self._clock.seconds()
        if self._clock.speed and now < self._until:
            return False
        self._until = now + seconds
        return True


class Pauses:
    """
    The pauses of turns, in which the event loop runs.

    Who cancels a turn breaks it off between two steps of the market: what this one gave goes to everybody, and once. From there
    on nothing pauses.
    """

    def __init__(self) -> None:
        self._cancelled: asyncio.CancelledError | None = None

    async def __call__(self) -> None:
        """Let the event loop run."""
        if self._cancelled is None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                self._cancelled = error

    def end(self) -> None:
        """Note that everything was written; raises what the turn was cancelled with, if it was."""
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            raise cancelled
