"""A client for Python programs: connect, subscribe, iterate over typed events.

    async with TickerClient("ws://127.0.0.1:8765/ws") as client:
        await client.subscribe("AAPL", "MSFT", channels=["trades", "quotes"])
        async for event in client:
            match event:
                case Trade():
                    print(event.symbol, event.price, event.size)

To use it elsewhere, copy this file and those that it imports; they need aiohttp and orjson.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Self

from clients.core.backoff import Backoff
from clients.core.buffer import EventBuffer
from clients.core.connection import shown
from clients.core.decode import Item, build_snapshot
from clients.core.intake import Intake
from clients.core.link import TRANSPORTS, AnyConnection, Link
from clients.core.tracker import Tracker, chunks
from clients.events import Connected, Disconnected, Event, Hello, Instrument, Snapshot
from clients.failures import ConnectionLostError

__all__ = ["DEFAULT_URL", "TickerClient"]

DEFAULT_URL = "ws://127.0.0.1:8765/ws"


class TickerClient:
    """A connection to a feed, kept up across failures; an asynchronous iterator of `Event`s.

    Entering the context connects, and subscribes to *symbols* if any are given; it raises
    ConnectError if the server can't be reached. Later, the client reconnects by itself, with
    *backoff*, and resumes: it gets exactly the events that it missed, or a `Gap` and a snapshot
    for what the server no longer has. `Disconnected` and `Connected` report it, unless
    *connection_events* is false.

    A task reads the socket, so requests work whether or not anybody iterates. Once *buffer* events
    are waiting, it stops reading, unless a request waits for its reply. The server then sees a slow
    consumer and sends the newest event of each symbol later, so no queue grows here.

    Iteration ends after `close()`. It raises ClosedError if the server closed the connection for
    good, or at all with `reconnect=False`, and RequestError if it refuses what it once granted.

    *on_message* is called with the text and the objects of each message, even before its events
    are taken. *token* is the server's token, if it asks for one. *ssl* is as in aiohttp: a context,
    or False, which accepts any certificate. Times are in seconds.

    If *fallback_after* WebSockets in a row (only one when entering) bring no `hello`, the client
    uses Server-Sent Events; after *retry_websocket*, and then less and less often, it tries a
    WebSocket again.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("trades",),
        interval: str | None = None,
        token: str | None = None,
        connection_events: bool = True,
        reconnect: bool = True,
        buffer: int = 10_000,
        request_timeout: float = 10.0,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        ssl: ssl.SSLContext | bool = True,
        transports: Sequence[str] = TRANSPORTS,
        fallback_after: int = 2,
        retry_websocket: float = 60.0,
        on_message: Callable[[str, list[Item]], object] | None = None,
    ) -> None:
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._interval = interval
        self._connection_events = connection_events
        self._tracker = Tracker()
        self._buffer = EventBuffer(buffer)
        self._link = Link(
            url,
            handle=self._handle,
            changed=self._changed,
            resume=self._tracker.requests,
            token=token,
            reconnect=reconnect,
            request_timeout=request_timeout,
            backoff=backoff or Backoff(),
            sleep=sleep,
            ssl=ssl,
            transports=transports,
            fallback_after=fallback_after,
            retry_websocket=retry_websocket,
            since=self._tracker.since,
        )
        self._intake = Intake(self._buffer.events, self._tracker, self._link.replies, on_message)
        self._task: asyncio.Task[None] | None = None
        self.hello: Hello | None = None
        """What the server said last; None before the first connection."""

    async def __aenter__(self) -> Self:
        connection = await self._link.open()
        self._task = asyncio.create_task(
            self._run(connection), name=f"feed {shown(self._link.url)}"
        )
        try:
            if self._symbols:
                await self.subscribe(*self._symbols)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        link, waiting = self._link, len(self._buffer.events)
        state = "connected" if link.connection else "closed" if self._buffer.ended else "down"
        state += f", {waiting} waiting, {link.reconnects} reconnects"
        return f"<TickerClient {shown(link.url)} [{state}]>"

    @property
    def transport(self) -> str:
        """What it is connected over: `websocket` or `sse`."""
        return self._link.transport

    @property
    def reconnects(self) -> int:
        """How often the connection was made again."""
        return self._link.reconnects

    def __aiter__(self) -> Self:
        self._require_open()
        return self

    def __anext__(self) -> Awaitable[Event]:
        return self._buffer.get()

    async def batch(self) -> list[Event]:
        """Wait for events, then take all that are here: the fastest way to read. [] after `close()`."""
        self._require_open()
        return await self._buffer.get_all()

    async def subscribe(
        self,
        *symbols: str,
        channels: Iterable[str] | None = None,
        interval: str | None = None,
        snapshot: bool = True,
        mode: str | None = None,
        max_hz: float | None = None,
    ) -> tuple[str, ...]:
        """Subscribe to symbols, patterns (`A*`) or everything (`*`); return the symbols it came to.

        *channels* defaults to those of the client, *interval*, of bars, to the server's default.
        *mode* "latest" asks for the newest event only, at most *max_hz* times a second.
        Raises RequestError when the server refuses, ConnectionLostError, and TimeoutError. More
        than 1,000 symbols take several requests, of which the first ones may work and one fail.
        """
        wish: Item = {"channels": list(channels or self._channels)}
        if interval or (self._interval and "bars" in wish["channels"]):
            wish["interval"] = interval or self._interval
        if not snapshot:
            wish["snapshot"] = False
        wish |= {} if mode is None else {"mode": mode}
        wish |= {} if max_hz is None else {"max_hz": max_hz}
        return await self._change("subscribe", symbols, wish)

    async def unsubscribe(
        self, *symbols: str, channels: Iterable[str] | None = None, interval: str | None = None
    ) -> tuple[str, ...]:
        """Unsubscribe, from all channels and intervals unless some are named; as `subscribe`."""
        wish: Item = {} if channels is None else {"channels": list(channels)}
        if interval:
            wish["interval"] = interval
        return await self._change("unsubscribe", symbols, wish)

    async def snapshot(self, *symbols: str) -> list[Snapshot]:
        """Get the state of symbols without subscribing to them; raises as `subscribe`."""
        parts: list[Item] = []
        for some in chunks(symbols):
            parts += await self._ask({"action": "snapshot", "symbols": some})
        return [build_snapshot(item) for item in parts]

    async def symbols(self) -> list[Instrument]:
        """List the universe; raises as `subscribe`."""
        parts = await self._ask({"action": "symbols"})
        entries = [entry for part in parts for entry in part["symbols"]]
        known = Instrument.__slots__
        return [Instrument(**{k: entry[k] for k in known if k in entry}) for entry in entries]

    async def ping(self) -> float:
        """Ask the server for its time, in Unix milliseconds; raises as `subscribe`."""
        (pong,) = await self._ask({"action": "ping"})
        return float(pong["time"])

    async def close(self) -> None:
        """Close the connection; iteration ends when the events that are here are taken."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._link.fail(ConnectionLostError("the client is closed"))
        self._buffer.finish()

    async def _change(self, action: str, symbols: tuple[str, ...], wish: Item) -> tuple[str, ...]:
        came_to: list[str] = []
        for some in chunks(symbols):
            for reply in await self._ask({"action": action, "symbols": some, **wish}):
                came_to += reply["symbols"]
        return tuple(came_to)

    def _require_open(self) -> None:
        if self._task is None:
            how = "use it as: async with TickerClient(...)"
            raise RuntimeError(f"the client is not connected; {how}")

    async def _ask(self, request: Item) -> list[Item]:
        self._require_open()
        with self._buffer.urgent():
            return await self._link.ask(request)

    async def _run(self, connection: AnyConnection) -> None:
        try:
            await self._link.run(connection)
        except Exception as error:  # whatever it is, who iterates must learn of it
            self._buffer.finish(error)

    async def _changed(self, event: Connected | Disconnected) -> None:
        if isinstance(event, Connected):
            self.hello = event.hello
            self._tracker.hello(event.hello.epoch)
        if self._connection_events:
            self._buffer.events.append(event)
            self._buffer.announce()
            await self._buffer.room()

    async def _handle(self, text: str) -> None:
        self._intake.take(text)
        self._buffer.announce()
        await self._buffer.room()
