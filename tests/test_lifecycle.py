"""Stopping: in an orderly way, at a bound, at once, and because of a failure. Over real sockets, and in real processes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest
import terminal
from aiohttp import web
from streaming import StreamClient
from terminal import COMMAND
from wire import TIMEOUT_S, Follower, RawClient, eventually, on_both_loops, running

from feeds.fanout import hub as hub_module
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy

S = 1_000_000
PATIENT = BacklogPolicy(soft_limit=2**30, hard_limit=2**31, no_progress_s=600)
EVENTS = "/sse?symbols=*&channels=trades,quotes,bars&interval=1s"
STREAM: dict[str, Any] = {
    "action": "subscribe",
    "symbols": "*",
    "channels": ["trades", "quotes", "bars"],
    "interval": "1s",
}


async def follow(client: RawClient) -> Follower:
    """Read to the end, and hold everything to the sequence rule."""
    follower = Follower()
    try:
        while True:
            follower.feed(await client.message())
    except EOFError:
        return follower


async def follow_stream(client: StreamClient) -> Follower:
    """The same, on a stream, up to its last chunk."""
    follower = Follower()
    while chunk := await client.chunk():
        for message in client.parser.feed(chunk):
            follower.feed(message.objects)
    return follower


async def first_events(client: RawClient) -> int:
    """Read to the end; give how many objects the first message with a trade had."""
    objects = await client.message()
    assert objects[0]["type"] == "trade"
    assert await client.closed() == 1001
    return len(objects)


async def close_frame(client: RawClient) -> int:
    """Read up to the server's close frame, which isn't the end for a client that doesn't answer it."""
    client.polite = False
    while client.close_code is None:
        await client.frame()
    return client.close_code


def newest(server: FeedServer) -> dict[tuple[str, str], int]:
    """The newest sequence of everything that `STREAM` asks for."""
    seq = server.plant.market.sequences()
    return {
        (symbol, channel): int(seq[number, n])
        for n, symbol in enumerate(server.plant.market.universe.symbols)
        for channel, number in (("trades", 0), ("quotes", 1), ("bars:1s", 3))
    }


# What was published reaches everybody who reads.


@on_both_loops
async def test_who_reads_gets_everything_that_was_published_before_the_stop() -> None:
    """On a market that never stands still: the last event of each symbol and channel, then 1001."""
    async with AsyncExitStack() as stack:
        async with running(
            clock="wall", rate=500, symbols="20", shutdown_timeout=60, backlog=PATIENT
        ) as server:
            clients = [await stack.enter_async_context(RawClient(server)) for _ in range(5)]
            for client in clients:
                client.send(**STREAM)
            reading = [asyncio.create_task(follow(client)) for client in clients]
            await eventually(lambda: server.plant.hub.deliveries() > 2_000, "events")
        for client, follower in zip(clients, await asyncio.gather(*reading), strict=True):
            assert client.close_code == 1001
            assert client.reason == "the server is stopping"
            assert {key: follower.last[key] for key in newest(server)} == newest(server)
            assert follower.merged == 0


async def stopping_while_behind(server: FeedServer) -> asyncio.Task[None]:
    """Begin to stop when a client is conflated and has missed much; give what stops, which has said goodbye."""
    hub, pump = server.plant.hub, server.plant.pump
    await eventually(lambda: hub.slow.laggards, "it is behind")
    behind = pump.events + 5_000
    await eventually(lambda: pump.events > behind, "and more so")
    stopping = asyncio.create_task(server.stop())
    await eventually(lambda: server.plant.websockets.farewell.goodbye, "it says goodbye")
    assert hub.slow.laggards
    return stopping


@on_both_loops
async def test_who_reads_again_in_time_gets_what_it_missed() -> None:
    """A conflated client, which begins to read when the server is stopping already: the newest of each, then 1001."""
    async with AsyncExitStack() as stack:
        async with running(clock="wall", rate=2000, symbols="50", shutdown_timeout=60) as server:
            slow = await stack.enter_async_context(RawClient(server, receive_buffer=4096))
            slow.send(**STREAM)
            slow.pause()
            stopping = await stopping_while_behind(server)
            slow.resume()
            follower = await follow(slow)
            await stopping
        assert slow.close_code == 1001
        assert follower.merged > 0
        assert {key: follower.last[key] for key in newest(server)} == newest(server)


@on_both_loops
async def test_a_stream_that_is_read_again_in_time_gets_what_it_missed() -> None:
    """Like a WebSocket: the newest of each, then the last chunk."""
    async with AsyncExitStack() as stack:
        async with running(clock="wall", rate=2000, symbols="50", shutdown_timeout=60) as server:
            client = StreamClient(server, EVENTS, receive_buffer=4096)
            slow = await stack.enter_async_context(client)
            slow.pause()
            stopping = await stopping_while_behind(server)
            slow.resume()
            follower = await follow_stream(slow)
            await stopping
        assert follower.merged > 0
        assert {key: follower.last[key] for key in newest(server)} == newest(server)


@on_both_loops
async def test_what_waits_for_its_window_doesnt_wait_longer_than_the_server() -> None:
    """Who wants the latest only, once in 100 s: the newest of each, in more than one message."""
    async with AsyncExitStack() as stack:
        async with running(
            clock="wall", rate=50, symbols="200", shutdown_timeout=60, backlog=PATIENT
        ) as server:
            client = await stack.enter_async_context(RawClient(server))
            client.send(**STREAM, mode="latest", max_hz=0.01)
            paced = StreamClient(server, f"{EVENTS}&mode=latest&max_hz=0.01")
            stream = await stack.enter_async_context(paced)
            both = asyncio.gather(follow(client), follow_stream(stream))
            await eventually(lambda: server.plant.hub.roster.lanes.slots == 1_200, "both are there")
            later = server.plant.pump.events + 5_000
            await eventually(lambda: server.plant.pump.events > later, "events")
        for follower in await both:
            assert follower.merged > 2_000
            assert {key: follower.last[key] for key in newest(server)} == newest(server)
        assert client.close_code == 1001


@on_both_loops
async def test_the_turn_under_way_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody has less of it than the others."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    async with AsyncExitStack() as stack:
        async with running(symbols="AAPL", rate=100, shutdown_timeout=60) as server:
            clients = [await stack.enter_async_context(RawClient(server)) for _ in range(20)]
            for client in clients:
                await client.ask(action="subscribe", symbols="*")
            reading = [asyncio.create_task(first_events(client)) for client in clients]
            await asyncio.sleep(0)
            server.plant.clock.advance(S)  # type: ignore[attr-defined]
            while server.plant.pump._idle.is_set():  # noqa: ASYNC110  # not one loop later
                await asyncio.sleep(0)
            written = server.plant.hub.stats.writes
            await server.stop()
            assert server.plant.hub.stats.writes > written, "it wasn't over"
        got = await asyncio.gather(*reading)
        assert len(set(got)) == 1
        assert got[0] > 10


# Who can't be waited for.


@on_both_loops
async def test_a_turn_that_doesnt_end_holds_nothing_up() -> None:
    async with AsyncExitStack() as stack:
        async with running(clock="wall", shutdown_timeout=0.2) as server:
            client = await stack.enter_async_context(RawClient(server))
            await client.message()
            reading = asyncio.create_task(client.closed())
            empty = server.plant.market.step(server.plant.market.now_us)
            server.plant.market.step = lambda *_: empty  # type: ignore[method-assign]
            await eventually(lambda: not server.plant.pump._idle.is_set(), "a turn hangs")
            for _ in range(100):
                await asyncio.sleep(0)
        assert server.plant.pump._idle.is_set(), "it was ended"
        await reading
        assert client.close_code in (1001, None)


@on_both_loops
async def test_who_doesnt_read_is_cut_off_at_the_bound() -> None:
    async with AsyncExitStack() as stack:
        async with running(clock="wall", rate=2000, symbols="50", shutdown_timeout=0.3) as server:
            slow = await stack.enter_async_context(RawClient(server, receive_buffer=4096))
            slow.send(**STREAM)
            slow.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is behind")
        assert server.plant.feed.stats.closed == {"1006": 1}
        slow.resume()
        assert await slow.closed() is None


@on_both_loops
async def test_with_no_time_to_stop_it_stops_all_the_same() -> None:
    async with running(shutdown_timeout=0) as server, RawClient(server) as client:
        await client.message()
        reading = asyncio.create_task(client.closed())
        await server.stop()
        assert await reading in (None, 1001)


# Who comes too late.


@on_both_loops
async def test_a_handshake_that_is_under_way_when_it_stops_is_closed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()
    prepare = web.WebSocketResponse.prepare

    async def slowly(self: web.WebSocketResponse, request: web.BaseRequest) -> Any:
        writer = await prepare(self, request)
        waiting.set()
        await go_on.wait()
        return writer

    async with AsyncExitStack() as stack, running(shutdown_timeout=60) as server:
        deaf = await stack.enter_async_context(RawClient(server))
        await deaf.message()
        monkeypatch.setattr(web.WebSocketResponse, "prepare", slowly)
        late = await stack.enter_async_context(RawClient(server))
        await waiting.wait()
        stopping = asyncio.create_task(server.stop())
        await eventually(lambda: server.plant.websockets.farewell.goodbye, "it says goodbye")
        go_on.set()
        assert await late.closed() == 1001
        assert await close_frame(deaf) == 1001
        deaf.writer.transport.abort()
        await stopping


@on_both_loops
async def test_it_may_be_stopped_twice() -> None:
    async with running(shutdown_timeout=60) as server, RawClient(server) as client:
        await client.message()
        reading = asyncio.create_task(client.closed())
        await asyncio.gather(server.stop(), server.stop())
        assert await reading == 1001


# In a process of its own.

FAILING = """
from feeds.fanout.hub import Hub
from ticker.market import Market
step, join, joined = Market.step, Hub.join, []
def note(self, *args):
    joined.append(1)
    return join(self, *args)
def fail(self, *args):
    if joined:
        raise ZeroDivisionError("no more ticks")
    return step(self, *args)
Hub.join, Market.step = note, fail
from feeds.cli import main
main()
"""
OPTIONS = ("serve", "--port", "0", "--ready-json", "--slow-turn-ms", "0")


class Process:
    """A server in a process of its own."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        assert popen.stdout is not None
        self.port = int(json.loads(popen.stdout.readline())["port"])

    def end(self) -> tuple[int, str]:
        """Wait for its end; give the exit code and what is on stderr."""
        _, err = self.popen.communicate(timeout=TIMEOUT_S)
        return self.popen.returncode, err


@contextmanager
def process(*options: str, code: str | None = None) -> Iterator[Process]:
    program = COMMAND if code is None else (sys.executable, "-c", code)
    with terminal.process(*OPTIONS, *options, program=program) as popen:
        yield Process(popen)


loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
numbers = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@loops
@numbers
def test_a_signal_ends_it_without_losing_an_event(loop: str, number: int) -> None:
    """The client has read as many events as the server says, when it ends, that it delivered."""
    with process("--symbols", "20", "--rate", "300", "--loop", loop, "-v") as server:

        async def count() -> int:
            async with RawClient(server.port) as raw:
                raw.send(**STREAM)
                events, signalled = 0, False
                try:
                    while True:
                        items = await raw.message()
                        events += sum(i["type"] in ("trade", "quote", "bar") for i in items)
                        if events > 3_000 and not signalled:
                            signalled = True
                            server.popen.send_signal(number)
                except EOFError:
                    assert raw.close_code == 1001
                    return events

        events = asyncio.run(count())
        code, err = server.end()
        assert code == 0
        told = re.search(
            r"INFO feeds: stopped: \d+ turns, (\d+) events, (\d+) deliveries, 0 ev", err
        )
        assert told, err
        assert int(told[2]) == events
        assert int(told[1]) >= events


@loops
def test_who_doesnt_read_is_cut_off_and_the_exit_code_is_0(loop: str) -> None:
    options = ("--symbols", "50", "--rate", "2000", "--shutdown-timeout", "0.3", "--loop", loop)
    with process(*options) as server:

        async def client() -> None:
            async with RawClient(server.port, receive_buffer=4096) as raw:
                raw.send(**STREAM)
                await raw.until("quote")
                raw.pause()
                server.popen.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(server.end) == (0, "")

        asyncio.run(client())


@loops
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_it_at_once(loop: str, number: int, code: int) -> None:
    """Though a client doesn't answer the close frame, and there were an hour's time for that."""
    with process("--shutdown-timeout", "3600", "--clock", "manual", "--loop", loop) as server:

        async def client() -> None:
            async with RawClient(server.port) as raw:
                await raw.message()
                server.popen.send_signal(number)
                assert await close_frame(raw) == 1001
                while server.popen.poll() is None:
                    server.popen.send_signal(number)
                    await asyncio.sleep(0.05)

        asyncio.run(client())
        assert server.end() == (code, "")


async def how_it_closes(port: int) -> int | None:
    async with RawClient(port) as raw:
        return await raw.closed()


@loops
def test_a_failure_is_one_line_exit_code_1_and_1011(loop: str) -> None:
    """The market fails as soon as somebody has come."""
    with process("--symbols", "3", "--loop", loop, code=FAILING) as server:
        assert asyncio.run(how_it_closes(server.port)) == 1011
        code, err = server.end()
        assert code == 1
        (line,) = err.splitlines()
        assert re.fullmatch(
            r".* CRITICAL feeds: the feed failed: ZeroDivisionError: no more ticks \(<string>:\d+\);"
            r" please report this, with what --log-level debug shows",
            line,
        )


def test_with_debug_the_failure_has_its_traceback() -> None:
    with process("--symbols", "3", "--log-level", "debug", code=FAILING) as server:
        assert asyncio.run(how_it_closes(server.port)) == 1011
        code, err = server.end()
        assert code == 1
        assert "Traceback (most recent call last):" in err
        assert "INFO feeds: stopped: " in err
