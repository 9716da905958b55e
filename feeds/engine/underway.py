"""Tells whether something is under way that takes several passes of the event loop, and who may begin more of it."""

import asyncio
import math

__all__ = ["MOST_OVERLAPS", "Underway"]

MOST_OVERLAPS = 100
"""Answers that begin while others are under way, with a clock that drains; then the market has a turn first."""


class Underway:
    """
    How many there are: ``with underway:`` is one more. True while there is one.

    Args:
        most: how many may begin while another is under way, before all have to end; one after the other, any number may.
    """

    def __init__(self, most: float = math.inf) -> None:
        self._count = self._overlaps = 0
        self._most = most
        self._room = asyncio.Event()
        self._room.set()

    def __bool__(self) -> bool:
        return self._count > 0

    def __enter__(self) -> None:
        self._overlaps += self._count > 0
        self._count += 1
        if self._overlaps >= self._most:
            self._room.clear()

    def __exit__(self, *error: object) -> None:
        self._count -= 1

    async def may_begin(self, idle: asyncio.Event) -> None:
        """Return when an event is set and another may begin; until the caller awaits again, that stays so."""
        while not (self._room.is_set() and idle.is_set()):
            await (idle if self._room.is_set() else self._room).wait()

    def allow(self, *, always: bool = False) -> None:
        """Let as many begin as at first, or any number from now on."""
        self._most = math.inf if always else self._most
        self._overlaps = 0
        self._room.set()
