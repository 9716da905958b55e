"""Keeping a connection up: connect, ask, connect again, resume. Knows no events and no symbols."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from clients.core.backoff import Backoff
from clients.core.connection import ABNORMAL, Connection, Ending
from clients.core.decode import Item
from clients.core.inflow import Since
from clients.core.replies import Replies
from clients.core.streams import StreamConnection
from clients.events import Connected, Disconnected
from clients.failures import ClosedError, ConnectError, ConnectionLostError

__all__ = ["TRANSPORTS", "AnyConnection", "Link"]

TRANSPORTS = ("websocket", "sse")

AnyConnection = Connection | StreamConnection

FATAL_CODES = frozenset({1002, 1007, 1008, 1009})
"""Close codes that say that the client is at fault; connecting again would only repeat them."""
FATAL_STATUSES = frozenset({400, 401, 403})
"""HTTP statuses that mean the same."""


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
    since: Since = lambda channels, symbols: {}
    """Gives the sequences that are here."""
    transports: Sequence[str] = TRANSPORTS
    fallback_after: int = 2
    """After how many WebSockets in a row that bring no `hello` event streams are tried."""
    retry_websocket: float = 60.0
    """How long after that a WebSocket is tried again; twice as long each time, up to ten times."""
    token: str | None = field(default=None, repr=False)
    reconnect: bool = True
    request_timeout: float = 10.0
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ssl: ssl.SSLContext | bool = True
    reconnects: int = 0
    replies: Replies = field(default_factory=Replies, init=False)
    connection: AnyConnection | None = field(default=None, init=False)
    """The connection that stands; None between two, and at the end."""
    transport: str = field(default="websocket", init=False)
    """Over what the newest connection is."""
    _refused: int = field(default=0, init=False)
    _cursors: dict[str, str] = field(default_factory=dict, init=False)
    _probes: int = field(default=0, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _usable: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        if not self.transports or not set(self.transports) <= set(TRANSPORTS):
            given = ", ".join(map(repr, self.transports)) or "none"
            raise ValueError(f"transports are {', '.join(map(repr, TRANSPORTS))}, not {given}")
        self.transport = "websocket" if "websocket" in self.transports else "sse"

    async def open(self, *, patient: bool = False) -> AnyConnection:
        """Connect; raise ConnectError if that fails. *patient*: allow WebSockets some failures first."""
        if self.transport == "sse":
            # What stood the last time is tried first, and once; then a WebSocket again.
            if "websocket" in self.transports:
                self.transport = "websocket"
            connection: AnyConnection = await self._open_streams()
        else:
            try:
                connection = await self._open_websocket()
            except ConnectError as error:
                self._refused += 1
                waits = patient and self._refused < self.fallback_after
                if waits or error.final or "sse" not in self.transports:
                    raise
                try:
                    connection = await self._open_streams()
                except ConnectError as other:
                    if other.final and error.status is None:
                        raise
                    error.final = other.final
                    raise error from None  # a server that is down is not a bad proxy
        self.transport = connection.transport
        return connection

    async def _open_websocket(self) -> Connection:
        connection = await Connection.open(
            self.url, token=self.token, patience=self.request_timeout, ssl=self.ssl
        )
        self._refused = self._probes = 0
        self._cursors = {}
        return connection

    async def _open_streams(self) -> StreamConnection:
        return await StreamConnection.open(
            self.url,
            since=self.since,
            cursors=self._cursors,
            token=self.token,
            patience=self.request_timeout,
            ssl=self.ssl,
        )

    async def run(self, connection: AnyConnection) -> None:
        """Live through *connection* and all those after it; raises why there will be no more."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                ending = await self._live(connection)
                if isinstance(ending, Ending):
                    connection = await self._again(ending, clock() - began)
                else:
                    connection = ending
                self.reconnects += 1
        except Exception as error:
            self.fail(error)
            raise

    def fail(self, error: Exception) -> None:
        """Give up: requests raise *error* from now on. The first one counts."""
        self._failure = self._failure or error
        self.replies.fail(error)
        self._usable.set()

    async def _live(self, connection: AnyConnection) -> Ending | Connection:
        """Read a connection until it ends, or until a better one stands."""
        self.replies.in_order = connection.in_order
        try:
            await self.changed(Connected(connection.hello, self.reconnects))
            async with asyncio.timeout(self.request_timeout):
                await self._begin(connection)
            self.connection = connection
            self._usable.set()
            if isinstance(connection, StreamConnection) and "websocket" in self.transports:
                return await self._until_websocket(connection)
            return await connection.run(self.handle)
        except (ConnectionLostError, TimeoutError) as error:
            return Ending(ABNORMAL, str(error) or "the server reads nothing")
        finally:
            self.connection = None
            self._usable.clear()
            self.replies.fail(ConnectionLostError("the connection went down before the reply"))
            if isinstance(connection, StreamConnection) and self.transport == "sse":
                self._cursors = connection.cursors
            await connection.close()

    async def _until_websocket(self, connection: StreamConnection) -> Ending | Connection:
        running = asyncio.create_task(connection.run(self.handle))
        probing = asyncio.create_task(self._probe())
        moved = False
        try:
            await asyncio.wait({running, probing}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return await running
            # The streams end here, between two messages, and the WebSocket goes on from there.
            moved = True
            return probing.result()
        finally:
            await _cancel(running, probing)
            if probing.done() and not probing.cancelled() and not moved:
                await probing.result().close()

    async def _probe(self) -> Connection:
        """Try a WebSocket now and then, until there is one and no request waits for its reply."""
        while True:
            await self.sleep(self.retry_websocket * min(10, 2**self._probes))
            try:
                connection = await self._open_websocket()
            except ConnectError:
                self._probes = min(self._probes + 1, 10)
                continue
            try:
                await self.replies.settled()  # rather than to let a request fail
            except BaseException:
                await connection.close()
                raise
            self.connection = None  # and whoever asks from now on waits for it
            self._usable.clear()
            self.transport = connection.transport
            return connection

    async def _begin(self, connection: AnyConnection) -> None:
        # The replies are not awaited, since nobody reads yet; a refusal ends the link when it comes.
        requests = list(self.resume())
        if connection.hello.auth and self.token is not None:
            requests.insert(0, {"action": "auth", "token": self.token})
        for request in requests:
            await connection.send(self.replies.expect(request, vital=True).request)

    async def _again(self, ending: Ending, lived: float) -> AnyConnection:
        """Connect again, as often as it takes."""
        if ending.code in FATAL_CODES or not self.reconnect:
            raise ClosedError(ending.code, ending.reason)
        while True:
            wait = self.backoff.delay(lived)
            await self.changed(Disconnected(ending.reason, ending.code, wait))
            await self.sleep(wait)
            try:
                return await self.open(patient=True)
            except ConnectError as error:
                # A proxy refuses WebSockets in the same words; where there are event streams, theirs count.
                alone = "sse" not in self.transports
                if error.final or (alone and error.status in FATAL_STATUSES):
                    raise
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

    async def _exchange(self, connection: AnyConnection, request: Item) -> list[Item]:
        pending = self.replies.expect(request)
        try:
            await connection.send(pending.request)
            return await pending.reply
        finally:
            pending.reply.cancel()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
