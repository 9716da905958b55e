"""
Clients that stall, change their minds, vanish and come back, thousands of times, over real sockets.

The truth is a second market with the same seed, stepped beside the server's: what each client was told, one by one, in
``merged`` with sums, or in gaps, is this tape, with nothing missing and nothing twice.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections import defaultdict
from contextlib import suppress
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from wire import TIMEOUT_S, eventually, running, step

from feeds.fanout import stagger
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.batch import QUOTES, TRADES
from ticker.market import Market

ROUNDS = 700
CLIENTS = 4
CHANNELS = {"trades": TRADES, "quotes": QUOTES}
MODES: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "latest", "max_hz": 1000},
    {"mode": "latest", "max_hz": 20},
    {"mode": "latest", "max_hz": 0.7},
)

Key = tuple[str, str]


class Truth:
    """The market's own tape: by symbol and channel, price and size of every event."""

    def __init__(self, server: FeedServer) -> None:
        market, config = server.plant.market, server.config
        self.names = market.universe.symbols
        self._market = Market(
            market.universe, seed=config.seed, rate=config.rate, start_us=market.now_us
        )
        self.tape: defaultdict[Key, list[tuple[float, int]]] = defaultdict(list)

    def go_on(self, microseconds: int) -> None:
        batch = self._market.step(self._market.now_us + microseconds)
        prices = self._market.universe.prices(batch.symbol, batch.price)
        for channel, number in CHANNELS.items():
            rows = batch.channel == number
            for symbol, price, size in zip(
                batch.symbol[rows].tolist(),
                prices[rows].tolist(),
                batch.size[rows].tolist(),
                strict=True,
            ):
                self.tape[self.names[symbol], channel].append((price, size))


class Client:
    """Reads as long as its gate is open; checks every object when it comes."""

    def __init__(self, server: FeedServer, truth: Truth) -> None:
        self.server, self.truth = server, truth
        self.last: dict[Key, int] = {}
        self.sums: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0, 0])
        """By symbol and channel: events sent, events merged into them, events in gaps."""
        self.volume: defaultdict[Key, int] = defaultdict(int)
        self.gate = asyncio.Event()
        self.gate.set()
        self.epoch = ""
        self.pongs = 0
        self.ws: ClientConnection | None = None
        self.task: asyncio.Task[None] | None = None

    async def come(self, **mode: Any) -> None:
        """Connect, and go on after what it has."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = ("127.0.0.1", self.server.port)
        await asyncio.get_running_loop().sock_connect(sock, address)
        self.ws = await connect(
            self.server.ws_url,
            sock=sock,
            compression=None,
            ping_interval=None,
            max_queue=1,
            max_size=None,
        )
        (hello,) = orjson.loads(await self.ws.recv())
        assert self.epoch in ("", hello["epoch"])
        self.epoch = hello["epoch"]
        since: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (symbol, channel), seq in self.last.items():
            since[symbol][channel] = seq
        resume = {"epoch": self.epoch, "since": since} if since else {}
        await self.subscribe("*", [*CHANNELS], **mode, **resume)
        self.task = asyncio.create_task(self._read(self.ws))

    async def subscribe(self, symbols: Any, channels: list[str], **terms: Any) -> None:
        request = {"action": "subscribe", "symbols": symbols, "channels": channels, **terms}
        await self.send(**request)

    async def send(self, **request: Any) -> None:
        assert self.ws is not None
        with suppress(ConnectionClosed):
            await self.ws.send(orjson.dumps(request).decode())

    async def vanish(self) -> None:
        """Drop the connection, with whatever is on its way."""
        assert self.ws is not None
        assert self.task is not None
        self.ws.transport.abort()
        self.gate.set()
        await self.task

    async def _read(self, ws: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                text = await ws.recv()
                await self.gate.wait()
                for item in orjson.loads(text):
                    self.take(item)

    @property
    def gone(self) -> bool:
        return self.task is None or self.task.done()

    def take(self, item: dict[str, Any]) -> None:
        kind = item["type"]
        assert kind != "error", item
        if kind == "pong":
            self.pongs += 1
        elif kind == "snapshot":
            for channel in CHANNELS:
                self.last[item["symbol"], channel] = item["seq"][channel]
        elif kind == "gap":
            key = item["symbol"], item["channel"]
            assert item["reason"] == "slow", item
            assert item["from"] == self.last[key] + 1
            self.sums[key][2] += item["to"] - self.last[key]
            self.last[key] = item["to"]
        elif kind in ("trade", "quote"):
            self._event((item["symbol"], f"{kind}s"), item)

    def _event(self, key: Key, item: dict[str, Any]) -> None:
        merged = item.get("merged", 0)
        assert item["seq"] == self.last[key] + 1 + merged, (item, self.last[key])
        told = self.truth.tape[key][self.last[key] : item["seq"]]
        assert len(told) == 1 + merged, "not of the future"
        self.last[key] = item["seq"]
        self.sums[key][0] += 1
        self.sums[key][1] += merged
        if key[1] == "quotes":
            assert (item["bid"], item["bid_size"]) == told[-1]
            return
        assert (item["price"], item["size"]) == told[-1]
        self.volume[key] += item.get("volume", item["size"])
        assert ("volume" in item) == (merged > 0)
        if merged:
            prices = [price for price, _ in told]
            assert item["volume"] == sum(size for _, size in told)
            assert (item["open"], item["high"], item["low"]) == (
                prices[0],
                max(prices),
                min(prices),
            )


async def play(server: FeedServer, truth: Truth, clients: list[Client], rng: random.Random) -> None:
    """Move the time on and do something to somebody, again and again."""
    for _ in range(ROUNDS):
        client = rng.choice(clients)
        what = rng.random()
        if client.gone:
            await client.come(**rng.choice(MODES))
        elif what < 0.3:
            client.gate.clear()
        elif what < 0.6:
            client.gate.set()
        elif what < 0.8:
            symbols = rng.sample(truth.names, rng.randint(1, len(truth.names)))
            channels = rng.sample([*CHANNELS], rng.randint(1, 2))
            await client.subscribe(symbols, channels, snapshot=False, **rng.choice(MODES))
        elif what < 0.9:
            await client.vanish()
            await client.come(**rng.choice(MODES))
        by = rng.choice([0, 1_000, 10_000, 25_000, 60_000])
        truth.go_on(by)
        await step(server, by)


async def settle(server: FeedServer, clients: list[Client]) -> None:
    """Let everybody read everything, without another event."""
    for client in clients:
        client.gate.set()
        if client.gone:
            await client.come()
    async with asyncio.timeout(TIMEOUT_S):
        for client in clients:
            # Whatever waited for its window goes out before the first of everything.
            await client.subscribe("*", [*CHANNELS], snapshot=False, mode="all")
            await client.send(action="ping", id=1)
            while client.pongs == 0 or server.plant.hub.slow.laggards:
                await step(server, 0)
                if client.gone:  # evicted, before it could read
                    await client.come()
                    await client.send(action="ping", id=1)
        for client in clients:
            pongs = client.pongs
            await client.send(action="ping", id=2)
            await eventually(lambda c=client, n=pongs: c.pongs > n, "everything is read")


@pytest.mark.asyncio
@pytest.mark.parametrize("slow", [Slow.CONFLATE, Slow.DROP])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("staggered", [False, True])
async def test_nothing_is_lost_and_nothing_comes_twice(
    slow: Slow, seed: int, staggered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = BacklogPolicy(soft_limit=6_000, low_water=1_000, no_progress_s=1.5, soft_seconds=4.0)
    async with running(symbols="4", rate=200, backlog=policy, slow=slow) as server:
        truth = Truth(server)
        if staggered:
            monkeypatch.setattr(stagger, "_FEWEST", 0)
            server.plant.pump.stagger = stagger.Stagger(server.plant.hub.roster, 1e-9)
        clients = [Client(server, truth) for _ in range(CLIENTS)]
        first = {}
        for client in clients:
            await client.come()
            await eventually(lambda c=client: len(c.last) == 8, "it has its snapshots")
            first[client] = dict(client.last)
        try:
            await play(server, truth, clients, random.Random(seed))
            await settle(server, clients)
        finally:
            for client in clients:
                await client.vanish()
        assert sum(map(len, truth.tape.values())) > 5_000
        for client in clients:
            for key, tape in truth.tape.items():
                assert client.last[key] == len(tape)
                assert sum(client.sums[key]) == len(tape) - first[client][key]
                if key[1] == "trades" and not client.sums[key][2]:
                    shares = sum(size for _, size in tape[first[client][key] :])
                    assert client.volume[key] == shares
        sent, merged, skipped = (
            sum(c.sums[key][i] for c in clients for key in truth.tape) for i in range(3)
        )
        assert sent > 1_000
        assert merged > 1_000
        assert (skipped > 0) == (slow is Slow.DROP)
        assert (server.plant.pump.stagger.phase is not None) == staggered
