"""How late a load generator's own event loop is: so much of a latency may be its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["LOOK_S", "Lateness"]

LOOK_S = 0.01
"""Seconds from one look to the next."""


class Lateness:
    """
    Looks a hundred times a second how much later than due it is woken.

    That is what an event waits at most, beside its way here: for the clients before it, and for a core that others have.

    Args:
        timer: gives seconds, from any origin.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._late_s: list[float] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = self._timer() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self.look(self._timer() - due)

    def look(self, late_s: float) -> None:
        """Take in one look that came so much too late, in seconds."""
        self._late_s.append(max(0.0, late_s))

    def p99_ms(self) -> float:
        """Give how late it is in the worst hundredth of the looks, in milliseconds; 0 without any."""
        if not self._late_s:
            return 0.0
        return round(sorted(self._late_s)[int(0.99 * len(self._late_s))] * 1e3, 3)
