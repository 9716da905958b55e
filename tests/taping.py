"""Cassettes for tests: a feed of another protocol, tapes written by hand, and a client that asks and reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol
from wire import TIMEOUT_S

from feeds.cassette.lines import Head, Line

__all__ = ["HEAD", "Exchange", "asking", "lines_of", "received", "write_tape"]

HEAD = Head("ws://feed.example", "2026-01-02T03:04:05+00:00")


class Exchange:
    """
    A feed that isn't ours: text and binary messages, a subprotocol, a login, and closes of its own.

    ``/v1`` greets, wants a login, then takes ``{"op":"subscribe","args":[...]}``; ``/private`` is refused.
    """

    def __init__(self) -> None:
        self.got: list[str | bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __aenter__(self) -> Exchange:
        self._server = await serve(
            self._talk, "127.0.0.1", 0, process_request=self._admit, select_subprotocol=_choose
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        self.headers.append(dict(request.headers.raw_items()))
        if request.path.startswith("/private"):
            return connection.respond(HTTPStatus.PAYMENT_REQUIRED, "pay first\n")
        return None

    async def _talk(self, ws: ServerConnection) -> None:
        await ws.send("welcome")
        with suppress(ConnectionClosed):
            await self._answer(ws)

    async def _answer(self, ws: ServerConnection) -> None:
        async for message in ws:
            self.got.append(message)
            item = orjson.loads(message)
            if item["op"] == "login":
                await ws.send(f'{{"op":"login","ok":true,"as":"{item["args"][0]}"}}')
            elif item["op"] == "subscribe":
                await ws.send(orjson.dumps({"id": item.get("id"), "ok": item["args"]}).decode())
                for n in range(3):
                    await ws.send(orjson.dumps({"n": n, "px": 1.5, "of": item["args"]}))
            elif item["op"] == "vanish":
                ws.transport.abort()
            else:
                await ws.close(4001, "enough")


def _choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((name for name in offered if name == "ticks.v1"), None)


@asynccontextmanager
async def asking(url: str, *requests: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect, and say something."""
    options = {"open_timeout": TIMEOUT_S} | options
    async with asyncio.timeout(TIMEOUT_S), connect(url, **options) as ws:
        for request in requests:
            await ws.send(request)
        yield ws


async def received(ws: ClientConnection, count: int) -> list[str | bytes]:
    """Read so many messages."""
    return [await ws.recv() for _ in range(count)]


def write_tape(path: Path, lines: Iterable[Line], head: Head = HEAD) -> Path:
    """Write a tape by hand."""
    with path.open("wb") as file:
        file.write(head.encode())
        file.writelines(line.encode() for line in lines)
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Give what is on a tape, with the head, without times."""
    items = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [{k: v for k, v in item.items() if k != "t"} for item in items]
