"""Coming back over real sockets: exactly what was missed, or a gap that says why not."""

import asyncio
import random
from typing import Any

import aiohttp
import pytest

from clients.client import TickerClient
from clients.core.backoff import Backoff
from clients.events import Gap, Quote, Trade
from feeds.config import FeedConfig
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy

PATIENT = BacklogPolicy(soft_limit=10**9, hard_limit=10**9)
"""Nobody is too slow, however busy the machine is."""

CHANNELS = {"trade": "trades", "quote": "quotes", "bar": "bars:1s"}


class Reader:
    """A client that reads, goes away at random, comes back, and keeps what it got."""

    def __init__(self, seed: int, url: str) -> None:
        self.random = random.Random(seed)
        self.url = url
        self.epoch = ""
        self.seqs: dict[tuple[str, str], list[int]] = {}
        self.first: dict[tuple[str, str], int] = {}
        self.gaps = 0

    async def live_once(self, http: aiohttp.ClientSession, messages: int) -> None:
        """Connect, say what is there already, read some messages, vanish without a word."""
        async with http.ws_connect(self.url, max_msg_size=0) as ws:
            epoch = (await ws.receive_json())[0]["epoch"]
            assert self.epoch in ("", epoch)
            self.epoch = epoch
            request: dict[str, Any] = {
                "action": "subscribe",
                "symbols": ["A*", "MSFT"],
                "channels": ["trades", "quotes", "bars"],
                "interval": "1s",
            }
            if self.seqs:
                since: dict[str, dict[str, int]] = {}
                for (symbol, channel), seqs in self.seqs.items():
                    since.setdefault(symbol, {})[channel] = seqs[-1]
                request |= {"epoch": epoch, "since": since}
            await ws.send_json(request)
            for _ in range(messages):
                for event in await ws.receive_json():
                    self.take(event)
            assert ws._response is not None
            connection = ws._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()

    def take(self, event: dict[str, Any]) -> None:
        """Keep an event; it must follow on."""
        kind = event["type"]
        self.gaps += kind == "gap"
        assert kind != "error", event
        if kind == "snapshot":
            for channel, seq in event["seq"].items():
                if channel != "status":
                    self.seqs.setdefault((event["symbol"], channel), [seq])
        elif kind in CHANNELS:
            seqs = self.seqs[event["symbol"], CHANNELS[kind]]
            assert event["seq"] == seqs[-1] + 1 + event.get("merged", 0), event
            seqs.append(event["seq"])


@pytest.mark.asyncio
async def test_nothing_is_lost_or_repeated_however_a_reconnect_falls() -> None:
    """Clients that vanish and come back at random read every sequence exactly once, over real sockets."""
    # The history has 2,000 events of each symbol and channel: they have to last for as long as the machine may be busy.
    config = FeedConfig(port=0, symbols="30", rate=20, turn_ms=2, backlog=PATIENT)
    async with FeedServer(config) as server, aiohttp.ClientSession() as http:
        readers = [Reader(seed, server.ws_url) for seed in range(4)]

        async def rounds(reader: Reader) -> None:
            for _ in range(25):
                await reader.live_once(http, reader.random.randint(1, 6))

        async with asyncio.timeout(100):
            await asyncio.gather(*map(rounds, readers))
    for reader in readers:
        assert reader.gaps == 0
        assert len(reader.seqs) == 3 * 6  # AAPL, AMZN, AVGO, ABBV, AMD and MSFT on three channels
        assert sum(map(len, reader.seqs.values())) > 50


@pytest.mark.asyncio
async def test_a_client_of_another_run_gets_gaps_and_snapshots() -> None:
    """Sequences of another epoch are answered by gaps that say so, then everything anew."""
    async with (
        FeedServer(FeedConfig(port=0, clock="manual")) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url) as ws,
    ):
        await ws.receive_json()
        request = {"action": "subscribe", "symbols": ["AAPL"], "snapshot": False}
        await ws.send_json(request | {"epoch": "another", "since": {"AAPL": {"trades": 12}}})
        reply = await ws.receive_json()
        assert [o["type"] for o in reply] == ["subscribed", "gap", "snapshot"]
        assert reply[1] == {
            "type": "gap",
            "symbol": "AAPL",
            "channel": "trades",
            "from": 13,
            "to": 0,
            "reason": "epoch",
        }


@pytest.mark.asyncio
async def test_history_over_http_is_the_same_ring() -> None:
    """/api/history gives exactly the events after a sequence, or a gap and none."""
    config = FeedConfig(port=0, clock="max", symbols="AAPL", history_mb=0.02)
    async with FeedServer(config) as server, aiohttp.ClientSession() as http:
        length = server.plant.hub.history.length
        async with http.ws_connect(server.ws_url) as ws:
            await ws.receive_json()
            await ws.send_json({"action": "subscribe", "symbols": "*"})
            last = 0
            while last < 2 * length:
                last = max(
                    [
                        last,
                        *(e.get("seq", 0) for e in await ws.receive_json() if e["type"] == "trade"),
                    ]
                )
        path = f"{server.url}/api/history?symbol=AAPL&channel=trades"
        newest = (await (await http.get(path)).json())["seq"]
        answer = await (await http.get(f"{path}&since={newest - 3}")).json()
        assert [e["seq"] for e in answer["events"]] == [newest - 2, newest - 1, newest]
        answer = await (await http.get(f"{path}&since=1")).json()
        assert answer["events"] == []
        assert answer["gap"] == {"from": 2, "to": newest, "reason": "too_old"}
        answer = await (await http.get(f"{path}&since={newest + 5}")).json()
        assert answer["gap"]["reason"] == "ahead"
        async with http.get(f"{path}&since=x") as response:
            assert response.status == 400
            message = (await response.json())["message"]
            assert (
                message
                == "since 'x' is not a whole number from -9007199254740991 to 9007199254740991"
            )


@pytest.mark.asyncio
async def test_the_python_client_resumes_by_itself() -> None:
    """Connections that are cut again and again cost TickerClient no event: no gap, each sequence once."""
    config = FeedConfig(port=0, symbols="10", rate=20, turn_ms=2, backlog=PATIENT)
    seqs: dict[tuple[str, str], list[int]] = {}
    cuts = 0
    async with FeedServer(config) as server:
        client = TickerClient(server.ws_url, backoff=Backoff(base=0.001, cap=0.002))
        async with client, asyncio.timeout(100):
            await client.subscribe("*", channels=["trades", "quotes"])
            count = 0
            async for event in client:
                assert not isinstance(event, Gap), event
                if isinstance(event, Trade | Quote):
                    seqs.setdefault((event.symbol, type(event).__name__), []).append(event.seq)
                    count += 1
                    # One cut after the other: of two at once it would notice one.
                    if cuts < 8 and cuts == client.reconnects and count > 50 * cuts:
                        for transport in server.plant.websockets.open.values():
                            transport.abort()
                        cuts += 1
                if client.reconnects >= 8 and len(seqs) == 20:
                    break
    for found in seqs.values():
        assert found == list(range(found[0], found[0] + len(found)))
