"""Keeping a connection up: connect, ask, connect again, resume. Knows no events and no symbols."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field

from clients.backoff import Backoff
from clients.connection import ABNORMAL, Connection, Ending
from clients.decode import Item
from clients.events import (
    ClosedError,
    Connected,
    ConnectError,
    ConnectionLostError,
    Disconnected,
)
from clients.replies import Replies

__all__ = ["Link"]

FATAL_CODES = frozenset({1002, 1007, 1008, 1009})
"""Close codes after which the client must be mended; connecting again would only repeat them."""


@dataclass(eq=False)
class Link:
    """A connection that comes back. Times are in seconds."""

    url: str
    _: KW_ONLY
    handle: Callable[[str], Awaitable[None]]
    """Is given the text of each message; nothing is read while it is at work."""
    changed: Callable[[Connected | Disconnected], Awaitable[None]]
    """Is told of each connection before its first message, and of each end and failed attempt."""
    resume: Callable[[], Iterable[Item]]
    """Gives the requests with which a connection begins."""
    token: str | None = None
    reconnect: bool = True
    request_timeout: float = 10.0
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ssl: ssl.SSLContext | bool = True
    reconnects: int = 0
    replies: Replies = field(default_factory=Replies, init=False)
    connection: Connection | None = field(default=None, init=False)
    """The connection that stands; None between two, and at the end."""
    _failure: Exception | None = field(default=None, init=False)
    _usable: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def open(self) -> Connection:
        """Connect; raise ConnectError if that fails."""
        return await Connection.open(self.url, patience=self.request_timeout, ssl=self.ssl)

    async def run(self, connection: Connection) -> None:
        """Live through *connection* and all those after it; raises why there will be no more."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                ending = await self._live(connection)
                connection = await self._again(ending, clock() - began)
                self.reconnects += 1
        except Exception as error:
            self.fail(error)
            raise

    def fail(self, error: Exception) -> None:
        """Give up: requests raise *error* from now on. The first one counts."""
        self._failure = self._failure or error
        self.replies.fail(error)
        self._usable.set()

    async def _live(self, connection: Connection) -> Ending:
        try:
            await self.changed(Connected(connection.hello, self.reconnects))
            async with asyncio.timeout(self.request_timeout):
                await self._begin(connection)
            self.connection = connection
            self._usable.set()
            return await connection.run(self.handle)
        except (ConnectionLostError, TimeoutError) as error:
            return Ending(ABNORMAL, str(error) or "the server reads nothing")
        finally:
            self.connection = None
            self._usable.clear()
            self.replies.fail(ConnectionLostError("the connection went down before the reply"))
            await connection.close()

    async def _begin(self, connection: Connection) -> None:
        # The replies are not awaited, since nobody reads yet; a refusal ends the link when it comes.
        requests = list(self.resume())
        if connection.hello.auth and self.token is not None:
            requests.insert(0, {"action": "auth", "token": self.token})
        for request in requests:
            await connection.send(self.replies.expect(request, vital=True).request)

    async def _again(self, ending: Ending, lived: float) -> Connection:
        """Connect again, as often as it takes."""
        if ending.code in FATAL_CODES or not self.reconnect:
            raise ClosedError(ending.code, ending.reason)
        while True:
            wait = self.backoff.delay(lived)
            await self.changed(Disconnected(ending.reason, ending.code, wait))
            await self.sleep(wait)
            try:
                return await self.open()
            except ConnectError as error:
                ending, lived = Ending(ABNORMAL, error.reason), 0.0

    async def ask(self, request: Item) -> list[Item]:
        """Send a request, when there is a connection to send it on, and return the whole reply.

        Raises RequestError when the server refuses, ConnectionLostError when the connection goes
        down before the reply, TimeoutError, or why the link has ended.
        """
        try:
            async with asyncio.timeout(self.request_timeout):
                while (connection := self.connection) is None:
                    if self._failure is not None:
                        raise self._failure
                    await self._usable.wait()
                return await self._exchange(connection, request)
        except TimeoutError:
            limit = self.request_timeout
            raise TimeoutError(f"no reply to {request['action']!r} within {limit:g} s") from None

    async def _exchange(self, connection: Connection, request: Item) -> list[Item]:
        pending = self.replies.expect(request)
        try:
            await connection.send(pending.request)
            return await pending.reply
        finally:
            pending.reply.cancel()
