"""Streams over plain HTTP, over real sockets."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any

import aiohttp
import orjson
import pytest
from streaming import SseParser, StreamClient
from wire import TIMEOUT_S, Follower, RawClient, eventually, on_both_loops, running, step

from feeds.dialects.native import NativeEncoder
from feeds.fanout.cursor import Cursor
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Eviction
from ticker.market import Market

S = 1_000_000
ALL = "symbols=*&channels=trades,quotes"
FAST: dict[str, Any] = {"clock": "wall", "rate": 1000, "symbols": "50"}
"""About six megabytes of events a second."""

PATIENT = BacklogPolicy(soft_limit=50_000_000, hard_limit=50_000_000)
"""For tests in which nobody may be conflated, however slow the machine is."""


def items_of(events: list[Any]) -> list[dict[str, Any]]:
    return [item for event in events for item in event.objects]


# The same as everybody gets.


@on_both_loops
async def test_an_event_is_what_a_websocket_message_is() -> None:
    async with (
        running(rate=50.0) as server,
        RawClient(server) as ws,
        StreamClient(server, f"/sse?{ALL}") as sse,
    ):
        assert sse.status == 200
        assert {k: v for k, v in sse.headers.items() if k not in ("date", "server")} == {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-store, no-transform",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
            "transfer-encoding": "chunked",
        }
        ws.send(action="subscribe", symbols=["*"], channels=["trades", "quotes"])
        for _ in range(2):  # hello; subscribed with its snapshots
            assert (await sse.event()).objects == await ws.message()
        for _ in range(3):
            await step(server, 100_000)
            event = await sse.event()
            assert event.objects == await ws.message()
            assert event.kind == "message"
            cursor = Cursor.parse(event.last_event_id)
            assert cursor is not None
            assert (cursor.epoch, cursor.place) == (server.plant.feed.epoch, server.plant.hub.place)


@on_both_loops
async def test_lines_are_the_objects_of_the_same_message() -> None:
    async with (
        running(rate=50.0) as server,
        RawClient(server) as ws,
        StreamClient(server, f"/stream?{ALL}") as plain,
        StreamClient(server, f"/stream?{ALL}&cursors=true") as telling,
    ):
        assert plain.headers["content-type"] == "application/x-ndjson"
        ws.send(action="subscribe", symbols=["*"], channels=["trades", "quotes"])
        for n in range(5):
            message = await ws.message()
            assert await plain.lines() == message
            *lines, last = await telling.lines()
            assert [*lines, last] == message if n == 0 else lines == message
            if n:
                cursor = Cursor.parse(last.pop("cursor"))
                assert last == {"type": "cursor"}
                assert cursor is not None
                assert cursor.place <= server.plant.hub.place
            if n >= 1:
                await step(server, 50_000)


@on_both_loops
@pytest.mark.parametrize("path", ["/sse", "/stream"])
async def test_the_latest_only_is_what_a_websocket_gets_and_goes_on_from_its_sequences(
    path: str,
) -> None:
    """Without cursors: one for everything would claim what waits for its window."""
    asked = f"{path}?{ALL}&mode=latest&max_hz=5"
    follower = Follower()
    async with running(rate=50.0) as server, RawClient(server) as ws:
        ws.send(
            action="subscribe", symbols="*", channels=["trades", "quotes"], mode="latest", max_hz=5
        )
        async with StreamClient(server, asked) as stream:
            for _ in range(2):  # hello; subscribed with its snapshots
                follower.feed(await same_message(stream, ws))
            for _ in range(3):
                await step(server, 500_000)
                follower.feed(await same_message(stream, ws))
            assert follower.merged > 10
        await step(server, 500_000)
        since: dict[str, dict[str, int]] = {}
        for (symbol, channel), seq in follower.last.items():
            since.setdefault(symbol, {})[channel] = seq
        had = dict(follower.last)
        again = f"{asked}&epoch={server.plant.feed.epoch}&since={orjson.dumps(since).decode()}"
        async with StreamClient(server, again) as stream:
            await same_message(stream, None)
            merged = follower.merged
            follower.feed(await same_message(stream, None))
            assert follower.merged == merged, "what was missed comes one by one"
            await ws.message()
            assert follower.last != had
            await step(server, 500_000)
            follower.feed(await same_message(stream, ws))
            assert follower.merged > merged


async def same_message(stream: StreamClient, ws: RawClient | None) -> list[dict[str, Any]]:
    """Read a message of a stream, without a cursor, and see that a WebSocket got the same."""
    chunk = await stream.chunk()
    if chunk.startswith(b"{"):
        objects = [orjson.loads(line) for line in chunk[:-1].split(b"\n")]
        assert "cursor" not in [item["type"] for item in objects]
    else:
        (event,) = stream.parser.feed(chunk)
        assert not event.last_event_id
        objects = event.objects
    assert ws is None or objects == await ws.message()
    return objects


@pytest.mark.asyncio
async def test_equal_streams_share_a_group_with_each_other_and_events_with_all() -> None:
    async with (
        running(rate=50.0) as server,
        StreamClient(server, f"/sse?{ALL}") as one,
        StreamClient(server, "/sse?symbols=*&channels=quotes,trades&snapshot=false") as other,
        StreamClient(server, f"/stream?{ALL}"),
        RawClient(server) as ws,
    ):
        await ws.ask(action="subscribe", symbols=["*"], channels=["trades", "quotes"])
        await one.until("subscribed")
        await other.until("subscribed")
        await eventually(
            lambda: len(server.plant.hub.roster.groups) == 3, "three kinds of envelopes"
        )
        assert sorted(g.members for g in server.plant.hub.roster.groups.values()) == [1, 1, 2]
        encoded = server.plant.hub.stats.events
        await step(server, 900_000)  # no bars yet, which nobody wants
        assert (await one.event()) == (await other.event())
        assert server.plant.hub.stats.events - encoded == server.plant.pump.events


@pytest.mark.asyncio
async def test_a_browser_is_told_when_to_come_back() -> None:
    """Not all at the same time."""
    async with running() as server:
        pauses = set()
        for _ in range(8):
            async with StreamClient(server, "/sse?symbols=*") as client:
                await client.event()
                assert client.parser.retry is not None
                pauses.add(client.parser.retry)
        assert min(pauses) >= 500
        assert max(pauses) <= 1_500
        assert len(pauses) > 1


@pytest.mark.asyncio
async def test_silence_is_told() -> None:
    """A heartbeat is an event like any other, with an id that is newer than the last."""
    async with (
        running(clock="wall", rate=0, heartbeat_s=0.1) as server,
        StreamClient(server, "/sse?symbols=AAPL") as sse,
        StreamClient(server, "/stream?symbols=AAPL") as lines,
    ):
        ids = []
        await sse.until("subscribed")
        for _ in range(3):
            event = await sse.event()
            assert [item["type"] for item in event.objects] == ["heartbeat"]
            ids.append(Cursor.parse(event.last_event_id))
        assert len(set(ids)) == 3
        found = [await lines.lines() for _ in range(3)]
        assert found[2][0]["type"] == "heartbeat"


@pytest.mark.asyncio
async def test_old_clients_get_what_they_can_read() -> None:
    """HTTP/1.0 knows no chunks: the end of the connection is the end of the response."""
    async with (
        running(rate=50.0) as server,
        StreamClient(server, f"/sse?{ALL}", version="1.0") as old,
    ):
        assert old.status == 200
        assert "transfer-encoding" not in old.headers
        assert old.headers.get("connection", "close") == "close"
        parser, events = SseParser(), []
        async with asyncio.timeout(TIMEOUT_S):
            while len(events) < 2:
                events += parser.feed(await old.reader.readuntil(b"\n\n"))
        await step(server, S)
        async with asyncio.timeout(TIMEOUT_S):
            events += parser.feed(await old.reader.readuntil(b"\n\n"))
        follower = Follower()
        follower.feed(items_of(events))
        assert follower.events > 50
        server.plant.streams.end()
        async with asyncio.timeout(TIMEOUT_S):
            assert await old.reader.read() == b""


# What isn't a stream.


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/sse", "/stream"])
async def test_head_is_answered_without_a_stream(path: str) -> None:
    async with running() as server, aiohttp.ClientSession() as http:
        for _ in range(2):
            async with http.head(f"{server.url}{path}?symbols=*") as answer:
                assert answer.status == 200
                assert answer.headers["Cache-Control"] == "no-store, no-transform"
                assert await answer.read() == b""
        assert not server.plant.streams.open
        async with http.head(f"{server.url}{path}?symbols=NONE") as answer:
            assert answer.status == 404


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/sse", "/stream"])
async def test_what_is_wrong_is_told_before_the_stream_begins(path: str) -> None:
    async with running() as server, aiohttp.ClientSession() as http:
        for query, status, code in (
            ("", 400, "missing_field"),
            ("?symbols=AAPL&x=1", 400, "unknown_field"),
            ("?symbols=AAPL&last_event_id=x", 400, "invalid_value"),
            ("?symbols=AAPL&interval=1s", 400, "invalid_value"),
            ('?symbols=AAPL&epoch=x&since={"AMZN":{"trades":1}}', 400, "invalid_value"),
            ("?symbols=APPL", 404, "unknown_symbol"),
            ("?symbols=Q*Q*Q", 404, "unknown_symbol"),
        ):
            async with http.get(server.url + path + query) as answer:
                assert answer.status == status
                assert (await answer.json())["code"] == code
        async with http.post(f"{server.url}{path}?symbols=AAPL") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD"
        assert not server.plant.streams.open


# Coming back.


async def come_and_go(server: FeedServer, rng: random.Random, until_us: int) -> list[Any]:
    """Read until cut off at random, come back with the last id, in the header or in the URL."""
    got: list[dict[str, Any]] = []
    last = f"{server.plant.feed.epoch}-{server.plant.clock.start_us}"
    while True:
        target, headers = f"/sse?{ALL},bars&interval=1s", {}
        if rng.random() < 0.5:
            target += f"&last_event_id={last}"
        else:
            headers["Last_Event_ID"] = last
        async with StreamClient(server, target, **headers) as client:
            await client.event()
            left = rng.randint(1, 6)
            while left > 0 or not client.parser.last_event_id:  # not within a long answer
                left -= 1
                event = await client.event()
                kinds = {item["type"] for item in event.objects}
                assert not kinds & {"snapshot", "gap"}
                got += event.objects
                last = event.last_event_id or last
                cursor = Cursor.parse(event.last_event_id)
                if cursor is not None and cursor.place.us >= until_us:
                    return got
            client.vanish()


@on_both_loops
async def test_nothing_is_lost_or_repeated_however_a_reconnect_falls() -> None:
    """What each client got over all its connections is the market's own tape."""
    options: dict[str, Any] = {"clock": "x5", "symbols": "8", "rate": 30, "turn_ms": 2}
    async with running(**options, backlog=PATIENT) as server:
        until = server.plant.market.now_us + 12 * S
        clients = [come_and_go(server, random.Random(seed), until) for seed in range(3)]
        results = await asyncio.gather(*clients)
        own = Market(
            server.plant.market.universe, seed=7, rate=30, start_us=server.plant.clock.start_us
        )
    batch = own.step(until)
    fragments = NativeEncoder(own.universe).encode(batch)
    tape = [item for f in fragments if (item := orjson.loads(f[:-1])).get("interval", "1s") == "1s"]
    for got in results:
        found = [i for i in got if i["type"] in ("trade", "quote", "bar")]
        keys = [(i["symbol"], i["type"], i["seq"]) for i in found]
        assert len(set(keys)) == len(keys), "nothing twice"
        assert not any("merged" in i for i in found)
        by_key = dict(zip(keys, found, strict=True))
        assert all(by_key[i["symbol"], i["type"], i["seq"]] == i for i in tape), "nothing missing"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/sse", "/stream"])
async def test_who_falls_back_from_a_websocket_goes_on_from_its_sequences(path: str) -> None:
    """With a URL longer than servers usually read."""
    async with running(rate=20.0, symbols="400") as server:
        follower = Follower()
        async with RawClient(server) as ws:
            ws.send(action="subscribe", symbols=["*"], channels=["trades", "quotes"])
            follower.feed(await ws.until("snapshot"))
            await step(server, 200_000)
            follower.feed(await ws.message())
        await step(server, 200_000)
        since: dict[str, dict[str, int]] = {}
        for (symbol, channel), seq in follower.last.items():
            if channel != "status":
                since.setdefault(symbol, {})[channel] = seq
        query = f"{ALL}&epoch={server.plant.feed.epoch}&since={orjson.dumps(since).decode()}"
        assert len(query) > 10_000
        async with StreamClient(server, f"{path}?{query}") as client:
            found: list[dict[str, Any]] = []
            while not any(i["type"] == "subscribed" and "more" not in i for i in found):
                found += (await client.event()).objects if path == "/sse" else await client.lines()
            kinds = {item["type"] for item in found}
            assert kinds == {"hello", "subscribed", "trade", "quote"}
            follower.feed(found)
            sequences = server.plant.market.sequences()
            for (symbol, channel), seq in follower.last.items():
                number = {"trades": 0, "quotes": 1, "status": 2}[channel]
                assert seq == sequences[number, server.plant.market.universe.find(symbol)]


@pytest.mark.asyncio
async def test_a_cursor_of_lines_is_an_id_of_events() -> None:
    async with running(rate=50.0) as server:
        async with StreamClient(server, f"/stream?{ALL}&cursors=true") as lines:
            await lines.lines()
            cursor = (await lines.lines())[-1]["cursor"]
        await step(server, S)
        async with StreamClient(server, f"/sse?{ALL}", Last_Event_ID=cursor) as sse:
            await sse.event()
            event = await sse.event()
            trades = [i for i in event.objects if i["type"] == "trade"]
            assert len(trades) == server.plant.market.sequences()[0].sum()


@pytest.mark.asyncio
async def test_an_id_of_another_run_gives_gaps_and_snapshots() -> None:
    async with running(rate=50.0) as server:
        await step(server, S)
        for header in (f"0123456789abcdef-{server.plant.market.now_us}", "an id of another server"):
            async with StreamClient(server, "/sse?symbols=AAPL", Last_Event_ID=header) as sse:
                await sse.event()
                event = await sse.event()
                assert [i["type"] for i in event.objects] == ["subscribed", "gap", "snapshot"]
                newest = int(server.plant.market.sequences()[0, 0])
                assert event.objects[1] == {
                    "type": "gap", "symbol": "AAPL", "channel": "trades", "to": newest, "reason": "epoch",
                }  # fmt: skip
                assert event.last_event_id


@pytest.mark.asyncio
async def test_a_long_answer_is_live_from_piece_to_piece_and_has_its_id_at_the_end() -> None:
    """Events that come between the pieces have none either: the client hasn't everything yet."""
    options: dict[str, Any] = {"clock": "wall", "symbols": "500", "rate": 10}
    async with (
        running(**options, backlog=PATIENT) as server,
        StreamClient(server, f"/sse?{ALL}") as sse,
    ):
        events = []
        while True:
            events.append(await sse.event())
            if events[-1].last_event_id:
                break
        pieces = [e.objects[0] for e in events if e.objects[0]["type"] == "subscribed"]
        assert [piece.get("more", False) for piece in pieces] == [True, True, False]
        assert events[-1].objects[0] == pieces[-1]
        follower = Follower()
        follower.feed(items_of(events))
        for _ in range(5):
            event = await sse.event()
            assert Cursor.parse(event.last_event_id)
            follower.feed(event.objects)
        assert follower.events > 0


# Slow ones, and those that go.


@on_both_loops
async def test_a_slow_client_is_conflated_and_catches_up() -> None:
    # Little is enough: it must not stand still for so long that the kernel gives it up.
    policy = BacklogPolicy(soft_limit=16_000, low_water=4_000, no_progress_s=60.0)
    options: dict[str, Any] = {"clock": "wall", "rate": 200, "symbols": "50"}
    async with (
        running(**options, backlog=policy) as server,
        StreamClient(server, f"/sse?{ALL}", receive_buffer=4096) as slow,
        StreamClient(server, f"/sse?{ALL}") as other,
    ):
        follower, healthy = Follower(), Follower()
        follower.feed(await slow.until("subscribed"))

        async def read() -> None:
            while True:
                healthy.feed((await other.event()).objects)

        reading = asyncio.create_task(read())
        try:
            for _ in range(3):
                slow.pause()
                await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
                published = server.plant.hub.stats.events
                await eventually(
                    lambda then=published: server.plant.hub.stats.events > then + 300, "events"
                )
                slow.resume()
                merged = follower.merged
                while follower.merged == merged or server.plant.hub.slow.laggards:
                    follower.feed((await slow.event()).objects)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        assert reading.cancelled()
        assert healthy.events > follower.events
        assert server.plant.hub.stats.evicted[Eviction.NO_PROGRESS] == 0


@on_both_loops
async def test_who_never_reads_is_evicted() -> None:
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=0.5)
    async with (
        running(**FAST, backlog=policy) as server,
        StreamClient(server, f"/stream?{ALL}", receive_buffer=4096) as slow,
    ):
        slow.pause()
        await eventually(
            lambda: server.plant.hub.stats.evicted[Eviction.NO_PROGRESS], "it is evicted"
        )
        await eventually(lambda: not server.plant.streams.open, "nothing is left of it")
        assert server.plant.hub.roster.groups == {}
        slow.resume()
        assert not await slow.ended(), "no last chunk: this was not the end"


@on_both_loops
async def test_who_asks_for_much_and_never_reads_is_bounded_too() -> None:
    """While it is answered in pieces."""
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=0.5)
    options: dict[str, Any] = {"symbols": "5000", "clock": "wall", "rate": 0.01}
    async with running(**options, backlog=policy) as server:
        async with StreamClient(server, "/sse?symbols=*", receive_buffer=4096) as slow:
            slow.pause()
            await eventually(
                lambda: server.plant.hub.stats.evicted[Eviction.NO_PROGRESS], "evicted"
            )
            await eventually(lambda: not server.plant.streams.open, "nothing is left of it")
        assert server.plant.hub.roster.groups == {}


@on_both_loops
@pytest.mark.parametrize("how", ["reset", "close", "half"])
async def test_who_vanishes_is_noticed_though_nothing_is_written(how: str) -> None:
    """However it ends its side of the connection, and whether it read anything."""
    async with (
        running() as server,
        aiohttp.ClientSession() as http,
        StreamClient(server, f"/sse?{ALL}") as client,
    ):
        await client.event()
        async with http.get(f"{server.url}/health") as answer:
            assert (await answer.json())["connections"] == 1
        if how == "reset":
            client.vanish()
        elif how == "close":
            client.writer.close()
        else:
            client.writer.write_eof()
        await eventually(lambda: not server.plant.streams.open, "it is noticed")
        assert server.plant.hub.roster.groups == {}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system hasn't the option")
@on_both_loops
@pytest.mark.parametrize(("patience_s", "kernel_ms"), [(10.0, 20_000), (3.5, 13_500)])
async def test_a_machine_that_is_gone_is_given_up_by_the_kernel(
    patience_s: float, kernel_ms: int
) -> None:
    """Nobody can be pinged here; the document has the number."""
    policy = BacklogPolicy(no_progress_s=patience_s)
    async with (
        running(backlog=policy) as server,
        StreamClient(server, f"/sse?{ALL}") as client,
        RawClient(server) as other,
    ):
        await client.event()
        await other.message()
        (protocol, *more) = server._runner.server.connections  # type: ignore[union-attr]
        assert len(more) == 1
        for connection in (protocol, *more):
            assert connection.transport is not None
            sock = connection.transport.get_extra_info("socket")
            value = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert value == kernel_ms


@on_both_loops
async def test_who_vanishes_with_much_unread_is_let_go() -> None:
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=1000.0)
    async with running(**FAST, backlog=policy) as server:
        async with StreamClient(server, f"/sse?{ALL}", receive_buffer=4096) as client:
            client.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
            client.vanish()
            await eventually(lambda: not server.plant.streams.open, "it is noticed")
        assert not server.plant.hub.slow.laggards
        assert server.plant.hub.roster.groups == {}


@on_both_loops
async def test_a_server_that_stops_ends_its_streams_with_the_last_chunk() -> None:
    async with running(rate=50.0) as server:
        clients = [StreamClient(server, f"{path}?{ALL}") for path in ("/sse", "/stream")]
        for client in clients:
            await client.__aenter__()
            await client.chunk()
        await step(server, S)
    try:
        assert [await client.ended() for client in clients] == [True, True]
    finally:
        for client in clients:
            await client.__aexit__()
    assert not server.plant.streams.open


@pytest.mark.asyncio
async def test_a_server_stops_though_somebody_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.connections.streams._CLOSE_WAIT_S", 0.1)
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=1000.0)
    async with running(**FAST, backlog=policy, shutdown_timeout=0.3) as server:
        client = StreamClient(server, f"/sse?{ALL}", receive_buffer=4096)
        async with client:
            client.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is conflated")
            await server.stop()
            assert not server.plant.streams.open
            assert server.doors is not None
            await eventually(lambda: not server.doors.open, "nothing is left of it")
            client.resume()
            assert not await client.ended()


@pytest.mark.asyncio
async def test_streams_come_and_go_for_ever() -> None:
    """The look at those that are over begins again after the last one has gone."""
    async with running() as server:
        for _ in range(3):
            async with StreamClient(server, "/sse?symbols=*") as client:
                await client.until("subscribed")
            await eventually(lambda: not server.plant.streams.open, "it is noticed")
            looking = server.plant.streams._reaper._task
            assert looking is not None
            await eventually(looking.done, "nothing to look at")
