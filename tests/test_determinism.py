"""The same seed and options, the same bytes: whoever else is connected, and whatever runs the event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop
from wire import TIMEOUT_S, RawClient, running, step

from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy

POLICY = BacklogPolicy(soft_limit=20_000, low_water=1_000)
OPTIONS: dict[str, Any] = {"symbols": "20", "seed": 42, "rate": 50, "backlog": POLICY}
OPTIONS["heartbeat_s"] = (
    3600  # heartbeats and pings are of real time: on a slow machine one would come in between
)
OPTIONS["loggers"] = ("feeds", "aiohttp")  # asyncio remarks on clients that vanish
REQUESTS: list[dict[str, Any]] = [
    {"action": "symbols", "id": 1},
    {"action": "subscribe", "id": 2, "symbols": ["A*", "MSFT"], "channels": ["trades", "quotes"]},
    {"action": "subscribe", "symbols": "*", "channels": ["bars"], "interval": "1s"},
    {"action": "subscribe", "symbols": "*"},
]


async def read(client: RawClient, size: int) -> bytes:
    async with asyncio.timeout(TIMEOUT_S):
        return await client.reader.readexactly(size)


async def crowd(server: FeedServer, stack: AsyncExitStack) -> None:
    """Others, who come, ask, stall and vanish."""

    async def one(number: int) -> None:
        while True:
            async with RawClient(server, receive_buffer=8192) as client:
                client.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
                for _ in range(5 + number):
                    await client.message()
                client.send(action="unsubscribe", symbols="A*")
                client.send(action="snapshot", symbols="*")
                client.send_frame(1, b"nonsense")
                await client.until("error")
                client.vanish()

    tasks = [asyncio.create_task(one(number)) for number in range(4)]

    async def leave() -> None:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends

    stack.push_async_callback(leave)


async def stream_of_max(size: int, others: bool) -> bytes:
    """What the first client of a server as fast as it is drained reads, from the greeting on."""
    async with (
        running(clock="max", turn_events=100, **OPTIONS) as server,
        RawClient(server) as client,
        AsyncExitStack() as stack,
    ):
        # All in one packet: how far the market has come when a request is answered depends on when it comes.
        for request in REQUESTS:
            client.send(**request)
        head = await read(client, 20_000)
        if others:
            await crowd(server, stack)
        return head + await read(client, size - len(head))


async def stream_of_manual(size: int, others: bool) -> bytes:
    """The same where time is moved by hand, in uneven steps."""
    async with (
        running(clock="manual", **OPTIONS) as server,
        RawClient(server) as client,
        AsyncExitStack() as stack,
    ):
        for request in REQUESTS:
            await client.ask(**request)
        if others:
            await crowd(server, stack)
        data = b""
        number = 0
        while len(data) < size:
            number += 1
            await step(server, 10_000 + 7_919 * (number % 13))
            client.send(action="ping", id=number)
            end = b'"id":%d,"time":%b}]' % (
                number,
                repr(server.plant.market.now_us / 1000).encode(),
            )
            async with asyncio.timeout(TIMEOUT_S):
                data += await client.reader.readuntil(end)
        return data[:size]


RUNS = [
    (None, False),
    (None, True),
    (uvloop.new_event_loop, False),
    (uvloop.new_event_loop, True),
]


@pytest.mark.parametrize("stream", [stream_of_max, stream_of_manual], ids=["max", "manual"])
def test_an_identical_client_reads_identical_bytes(stream: Callable[[int, bool], Any]) -> None:
    """400 KB of them: alone or in a crowd, under asyncio's loop or under uvloop, and in a second run."""
    streams = []
    for loop_factory, others in [*RUNS, RUNS[0]]:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            streams.append(runner.run(stream(400_000, others)))
    assert all(len(data) == 400_000 for data in streams)
    assert len(set(streams)) == 1


def test_another_seed_gives_another_stream() -> None:
    streams = set()
    for seed in (42, 43):
        with asyncio.Runner() as runner:
            streams.add(runner.run(stream_of_seed(seed)))
    assert len(streams) == 2


async def stream_of_seed(seed: int) -> bytes:
    async with (
        running(clock="max", symbols="5", seed=seed) as server,
        RawClient(server) as client,
    ):
        await client.message()
        client.send(action="subscribe", symbols="*", snapshot=False)
        await client.message()
        return await read(client, 10_000)


def test_how_long_answers_take_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop may run on between any two answers, or not: a market that is as fast as its clients read stands still meanwhile."""
    streams = set()
    monkeypatch.setattr("feeds.engine.pump._NOBODY_WAIT_S", 0)  # it looks in each pass of the loop
    for seconds in (0.0, math.inf):
        monkeypatch.setattr("feeds.engine.desk.MOST_S", seconds)
        streams.add(asyncio.run(stream_of_max(100_000, False)))
    assert len(streams) == 1
