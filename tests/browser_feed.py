"""
A small feed for the tests of the page and of the JavaScript client.

It speaks the native protocol over real sockets, in a thread of its own, and nothing happens until
the test says so: each trade, each lost connection, each hole in a sequence is one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from aiohttp import WSCloseCode, WSMsgType, web
from closing import clean_up

from feeds.control.kinds import SCENARIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CSP", "WEB", "FakeFeed"]

WEB = Path(__file__).parent.parent / "clients" / "web"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
CSP = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CHANNELS = ["trades", "quotes", "bars", "status"]
MINUTE = 60_000
PIECE = 1000  # symbols in one part of a long answer
TIMEOUT_S = 60


Book = dict[int, int]
"""The shares at each price in ticks, of one side."""


class Client:
    """One connection: where to write, and what it asked for."""

    def __init__(
        self, request: web.Request, ws: web.WebSocketResponse | web.StreamResponse
    ) -> None:
        self.request = request
        self.ws = ws
        self.wanted: set[tuple[str, str]] = set()
        self.over = asyncio.Event()

    async def send(self, text: str, cursor: str) -> None:
        """Sends one message; *cursor* is where it stands, for a stream of events."""
        if isinstance(self.ws, web.WebSocketResponse):
            await self.ws.send_str(text)
        else:
            await self.ws.write(f"id: {cursor}\ndata: {text}\n\n".encode())

    async def close(self, code: int, message: bytes = b"") -> None:
        """Ends it; a stream of events knows no close codes."""
        self.over.set()
        if isinstance(self.ws, web.WebSocketResponse):
            await self.ws.close(code=code, message=message)


class FakeFeed:
    """Use it as a context manager; every public method may be called from the test's thread."""

    def __init__(
        self, symbols: Iterable[str], *, heartbeat_ms: int = 5000, books: bool = False
    ) -> None:
        self.heartbeat_ms = heartbeat_ms
        self.channels = [*CHANNELS, "depth"] if books else CHANNELS
        self.books: dict[str, list[Book]] = {}
        """Bids and asks, by symbol."""
        self.port = 0
        self.refusing = False
        self.websockets: bool | str = True
        """False: the handshake fails; "cut": it works, and the connection ends before the hello."""
        self.tried = 0  # handshakes that failed so
        self.history = True
        self.control = False
        self.past: dict[str, list[dict[str, Any]]] = {}
        """The trades of `/api/history`, by symbol."""
        self.skew_ms = 0.0  # of the feed's clock, against the wall's
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.history_asked = 0
        self.markets = 0
        self.new_market(symbols)
        self._clients: set[Client] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FakeFeed:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    def new_market(self, symbols: Iterable[str]) -> None:
        """Another epoch: other symbols, and sequences that start again."""
        self.markets += 1
        self.last = {symbol: 100.0 + i for i, symbol in enumerate(symbols)}
        self.volume = dict.fromkeys(self.last, 0)
        self.seq: dict[tuple[str, str], int] = {}
        self.kept: list[dict[str, Any]] = []
        self.cursors: list[dict[tuple[str, str], int]] = []
        """What each id of a stream's message stands for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def start(self) -> None:
        """Listens; the second time on the same port as the first."""
        self._run(self._start())

    def stop(self) -> None:
        """Stops listening and closes every connection with 1001."""
        self._run(self._stop())

    def drop(self) -> None:
        """Cuts every connection, without a close frame."""

        def drop() -> None:
            for client in self._clients:
                client.over.set()
                if client.request.transport is not None:
                    client.request.transport.abort()

        self._call(drop)

    def close(self, code: int, reason: str) -> None:
        """Closes every connection with this code."""
        message = reason.encode()
        self._run(self._each(lambda client: client.close(code, message)))

    def raw(self, text: str) -> None:
        """Sends this text to everybody, whatever it is."""
        self._run(self._each(lambda client: client.send(text, "")))

    def trade(self, symbol: str, price: float, size: int = 100, **more: Any) -> None:
        self.last[symbol] = price
        self.volume[symbol] += size
        self.event("trade", "trades", symbol, price=price, size=size, **more)

    def quote(self, symbol: str, bid: float, ask: float, bid_size: int = 300) -> None:
        fields = {"bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": 200}
        self.event("quote", "quotes", symbol, **fields)

    def depth(self, symbol: str, bids: Book, asks: Book, *, wrong: bool = False) -> None:
        """Makes this the book, and sends what changes; *wrong* spoils what is sent, and not the checksum."""
        before = self.books.get(symbol, [{}, {}])
        self.books[symbol] = [bids, asks]
        sides = []
        for old, new in zip(before, self.books[symbol], strict=True):
            levels = {
                tick: new.get(tick, 0) for tick in old | new if old.get(tick) != new.get(tick)
            }
            sides.append([[tick / 100, size + wrong] for tick, size in levels.items()])
        changes = {"bids": sides[0], "asks": sides[1], "checksum": self._checksum(symbol)}
        self.event("depth", "depth", symbol, **changes)

    def event(self, kind: str, channel: str, symbol: str, **fields: Any) -> None:
        """Sends one event to those who want it; `merged` counts in `seq`, as the protocol says."""
        key = (symbol, channel)
        self.seq[key] = self.seq.get(key, 0) + 1 + fields.get("merged", 0)
        event = {"type": kind, "symbol": symbol, "seq": self.seq[key], "time": self.now(), **fields}
        self.kept.append({**event, "channel": channel})
        text = json.dumps([event])
        wanted = lambda client: (symbol, channel) in client.wanted  # noqa: E731
        self._run(self._each(lambda client: client.send(text, self._cursor()), wanted))

    def lose(self, symbol: str, channel: str, count: int) -> None:
        """Counts events that are never sent: a hole."""
        self.seq[symbol, channel] = self.seq.get((symbol, channel), 0) + count

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Waits until something that a client did makes the condition true."""
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT_S), f"timeout: {what}"

    def wait_for_request(self, **fields: Any) -> dict[str, Any]:
        """Waits for a request with these fields, and takes it off the list."""

        def matching() -> list[dict[str, Any]]:
            return [r for r in self.requests if fields.items() <= r.items()]

        self.wait_for(f"a request with {fields}", lambda: bool(matching()))
        found = matching()[0]
        self.requests.remove(found)
        return found

    def now(self) -> float:
        return time.time() * 1000 + self.skew_ms

    # The rest runs in the feed's thread.

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    def _call(self, function: Callable[[], object]) -> None:
        async def call() -> None:
            function()

        self._run(call())

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._file)
        app.router.add_get("/static/{name}", self._file)
        app.router.add_get("/api/bars", self._bars)
        app.router.add_get("/api/history", self._history)
        app.router.add_get("/api/symbols", self._symbols)
        app.router.add_get("/control/openapi.json", self._commands)
        app.router.add_post("/control/scenario", self._scenario)
        app.router.add_get("/health", self._health)
        app.router.add_get("/api/snapshot", self._snapshots)
        app.router.add_get("/sse", self._sse)
        app.router.add_get("/ws", self._ws)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await self._each(lambda client: client.close(WSCloseCode.GOING_AWAY))
        await clean_up(self._runner)

    async def _each(
        self,
        action: Callable[[Client], Any],
        wanted: Callable[[Client], bool] = lambda _: True,
    ) -> None:
        for client in [client for client in self._clients if wanted(client)]:
            with contextlib.suppress(ConnectionError):
                await action(client)

    async def _file(self, request: web.Request) -> web.Response:
        path = WEB / request.match_info.get("name", "index.html")
        if path.suffix not in TYPES or not path.is_file():
            raise web.HTTPNotFound
        return web.Response(
            body=path.read_bytes(),
            content_type=TYPES[path.suffix],
            charset="utf-8",
            headers={"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff"},
        )

    async def _bars(self, request: web.Request) -> web.Response:
        self._note(lambda: setattr(self, "history_asked", self.history_asked + 1))
        if not self.history:
            raise web.HTTPNotFound
        if request.query["symbol"] not in self.last:
            return web.json_response({"type": "error", "code": "unknown_symbol"}, status=404)
        symbol, limit = request.query["symbol"], int(request.query["limit"])
        start = self.now() // MINUTE * MINUTE - (limit - 1) * MINUTE
        price = self.last[symbol]
        bars = [
            {"time": start + i * MINUTE, "open": price, "high": price + 1, "low": price - 1}
            | {"close": price + (i % 3 - 1) * 0.5, "volume": 1000 + i, "trades": 5, "vwap": price}
            for i in range(limit)
        ]
        return web.json_response({"symbol": symbol, "interval": "1m", "bars": bars})

    async def _history(self, request: web.Request) -> web.Response:
        if not self.history:
            raise web.HTTPNotFound
        return web.json_response({"events": self.past.get(request.query["symbol"], [])})

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        if self.refusing or self.websockets is False:
            self._note(lambda: setattr(self, "tried", self.tried + 1))
            raise web.HTTPServiceUnavailable
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        if self.websockets == "cut":
            assert request.transport is not None
            request.transport.abort()
            self._note(lambda: setattr(self, "tried", self.tried + 1))
            return ws
        client = Client(request, ws)
        self._clients.add(client)
        await ws.send_json([self._hello()])
        self._note(lambda: setattr(self, "connections", self.connections + 1))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._answer(client, json.loads(message.data))
        finally:
            self._clients.discard(client)
            self._note(lambda: None)
        return ws

    async def _sse(self, request: web.Request) -> web.StreamResponse:
        if self.refusing:
            raise web.HTTPServiceUnavailable
        query = request.query
        asked: dict[str, Any] = {
            "action": "subscribe", "symbols": query["symbols"].split(","), "id": "sse",
            "channels": query.get("channels", "trades").split(","), "interval": query.get("interval"),
        }  # fmt: skip
        if "since" in query:
            asked |= {"since": json.loads(query["since"]), "epoch": query["epoch"]}
        if "last_event_id" in query:
            epoch, number = query["last_event_id"].split("/")
            asked |= {"since": self._since(self.cursors[int(number)]), "epoch": epoch}
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        client = Client(request, response)
        replies = self._replies(client, asked)
        if replies[0][0]["type"] == "error":
            return web.json_response(replies[0][0], status=404)
        await response.prepare(request)
        for items in [[self._hello()], *replies]:
            for item in items:
                item.pop("id", None)
            await client.send(json.dumps(items), self._cursor())
        self._clients.add(client)
        self._note(lambda: self.requests.append({**asked, "action": "sse", "query": dict(query)}))
        try:
            await client.over.wait()
        finally:
            self._clients.discard(client)
        return response

    async def _symbols(self, _: web.Request) -> web.Response:
        listed = [entry for part in self._universe({}) for entry in part[0]["symbols"]]
        return web.json_response({"symbols": listed})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "control": self.control})

    async def _commands(self, _: web.Request) -> web.Response:
        fields = SCENARIO["properties"]
        body = {"content": {"application/json": {"schema": {"properties": fields}}}}
        return web.json_response({"paths": {"/control/scenario": {"post": {"requestBody": body}}}})

    async def _scenario(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._note(lambda: self.requests.append({"action": "scenario", **asked}))
        return web.json_response({"time": self.now()})

    async def _snapshots(self, request: web.Request) -> web.Response:
        symbols = request.query["symbols"].split(",")
        self._note(lambda: self.requests.append({"action": "snapshot", "symbols": symbols}))
        return web.json_response({"snapshots": [self._snapshot(symbol) for symbol in symbols]})

    def _cursor(self) -> str:
        self.cursors.append(dict(self.seq))
        return f"epoch-{self.markets}/{len(self.cursors) - 1}"

    @staticmethod
    def _since(seqs: dict[tuple[str, str], int]) -> dict[str, dict[str, int]]:
        since: dict[str, dict[str, int]] = {}
        for (symbol, key), seq in seqs.items():
            since.setdefault(symbol, {})[key] = seq
        return since

    def _note(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello", "protocol": 1, "server": "fake", "epoch": f"epoch-{self.markets}", "seed": 7,
            "synthetic": True, "symbols": len(self.last), "channels": self.channels,
            "intervals": ["1s", "1m", "1d"], "heartbeat_ms": self.heartbeat_ms, "auth": False,
        }  # fmt: skip

    async def _answer(self, client: Client, request: dict[str, Any]) -> None:
        for message in self._replies(client, request):
            await client.ws.send_json(message)
        self._note(lambda: self.requests.append(request))

    def _replies(self, client: Client, request: dict[str, Any]) -> list[list[dict[str, Any]]]:
        action, reply_id = request["action"], {"id": request["id"]}
        if action == "ping":
            return [[{"type": "pong", **reply_id, "time": self.now()}]]
        if action == "symbols":
            return self._universe(reply_id)
        symbols: list[str] = []
        for entry in request["symbols"]:
            found = self._matching(entry)
            if not found:
                message = f"unknown symbol '{entry}'"
                return [
                    [{"type": "error", **reply_id, "code": "unknown_symbol", "message": message}]
                ]
            symbols += found
        if action == "snapshot":
            parts = [{**self._snapshot(symbol), **reply_id, "more": True} for symbol in symbols]
            del parts[-1]["more"]
            return [[part] for part in parts]
        return self._subscription(client, request, symbols)

    def _matching(self, entry: str) -> list[str]:
        if entry in self.last:
            return [entry]
        return [symbol for symbol in self.last if fnmatchcase(symbol, entry)]

    def _universe(self, reply_id: dict[str, Any]) -> list[list[dict[str, Any]]]:
        listed = [
            {"symbol": symbol, "name": f"{symbol.title()} Inc.", "tick_size": 0.01}
            | {"sector": "Technology" if symbol < "N" else "Energy"}
            for symbol in self.last
        ]
        half = len(listed) // 2  # in two messages, since a long list comes so
        parts = [{"symbols": listed[:half], "more": True}, {"symbols": listed[half:]}]
        return [[{"type": "symbols", **reply_id, **part}] for part in parts]

    def _subscription(
        self, client: Client, request: dict[str, Any], symbols: list[str]
    ) -> list[list[dict[str, Any]]]:
        channels = request.get("channels", self.channels)
        keys = [f"bars:{request.get('interval')}" if c == "bars" else c for c in channels]
        pairs = {(symbol, key) for symbol in symbols for key in keys}
        reply = {"type": request["action"] + "d", "id": request["id"], "channels": channels}
        if "interval" in request:
            reply["interval"] = request["interval"]
        if request["action"] == "unsubscribe":
            client.wanted -= pairs
            return [[{**reply, "symbols": symbols}]]
        client.wanted |= pairs
        pieces = []
        for start in range(0, len(symbols), PIECE):
            piece = symbols[start : start + PIECE]
            more = {"more": True} if start + PIECE < len(symbols) else {}
            objects = [o for symbol in piece for o in self._state(request, symbol, keys)]
            pieces.append([{**reply, "symbols": piece, **more}, *objects])
        return pieces

    def _state(self, request: dict[str, Any], symbol: str, keys: list[str]) -> list[dict[str, Any]]:
        """What a client that comes to a symbol is told: its state, or what it missed."""
        had = request.get("since", {}).get(symbol)
        if had is None:
            return [] if request.get("snapshot") is False else self._states(symbol, keys)
        told: list[dict[str, Any]] = []
        whole = True
        for key in keys:
            missed = self._missed(request, symbol, key, had.get(key))
            whole = whole and missed is not None
            if missed is not None:
                told += missed
            elif key in had:
                newest = self.seq.get((symbol, key), 0)
                reason = "too_old" if request["epoch"] == f"epoch-{self.markets}" else "epoch"
                told.append(
                    {"type": "gap", "symbol": symbol, "channel": key, "reason": reason}
                    | {"from": had[key] + 1, "to": newest}
                )
        return told if whole else [*told, *self._states(symbol, keys)]

    def _missed(
        self, request: dict[str, Any], symbol: str, key: str, since: int | None
    ) -> list[dict[str, Any]] | None:
        """All that was sent after a sequence, or None where something is not there any more."""
        if since is None or request["epoch"] != f"epoch-{self.markets}":
            return None
        of = [e for e in self.kept if (e["symbol"], e["channel"]) == (symbol, key)]
        missed = [e for e in of if e["seq"] > since]
        for event in missed:
            if event["seq"] != since + 1 + event.get("merged", 0):
                return None
            since = event["seq"]
        if since != self.seq.get((symbol, key), 0):
            return None
        return [{name: e[name] for name in e if name != "channel"} for e in missed]

    def _states(self, symbol: str, keys: list[str]) -> list[dict[str, Any]]:
        states = [self._snapshot(symbol)]
        if "depth" in keys:
            bids, asks = self.books.get(symbol, [{}, {}])
            states.append(
                {"type": "depth", "symbol": symbol, "time": self.now(), "snapshot": True}
                | {"seq": self.seq.get((symbol, "depth"), 0), "tick_size": 0.01}
                | {"bids": [[tick / 100, bids[tick]] for tick in sorted(bids, reverse=True)]}
                | {"asks": [[tick / 100, asks[tick]] for tick in sorted(asks)]}
                | {"checksum": self._checksum(symbol)}
            )
        return states

    def _checksum(self, symbol: str) -> int:
        bids, asks = self.books.get(symbol, [{}, {}])
        levels = [*sorted(bids.items(), reverse=True), *sorted(asks.items())]
        return crc32(",".join(f"{tick},{size}" for tick, size in levels).encode())

    def _snapshot(self, symbol: str) -> dict[str, Any]:
        price = self.last[symbol]
        seqs = {key: seq for (of, key), seq in self.seq.items() if of == symbol}
        return {
            "type": "snapshot", "symbol": symbol, "time": self.now(),
            "seq": {"trades": 0, "quotes": 0, "status": 0} | seqs,
            "last": price, "size": 100, "bid": price - 0.01, "bid_size": 300,
            "ask": price + 0.01, "ask_size": 200, "open": 100.0, "high": price, "low": 99.0,
            "prev_close": 100.0, "volume": self.volume[symbol], "status": "trading",
        }  # fmt: skip
