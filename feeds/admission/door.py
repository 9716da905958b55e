"""
The door: what happens to a connection before its first request has come.

aiohttp knows of a connection only from its first whole request on. A door stands before aiohttp's protocol: it counts
connections, and gives each no longer than the handshake time to send its request. Those over a limit are still read up to
their request, so that they can be answered; but only a limited number at a time, beyond which they are dropped.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from feeds.admission.budget import Budget
from feeds.admission.limits import MOST_OVER, Limits, Refusal, TokenBucket, too_fast
from feeds.admission.turnstile import Turnstile, address_of
from feeds.admission.unread_answers import UnreadAnswers
from feeds.counters.stats import ServerStats
from feeds.errors import HttpCode
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.transport import tune

__all__ = ["Door", "Doors"]


class Doors:
    """
    Makes a door for each connection: the protocol factory of a listening socket.

    Args:
        server: makes the protocols behind the doors.
        limits: what clients may use.
        policy: how long they may leave an answer unread.
        stats: counts what is refused.
        seconds: gives real seconds, from any origin.
    """

    def __init__(
        self,
        server: Callable[[], asyncio.Protocol],
        limits: Limits,
        policy: BacklogPolicy,
        stats: ServerStats,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server, self.limits, self.seconds = server, limits, seconds
        self.stats = stats
        self.turnstile = Turnstile(limits, stats.connections)
        self.unread_answers = UnreadAnswers(policy, stats.unread)
        """Is had with those who don't read what they asked for."""
        self.no_progress_s = policy.no_progress_s
        self.waiting = 0
        """Connections that are too many and wait to be told so."""
        self.shut = False
        """Whether nobody looks after connections any more: one that was accepted too late to be closed with the others is aborted."""
        self.open: set[Door] = set()
        """Those with a connection behind them."""
        self.left = asyncio.Event()
        """Set when somebody leaves."""

    def __call__(self) -> asyncio.Protocol:
        return Door(self)

    async def empty(self, until: float) -> None:
        """Wait for those who read what is left for them, until a time of the event loop; then cut off all others."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while self.open:
                    self.left.clear()
                    await self.left.wait()
        for door in list(self.open):
            door.abort()


class Door(asyncio.Protocol):
    """One connection: everything passes through to the protocol behind."""

    __slots__ = (
        "_address",
        "_bucket",
        "_budget",
        "_doors",
        "_inner",
        "_over",
        "_timer",
        "_transport",
        "flowing",
        "refusal",
    )

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bucket: TokenBucket | None = None
        self._budget: Budget | None = None
        self._address: str | None = None
        self._over = 0
        self.flowing = False
        """Whether it goes on and on, as a WebSocket or a stream, so that others look after what is unread of it."""
        self.refusal: Refusal | None = None
        """Why the connection is one too many; every request on it is to be answered with that."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        doors = self._doors
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if doors.shut:
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        address = address_of(str(peer[0])) if isinstance(peer, tuple) else ""
        self.refusal = doors.turnstile.enter(address)
        if self.refusal is None:
            self._address = address
        elif doors.waiting >= doors.limits.max_waiting:
            self._transport.abort()
            return
        else:
            doors.waiting += 1
        tune(self._transport, doors.no_progress_s)
        self._inner = doors.server()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(doors.limits.handshake_s, self._late)
        self._inner.connection_made(transport)
        doors.open.add(self)

    def abort(self) -> None:
        """Drop the connection, with what is unread."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def over(self) -> bool:
        """Whether the answer under way is the last one: the connection is one too many, or has sent too much."""
        return self.refusal is not None or self._over >= MOST_OVER

    def arrived(self, *, counted: bool = True, shared: bool = True) -> Refusal | None:
        """
        Note a whole request; give why it is to be refused.

        Args:
            counted: whether it counts among those that one connection may send in a second.
            shared: whether it counts among those of its address.
        """
        first = self._timer is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.refusal is not None or not counted:
            return self.refusal
        refused = None if first else self._too_fast()  # a burst is at least one request
        if refused is None and shared:
            refused = self.budget.ask()
        if refused is None:
            return None
        self._over += 1
        return Refusal.rated(*refused)

    def _too_fast(self) -> tuple[str, float] | None:
        """Count a request that isn't the first; if it is one too many, say so, and for how many seconds."""
        limits, now = self._doors.limits, self._doors.seconds()
        if self._bucket is None:
            self._bucket = TokenBucket(limits.max_requests_s, limits.max_burst, now)
            self._bucket.take(now)  # for the first one
        elif self._bucket.full(now):
            self._over = 0
        wait = self._bucket.take(now)
        return (too_fast(self._bucket, "on one connection", wait), wait) if wait else None

    @property
    def budget(self) -> Budget:
        """What the answers on this connection may cost."""
        if self._budget is None:
            doors = self._doors
            address, turnstile = self._address or "", doors.turnstile
            account = turnstile.account(address, doors.seconds())
            self._budget = Budget(doors.seconds, account, turnstile.quota(address))
        return self._budget

    def _late(self) -> None:
        """Say that the time is up, and hang up."""
        self._timer = None
        assert self._transport is not None
        self._doors.stats.errors[HttpCode.REQUEST_TIMEOUT] += 1
        text = f"no whole request within {self._doors.limits.handshake_s:g} s"
        self._transport.write(Refusal(408, HttpCode.REQUEST_TIMEOUT, text).last_words())
        self._transport.close()

    # What passes through.

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        if self._inner is None or self._transport is None:
            return
        if not self.flowing:
            self._doors.unread_answers.begin(self._transport)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is None or self._transport is None:
            return
        self._doors.unread_answers.end(self._transport)
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._doors.open.discard(self)
        self._doors.left.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._doors.unread_answers.end(self._transport)
        if self._address is not None:
            self._doors.turnstile.leave(self._address)
        elif self._inner is not None:
            self._doors.waiting -= 1
        if self._inner is not None:
            self._inner.connection_lost(exc)
