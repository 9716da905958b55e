"""The event streams of one connection: opens, closes and reads them, and puts their messages into one order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from clients.core.connection import ABNORMAL, Connection, Ending, why_not
from clients.core.decode import BUILDERS, Item, parse_message
from clients.core.plans import Plan, address
from clients.core.silence import Silence
from clients.core.sse import read_events
from clients.events import Hello
from clients.failures import ConnectError, MalformedMessageError, RequestError

__all__ = ["Inflow", "Since", "Stream"]

Since = Callable[[tuple[str, ...], tuple[str, ...]], Mapping[str, Mapping[str, int]]]
"""Gives, for some channels, symbols and patterns, the sequences that the client has."""


@dataclass(eq=False)
class Stream:
    """One stream, and what has come of it."""

    plan: Plan
    answered: asyncio.Future[RequestError | None]
    """Done when its first answer is there whole, or with why the server refused."""
    task: asyncio.Task[None] | None = None
    symbols: list[str] = field(default_factory=list)
    cursor: str = ""
    closed: bool = False


class Inflow:
    """Streams by path. Each waits until its message is taken, so a slow program slows the server down."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        market: Mapping[str, str],
        *,
        since: Since,
        patience: float,
    ) -> None:
        self.streams: dict[str, Stream] = {}
        self.hello: Hello | None = None
        self.over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.refusal: RequestError | None = None
        """Why the server wants none of this connection, if it said so."""
        self.market = market
        """The parameters of every address that say of which market it is."""
        self._session = session
        self._base = base
        self._since = since
        self._patience = patience
        self._inbox: asyncio.Queue[tuple[Stream | None, str, str]] = asyncio.Queue(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something until the connection is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def fail(self, reason: str) -> None:
        """End the connection; the first reason counts."""
        if not self.over.done():
            self.over.set_result(Ending(ABNORMAL, reason))

    async def say(self, items: list[Item]) -> None:
        """Put a message of our own in line."""
        await self._inbox.put((None, orjson.dumps(items).decode(), ""))

    async def close(self) -> None:
        """Close all streams."""
        self.fail("closed by the client")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._session.close()

    def start(self, plan: Plan, cursor: str = "") -> Stream:
        """Open a stream, after *cursor* or the sequences that are here."""
        stream = Stream(plan, asyncio.get_running_loop().create_future())
        self.streams[plan.path] = stream
        since: Mapping[str, Mapping[str, int]] = {}
        if plan.channels and not cursor:
            since = self._since(plan.channels, plan.symbols)
        epoch = self.hello.epoch if self.hello else ""
        url = address(self._base, plan, cursor, epoch, since, self.market)
        stream.task = self.spawn(self._pump(stream, url))
        return stream

    def stop(self, stream: Stream) -> None:
        """Close a stream; what of it was not taken yet is forgotten."""
        stream.closed = True
        del self.streams[stream.plan.path]
        if stream.task is not None:
            stream.task.cancel()

    async def _pump(self, stream: Stream, url: str) -> None:
        silence, greeted = Silence(self._patience), False
        try:
            async with silence, aclosing(read_events(self._session, url, silence)) as events:
                async for text, cursor in events:
                    if not greeted:
                        greeted = True
                        silence.change(2 * Connection.parse_hello(text).heartbeat_ms / 1000)
                    await self._inbox.put((stream, text, cursor))
            self.fail("the event stream ended")
        except TimeoutError:
            self.fail(f"heard nothing for {silence.limit:g} s")
        except RequestError as error:
            if stream.plan.channels and not stream.answered.done():
                stream.answered.set_result(error)
            else:
                self.refusal = error
                self.fail(str(error))
        except ConnectError as error:
            self.fail(error.reason)
        except (aiohttp.ClientError, OSError) as error:
            self.fail(why_not(error))

    async def next(self) -> tuple[Stream | None, str] | None:
        """Take the next message; None when the connection is over."""
        while True:
            getting = asyncio.create_task(self._inbox.get())
            either: list[asyncio.Future[Any]] = [getting, self.over]
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getting.done():
                    getting.cancel()
            if not getting.done() or getting.cancelled():
                return None
            stream, text, cursor = getting.result()
            if stream is None:
                return None, text
            if not stream.closed and (own := self._own(stream, text, cursor)):
                return stream, own

    def _own(self, stream: Stream, text: str, cursor: str) -> str:
        """Give what of a message is this stream's to tell; another one may be behind or ahead of it."""
        items = parse_message(text)
        try:
            return self._sort(stream, items, text, cursor)
        except (LookupError, TypeError, AttributeError) as error:
            raise MalformedMessageError(f"malformed message: {error!r}: {text[:80]!r}") from None

    def _sort(self, stream: Stream, items: list[Item], text: str, cursor: str) -> str:
        own: list[Item] = []
        changed = False
        for item in items:
            kind = item["type"]
            if kind == "hello":
                changed |= not self._greet(Hello.parse(item), own, item)
            elif kind == "heartbeat" or (stream.plan.channels and kind != "snapshot"):
                own.append(item)
            elif stream.plan.channels:
                seqs = {c: seq for c, seq in item["seq"].items() if c in stream.plan.channels}
                changed |= len(seqs) != len(item["seq"])
                own.append(item | {"seq": seqs})
            if kind == "subscribed":
                stream.symbols += item["symbols"]
        # An older cursor would bring again what came since.
        if cursor or any(item["type"] in BUILDERS for item in items):
            stream.cursor = cursor
        if not own:
            return ""
        return orjson.dumps(own).decode() if changed or len(own) < len(items) else text

    def _greet(self, hello: Hello, own: list[Item], item: Item) -> bool:
        """Take a stream's hello: the first one stands for all. Tell whether it is the first."""
        if self.hello is None:
            self.hello = hello
            own.append(item)
            return True
        if hello.epoch != self.hello.epoch:
            self.fail("the server began another run meanwhile")
        return False

    @staticmethod
    def settle(stream: Stream, text: str) -> None:
        """Note, after a message was handled, whether the stream's first answer is there whole."""
        if not stream.answered.done() and '"subscribed"' in text:
            for item in parse_message(text):
                if item["type"] == "subscribed" and not item.get("more"):
                    stream.answered.set_result(None)
