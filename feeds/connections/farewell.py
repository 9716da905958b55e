"""Ends all connections: each gets what is pending, then its close frame, and none holds up the others for long."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from feeds.connections.settling import Settling
from feeds.errors import CloseCode
from feeds.fanout.group import Member

__all__ = ["Farewell", "Goodbye"]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """How the connections are closed."""

    code: CloseCode
    reason: bytes

    async def to(self, ws: web.WebSocketResponse) -> None:
        """Close one, and wait for its answer: closed before that, what it has yet to read could be lost."""
        await ws.close(code=self.code, message=self.reason)


class Farewell:
    """
    Closes the WebSocket connections of one server, once.

    Each is closed by its own task. Closed from another one while that is reading, aiohttp wouldn't wait for the client's
    answer.

    Args:
        settling: lets them have what is pending.
    """

    def __init__(self, settling: Settling) -> None:
        self.goodbye: Goodbye | None = None
        """How connections are closed, once that has begun; none is taken in any more then."""
        self._settling = settling
        self._tasks: dict[Member, asyncio.Task[object]] = {}
        self._said = asyncio.Event()

    def enter(self, member: Member) -> None:
        """Take in a connection; its task is the one that calls."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[member] = task

    def leave(self, member: Member) -> None:
        """Let go of a connection."""
        del self._tasks[member]

    def called(self, member: Member) -> bool:
        """Tell a connection's task that was cancelled whether that was for it to say goodbye, and nothing else."""
        return self.goodbye is not None and self._tasks[member].uncancel() == 0

    async def say(self, code: CloseCode, reason: str, deadline: float, *, settle: bool) -> None:
        """
        Close every connection. May be called twice: the first call is what counts.

        No turn may be under way, nor begin. Who hasn't taken what is pending by the deadline is cut off.

        Args:
            code: the close code.
            reason: goes with it.
            deadline: in the event loop's seconds.
            settle: first let clients have what is pending.
        """
        if self.goodbye is not None:
            await self._said.wait()
            return
        self.goodbye = Goodbye(code, reason.encode())
        try:
            await asyncio.gather(
                *(self._part(*pair, deadline, settle=settle) for pair in self._tasks.items())
            )
        finally:
            self._said.set()

    async def _part(
        self, member: Member, task: asyncio.Task[object], deadline: float, *, settle: bool
    ) -> None:
        """Let one connection have what is pending, then have it closed; abort it at the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                if settle:
                    await self._settling.of(member)
                if member.group is not None:  # else it is closing already
                    task.cancel()
                await asyncio.wait((task,))
        except TimeoutError:
            member.transport.abort()
