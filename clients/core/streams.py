"""The replacement for a WebSocket where none gets through: Server-Sent Events, and plain HTTP for the rest.

It takes the same requests and gives the same messages as `Connection`. When a subscription changes,
the streams concerned are opened again after what is already here: nothing is lost or comes twice.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import orjson
import yarl

from clients.core.connection import ABNORMAL, Connection, Ending, headers, why_not
from clients.core.decode import Item
from clients.core.inflow import Inflow, Since, Stream
from clients.core.plans import IDLE, plans_for
from clients.core.sse import refusal
from clients.core.wanted import Wanted
from clients.events import Hello
from clients.failures import ConnectError, ConnectionLostError, MalformedMessageError, RequestError

__all__ = ["StreamConnection"]


class StreamConnection:
    """Streams of events on which the server has said `hello`, and requests over plain HTTP."""

    transport = "sse"
    in_order = False

    def __init__(
        self, session: aiohttp.ClientSession, base: str, inflow: Inflow, cursors: Mapping[str, str]
    ) -> None:
        self._session = session
        self._base = base
        self._inflow = inflow
        self._cursors = dict(cursors)
        self._wanted = Wanted()
        self._asked: list[Item] = []
        self._working: asyncio.Task[None] | None = None
        self.hello: Hello
        self.first = ""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        since: Since,
        cursors: Mapping[str, str],
        token: str | None = None,
        patience: float = 10.0,
        ssl: ssl.SSLContext | bool = True,
    ) -> StreamConnection:
        """Connect beside the WebSocket's *url*, and wait for the `hello`; ConnectError if none comes.

        *cursors* tell where the streams before this ended, *since* what else the client has.
        """
        target = yarl.URL(url)
        scheme = {"ws": "http", "wss": "https"}.get(target.scheme, target.scheme)
        token = token or target.query.get("token") or None
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl),
            headers=headers(token),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        base = str(target.with_scheme(scheme).with_query(None).join(yarl.URL(".")))
        # What the server calls a session is a market of its own; without the key, it would be another one's.
        market = {k: v for k, v in target.query.items() if k == "session"}
        inflow = Inflow(session, base, market, since=since, patience=patience)
        self = cls(session, base, inflow, cursors)
        try:
            await self._greet(patience)
        except BaseException:
            await self.close()
            raise
        return self

    async def _greet(self, patience: float) -> None:
        self._inflow.start(IDLE)
        try:
            async with asyncio.timeout(patience):
                message = await self._inflow.next()
        except TimeoutError:
            raise ConnectError(f"no answer from {self._base}sse within {patience:g} s") from None
        if message is None:
            why, refusal = self._inflow.over.result().reason, self._inflow.refusal
            status = None if refusal is None else refusal.status
            text = f"cannot connect to {self._base}sse: {why}"
            raise ConnectError(text, why, status=status, final=refusal is not None)
        self.first = message[1]
        self.hello = Connection.parse_hello(self.first)

    @property
    def cursors(self) -> dict[str, str]:
        """Where each stream stands, for the connection that comes after this."""
        streams = self._inflow.streams.values()
        return {s.plan.path: s.cursor for s in streams if s.cursor and s.answered.done()}

    async def send(self, request: Item) -> None:
        """Take a request; ConnectionLostError when the connection is down."""
        over = self._inflow.over
        if over.done():
            raise ConnectionLostError(f"the connection is down: {over.result().reason}")
        if request["action"] in ("subscribe", "unsubscribe"):
            self._asked.append(request)
            if self._working is None or self._working.done():
                self._working = self._inflow.spawn(self._work())
        elif request["action"] == "auth":  # each request shows the token
            self._inflow.spawn(self._inflow.say([{"type": "authenticated", "id": request["id"]}]))
        else:
            self._inflow.spawn(self._get(request))

    async def run(self, handle: Callable[[str], Awaitable[None]]) -> Ending:
        """Give the text of each message to *handle* until the connection ends; as `Connection.run`."""
        await handle(self.first)
        try:
            while (message := await self._inflow.next()) is not None:
                stream, text = message
                await handle(text)
                if stream is not None:
                    self._inflow.settle(stream, text)
        except MalformedMessageError as error:
            return Ending(ABNORMAL, str(error))
        return self._inflow.over.result()

    async def close(self) -> None:
        """Close all streams."""
        await self._inflow.close()

    async def _get(self, request: Item) -> None:
        """Answer what is no subscription."""
        action, id_ = request["action"], request["id"]
        paths = {"symbols": "api/symbols", "ping": "health", "snapshot": "api/snapshot"}
        query = {"symbols": ",".join(request["symbols"])} if action == "snapshot" else {}
        query |= self._inflow.market
        try:
            async with self._session.get(self._base + paths[action], params=query) as response:
                if response.status != 200:
                    raise await refusal(response)
                answer = orjson.loads(await response.read())
        except RequestError as error:
            await self._inflow.say([_error(request, error)])
            return
        except ConnectError as error:
            self._inflow.fail(error.reason)
            return
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            self._inflow.fail(why_not(error))
            return
        if action == "ping":
            items = [{"type": "pong", "id": id_, "time": answer["time"]}]
        elif action == "symbols":
            items = [{"type": "symbols", "id": id_, "symbols": answer["symbols"]}]
        else:
            items = [one | {"id": id_, "more": True} for one in answer["snapshots"]]
            del items[-1]["more"]
        await self._inflow.say(items)

    # Subscriptions: one change after the other.

    async def _work(self) -> None:
        await asyncio.sleep(0)  # what is asked for in one breath is one change
        while self._asked:
            action = self._asked[0]["action"]  # what goes is known when what came is there
            others = (i for i, r in enumerate(self._asked) if r["action"] != action)
            end = next(others, len(self._asked))
            requests, self._asked = self._asked[:end], self._asked[end:]
            await self._apply(requests)

    async def _apply(self, requests: list[Item]) -> None:
        before, names = self._wanted.copy(), []
        for request in requests:
            names.append(self._wanted.names(request, self._symbols()))
            if request["action"] == "subscribe":
                self._wanted.subscribe(request)
            else:
                self._wanted.unsubscribe(request, self._symbols())
        refused = await self._arrange()
        if refused is None:
            for request, gone in zip(requests, names, strict=True):
                added = request["action"] == "subscribe"
                came_to = self._wanted.names(request, self._symbols()) if added else gone
                await self._inflow.say([self._wanted.reply(request, came_to)])
            return
        self._wanted = before  # nothing of what was refused is kept
        if len(requests) > 1:
            for request in requests:
                await self._apply([request])
            return
        await self._arrange()
        await self._inflow.say([_error(requests[0], refused)])

    def _symbols(self) -> dict[str, list[str]]:
        """Give the symbols of each channel."""
        symbols: dict[str, list[str]] = {}
        for stream in self._inflow.streams.values():
            for channel in stream.plan.channels:
                symbols.setdefault(channel, []).extend(stream.symbols)
        return symbols

    async def _arrange(self) -> RequestError | None:
        """Close and open streams until they are those that are wanted; return the first refusal."""
        plans = plans_for(self._wanted.entries, self._wanted.paces) or {IDLE.path: IDLE}
        streams = self._inflow.streams
        for stream in [s for path, s in streams.items() if path not in plans]:
            self._inflow.stop(stream)
        started: list[Stream] = [
            self._inflow.start(plan, self._cursors.get(path, ""))
            for path, plan in plans.items()
            if path not in streams
        ]
        self._cursors = {}
        if not any(plan.channels for plan in plans.values()):
            return None
        refusals = [await stream.answered for stream in started]
        for stream, refused in zip(started, refusals, strict=True):
            if refused is not None:
                self._inflow.stop(stream)
        return next(filter(None, refusals), None)


def _error(request: Item, error: RequestError) -> Item:
    return {
        "type": "error",
        "id": request["id"],
        "code": error.code,
        "message": error.message,
    }
