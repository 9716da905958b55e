"""Callbacks at times of the feed's clock, whatever that is: it may run, or stand until it is moved."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

__all__ = ["Alarm"]

_SLACK_S = 1e-9  # times are sums of floats


class Alarm:
    """
    Calls back when it is time: at the end of a turn, or by the event loop, whichever comes first.

    A clock that runs lets the event loop's timer find that it is time. One that stands still lets it find nothing; it
    moves with a turn, at whose end :meth:`ring` is called.

    Args:
        seconds: gives the feed's time.
        wanted: called when there is something to ring for.
    """

    def __init__(self, seconds: Callable[[], float], wanted: Callable[[], object]) -> None:
        self._seconds, self._wanted = seconds, wanted
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, due: float, callback: Callable[[], object]) -> None:
        """Call something back at a time."""
        heappush(self._heap, (due, next(self._order), callback))
        asyncio.get_running_loop().call_later(max(0.0, due - self._seconds()), self.ring)
        self._wanted()

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call something back that much later."""
        self.at(self._seconds() + seconds, callback)

    def ring(self) -> None:
        """Call back whose time has come."""
        now = self._seconds() + _SLACK_S
        while self._heap and self._heap[0][0] <= now:
            heappop(self._heap)[2]()
