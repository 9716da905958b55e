"""The events between the task that reads the socket and the program that iterates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from clients.events import Event

__all__ = ["EventBuffer"]


class EventBuffer:
    """A queue that asks its producer to wait when it holds *limit* events, and that can end."""

    def __init__(self, limit: int) -> None:
        self.events: deque[Event] = deque()
        """The producer appends here, then calls `announce`."""
        self._limit = limit
        self.ended = False
        """Whether nothing follows what is here."""
        self._error: Exception | None = None
        self._urgent = 0
        self._full = False  # the producer waits
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    def announce(self) -> None:
        """Wake those who wait for an event."""
        self._arrived.set()

    def finish(self, error: Exception | None = None) -> None:
        """Say that nothing follows, because of *error* or because it was wished; the first call counts."""
        if not self.ended:
            self.ended = True
            self._error = error
        self._arrived.set()

    async def room(self) -> None:
        """Wait while the buffer is full and nothing is urgent."""
        while len(self.events) >= self._limit and not self._urgent:
            self._full = True
            self._room.clear()
            await self._room.wait()
            self._full = False

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Don't let the producer wait: what somebody awaits is behind the events."""
        self._urgent += 1
        self._room.set()
        try:
            yield
        finally:
            self._urgent -= 1

    async def get(self) -> Event:
        """Take the next event; wait for it if need be. At the end: the error, or StopAsyncIteration."""
        events = self.events
        while not events:
            if not await self._more():
                raise StopAsyncIteration
        event = events.popleft()
        # At half, not at once: waking the producer for each event would cost more than the event.
        if self._full and len(events) * 2 <= self._limit:
            self._room.set()
        return event

    async def get_all(self) -> list[Event]:
        """Take all the events that are here; wait for one if need be. At the end: the error, or []."""
        while not self.events and await self._more():
            pass
        events = list(self.events)
        self.events.clear()
        self._room.set()
        return events

    async def _more(self) -> bool:
        if not self.ended:
            self._arrived.clear()
            await self._arrived.wait()
            return True
        if self._error is not None:
            raise self._error.with_traceback(None)  # or it would grow with each time it is raised
        return False
