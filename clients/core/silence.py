"""Finding a dead connection by its silence. Knows no sockets."""

from __future__ import annotations

import asyncio
from typing import Any, Self

__all__ = ["Silence"]


class Silence:
    """A context that ends with TimeoutError when one wait for a message lasts *limit* seconds; 0: never.

    Set `since` to the loop's time before each wait, and to None after it: time that is not spent
    waiting, such as a slow handler's, does not count.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.since: float | None = None
        self._suspected: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._deadline.__aenter__()
        if self.limit:
            self._watch()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._deadline.__aexit__(*failure)

    def change(self, limit: float) -> None:
        """Allow another silence from now on."""
        self.limit = limit
        if self._timer is not None:
            self._timer.cancel()
        if limit:
            self._watch()

    def _watch(self) -> None:
        # One timer for the connection, which looks back, costs less than one for each message.
        loop = asyncio.get_running_loop()
        since = self.since
        left = self.limit if since is None else since + self.limit - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._watch)
        elif since != self._suspected:
            # After a stall of this very process, what came meanwhile is still to be read.
            self._suspected = since
            self._timer = loop.call_later(self.limit / 10, self._watch)
        else:
            self._deadline.reschedule(loop.time())
