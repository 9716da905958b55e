"""Clients of every channel that vanish and come back, by sequence and by cursor, to a history that is too short for some."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest
from order_books import OrderBooks
from streaming import SseParser
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from wire import eventually, running, step

from feeds.server import FeedServer
from ticker.batch import CHANNELS, channel_name

ROUNDS = 250
ASKED = ["trades", "quotes", "bars", "status", "depth"]
KEYS = ("trades", "quotes", "bars:1s", "status", "depth")
LENGTH = 60
"""Events in the history, of each slot."""


class Ledger:
    """What a client was told, checked when it comes: each sequence once, in an event or in a gap."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], int] = {}
        self.last: dict[tuple[str, str], int] = {}
        self.told: Counter[tuple[str, str]] = Counter()
        self.kinds: Counter[str] = Counter()
        self.epoch = self.cursor = ""
        self.books = OrderBooks()
        self.task: asyncio.Task[None] | None = None

    def take(self, item: dict[str, Any]) -> None:
        kind = item["type"]
        assert kind != "error", item
        self.kinds[item.get("reason", kind) if kind == "gap" else kind] += 1
        if kind == "hello":
            self.epoch = item["epoch"]
        elif kind == "snapshot":
            for name in KEYS:
                key = item["symbol"], name
                self.first.setdefault(key, item["seq"][name])
                assert self.last.setdefault(key, item["seq"][name]) == item["seq"][name], item
        elif kind == "gap":
            key = item["symbol"], item["channel"]
            assert item.get("from", self.last[key] + 1) == self.last[key] + 1, item
            self._go_on(key, item["to"])
        self.books.feed([item])
        if kind == "depth" and item.get("snapshot") and "merged" not in item:
            assert item["seq"] == self.last[item["symbol"], kind]
        elif kind in ("trade", "quote", "status", "bar", "depth"):
            name = {"bar": "bars:1s", "status": kind, "depth": kind}.get(kind, f"{kind}s")
            key = item["symbol"], name
            assert item["seq"] == self.last[key] + 1 + item.get("merged", 0), (item, self.last[key])
            self._go_on(key, item["seq"])

    def _go_on(self, key: tuple[str, str], seq: int) -> None:
        assert seq > self.last[key], key
        self.told[key] += seq - self.last[key]
        self.last[key] = seq

    async def vanish(self) -> None:
        assert self.task is not None
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.task = None

    def come(self, server: FeedServer) -> None:
        self.task = asyncio.create_task(self.read(server))

    async def read(self, server: FeedServer) -> None:
        raise NotImplementedError


class BySequence(Ledger):
    """Over a WebSocket, with ``since``."""

    async def read(self, server: FeedServer) -> None:
        async with connect(server.ws_url, compression=None, max_size=None) as ws:
            since: dict[str, dict[str, int]] = {}
            for (symbol, name), seq in self.last.items():
                since.setdefault(symbol, {})[name] = seq
            request = {"action": "subscribe", "symbols": ["*"], "channels": ASKED, "interval": "1s"}
            if since:
                request |= {"since": since, "epoch": self.epoch}
            await ws.send(orjson.dumps(request).decode())
            with suppress(ConnectionClosed):
                async for text in ws:
                    for item in orjson.loads(text):
                        self.take(item)


class ByCursor(Ledger):
    """Over Server-Sent Events, with the id of the last event; one counts when it is whole, as in a browser."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng
        self.cuts = 0
        """How often the connection ended in the middle of an event."""

    async def read(self, server: FeedServer) -> None:
        url = f"http://127.0.0.1:{server.port}/sse?symbols=*&channels={','.join(ASKED)}&interval=1s"
        headers = {"Last-Event-ID": self.cursor} if self.cursor else {}
        parser = SseParser()
        try:
            async with aiohttp.ClientSession() as web, web.get(url, headers=headers) as response:
                while data := await response.content.read(self.rng.choice((1, 9, 300, 5_000))):
                    for message in parser.feed(data):
                        for item in message.objects:
                            self.take(item)
                        self.cursor = message.last_event_id or self.cursor
                    await asyncio.sleep(0)  # here, or while it waits, it may be cut
        finally:
            self.cuts += bool(parser._text or parser._data)


def caught_up(server: FeedServer, client: Ledger) -> bool:
    names, seq = server.plant.market.universe.symbols, server.plant.market.sequences()
    newest = {
        (names[i], channel_name(c)): int(seq[c, i])
        for c in range(CHANNELS)
        for i in range(len(names))
        if channel_name(c) in KEYS
    }
    return client.last == newest


async def play(server: FeedServer, clients: list[Ledger], rng: random.Random) -> None:
    """Move the time on while somebody vanishes or comes back."""
    for _ in range(ROUNDS):
        client = rng.choice(clients)
        if client.task is None:
            client.come(server)
        elif rng.random() < 0.3:
            await client.vanish()
        await step(server, rng.choice([0, 10_000, 100_000, 1_000_000]))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_comes_back_is_told_every_event_or_a_gap(seed: int) -> None:
    """Trades, quotes, bars, statuses and books; what the history has is replayed, what it hasn't is one gap."""
    budget_mb = LENGTH * 2 * 4 * 170 / 1e6
    more = {"rate": 40, "seed": seed, "scenario": "halt_and_reopen"}
    async with running(symbols="4", history_mb=budget_mb, **more) as server:
        sse = ByCursor(random.Random(-seed))
        clients: list[Ledger] = [BySequence(), BySequence(), sse]
        for client in clients:
            client.come(server)
        for client in clients:
            await eventually(lambda c=client: caught_up(server, c), "it has its snapshots")
        await play(server, clients, random.Random(seed))
        for client in clients:
            if client.task is None:
                client.come(server)
        for client in clients:
            await eventually(lambda c=client: caught_up(server, c), "it has read everything")
            await client.vanish()
            for key, first in client.first.items():
                assert client.told[key] == client.last[key] - first
            assert client.kinds["too_old"] > 0
            assert client.kinds["bar"] > 0
            assert client.kinds["status"] > 0
            assert client.books.kinds["change"] > client.books.kinds["snapshot"] > 0
        assert sse.cuts > 0
        assert server.plant.hub.history.length <= LENGTH
        assert server.plant.feed.stats.resumed["replayed"] > 0
