"""
The server's library writes pongs and close frames, and the hub writes events, to one transport: each in whole frames.

That they don't mix is what makes it safe to write to the transport past the library. These tests hold it to that, on real
sockets, under both event loops. The client checks every frame: a byte out of place would show as a frame that isn't one.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque

import aiohttp
import orjson
import pytest
import websockets
from wire import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    TIMEOUT_S,
    Follower,
    RawClient,
    eventually,
    on_both_loops,
    running,
    text,
)

from feeds.admission import inbound as inbound_module
from feeds.fanout import hub as hub_module
from feeds.wire.backlog import BacklogPolicy

PATIENT = BacklogPolicy(soft_limit=10**8, low_water=1000, hard_limit=10**9)
STREAM = {"action": "subscribe", "symbols": "*", "channels": ["trades", "quotes"]}


@pytest.mark.parametrize("flush_slice", [1, 256])
@on_both_loops
async def test_every_pong_comes_back_whole_and_in_order_amid_thousands_of_events(
    flush_slice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pings with payloads of every allowed length, sent all the while; other clients make the flushes pause."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", flush_slice)
    monkeypatch.setattr(inbound_module, "FRAMES_BURST", 1_000_000)
    async with (
        # No more events a second than a busy machine can read: pongs queue behind what is unread.
        running(clock="wall", rate=200, symbols="20", turn_ms=1, backlog=PATIENT) as server,
        RawClient(server) as client,
        RawClient(server) as other,
    ):
        other.send(**STREAM)
        drinking = asyncio.create_task(other.closed())
        client.send(**STREAM)
        follower = Follower()
        sent: deque[bytes] = deque()
        pongs = between = 0
        last = PONG
        while pongs < 400 or follower.events < 4_000 or between < 50:
            if len(sent) < 20:
                sent.append(os.urandom((pongs + len(sent)) % 126))
                client.send_frame(PING, sent[-1])
            opcode, payload = await client.frame()
            between += opcode != last
            last = opcode
            if opcode == PONG:
                assert payload == sent.popleft()
                pongs += 1
            else:
                assert opcode == TEXT
                follower.feed(orjson.loads(payload))
        drinking.cancel()


@on_both_loops
async def test_pongs_queue_behind_a_backlog_and_come_whole() -> None:
    """Where a message is only half in the kernel's buffer, a pong waits for the other half."""
    async with (
        running(clock="wall", rate=300, symbols="50", backlog=PATIENT) as server,
        RawClient(server, receive_buffer=4096) as client,
    ):
        client.send(**STREAM)
        follower = Follower()
        follower.feed(await client.until("quote"))
        (transport,) = server.plant.websockets.open.values()
        for round_ in range(5):
            client.pause()
            await eventually(lambda: transport.unread() > 100_000, "a backlog")
            unread = transport.unread()
            payloads = [b"%d-%d" % (round_, n) for n in range(10)]
            for payload in payloads:
                client.send_frame(PING, payload)
            await eventually(lambda before=unread: transport.unread() > before, "more of it")
            client.resume()
            while payloads:
                opcode, payload = await client.frame()
                if opcode == PONG:
                    assert payload == payloads.pop(0)
                else:
                    follower.feed(orjson.loads(payload))


@pytest.mark.parametrize("flush_slice", [1, 256])
@on_both_loops
async def test_after_the_answer_to_a_close_frame_nothing_comes(
    flush_slice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what was being written to everybody when the close frame came (RFC 6455, section 5.5.1)."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", flush_slice)
    async with (
        running(clock="wall", rate=500, symbols="20", turn_ms=1, backlog=PATIENT) as server,
        RawClient(server) as other,
    ):
        other.send(**STREAM)
        drinking = asyncio.create_task(other.closed())
        for _ in range(30):
            async with RawClient(server) as client:
                client.send(**STREAM)
                await client.until("trade")
                client.polite = False
                client.send_frame(CLOSE, b"\x03\xe8")
                assert await client.closed() == 1000  # the client fails on a frame after that
        drinking.cancel()


@on_both_loops
async def test_after_a_close_frame_into_a_backlog_nothing_comes() -> None:
    """The close frame is the last one even where megabytes are waiting before it."""
    async with (
        running(clock="wall", rate=300, symbols="50", backlog=PATIENT) as server,
        RawClient(server, receive_buffer=4096) as client,
    ):
        client.send(**STREAM)
        await client.until("quote")
        (transport,) = server.plant.websockets.open.values()
        client.pause()
        await eventually(lambda: transport.unread() > 100_000, "a backlog")
        client.polite = False
        client.send_frame(CLOSE, b"\x03\xe8")
        await eventually(lambda: not server.plant.hub.roster.groups, "the hub has let it go")
        client.resume()
        assert await client.closed() == 1000


@on_both_loops
async def test_the_close_frame_of_a_stopping_server_comes_after_whole_messages() -> None:
    options = {"clock": "wall", "rate": 500, "symbols": "20", "turn_ms": 1}
    async with running(**options, backlog=PATIENT, shutdown_timeout=60) as server:
        client = await RawClient(server).__aenter__()
        client.send(**STREAM)
        await client.until("trade")
        reading = asyncio.create_task(client.closed())
        await asyncio.sleep(0)
    assert await reading == 1001
    await client.__aexit__()


@on_both_loops
async def test_libraries_read_pings_pongs_and_events_as_they_come() -> None:
    """`websockets` and aiohttp check every frame too; both send pings of their own amid the stream."""
    async with running(clock="wall", rate=100, symbols="20", backlog=PATIENT) as server:
        follower = Follower()
        async with websockets.connect(server.ws_url, max_queue=None) as ws:
            await ws.send(text(**STREAM), text=True)
            for _ in range(50):
                async with asyncio.timeout(TIMEOUT_S):
                    pong = await ws.ping()
                    follower.feed(orjson.loads(await ws.recv()))
                    await pong
        assert follower.events > 50
        follower = Follower()
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(server.ws_url, autoping=False) as ws,
        ):
            await ws.send_str(text(**STREAM).decode())
            for number in range(50):
                await ws.ping(b"%d" % number)
                seen, answered = follower.events, False
                while not answered or follower.events == seen:
                    message = await ws.receive(timeout=TIMEOUT_S)
                    if message.type is aiohttp.WSMsgType.PONG:
                        assert message.data == b"%d" % number
                        answered = True
                    else:
                        assert message.type is aiohttp.WSMsgType.TEXT, message
                        follower.feed(orjson.loads(message.data))
