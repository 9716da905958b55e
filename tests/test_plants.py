"""Sessions: several markets behind one port, that know nothing of each other, and begin anew one by one."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from streaming import StreamClient
from wire import RawClient, eventually, on_both_loops, running

from feeds.admission.auth import Tokens
from feeds.admission.origins import Origins
from feeds.config import FeedConfig
from feeds.errors import CommandError, ConfigError, UnknownSession
from feeds.http.access import Access
from feeds.plants import MAX_SESSIONS, Plants
from feeds.server import FeedServer
from ticker.market import DEFAULT_START_US


@asynccontextmanager
async def connected(
    server: FeedServer, session: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client of one session, that has had its hello."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url, params={"session": session}) as ws,
    ):
        yield ws


async def get(server: FeedServer, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(server.url + path) as response:
        return response.status, await response.json()


@on_both_loops
async def test_a_session_is_a_market_of_its_own() -> None:
    async with running(symbols="AAPL") as server:
        server.plants.open("w3", {"symbols": "TSLA,MSFT", "seed": 8})
        async with connected(server, "w3") as ws:
            (hello,) = (await ws.receive()).json()
            assert (hello["seed"], hello["symbols"]) == (8, 2)
        async with connected(server, "") as ws:
            (hello,) = (await ws.receive()).json()
            assert (hello["seed"], hello["symbols"]) == (7, 1)
        await server.director("w3").advance("1s")
        times = [(await get(server, f"/health?session={key}"))[1]["time"] for key in ("", "w3")]
        assert times[1] - times[0] == 1000


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/api/symbols", ["TSLA"]),
        ("/api/snapshot", ["TSLA"]),
        ("/stream?symbols=*", ["TSLA"]),
        ("/sse?symbols=*", ["TSLA"]),
    ],
)
async def test_every_path_knows_sessions(path: str, wanted: list[str]) -> None:
    async with running(symbols="AAPL") as server:
        server.plants.open("w3", {"symbols": "TSLA"})
        target = path + ("&" if "?" in path else "?") + "session=w3"
        if path.startswith("/api"):
            _, answer = await get(server, target)
            (found,) = (value for value in answer.values() if isinstance(value, list))
            assert [item["symbol"] for item in found] == wanted
            return
        async with StreamClient(server, target) as client:
            text = await client.chunk() + await client.chunk()
            assert b'"symbols":["TSLA"]' in text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path", ["/ws", "/sse?symbols=*", "/stream?symbols=*", "/api/symbols", "/health"]
)
async def test_an_unknown_session_is_told_with_the_known_ones(path: str) -> None:
    async with running() as server:
        server.plants.open("w3")
        status, answer = await get(server, path + ("&" if "?" in path else "?") + "session=w4")
        assert (status, answer["code"]) == (404, "unknown_session")
        assert answer["message"] == "unknown session 'w4'; there is '' (the default), 'w3'"
        status, answer = await get(server, "/api/symbols?session=w3&session=")
        assert (status, answer["message"]) == (400, "the parameter 'session' is given twice")
        with pytest.raises(UnknownSession, match="unknown session 'w4'"):
            server.director("w4")


@pytest.mark.asyncio
async def test_a_session_ends() -> None:
    """Its clients are told, the others aren't."""
    async with running() as server, RawClient(server) as other:
        server.plants.open("w3")
        async with connected(server, "w3") as ws:
            await ws.receive()
            server.plants.close("w3")
            message = await ws.receive()
            assert (message.data, message.extra) == (1012, "the session is over")
        assert server.plants.sessions == ("",)
        await other.message()
        assert (await other.ask(action="ping"))["type"] == "pong"


@pytest.mark.asyncio
async def test_a_reset_touches_one_session_only() -> None:
    async with running() as server, RawClient(server) as other:
        server.plants.open("w3", {"seed": 8})
        async with connected(server, "w3") as ws:
            await ws.receive()
            plant = server.reset("w3", {"seed": 9})
            assert (await ws.receive()).data == 1012
        assert (plant.market.seed, server.reset("w3").market.seed) == (9, 8)
        await other.message()
        assert (await other.ask(action="ping"))["type"] == "pong"


@pytest.mark.asyncio
async def test_what_is_replaced_is_freed() -> None:
    """Its market, which is most of it, at once; nothing of it is left behind for long."""
    async with running(rate=100.0) as server:
        await server.director().advance("1s")
        async with RawClient(server) as client:
            await client.message()
            market, plant = weakref.ref(server.plant.market), weakref.ref(server.plants.default)
            server.reset()
            assert await client.closed() == 1012

        def freed() -> bool:
            gc.collect()
            return market() is None and plant() is None

        await eventually(freed, "the old plant is freed")


@pytest.mark.asyncio
async def test_streams_end_with_a_reset() -> None:
    async with running() as server, StreamClient(server, "/sse?symbols=*") as client:
        await client.event()
        server.reset()
        assert await client.ended()


@pytest.mark.asyncio
async def test_stopping_stops_every_session() -> None:
    async with running() as server:
        server.plants.open("w3")
        async with RawClient(server) as one, connected(server, "w3") as other:
            await one.message()
            await other.receive()
            _, code, message = await asyncio.gather(server.stop(), one.closed(), other.receive())
            assert (code, message.data) == (1001, 1001)


def test_keys_and_changes_are_checked() -> None:
    config = FeedConfig(symbols="1", clock="manual")
    plants = Plants(config, Access(Tokens(()), Origins(config.host)))
    for key in ("", "a b", "x" * 65, "é"):
        with pytest.raises(CommandError, match=r"1 to 64 letters, digits or any of _ . -"):
            plants.open(key)
    plants.open("w3")
    with pytest.raises(CommandError, match="'w3' is there already; reset it, or choose another"):
        plants.open("w3")
    with pytest.raises(
        ConfigError, match="'port' can't differ between sessions; what can is symbols"
    ):
        plants.reset("w3", {"port": 1})
    with pytest.raises(ConfigError, match="rate"):
        plants.reset("w3", {"rate": -1.0})
    with pytest.raises(CommandError, match="'' is always there"):
        plants.close("")
    with pytest.raises(UnknownSession):
        plants.reset("w4")
    for n in range(MAX_SESSIONS - 2):
        plants.open(str(n))
    with pytest.raises(CommandError, match=f"{MAX_SESSIONS} sessions are open; at most"):
        plants.open("more")
    plants.close("w3")
    assert "w3" not in plants.sessions


def test_a_market_that_was_handed_in_cant_be_made_anew() -> None:
    config = FeedConfig(symbols="1", clock="manual")
    server = FeedServer(config, market=config.market(DEFAULT_START_US))
    with pytest.raises(
        CommandError, match="a market or encoder that was handed in can't be made again"
    ):
        server.reset()
