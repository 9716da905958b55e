"""
Plain answers over HTTP that nobody reads: how long they are kept, and how many bytes of them.

An answer waits in asyncio's transport until the client takes it, which may be never. A client has as much time for it as a
slow consumer: the no-progress time without a byte, the soft seconds in all (:mod:`feeds.wire.backlog`).
"""

import asyncio
import logging
import time
from dataclasses import replace

from feeds.awake import Awake
from feeds.wire.backlog import MOST_BYTES, Backlog, BacklogPolicy, Eviction
from feeds.wire.transport import buffered

__all__ = ["MOST_UNREAD", "UnreadAnswers"]

log = logging.getLogger("feeds")

MOST_UNREAD = 64 * 1024 * 1024
"""Bytes of plain answers that may be unread, of all connections together; beyond, whoever has waited longest is cut off."""

_LOOK_S = 0.5
_LOOKS = 10  # in the no-progress time, where that is short


class UnreadAnswers:
    """
    Looks after the connections of one server whose answers aren't read. Costs nothing while there are none.

    Args:
        policy: how long they have.
        cut_off: counts those that are cut off, by reason.
    """

    def __init__(self, policy: BacklogPolicy, cut_off: dict[Eviction, int]) -> None:
        # No size is too much for an answer that was asked for; and any that waits is unread.
        self._policy = replace(policy, low_water=0, soft_limit=0, hard_limit=MOST_BYTES)
        self._look_s = min(_LOOK_S, policy.no_progress_s / _LOOKS)
        self._waiting: dict[asyncio.Transport, Backlog] = {}  # the longest first
        self._timer: asyncio.TimerHandle | None = None
        self._counts = cut_off
        self._seconds = Awake(time.monotonic, usual_s=self._look_s)

    def begin(self, transport: asyncio.Transport) -> None:
        """Note that a connection has something unread."""
        self._waiting[transport] = Backlog(self._policy)
        if self._timer is None:
            self._wait()

    def end(self, transport: asyncio.Transport) -> None:
        """Note that it hasn't any more, or is over; may be called at any time."""
        self._waiting.pop(transport, None)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def _look(self) -> None:
        self._timer = None
        now, total = self._seconds(), 0
        for transport, backlog in list(self._waiting.items()):
            unread = buffered(transport)
            reason = backlog.admit(unread, now)
            if reason is None:
                total += unread
            else:
                self._cut_off(transport, reason)
        for transport in list(self._waiting):
            if total <= MOST_UNREAD:
                break
            total -= buffered(transport)
            self._cut_off(transport, Eviction.HARD_LIMIT)
        if self._waiting:
            self._wait()

    def _cut_off(self, transport: asyncio.Transport, reason: Eviction) -> None:
        self._counts[reason] += 1
        log.info("cut off a client that doesn't read its answer: %s", reason.value)
        del self._waiting[transport]
        transport.abort()
