"""Slow consumers over real sockets: conflated, evicted, or waited for, and nobody else the worse for it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from raw_http import RawHttp
from wire import (
    HANDSHAKE,
    TEXT,
    TIMEOUT_S,
    Follower,
    RawClient,
    encode_frame,
    eventually,
    on_both_loops,
    running,
    step,
    text,
)

from feeds.awake import Awake
from feeds.protocol.reply import PIECE
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Eviction

STREAM = {"action": "subscribe", "symbols": "*", "channels": ["trades", "quotes"]}
FAST: dict[str, Any] = {"clock": "wall", "rate": 1000, "symbols": "50"}
"""About six megabytes of events a second."""


class Reader:
    """A client that reads everything, in a task of its own."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.follower = Follower()

    async def run(self) -> None:
        self.client.send(**STREAM)
        while True:
            self.follower.feed(await self.client.message())


@asynccontextmanager
async def reading(server: FeedServer) -> AsyncIterator[Follower]:
    """A client beside the others that reads everything; what it got satisfies the rule."""
    async with RawClient(server) as client:
        reader = Reader(client)
        task = asyncio.create_task(reader.run())
        try:
            yield reader.follower
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def most_unread(server: FeedServer) -> int:
    return max((t.unread() for t in server.plant.websockets.open.values()), default=0)


# Evicted.


@on_both_loops
async def test_who_never_reads_is_evicted_and_the_others_get_everything() -> None:
    """Its backlog stays near the soft limit all the while, however much is published."""
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=0.5)
    async with running(**FAST, backlog=policy) as server, reading(server) as other:
        async with RawClient(server, receive_buffer=4096) as slow:
            slow.send(**STREAM)
            slow.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
            most, published = 0, server.plant.hub.stats.events
            while server.plant.websockets.open and len(server.plant.websockets.open) > 1:
                most = max(most, most_unread(server))
                await asyncio.sleep(0)
            assert server.plant.hub.stats.evicted[Eviction.NO_PROGRESS] == 1
            assert server.plant.hub.stats.events - published > 5_000
            assert most < 64_000 + 16 * 1024 + 500_000, "the soft limit and a turn or two"
            slow.resume()
            assert await slow.closed() is None, "no close frame: it wouldn't have been read"
        seen = other.events
        await eventually(lambda: other.events > seen + 1_000, "the other one goes on")


@pytest.mark.parametrize(
    ("limit", "why"),
    [({"hard_limit": 20_000}, Eviction.HARD_LIMIT), ({"soft_seconds": 0.3}, Eviction.TOO_LONG)],
)
@on_both_loops
async def test_over_the_hard_limit_or_behind_for_too_long_a_client_is_evicted(
    limit: dict[str, Any], why: Eviction
) -> None:
    """Although it would have had longer to begin to read again."""
    policy = BacklogPolicy(soft_limit=20_000, low_water=0, no_progress_s=1_000, **limit)
    async with (
        running(**FAST, backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(**STREAM)
        slow.pause()
        await eventually(lambda: not server.plant.websockets.open, "it is gone")
        assert server.plant.hub.stats.evicted == dict.fromkeys(Eviction, 0) | {why: 1}
        assert server.plant.hub.roster.groups == {}
        slow.resume()
        assert await slow.closed() is None, "no close frame"


@pytest.mark.asyncio
async def test_an_eviction_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="feeds")
    policy = BacklogPolicy(soft_limit=20_000, no_progress_s=0.3)
    async with (
        running(**FAST, backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as slow,
        aiohttp.ClientSession() as http,
    ):
        assert isinstance(server.plant.clock.seconds, Awake)
        patience, still = server.plant.clock.seconds, time.monotonic()
        patience._monotonic = lambda: still  # nobody loses patience before we have looked
        slow.send(**STREAM)
        slow.pause()
        await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
        async with http.get(f"{server.url}/health") as answer:
            health = await answer.json()
        assert (health["conflating"], health["evicted"], health["connections"]) == (1, 0, 1)
        patience._monotonic = time.monotonic
        await eventually(lambda: not server.plant.websockets.open, "it is gone")
        async with http.get(f"{server.url}/health") as answer:
            health = await answer.json()
        assert (health["conflating"], health["evicted"], health["connections"]) == (0, 1, 0)
    messages = [r.getMessage() for r in caplog.records if r.name == "feeds"]
    assert [text for text in messages if "evict" in text] == [
        "evicted a slow consumer: no_progress"
    ]


@on_both_loops
async def test_who_asks_and_never_reads_is_bounded_too() -> None:
    """A short request has a long answer; who doesn't read the answers isn't answered further."""
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=0.5)
    async with (
        running(symbols="500", clock="wall", rate=1, backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as greedy,
        RawClient(server) as other,
    ):
        await other.message()
        greedy.pause()
        for _ in range(2_000):
            greedy.send(action="snapshot", symbols="*")
        most = 0
        while len(server.plant.websockets.open) > 1:
            most = max(most, most_unread(server))
            await asyncio.sleep(0)
        assert 64_000 < most < 64_000 + 2 * 70_000, "one piece over the limit, or two"
        assert (await other.ask(action="ping"))["type"] == "pong"


@on_both_loops
async def test_who_asks_and_reads_slowly_is_answered_in_full() -> None:
    """Waiting for a client is no reason to drop it, as long as it reads at all."""
    policy = BacklogPolicy(soft_limit=30_000, no_progress_s=5.0)
    async with (
        running(symbols="200", backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as client,
    ):
        for n in range(30):
            client.send(action="symbols", id=n)
        await client.message()
        for n in range(30):
            (answer,) = await client.message()
            assert answer["id"] == n


# Conflated.


@on_both_loops
async def test_who_pauses_gets_the_newest_of_each_with_what_was_merged_and_is_live_again() -> None:
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=1_000, soft_seconds=0)
    async with (
        running(**FAST, backlog=policy) as server,
        reading(server) as other,
        RawClient(server, receive_buffer=65_536) as client,
    ):
        client.send(**STREAM)
        follower = Follower()
        follower.feed(await client.until("quote"))
        for _ in range(3):
            client.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
            before = server.plant.hub.stats.events
            await eventually(
                lambda n=before: server.plant.hub.stats.events > n + 5_000, "much missed"
            )
            merged = follower.merged
            client.resume()
            while follower.merged == merged or server.plant.hub.slow.laggards:
                follower.feed(await client.message())
            assert not server.plant.hub.slow.laggards, "live again"
            after = follower.events
            while follower.events < after + 500:
                follower.feed(await client.message())
        assert server.plant.hub.stats.merged >= follower.merged > 1_000
        assert server.plant.hub.stats.evicted == dict.fromkeys(Eviction, 0)
        assert other.events > 5_000


@on_both_loops
async def test_who_is_conflated_can_ask_and_change_its_subscription() -> None:
    """The rule holds from then on as well, for what is new and for what stays."""
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=1_000, soft_seconds=0)
    async with (
        running(**FAST, backlog=policy) as server,
        RawClient(server, receive_buffer=65_536) as client,
    ):
        names = server.plant.market.universe.symbols
        client.send(**STREAM | {"symbols": list(names[:40])})
        follower = Follower()
        follower.feed(await client.until("quote"))
        client.pause()
        await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
        client.send(action="unsubscribe", symbols=list(names[:10]))
        client.send(action="subscribe", symbols=list(names[40:]), channels=["trades"])
        client.send(action="snapshot", symbols=list(names[20:30]))
        client.send(action="ping", id="end")
        client.resume()
        objects = await client.until("pong")
        follower.feed(objects)
        gone = set(names[:10])
        at = next(i for i, o in enumerate(objects) if o["type"] == "unsubscribed")
        while server.plant.hub.slow.laggards or not any(
            (n, "trades") in follower.last for n in names[40:]
        ):
            objects += (more := await client.message())
            follower.feed(more)
        for _ in range(50):
            objects += (more := await client.message())
            follower.feed(more)
        assert not gone & {o["symbol"] for o in objects[at:] if o["type"] in ("trade", "quote")}


@on_both_loops
async def test_many_that_fall_behind_together_catch_up_each_for_itself() -> None:
    policy = BacklogPolicy(soft_limit=32_000, no_progress_s=1_000, soft_seconds=0)
    async with running(**FAST, backlog=policy) as server:
        clients = [RawClient(server, receive_buffer=65_536) for _ in range(20)]
        followers = [Follower() for _ in clients]
        for client, follower in zip(clients, followers, strict=True):
            await client.__aenter__()
            client.send(**STREAM)
            follower.feed(await client.until("subscribed"))
        for client in clients:
            client.pause()
        await eventually(lambda: len(server.plant.hub.slow.laggards) == 20, "all are conflated")
        for client, follower in zip(clients, followers, strict=True):
            client.resume()
            while not follower.merged:
                follower.feed(await client.message())
        for client in clients:
            await client.__aexit__()
        await eventually(lambda: not server.plant.hub.slow.laggards, "nobody is left")


# Gone.


@on_both_loops
async def test_who_vanishes_while_conflated_hurts_nobody() -> None:
    policy = BacklogPolicy(soft_limit=20_000, no_progress_s=1_000, soft_seconds=0)
    async with running(**FAST, backlog=policy) as server, reading(server) as other:
        for _ in range(5):
            async with RawClient(server, receive_buffer=4096) as slow:
                slow.send(**STREAM)
                slow.pause()
                await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
                slow.vanish()
                await eventually(lambda: len(server.plant.websockets.open) == 1, "it is forgotten")
                await eventually(lambda: not server.plant.hub.slow.laggards, "in the hub, too")
        seen = other.events
        await eventually(lambda: other.events > seen + 1_000, "the other one goes on")
        assert server.plant.hub.stats.evicted == dict.fromkeys(Eviction, 0)


# Waited for.


@on_both_loops
async def test_with_max_who_is_closed_and_does_not_answer_that_is_not_waited_for() -> None:
    """A close frame is no answer: the market goes on as soon as it is written."""
    async with (
        running(clock="max", symbols="20", shutdown_timeout=600) as server,
        reading(server),
        RawClient(server) as rude,
    ):
        rude.polite = False
        rude.writer.write(b"\x81\x02{}")  # not masked
        while rude.close_code is None:
            await rude.frame()
        turns = server.plant.pump.turns
        await eventually(lambda: server.plant.pump.turns > turns + 10, "the market goes on")
        assert len(server.plant.websockets.open) == 2, "it is still there"


@on_both_loops
async def test_with_max_everybody_gets_everything_however_slowly_they_read() -> None:
    policy = BacklogPolicy(soft_limit=20_000, low_water=1_000, no_progress_s=1_000, soft_seconds=0)
    async with (
        running(clock="max", symbols="20", backlog=policy) as server,
        reading(server) as quick,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(**STREAM)
        follower = Follower()
        while follower.events < 20_000:
            follower.feed(await slow.message())
        assert follower.merged == quick.merged == 0
        assert server.plant.hub.stats.merged == 0
        assert quick.events > 10_000


@on_both_loops
async def test_with_max_who_never_reads_holds_up_the_others_no_longer_than_allowed() -> None:
    policy = BacklogPolicy(soft_limit=20_000, low_water=1_000, no_progress_s=0.3)
    async with (
        running(clock="max", symbols="20", backlog=policy) as server,
        reading(server) as quick,
        RawClient(server, receive_buffer=4096) as stalled,
    ):
        stalled.send(**STREAM)
        stalled.pause()
        await eventually(lambda: server.plant.hub.slow.congested, "everybody waits for it")
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is gone")
        assert server.plant.hub.stats.evicted[Eviction.NO_PROGRESS] == 1
        seen = quick.events
        await eventually(lambda: quick.events > seen + 1_000, "the other one goes on")
        assert quick.merged == 0


# The other reasons to be let go, as a client sees them.


@on_both_loops
async def test_with_disconnect_who_falls_behind_is_evicted_at_once() -> None:
    policy = BacklogPolicy(soft_limit=20_000, no_progress_s=1_000, soft_seconds=0)
    async with (
        running(**FAST, backlog=policy, slow="disconnect") as server,
        RawClient(server) as idle,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(**STREAM)
        slow.pause()
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is gone")
        assert server.plant.hub.stats.evicted == dict.fromkeys(Eviction, 0) | {Eviction.SLOW: 1}
        slow.resume()
        assert await slow.closed() is None, "no close frame"
        assert (await idle.ask(action="ping"))["type"] == "pong"


# What it costs.


def allocated() -> int:
    """Give the bytes that our modules hold, without what all clients share: the newest events of each symbol."""
    gc.collect()
    ours = [tracemalloc.Filter(True, f"*/feeds/{name}") for name in ("*.py", "faults/*.py")]
    shared = [tracemalloc.Filter(False, f"*/feeds/{name}.py") for name in ("newest", "trades")]
    found = tracemalloc.take_snapshot().filter_traces(ours).filter_traces(shared)
    return sum(trace.size for trace in found.traces if "/dialects/" not in str(trace.traceback))


async def subscribed(server: FeedServer, stack: contextlib.ExitStack, *, read: bool) -> None:
    """Connect a client of the bare system, and subscribe to everything; it reads the whole answer, or nothing at all."""
    loop = asyncio.get_running_loop()
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    request = text(**STREAM, snapshot=False, id="all")
    await loop.sock_sendall(client, HANDSHAKE + encode_frame(TEXT, request))
    data = b""
    async with asyncio.timeout(TIMEOUT_S):
        while read and not (data.count(b'"subscribed"') == 10_000 // PIECE and data.endswith(b"]")):
            data += await loop.sock_recv(client, 2**16)


@pytest.mark.parametrize(
    ("read", "most_kb"), [(True, 64), (False, 96)], ids=["in the stream", "in the answer"]
)
@pytest.mark.asyncio
async def test_of_10_000_symbols_who_stops_to_read_costs_little(read: bool, most_kb: int) -> None:
    """What Python and numpy allocate for us is counted; beside it there is what an idle connection costs aiohttp."""
    first, count, policy = 10, 30, BacklogPolicy(no_progress_s=1_000)
    async with running(symbols="10000", rate=1.0, history_mb=0, backlog=policy) as server:
        laggards = server.plant.hub.slow.laggards
        tracemalloc.start()
        try:
            with contextlib.ExitStack() as stack:
                # What is made once, and what those who stopped at the same point share, is made by the first ones.
                for _ in range(first + count if read else first):
                    await subscribed(server, stack, read=read)
                while not read and len(laggards) < first:
                    await step(server, 10_000)
                await step(server, 10_000)
                before = allocated()
                for _ in range(0 if read else count):
                    await subscribed(server, stack, read=False)
                while len(laggards) < first + count:
                    await step(server, 10_000)
                for _ in range(5):
                    await step(server, 10_000)
                after = allocated()
                unread = [line.unread() for line in server.plant.websockets.open.values()]
        finally:
            tracemalloc.stop()
        assert min(unread) > policy.low_water
        stopped = first + count if read else count
        assert (after - before) / stopped < most_kb * 1024


# A server that was stopped itself.


@on_both_loops
async def test_a_pause_of_the_server_is_not_held_against_its_clients() -> None:
    """Neither against one that was behind, nor against one that was pinged, nor against one with half an answer."""
    policy = BacklogPolicy(soft_limit=20_000, low_water=4_000, no_progress_s=30.0)
    options = FAST | {"symbols": "3000", "rate": 5, "heartbeat_s": 20.0}
    async with (
        running(**options, backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as slow,
        RawClient(server) as idle,
        RawHttp(server) as plain,
    ):
        await idle.message()
        slow.send(**STREAM)
        slow.pause()
        await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
        assert server.doors is not None
        patience = server.doors.unread_answers
        for _ in range(10):
            plain.send("GET /api/snapshot HTTP/1.1", "Host: localhost")
        await eventually(lambda: patience._waiting, "it has an answer unread")
        for pauses in range(1, 4):
            for clock in (server.plant.clock.seconds, patience._seconds):
                assert isinstance(clock, Awake)
                clock._monotonic = lambda n=pauses: time.monotonic() + n * 3_600.0  # type: ignore[misc]
            turns, beats = server.plant.pump.turns, patience._timer
            await eventually(lambda t=turns: server.plant.pump.turns > t + 20, "it goes on")
            await eventually(lambda b=beats: patience._timer is not b, "it is looked at")
        assert not any(server.plant.hub.stats.evicted.values())
        assert not any(server.access.stats.unread.values())
        slow.resume()
        follower = Follower()
        while not follower.merged:
            follower.feed(await slow.message())
        assert (await idle.ask(action="ping"))["type"] == "pong"
