"""Compression over real sockets, with clients of three libraries' making."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from wire import Follower, RawClient, on_both_loops, running, step

FAST = {"symbols": "50", "clock": "manual", "rate": 20, "compress": True}
EVERYTHING = {"action": "subscribe", "symbols": "*", "channels": ["trades", "quotes"]}


async def follow(client: Any, follower: Follower, until: int) -> None:
    while follower.events < until:
        follower.feed(orjson.loads(await client.recv()))


@on_both_loops
async def test_clients_that_share_a_stream_get_the_same_events_and_far_fewer_bytes() -> None:
    """Two that agreed on it, one with a smaller window, one that refused: all satisfy the rule."""
    small = [ClientPerMessageDeflateFactory(server_max_window_bits=10)]
    full = [ClientPerMessageDeflateFactory()]
    async with (
        running(**FAST) as server,
        websockets.connect(server.ws_url, extensions=full, compression=None) as one,
        websockets.connect(server.ws_url, extensions=full, compression=None) as two,
        websockets.connect(server.ws_url, extensions=small, compression=None) as three,
        websockets.connect(server.ws_url, compression=None) as plain,
    ):
        clients = [one, two, three, plain]
        followers = [Follower() for _ in clients]
        for client, follower in zip(clients, followers, strict=True):
            await client.send(orjson.dumps(EVERYTHING).decode())
            while not follower.last:
                follower.feed(orjson.loads(await client.recv()))
        for _ in range(20):
            await step(server, 50_000)
        events = server.plant.hub.stats.events
        assert events > 500
        async with asyncio.timeout(60):
            for client, follower in zip(clients, followers, strict=True):
                await follow(client, follower, events)
        assert all(f.last == followers[0].last for f in followers)
        assert server.plant.hub.stats.saved > events * 3 * 50
        assert one.protocol.extensions
        assert not plain.protocol.extensions


@on_both_loops
@pytest.mark.parametrize("bits", [None, *range(9, 16)])
async def test_whichever_window_a_client_offers_it_reads_what_comes(bits: int | None) -> None:
    """A library that keeps to RFC 7692 (7.1.2.1) hangs up unless the answer names the window that it offered."""
    offer = [ClientPerMessageDeflateFactory(server_max_window_bits=bits)]
    async with running(**FAST) as server:
        url = server.ws_url
        async with websockets.connect(url, extensions=offer, compression=None) as client:
            (agreed,) = client.protocol.extensions
            assert agreed.remote_max_window_bits == (bits or 15)
            await client.send(orjson.dumps(EVERYTHING).decode())
            follower = Follower()
            while not follower.last:
                follower.feed(orjson.loads(await client.recv()))
            await step(server, 500_000)
            async with asyncio.timeout(60):
                await follow(client, follower, server.plant.hub.stats.events)
            assert server.plant.hub.stats.saved > 0


@on_both_loops
async def test_who_joins_later_reads_from_there() -> None:
    async with running(**FAST) as server, websockets.connect(server.ws_url) as one:
        await one.send(orjson.dumps(EVERYTHING).decode())
        early, late = Follower(), Follower()
        while not early.last:
            early.feed(orjson.loads(await one.recv()))
        for _ in range(5):
            await step(server, 50_000)
        async with websockets.connect(server.ws_url) as two:
            await two.send(orjson.dumps(EVERYTHING).decode())
            while not late.last:
                late.feed(orjson.loads(await two.recv()))
            before = server.plant.hub.stats.events
            for _ in range(5):
                await step(server, 50_000)
            async with asyncio.timeout(60):
                await follow(one, early, server.plant.hub.stats.events)
                await follow(two, late, server.plant.hub.stats.events - before)
        assert early.last == late.last


@on_both_loops
async def test_who_wants_no_context_gets_plain_frames() -> None:
    """Every message of its own compressed would be a compression for each client: it is spared, which is allowed."""
    offer = [ClientPerMessageDeflateFactory(server_no_context_takeover=True)]
    async with running(**FAST) as server:
        url = server.ws_url
        async with websockets.connect(url, extensions=offer, compression=None) as client:
            await client.send(orjson.dumps(EVERYTHING).decode())
            follower = Follower()
            while not follower.last:
                follower.feed(orjson.loads(await client.recv()))
            await step(server, 200_000)
            async with asyncio.timeout(60):
                await follow(client, follower, server.plant.hub.stats.events)
            assert server.plant.hub.stats.saved == 0


@on_both_loops
async def test_aiohttps_client_reads_it_too_and_may_send_compressed() -> None:
    async with (
        running(**FAST) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url, compress=15) as ws,
        http.ws_connect(server.ws_url, compress=15) as other,
    ):
        followers = []
        for client in (ws, other):
            await client.send_json(EVERYTHING)
            follower = Follower()
            while not follower.last:
                follower.feed(orjson.loads((await client.receive()).data))
            followers.append(follower)
        await step(server, 500_000)
        async with asyncio.timeout(60):
            for client, follower in zip((ws, other), followers, strict=True):
                while follower.events < server.plant.hub.stats.events:
                    follower.feed(orjson.loads((await client.receive()).data))
        assert server.plant.hub.stats.saved > 0


@pytest.mark.asyncio
async def test_it_is_off_unless_asked_for() -> None:
    async with running() as server, websockets.connect(server.ws_url) as client:
        assert not client.protocol.extensions
    async with running(compress=True) as server, RawClient(server) as client:
        await client.message()  # who doesn't offer it doesn't get it
