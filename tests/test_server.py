"""The server over real sockets, with clients of several libraries."""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import aiohttp
import orjson
import pytest
import websockets
from wire import (
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
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

from feeds.admission.limits import Limits
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.fanout import hub as hub_module
from feeds.protocol.session import Session
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy
from ticker.market import Market
from ticker.universe import Universe

S = 1_000_000


class Client(Protocol):
    """What these tests need of a WebSocket library."""

    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> list[dict[str, Any]]: ...


class Aiohttp:
    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def send(self, data: bytes) -> None:
        await self._ws.send_str(data.decode())

    async def receive(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = orjson.loads(await self._ws.receive_str(timeout=TIMEOUT_S))
        return items


class Websockets:
    def __init__(self, ws: websockets.ClientConnection) -> None:
        self._ws = ws

    async def send(self, data: bytes) -> None:
        await self._ws.send(data, text=True)

    async def receive(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(TIMEOUT_S):
            items: list[dict[str, Any]] = orjson.loads(await self._ws.recv())
        return items


@asynccontextmanager
async def connected(library: str, server: FeedServer) -> AsyncIterator[Client]:
    if library == "aiohttp":
        async with aiohttp.ClientSession() as http, http.ws_connect(server.ws_url) as ws:
            yield Aiohttp(ws)
    else:
        async with websockets.connect(server.ws_url) as ws:
            yield Websockets(ws)


libraries = pytest.mark.parametrize("library", ["aiohttp", "websockets"])


# With libraries.


@libraries
@on_both_loops
async def test_the_server_speaks_first(library: str) -> None:
    async with running(heartbeat_s=2.5, clock="wall") as server, connected(library, server) as ws:
        (hello,) = await ws.receive()
        assert hello["type"] == "hello"
        assert hello["epoch"] == server.plant.market.epoch
        assert (hello["symbols"], hello["heartbeat_ms"], hello["seed"]) == (5, 2500, 7)


@libraries
@on_both_loops
async def test_events_follow_the_snapshots_without_a_gap(library: str) -> None:
    """For each symbol and channel, from the snapshot on, on a market that never stands still."""
    patient = BacklogPolicy(soft_limit=10**9, hard_limit=10**9)
    async with (
        running(clock="wall", rate=500, symbols="20", backlog=patient) as server,
        connected(library, server) as ws,
    ):
        await ws.receive()
        await ws.send(text(action="subscribe", symbols="*", channels=["trades", "quotes"]))
        follower = Follower()
        while follower.events < 3_000:
            follower.feed(await ws.receive())
        assert follower.merged == 0
        assert len(follower.last) == 20 * 3


@libraries
@on_both_loops
async def test_requests_are_answered_in_their_order(library: str) -> None:
    async with running() as server, connected(library, server) as ws:
        for n in range(50):
            await ws.send(text(action="ping" if n % 2 else "symbols", id=n))
        await ws.receive()
        assert [(await ws.receive())[0]["id"] for _ in range(50)] == list(range(50))


# Subscriptions.


@on_both_loops
async def test_requests_may_be_sent_before_the_greeting_was_read() -> None:
    """Even with the handshake, in one packet: they are answered after the greeting, in their order."""
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        pings = b"".join(encode_frame(TEXT, text(action="ping", id=n)) for n in range(100))
        writer.write(HANDSHAKE + pings)
        client = RawClient(server)
        client.reader, client.writer = reader, writer
        async with asyncio.timeout(TIMEOUT_S):
            await reader.readuntil(b"\r\n\r\n")
        assert (await client.message())[0]["type"] == "hello"
        assert [(await client.message())[0]["id"] for _ in range(100)] == list(range(100))
        writer.close()
        await writer.wait_closed()


@on_both_loops
async def test_patterns_choose_symbols_and_a_star_chooses_all() -> None:
    async with running(symbols="AAPL,AMZN,MSFT,META,NVDA") as server, RawClient(server) as client:
        await client.message()
        for pattern, symbols in (
            ("A*", ["AAPL", "AMZN"]),
            (["M???", "NVDA"], ["MSFT", "META", "NVDA"]),
            ("*", ["AAPL", "AMZN", "MSFT", "META", "NVDA"]),
        ):
            answer = await client.ask(action="subscribe", symbols=pattern)
            assert answer["symbols"] == symbols


@on_both_loops
async def test_after_unsubscribing_nothing_comes() -> None:
    async with running(rate=100) as server, RawClient(server) as client:
        await client.ask(action="subscribe", symbols="*", channels=["trades", "quotes"])
        await step(server, S)
        await client.ask(action="unsubscribe", symbols=["AAPL"])
        await client.ask(action="unsubscribe", symbols="*", channels=["quotes"])
        await step(server, S)
        client.send(action="ping")
        after = await client.until("pong")
        assert {item["type"] for item in after} == {"trade", "pong"}
        assert "AAPL" not in {item.get("symbol") for item in after}
        await client.ask(action="unsubscribe", symbols="*")
        await step(server, S)
        client.send(action="ping")
        assert [item["type"] for item in await client.until("pong")] == ["pong"]


@on_both_loops
async def test_bars_of_several_intervals_come_at_once() -> None:
    """Each interval counts for itself; a minute's bar has what its seconds had."""
    async with running(symbols="AAPL", rate=50) as server, RawClient(server) as client:
        for interval in ("1s", "1m", "5m"):
            await client.ask(action="subscribe", symbols="*", channels=["bars"], interval=interval)
        bars: dict[str, list[dict[str, Any]]] = {"1s": [], "1m": [], "5m": []}
        for _ in range(30):
            await step(server, 10 * S)
        client.send(action="ping")
        for item in await client.until("pong"):
            if item["type"] == "bar":
                bars[item["interval"]].append(item)
        assert [len(b) for b in bars.values()] == [300, 5, 1]
        for of_interval in bars.values():
            assert [b["seq"] for b in of_interval] == list(range(1, len(of_interval) + 1))
        first = [b for b in bars["1s"] if b["time"] < bars["1m"][1]["time"]]
        minute = bars["1m"][0]
        assert minute["time"] == first[0]["time"]
        assert minute["volume"] == sum(b["volume"] for b in first)
        assert minute["trades"] == sum(b["trades"] for b in first)
        assert minute["high"] == max(b["high"] for b in first)
        assert minute["low"] == min(b["low"] for b in first)
        assert (minute["open"], minute["close"]) == (first[0]["open"], first[-1]["close"])
        assert bars["5m"][0]["volume"] == sum(b["volume"] for b in bars["1m"])


@on_both_loops
async def test_a_big_universe_is_listed_in_pieces() -> None:
    async with running(symbols="500") as server, RawClient(server) as client:
        await client.message()
        client.send(action="symbols", id="s")
        pieces = [(await client.message())[0] for _ in range(3)]
        assert [len(p["symbols"]) for p in pieces] == [200, 200, 100]
        assert [p.get("more", False) for p in pieces] == [True, True, False]
        listed = [i["symbol"] for p in pieces for i in p["symbols"]]
        assert listed == list(server.plant.market.universe.symbols)


@pytest.mark.asyncio
async def test_a_subscription_to_a_very_big_universe_is_answered_in_full() -> None:
    """With several times more snapshots than the hard limit of a backlog allows to be unread."""
    policy = BacklogPolicy(soft_limit=60_000, hard_limit=500_000)
    async with (
        running(symbols="6000", clock="wall", rate=1, backlog=policy) as server,
        websockets.connect(server.ws_url) as ws,
    ):
        await ws.send(text(action="subscribe", symbols="*"), text=True)
        follower = Follower()
        more = True
        while more:
            async with asyncio.timeout(TIMEOUT_S):
                message = orjson.loads(await ws.recv())
            follower.feed(message)
            more = message[0]["type"] != "subscribed" or message[0].get("more", False)
        assert len({symbol for symbol, _ in follower.last}) == 6_000


@pytest.mark.asyncio
async def test_no_message_is_longer_than_a_megabyte() -> None:
    """Which is where libraries stop to read: not the bars of thousands of symbols, nor the events of a long step."""
    policy = BacklogPolicy(soft_limit=10**9, hard_limit=10**9)
    async with (
        running(
            symbols="12000", rate=4, backlog=policy, limits=Limits(max_symbols=12_000)
        ) as server,
        websockets.connect(server.ws_url) as ws,
    ):
        for channel in ("bars", "trades", "quotes"):
            request = text(
                action="subscribe",
                symbols="*",
                channels=[channel],
                snapshot=False,
                **({"interval": "1s"} if channel == "bars" else {}),
            )
            await ws.send(request, text=True)
        kinds: Counter[str] = Counter()
        for turn in (1, 2):  # first the answers to the requests, then the events
            if turn == 2:
                await step(server, S)
            await ws.send(text(action="ping"), text=True)
            while kinds["pong"] < turn:
                async with asyncio.timeout(TIMEOUT_S):
                    data = await ws.recv()
                assert len(data) < 1_000_000
                kinds.update(item["type"] for item in orjson.loads(data))
        assert kinds["bar"] > 4_000, "more than one message of them"
        assert kinds["trade"] + kinds["quote"] > 20_000


@on_both_loops
async def test_a_request_may_come_in_fragments_with_a_ping_between() -> None:
    async with running() as server, RawClient(server) as client:
        await client.message()
        request = text(action="ping", id=1)
        client.send_frame(TEXT, request[:5], fin=False)
        client.send_frame(PING, b"?")
        client.send_frame(0, request[5:9], fin=False)
        client.send_frame(0, request[9:])
        assert await client.frame() == (PONG, b"?")
        assert (await client.message())[0]["id"] == 1


@on_both_loops
async def test_compression_is_not_agreed_to() -> None:
    """Every client must be able to get the same bytes."""
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        writer.write(HANDSHAKE[:-2] + offer)
        async with asyncio.timeout(TIMEOUT_S):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in answer.lower()
        writer.close()
        await writer.wait_closed()


# Under load.


@on_both_loops
async def test_the_rule_holds_for_clients_that_come_and_go_under_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With flushes that pause after every write, so that requests arrive in the middle of turns."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)

    async def client(server: FeedServer, number: int) -> int:
        names = server.plant.market.universe.symbols
        events = 0
        async with RawClient(server) as raw:
            follower = Follower()
            for turn in range(6):
                mine = [names[(number + turn + i) % len(names)] for i in range(4)]
                raw.send(action="subscribe", symbols=mine, channels=["trades", "quotes"])
                for _ in range(15):
                    follower.feed(await raw.message())
                raw.send(action="unsubscribe", symbols=mine[:2])
                objects = await raw.until("unsubscribed")
                follower.feed(objects)
                raw.send(action="ping")
                follower.feed(await raw.until("pong"))
            events = follower.events
            assert follower.merged == 0
        return events

    policy = BacklogPolicy(
        soft_limit=10**9, hard_limit=10**9
    )  # nobody is too slow, however busy it is here
    options: dict[str, Any] = {"clock": "wall", "rate": 400, "symbols": "10", "turn_ms": 2}
    async with running(**options, backlog=policy) as server:
        events = await asyncio.gather(*(client(server, n) for n in range(12)))
        assert min(events) > 100
        await eventually(lambda: not server.plant.hub.roster.groups, "everybody has left")
        assert not server.plant.hub.roster.wanted.any()


# Heartbeats.


@on_both_loops
async def test_silence_is_broken_by_heartbeats() -> None:
    """For who is subscribed to nothing, and for who is subscribed to what doesn't move."""
    async with (
        running(clock="wall", heartbeat_s=0.1, rate=0) as server,
        RawClient(server) as idle,
        RawClient(server) as waiting,
    ):

        async def hear(client: RawClient) -> None:
            """Both at a time: who doesn't read doesn't answer pings either, and is taken for dead."""
            for _ in range(5):
                (beat,) = await client.message()
                assert beat == {"type": "heartbeat", "time": beat["time"]}

        waiting.send(action="subscribe", symbols="*")
        await waiting.until("subscribed")
        await idle.message()
        await asyncio.gather(hear(idle), hear(waiting))


@on_both_loops
async def test_who_gets_events_gets_no_heartbeats() -> None:
    async with (
        running(clock="wall", heartbeat_s=0.3, rate=1000, symbols="20") as server,
        RawClient(server) as client,
        RawClient(server) as idle,
    ):
        await client.ask(action="subscribe", symbols="*")
        reading = asyncio.create_task(client.until("pong"))  # else it is soon taken for dead
        await idle.until("heartbeat")
        await idle.until("heartbeat")
        client.send(action="ping")
        assert {i["type"] for i in await reading} <= {"snapshot", "trade", "pong"}


@on_both_loops
async def test_with_a_manual_clock_no_heartbeat_is_promised() -> None:
    async with running(heartbeat_s=0.1) as server, RawClient(server) as client:
        ((hello,)) = await client.message()
        assert hello["heartbeat_ms"] == 0
        await step(server, 60 * S)
        client.send(action="ping")
        assert [i["type"] for i in await client.until("pong")] == ["pong"]


# Ends.


@on_both_loops
async def test_a_client_that_closes_is_answered_and_forgotten() -> None:
    async with running(clock="wall", rate=1000) as server, RawClient(server) as client:
        await client.ask(action="subscribe", symbols="*")
        client.send_frame(CLOSE, b"\x03\xe8bye")
        assert await client.closed() == 1000
        await eventually(lambda: not server.plant.websockets.open, "the connection is forgotten")
        assert server.plant.hub.roster.groups == {}


@on_both_loops
async def test_clients_that_vanish_are_no_errors() -> None:
    """In the middle of anything: with a reset, after asking, after pinging. Nothing is logged, and nobody else notices."""
    async with running(clock="wall", rate=500, symbols="20") as server, RawClient(server) as well:
        well.send(action="subscribe", symbols="*")
        follower = Follower()
        for pause in range(12):
            clients = [RawClient(server) for _ in range(4)]
            for number, client in enumerate(clients):
                await client.__aenter__()
                client.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
                for _ in range(50):
                    if number % 2:
                        client.send_frame(PING, b"?")
                    else:
                        client.send(action="snapshot", symbols="*")
            for _ in range(pause):
                await asyncio.sleep(0)
            for client in clients:
                client.vanish()
            follower.feed(await well.message())
        await eventually(
            lambda: len(server.plant.websockets.open) == 1, "all but one are forgotten"
        )
        assert follower.events > 20


@on_both_loops
async def test_clients_that_vanish_while_the_server_stops_dont_hinder_it() -> None:
    for pause in range(10):
        async with running(clock="wall", rate=500) as server:
            clients = [RawClient(server) for _ in range(5)]
            for client in clients:
                await client.__aenter__()
                client.send(action="subscribe", symbols="*")
                await client.message()
            for client in clients:
                client.vanish()
            for _ in range(pause):
                await asyncio.sleep(0)
        assert not server.plant.websockets.open


@on_both_loops
async def test_stopping_closes_every_connection_with_1001() -> None:
    async with AsyncExitStack() as stack:
        async with running(clock="wall", rate=200) as server:
            clients = [await stack.enter_async_context(RawClient(server)) for _ in range(20)]
            for client in clients[::2]:
                client.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
                await client.until("trade")
            reading = [asyncio.create_task(client.closed()) for client in clients]
            await asyncio.sleep(0)
        for task, client in zip(reading, clients, strict=True):
            assert await task == 1001
            assert client.reason == "the server is stopping"


@on_both_loops
async def test_stopping_takes_bounded_time_although_a_client_is_stalled() -> None:
    """Neither one that doesn't read nor one that doesn't answer the close frame holds it up."""
    loop = asyncio.get_running_loop()
    others = len(asyncio.all_tasks())
    async with AsyncExitStack() as stack:
        async with running(clock="wall", rate=2000, symbols="50", shutdown_timeout=0.5) as server:
            stalled = await stack.enter_async_context(RawClient(server, receive_buffer=4096))
            stalled.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
            stalled.pause()
            await eventually(lambda: server.plant.hub.slow.laggards, "it is behind")
            deaf = await stack.enter_async_context(RawClient(server))
            deaf.polite = False
            await deaf.message()
            polite = await stack.enter_async_context(RawClient(server))
            reading = asyncio.create_task(polite.closed())
            begun = loop.time()
        assert loop.time() - begun < 8, "and not for as long as aiohttp would wait"
        assert await reading == 1001
        assert await deaf.closed() == 1001
        assert not server.plant.websockets.open
    assert len(asyncio.all_tasks()) == others, "nothing is left running"


@on_both_loops
async def test_a_stopped_server_listens_no_more() -> None:
    async with running() as server:
        port = server.port
    with pytest.raises(OSError):  # noqa: PT011
        await asyncio.open_connection("127.0.0.1", port)


@on_both_loops
async def test_when_the_pump_fails_waiting_for_it_raises_what_it_failed_with() -> None:
    async with running(loggers=()) as server:

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        server.plant.market.step = fail  # type: ignore[method-assign, assignment]
        server.plant.clock.advance(1)  # type: ignore[attr-defined]
        with pytest.raises(ZeroDivisionError):
            await server.wait()


@pytest.mark.asyncio
async def test_an_error_inside_the_server_closes_one_connection_with_1011(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the others don't notice."""
    handle = Session.handle

    def fail(self: Session, data: bytes, now: float) -> Any:
        if b"boom" in data:
            raise ZeroDivisionError
        return handle(self, data, now)

    monkeypatch.setattr(Session, "handle", fail)
    async with (
        FeedServer(FeedConfig(port=0, clock="manual", symbols="5")) as server,
        RawClient(server) as one,
        RawClient(server) as two,
    ):
        await one.message()
        one.send(action="ping", id="boom")
        assert await one.closed() == 1011
        assert one.reason == "an error inside the server"
        assert (await two.ask(action="ping"))["type"] == "pong"
        assert len(server.plant.websockets.open) == 1
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.name == "feeds"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


# Addresses.


@pytest.mark.asyncio
async def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = FeedServer(FeedConfig(port=port, clock="manual"))
        with pytest.raises(ConfigError) as error:
            await server.start()
        assert str(error.value) == (
            f"can't listen on 127.0.0.1 port {port}:"
            " the port is in use; choose another with --port, or 0 for any free one"
        )
        await server.stop()


@pytest.mark.asyncio
async def test_an_address_that_isnt_ours_is_one_clear_error() -> None:
    server = FeedServer(FeedConfig(host="192.0.2.1", port=0, clock="manual"))
    expected = (
        r"^can't listen on 192\.0\.2\.1 port 0: this machine has no such address; 127\.0\.0\.1 is"
    )
    with pytest.raises(ConfigError, match=expected):
        await server.start()
    await server.stop()


@pytest.mark.asyncio
async def test_a_port_that_needs_privileges_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", refuse)
    server = FeedServer(FeedConfig(port=80, clock="manual"))
    with pytest.raises(ConfigError) as error:
        await server.start()
    assert str(error.value) == "can't listen on 127.0.0.1 port 80: ports below 1024 need privileges"


@pytest.mark.asyncio
async def test_more_events_than_any_machine_could_make_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        FeedServer(FeedConfig(symbols="100000", rate=10_000, clock="manual"))
    assert re.fullmatch(
        r"rate 10000 makes \d+ events a second of 100000 symbols; at most \d+ are allowed",
        str(error.value),
    )


@pytest.mark.asyncio
async def test_its_addresses_can_be_read() -> None:
    server = FeedServer(FeedConfig(port=8765, clock="manual"))
    assert (server.url, server.ws_url) == ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws")
    server = FeedServer(FeedConfig(host="::1", port=1, clock="manual"))
    assert (server.url, server.ws_url) == ("http://[::1]:1", "ws://[::1]:1/ws")
    async with running() as server:
        assert server.port not in (0, 8765)
        assert server.url == f"http://127.0.0.1:{server.port}"


@pytest.mark.asyncio
async def test_it_can_serve_a_market_made_elsewhere() -> None:
    market = Market(Universe.of_symbols(["ABC", "XYZ"]), seed=1)
    config = FeedConfig(port=0, clock="manual")
    async with FeedServer(config, market=market) as server, RawClient(server) as client:
        ((hello,)) = await client.message()
        assert (hello["symbols"], hello["seed"], hello["epoch"]) == (2, 1, market.epoch)


# Plain HTTP on the WebSocket's path.


@pytest.mark.asyncio
async def test_the_websockets_path_without_an_upgrade_says_what_it_is() -> None:
    async with running() as server, aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/ws") as answer:
            assert answer.status == 426
            assert answer.headers["Upgrade"] == "websocket"
            assert answer.headers["Sec-WebSocket-Version"] == "13"
            assert await answer.json() == {
                "type": "error",
                "code": "upgrade_required",
                "message": "this path speaks WebSocket; over plain HTTP, /sse streams Server-Sent Events, /stream JSON lines,"
                " and /api/snapshot, /api/bars, /api/history and /api/symbols answer at once",
            }
        async with http.post(f"{server.url}/ws") as answer:
            assert answer.status == 405
            assert await answer.json() == {
                "type": "error",
                "code": "method_not_allowed",
                "message": "/ws allows GET, HEAD, not POST",
            }
