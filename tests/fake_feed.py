"""A scripted feed on a real socket: what the clients are tested against.

A script is a coroutine function that is given a `Peer`, one connection as the server sees it. The
n-th connection plays the n-th script, and those after the last play the last one again.
"""

from __future__ import annotations

import asyncio
import fnmatch
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import orjson
from aiohttp import WSMsgType, web
from closing import clean_up

Item = dict[str, Any]

UNIVERSE = ("AAPL", "AMZN", "GOOG", "MSFT")
TIME = 1763800000123.456


PIECE = 3
"""How many symbols one reply holds; 1,000 in a real feed."""


class GoneError(Exception):
    """The client has gone, so the script is over."""


def hello(**changes: Any) -> Item:
    return {
        "type": "hello",
        "protocol": 1,
        "server": "fake/1",
        "epoch": "e1",
        "seed": 7,
        "synthetic": True,
        "symbols": len(UNIVERSE),
        "channels": ["trades", "quotes", "bars", "status"],
        "intervals": ["1s", "1m"],
        "heartbeat_ms": 5000,
        "auth": False,
    } | changes


def trade(symbol: str, seq: int, price: float = 187.43, **more: Any) -> Item:
    item = {"type": "trade", "symbol": symbol, "seq": seq, "time": TIME, "price": price}
    return item | {"size": 100} | more


def quote(symbol: str, seq: int, bid: float = 187.42, **more: Any) -> Item:
    item = {"type": "quote", "symbol": symbol, "seq": seq, "time": TIME, "bid": bid}
    return item | {"bid_size": 300, "ask": round(bid + 0.02, 2), "ask_size": 200} | more


def bar(symbol: str, seq: int, interval: str = "1m", **more: Any) -> Item:
    item = {"type": "bar", "symbol": symbol, "seq": seq, "time": TIME, "interval": interval}
    prices = {"open": 187.0, "high": 188.0, "low": 186.5, "close": 187.5}
    return item | prices | {"volume": 900, "vwap": 187.3, "trades": 12} | more


def status(symbol: str, seq: int, word: str = "halted", **more: Any) -> Item:
    item = {"type": "status", "symbol": symbol, "seq": seq, "time": TIME}
    return item | {"status": word, "reason": "LUDP"} | more


def snapshot(symbol: str, trades: int = 0, **more: Any) -> Item:
    return {
        "type": "snapshot",
        "symbol": symbol,
        "time": TIME,
        "seq": {"trades": trades, "quotes": 0, "status": 0},
        "last": 187.0,
        "size": 100,
        "bid": 186.99,
        "bid_size": 300,
        "ask": 187.01,
        "ask_size": 200,
        "open": 186.1,
        "high": 188.0,
        "low": 185.9,
        "prev_close": 186.0,
        "volume": 1000,
        "status": "trading",
    } | more


def instrument(symbol: str) -> Item:
    return {
        "symbol": symbol,
        "name": f"{symbol} Inc.",
        "sector": "Technology",
        "tick_size": 0.01,
        "round_lot": 100,
    }


def resolve(patterns: str | list[str]) -> list[str]:
    """The symbols that some symbols and patterns stand for."""
    names = [patterns] if isinstance(patterns, str) else patterns
    return [s for s in UNIVERSE if any(fnmatch.fnmatchcase(s, name) for name in names)]


def pieces(symbols: list[str]) -> list[tuple[list[str], Item]]:
    """Cut the symbols of a long reply; all pieces but the last announce another."""
    starts = range(0, len(symbols), PIECE) or [0]
    return [
        (symbols[at : at + PIECE], {"more": True} if at + PIECE < len(symbols) else {})
        for at in starts
    ]


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until *condition* holds; for what has no event to wait for."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # a counter can't be awaited
            await asyncio.sleep(0)


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, feed: FakeFeed, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.feed = feed
        self.transport = request.transport
        self.ws = ws

    async def hello(self, *more: Item, **changes: Any) -> None:
        await self.send(hello(**changes), *more)

    async def send(self, *items: Item) -> None:
        """Send one message."""
        await self.text(orjson.dumps(items).decode())

    async def text(self, text: str) -> None:
        try:
            await self.ws.send_str(text)
        except ConnectionError:
            raise GoneError from None

    async def request(self, action: str | None = None) -> Item:
        """Wait for the next request, which must be for *action*."""
        message = await self.ws.receive()
        if message.type is not WSMsgType.TEXT:
            raise GoneError
        request: Item = orjson.loads(message.data)
        self.feed.note(request)
        assert action in (None, request["action"]), request
        return request

    async def answer(self, request: Item, *then: Item, seq: int = 0) -> None:
        """Answer as a real feed does; *then* is in the same message."""
        id_ = {"id": request["id"]} if "id" in request else {}
        symbols = resolve(request.get("symbols", []))
        items: list[Item]
        match request["action"]:
            case "subscribe":
                channels = request.get("channels", ["trades"])
                interval = request.get("interval", "1m") if "bars" in channels else None
                reply = {"type": "subscribed", "channels": channels} | id_
                reply |= {"interval": interval} if interval else {}
                for part, more in pieces(symbols):
                    items = [reply | {"symbols": part} | more]
                    if request.get("snapshot", True):
                        items += [snapshot(symbol, seq) for symbol in part]
                    if more:
                        await self.send(*items)
            case "unsubscribe":
                channels = request.get("channels", ["trades", "quotes", "bars", "status"])
                reply = {"type": "unsubscribed", "channels": channels} | id_
                items = [reply | {"symbols": part} | more for part, more in pieces(symbols)]
            case "symbols":
                first = {"type": "symbols", "more": True, "symbols": [instrument(UNIVERSE[0])]}
                await self.send(first | id_)
                items = [{"type": "symbols", "symbols": list(map(instrument, UNIVERSE[1:]))} | id_]
            case "snapshot":
                items = [snapshot(symbol, seq) | id_ | {"more": True} for symbol in symbols]
                del items[-1]["more"]
            case "ping":
                items = [{"type": "pong", "time": TIME} | id_]
            case _:
                items = [{"type": "authenticated"} | id_]
        await self.send(*items, *then)

    async def grant(self, *then: Item, seq: int = 0) -> Item:
        """Answer requests up to and including the next `subscribe`, and send *then* with its reply."""
        while (request := await self.request())["action"] != "subscribe":
            await self.answer(request)
        await self.answer(request, *then, seq=seq)
        return request

    async def serve(self) -> None:
        """Answer requests until the client has gone."""
        while True:
            await self.answer(await self.request())

    async def close(self, code: int, reason: str = "") -> None:
        await self.ws.close(code=code, message=reason.encode())

    def abort(self) -> None:
        """Cut the connection, without a close frame."""
        assert self.transport is not None
        self.transport.abort()


Script = Callable[[Peer], Awaitable[object]]


def plays(*messages: list[Item], **changes: Any) -> Script:
    """A script: says hello, waits for a subscription, plays messages, answers whatever comes."""

    async def script(peer: Peer) -> None:
        await peer.hello(**changes)
        await peer.grant()
        for items in messages:
            await peer.send(*items)
        await peer.serve()

    return script


class FakeFeed:
    """The server: `async with FakeFeed(script, ...) as feed`, then connect to `feed.url`."""

    def __init__(self, *scripts: Script | None) -> None:
        self.scripts = scripts
        self.connections = 0
        self.requests: list[Item] = []
        """All requests of all connections, in the order in which they came."""
        self.headers: list[dict[str, str]] = []
        """The headers of each handshake."""
        self.url = ""
        self.errors: list[BaseException] = []
        self._waiters: list[tuple[str, asyncio.Future[Item]]] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/ws", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"ws://127.0.0.1:{port}/ws"
        self._tasks: set[asyncio.Task[Any]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await clean_up(self._runner)
        if self.errors:
            raise self.errors[0]

    def note(self, request: Item) -> None:
        self.requests.append(request)
        for waiter in [waiter for waiter in self._waiters if waiter[0] == request["action"]]:
            self._waiters.remove(waiter)
            waiter[1].set_result(request)

    async def asked(self, action: str) -> Item:
        """Wait for the next request for *action*, of any connection."""
        future: asyncio.Future[Item] = asyncio.get_running_loop().create_future()
        self._waiters.append((action, future))
        return await future

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        self.headers.append(dict(request.headers))
        if script is None:
            return web.Response(status=503, text="not today")
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await script(Peer(self, request, ws))
        except (GoneError, ConnectionError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            self._tasks.discard(task)
        return ws


@contextmanager
def feed_in_thread(*scripts: Script | None) -> Iterator[FakeFeed]:
    """The same for code that is not asynchronous: the feed runs in a thread of its own."""
    feed = FakeFeed(*scripts)
    ready = threading.Event()
    stop: Callable[[], object] = ready.clear

    async def main() -> None:
        nonlocal stop
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with feed:
            stop = lambda: loop.call_soon_threadsafe(over.set)  # noqa: E731  # one thing to call
            ready.set()
            await over.wait()

    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield feed
    finally:
        stop()
        thread.join()
    if errors:
        raise errors[0]
