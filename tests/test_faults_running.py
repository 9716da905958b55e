"""Faults in a running server: whom they hit, when, how often, and that everybody else is left alone."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
import websockets
import websockets.sync.client
from doubles import ScriptedMarket
from fault_table import inject
from streaming import StreamClient
from websockets.asyncio.client import ClientConnection
from wire import (
    CLOSE,
    HANDSHAKE,
    TEXT,
    TIMEOUT_S,
    RawClient,
    eventually,
    on_both_loops,
    running,
    step,
    text,
)

from feeds.directing.director import Director
from feeds.faults import scripting
from feeds.faults.fault import Fault, FaultError
from feeds.server import FeedServer
from feeds.testing import TickerFeed
from feeds.wire.backlog import BacklogPolicy

TRADES = {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades"]}


async def read(ws: ClientConnection) -> list[dict[str, Any]]:
    async with asyncio.timeout(TIMEOUT_S):
        items: list[dict[str, Any]] = orjson.loads(await ws.recv())
        return items


@asynccontextmanager
async def subscribed(server: FeedServer, **more: Any) -> AsyncIterator[ClientConnection]:
    async with websockets.connect(server.ws_url, max_queue=None) as ws:
        await read(ws)
        await ws.send(text(**TRADES | more), text=True)
        await read(ws)
        yield ws


async def seqs(ws: ClientConnection) -> list[int]:
    """Read a message; give the sequences in it."""
    return [item["seq"] for item in await read(ws)]


async def ending(ws: ClientConnection) -> tuple[int, list[int]]:
    """Read to the end; give the close code, and the sequences that came before."""
    seen = []
    try:
        while True:
            seen += [item["seq"] for item in await read(ws) if item["type"] == "trade"]
    except websockets.ConnectionClosed as error:
        return (1006 if error.rcvd is None else int(error.rcvd.code)), seen


def quiet_market(**options: Any) -> Any:
    return running(symbols="AAPL,MSFT", rate=100, journal=1000, **options)


# When, whom, how often.


@on_both_loops
async def test_a_connection_ends_exactly_behind_the_nth_event() -> None:
    """In the middle of a turn's message, of which the rest never comes."""
    async with quiet_market() as server, subscribed(server) as ws, subscribed(server) as other:
        inject(server, "close", after=3, code=4000)
        await step(server, 1_000_000)
        assert await ending(ws) == (4000, [1, 2, 3])
        assert len(await read(other)) > 5, "one is one"


@on_both_loops
async def test_what_lasts_begins_behind_the_nth_event_and_loses_nothing() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        armed = inject(server, "stall", after=2, symbol="AAPL")
        await step(server, 1_000_000)
        assert await seqs(ws) == [1, 2]
        await step(server, 100_000)
        server.plant.websockets.faults.clear(armed.id)
        rest = [*await seqs(ws), *await seqs(ws)]
        assert rest == list(range(3, 3 + len(rest)))


@on_both_loops
async def test_events_that_are_sent_in_an_answer_count_too() -> None:
    """Between turns there is no end of a turn to wait for."""
    async with quiet_market() as server:
        async with subscribed(server):
            await step(server, 1_000_000)
        async with websockets.connect(server.ws_url) as ws:
            inject(server, "close", after=2, code=4000)
            hello = (await read(ws))[0]
            since = {"epoch": hello["epoch"], "since": {"AAPL": {"trades": 0}}}
            await ws.send(text(**TRADES | since), text=True)
            assert await ending(ws) == (4000, [1, 2])


@on_both_loops
async def test_the_nth_to_connect_is_hit_and_nobody_else() -> None:
    async with quiet_market() as server, subscribed(server) as before:
        inject(server, "close", nth=2, code=4002)
        stalled = inject(server, "stall", nth=3)
        for code in (None, 4002):
            async with websockets.connect(server.ws_url) as ws:
                if code is None:
                    assert (await read(ws))[0]["type"] == "hello"
                else:
                    assert await ending(ws) == (4002, [])
        async with websockets.connect(server.ws_url) as ws:
            await eventually(lambda: stalled.fired, "the third")
            await ws.send(text(action="ping"), text=True)
            await eventually(lambda: server.plant.feed.stats.requests["ping"], "a request")
            server.plant.websockets.faults.clear()
            assert [(await read(ws))[0]["type"] for _ in range(2)] == ["hello", "pong"]
        await step(server, 1_000_000)
        assert len(await read(before)) > 5


@on_both_loops
async def test_a_fault_waits_for_a_request_and_strikes_before_its_answer() -> None:
    async with quiet_market() as server, websockets.connect(server.ws_url) as ws:
        await read(ws)
        armed = inject(server, "abort", on="subscribe")
        await ws.send("not JSON", text=True)
        await ws.send("[1]", text=True)
        await ws.send(text(action="ping"), text=True)
        kinds = [(await read(ws))[0]["type"] for _ in range(3)]
        assert kinds == ["error", "error", "pong"]
        await ws.send(text(**TRADES), text=True)
        assert await ending(ws) == (1006, [])
        async with subscribed(server):
            assert armed.spent, "once"


@on_both_loops
async def test_who_connects_can_be_cut_off_at_once() -> None:
    async with quiet_market() as server:
        inject(server, "close", on="connect", code=4100, times=2)
        inject(server, "abort", on="connect", probability=0)
        for _ in range(2):
            async with RawClient(server) as client:
                assert await client.closed() == 4100
        async with websockets.connect(server.ws_url) as ws:
            assert (await read(ws))[0]["type"] == "hello"


@on_both_loops
async def test_a_time_of_the_market_is_waited_for() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        start = server.plant.market.now_us
        inject(server, "close", at=start + 2_000_000, code=4000)
        inject(server, "no_pong", at=start + 9_000_000)
        gap = inject(server, "gap", at=start + 1_000_000)
        await step(server, 1_000_000)
        before = await seqs(ws)
        assert before == list(range(1, 1 + len(before)))
        await step(server, 1_000_000)
        assert gap.fired > 3
        assert await ending(ws) == (4000, [])


@on_both_loops
async def test_tries_are_refused_so_many_times() -> None:
    async with quiet_market() as server, aiohttp.ClientSession() as http:
        inject(server, "status", after=1, times=2, code=429, retry_after=3)
        seen = []
        for _ in range(4):
            try:
                async with http.ws_connect(server.ws_url):
                    seen.append((101, None))
            except aiohttp.WSServerHandshakeError as error:
                seen.append((error.status, (error.headers or {})["Retry-After"]))
        assert seen == [(101, None), (429, "3"), (429, "3"), (101, None)]
        assert server.plant.feed.stats.refused["fault"] == 2
        async with http.get(f"{server.url}/health") as answer:
            assert answer.status == 200, "only upgrades are refused"
        inject(server, "status", code=204, times=1)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="204"):
            await http.ws_connect(server.ws_url)


@on_both_loops
async def test_who_goes_while_it_isnt_answered_is_let_go() -> None:
    async with quiet_market() as server:
        armed = inject(server, "silence")
        connecting = asyncio.create_task(websockets.connect(server.ws_url).__aenter__())
        await eventually(lambda: armed.fired, "an upgrade")
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        refused = server.plant.feed.stats.refused
        await eventually(lambda: refused["fault"], "the end of the wait")
        assert not server.plant.websockets.open


@on_both_loops
async def test_refused_and_aborted_is_a_reset_and_truncated_an_end() -> None:
    """As a plain socket tells them apart (RFC 9293, section 3.10.7)."""
    loop = asyncio.get_running_loop()
    async with quiet_market() as server:
        for name, at in [("refuse", None), ("abort", "connect"), ("truncated", "connect")]:
            inject(server, name, times=1, **({} if at is None else {"on": at}))
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", server.port))
                await loop.sock_sendall(sock, HANDSHAKE)
                got, reset = b"", False
                try:
                    while data := await loop.sock_recv(sock, 10_000):
                        got += data
                except ConnectionResetError:
                    reset = True
            assert reset == (name != "truncated")
            head, _, frames = got.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101") == (name != "refuse")
            assert len(frames) == (52 if name == "truncated" else 0)


# Everybody else.


@on_both_loops
async def test_who_isnt_hit_stays_in_the_groups_and_who_was_comes_back() -> None:
    async with quiet_market() as server:
        async with subscribed(server) as one, subscribed(server) as two:
            groups = server.plant.hub.roster.groups
            assert len(groups) == 1
            armed = inject(server, "gap", times=1, client=1)
            assert len(groups) == 2
            await step(server, 1_000_000)
            first, second = await seqs(one), await seqs(two)
            assert (first[0], second[0], first) == (2, 1, second[1:])
            assert armed.spent
            assert len(groups) == 1, "nothing is left to do"
        await step(server, 1_000)
        assert server.plant.pump.after_turn is None


@on_both_loops
async def test_an_event_is_struck_for_all_who_get_it_or_for_none() -> None:
    async with quiet_market() as server, subscribed(server) as one, subscribed(server) as two:
        inject(server, "gap", probability=0.3, seed=5)
        await step(server, 1_000_000)
        first, second = await seqs(one), await seqs(two)
        assert first == second
        assert first != list(range(1, 1 + len(first)))


@on_both_loops
async def test_who_noticed_a_gap_gets_what_is_missing() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        inject(server, "gap", after=2, times=1)
        await step(server, 1_000_000)
        assert [item["seq"] for item in await read(ws)][:4] == [1, 2, 4, 5]
        since = {"epoch": server.plant.feed.epoch, "since": {"AAPL": {"trades": 2}}}
        await ws.send(text(**TRADES | since), text=True)
        again = [item["seq"] for item in await read(ws) if item["type"] == "trade"]
        assert again[:3] == [3, 4, 5]


@on_both_loops
async def test_what_was_held_back_comes_when_the_fault_is_cleared() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        armed = inject(server, "reorder")
        await step(server, 1_000_000)
        seen = await seqs(ws)
        await step(server, 1_000)
        server.plant.websockets.faults.clear(armed.id)
        await step(server, 1_000_000)
        seen += await seqs(ws)
        last = server.plant.hub.seq[0]
        while len(seen) < last:
            seen += await seqs(ws)
        assert seen[:4] == [2, 1, 4, 3]
        assert sorted(seen) == list(range(1, 1 + last))


@on_both_loops
async def test_a_compressed_connection_is_read_on_through_a_fault() -> None:
    """Its messages are plain while it lasts, and the shared stream begins anew."""
    async with (
        quiet_market(compress=True) as server,
        subscribed(server) as one,
        subscribed(server) as two,
    ):
        for _ in range(3):
            armed = inject(server, "duplicate", client=1, times=1)
            await step(server, 1_000_000)
            first, second = await seqs(one), await seqs(two)
            assert first == [second[0], *second]
            server.plant.websockets.faults.clear(armed.id)
            await step(server, 1_000_000)
            assert await read(one) == await read(two)


@on_both_loops
async def test_updates_at_a_pace_are_struck_as_well() -> None:
    async with quiet_market() as server, subscribed(server, mode="latest") as ws:
        inject(server, "wild_price", factor=2, times=1)
        await step(server, 1_000_000)
        (item,) = await read(ws)
        assert item["price"] > 300
        assert item["merged"] > 3


# Held up.


@on_both_loops
async def test_a_slow_client_gets_its_bytes_by_any_clock() -> None:
    """Also by one that waits for it: the rate goes on while the market stands."""
    async with (
        running(symbols="AAPL", clock="max", rate=100, turn_events=50, history_mb=0.1) as server,
        subscribed(server) as ws,
    ):
        inject(server, "slow", bytes_per_s=3_000_000)
        inject(server, "sliced", size=1_000)
        last = 0
        while last < 500:
            for item in await read(ws):
                assert item["seq"] == last + 1 or last == 0
                last = item["seq"]


@on_both_loops
async def test_a_stalled_client_is_conflated_as_any_slow_one() -> None:
    policy = BacklogPolicy(soft_limit=2_000, low_water=1_000)
    async with quiet_market(backlog=policy) as server, subscribed(server) as ws:
        armed = inject(server, "stall")
        assert armed.fired
        last = 0
        for _ in range(5):
            await step(server, 1_000_000)
        assert server.plant.hub.slow.laggards
        server.plant.websockets.faults.clear(armed.id)
        await step(server, 1_000)
        merged = 0
        while not merged:
            for item in await read(ws):
                assert item["seq"] == last + 1 + item.get("merged", 0)
                last, merged = item["seq"], merged + item.get("merged", 0)


@on_both_loops
async def test_a_held_up_connection_is_closed_behind_what_was_held_up() -> None:
    """By a fault, by the server and by the client: nothing is cut in two."""
    async with quiet_market() as server, RawClient(server) as client:
        await client.message()
        inject(server, "slow", bytes_per_s=1)
        client.send(action="symbols")
        await eventually(lambda: server.plant.feed.stats.requests["symbols"], "a request")
        inject(server, "close", code=4000)
        assert (await client.message())[0]["type"] == "symbols"
        assert await client.closed() == 4000
        async with RawClient(server) as other:
            other.send_frame(CLOSE, b"\x03\xe8")
            assert await other.closed() == 1000
    async with quiet_market() as server, RawClient(server) as client:
        await client.message()
        inject(server, "stall")
        client.send(action="symbols")
        await eventually(lambda: server.plant.feed.stats.requests["symbols"], "a request")
        stopping = asyncio.create_task(server.stop())
        assert (await client.message())[0]["type"] == "symbols"
        assert await client.closed() == 1001
        await stopping


@on_both_loops
async def test_a_half_open_connection_is_nobodys_dead_peer() -> None:
    """No heartbeat and no backlog ends it, as long as the fault is on."""
    async with running(clock="wall", rate=200, heartbeat_s=0.1, symbols="AAPL") as server:
        async with subscribed(server) as ws:
            armed = inject(server, "half_open")
            turns = server.plant.pump.turns
            await eventually(lambda: server.plant.pump.turns > turns + 200, "ten heartbeats")
            assert len(server.plant.websockets.open) == 1
            server.plant.websockets.faults.clear(armed.id)
            assert (await ending(ws))[0] == 1006
        await eventually(lambda: not server.plant.websockets.open, "its end")


@on_both_loops
async def test_who_doesnt_answer_a_close_frame_is_cut_off() -> None:
    async with quiet_market() as server, RawClient(server) as client:
        await client.message()
        client.polite = False
        inject(server, "close", code=4000)
        assert await client.closed() == 4000
        await eventually(lambda: not server.plant.websockets.open, "its end")


@on_both_loops
async def test_a_token_expires_and_another_is_wanted() -> None:
    async with quiet_market(token=("right",)) as server, websockets.connect(server.ws_url) as ws:
        await read(ws)
        await ws.send(text(action="auth", token="right"), text=True)
        await read(ws)
        inject(server, "auth_expiry", code=None)
        assert (await read(ws))[0]["code"] == "unauthorized"
        await ws.send(text(**TRADES), text=True)
        assert (await read(ws))[0]["code"] == "unauthorized"
        await ws.send(text(action="auth", token="right"), text=True)
        assert (await read(ws))[0]["type"] == "authenticated"
        inject(server, "auth_reject", after=1)
        await ws.send(text(action="auth", token="right"), text=True)
        assert (await read(ws))[0]["type"] == "authenticated"
        await ws.send(text(action="auth", token="right"), text=True)
        assert await ending(ws) == (1008, [])


@on_both_loops
async def test_streams_end_when_a_restart_is_made_believe() -> None:
    async with quiet_market() as server:
        async with StreamClient(server, "/sse?symbols=AAPL") as stream:
            await stream.until("snapshot")
            inject(server, "epoch_change")
            assert await stream.ended()
            cursor = stream.parser.last_event_id
        async with StreamClient(server, "/sse?symbols=AAPL", Last_Event_ID=cursor) as stream:
            items = await stream.until("snapshot")
            assert [i["reason"] for i in items if i["type"] == "gap"] == ["epoch"]
            assert not stream.parser.last_event_id.startswith(cursor.split("-")[0])


@on_both_loops
async def test_halts_of_all_symbols_and_of_none_any_more() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        start = server.plant.market.now_us
        halt = inject(server, "halt", reason="MWC1", at=start + 500_000)
        await step(server, 2_000_000)
        times = [item["time"] for item in await read(ws)]
        assert times[-1] * 1000 < start + 500_000 + 1
        server.plant.websockets.faults.clear(halt.id)
        await step(server, 1_000_000)
        assert min(item["time"] for item in await read(ws)) * 1000 >= start + 2_000_000


# Mistakes.


@on_both_loops
async def test_what_cant_be_done_now_is_an_error_that_says_why() -> None:
    async with quiet_market() as server:
        faults = server.plant.websockets.faults
        for name, values, message in [
            ("close", {}, "close: no client is open; on='connect' waits for the next one"),
            ("stall", {"client": 3}, "stall: no client 3 is open over WebSocket; open: none"),
            ("gap", {"symbol": "APPL"}, "gap: unknown symbol 'APPL'; did you mean 'AAPL'?"),
            ("gap", {"symbol": "?"}, "gap: unknown symbol '?'"),
            ("microburst", {}, "microburst: symbol is needed"),
            ("halt", {"reason": "T99"}, "halt: reason 'T99' is unknown; known are None, T1"),
        ]:
            with pytest.raises(FaultError) as caught:
                inject(server, name, **values)
            assert message in str(caught.value)
        async with subscribed(server):
            with pytest.raises(FaultError, match="no client 3 is open over WebSocket; open: 1"):
                inject(server, "stall", client=3)
        with pytest.raises(FaultError, match="there is no fault 7; in force: none"):
            faults.clear(7)
        assert len(faults.plan) == 0


# By the director.


@on_both_loops
async def test_the_director_has_every_fault_and_its_journal_tells_of_them() -> None:
    async with quiet_market() as server, subscribed(server) as ws:
        director = Director(server.plants)
        client = director.clients[0]
        async with director.fault.stall(client=client) as stall:
            assert stall.fired == 1
            await director.trade("AAPL", price=187.5)
        stall.clear()
        assert (await read(ws))[0]["price"] == 187.5
        with director.fault.gap(symbol="AAPL", times=1) as gap:
            await director.trade("AAPL", price=187.51)
            await director.trade("AAPL", price=187.52)
        assert gap.fired == 1
        assert (await read(ws))[0]["price"] == 187.52
        late = director.fault.close(4001, "bye", at="23:59", client=client)
        assert [handle.id for handle in director.fault.active] == [late.id]
        director.fault.clear(late.id)
        assert director.fault.active == []
        director.fault.close(4001, "bye", client=client.id)
        assert await ending(ws) == (4001, [])
        closed = await director.wait_for_close(client)
        assert (closed.closed_by, closed.close_code, closed.close_reason) == ("server", 4001, "bye")
        told = [e.detail for e in director.journal.entries("fault", client.id)]
        assert [entry["fault"] for entry in told] == [
            "stall(client=1)",
            "gap(events=1, symbol='AAPL', times=1)",
            "close(code=4001, reason='bye', client=1)",
        ]
        assert told[1]["event"] == "AAPL trade 2"


def test_a_test_of_any_kind_can_command_them() -> None:
    """Through the feed for tests, whose server is in a thread of its own."""
    with (
        TickerFeed(symbols=["AAPL"], market="quiet") as feed,
        websockets.sync.client.connect(feed.ws_url) as ws,
    ):
        client = feed.wait_for_client()
        assert orjson.loads(ws.recv())[0]["type"] == "hello"
        with feed.fault.stall(client=client) as stall:
            ws.send(text(action="ping"), text=True)
            assert stall.fired == 1
            assert [handle.id for handle in feed.fault.active] == [stall.id]
        assert orjson.loads(ws.recv())[0]["type"] == "pong"
        with pytest.raises(FaultError, match="unknown symbol 'MSFT'"):
            feed.fault.gap(symbol="MSFT")
        feed.fault.sliced(size=1)
        ws.send(text(action="ping"), text=True)
        assert orjson.loads(ws.recv())[0]["type"] == "pong"
        feed.fault.clear()
        pongs = [e for e in feed.journal.entries("out") if '"pong"' in e.detail["text"]]
        assert len(pongs) == 2, "the journal has messages, not pieces"
        feed.fault.close(4000, "bye")
        with pytest.raises(websockets.ConnectionClosedError, match="4000"):
            ws.recv()


@on_both_loops
async def test_a_reset_ends_all_faults() -> None:
    async with quiet_market() as server, websockets.connect(server.ws_url) as ws:
        await read(ws)
        director = Director(server.plants)
        stall = director.fault.stall()
        await director.reset()
        assert (await ending(ws))[0] == 1012
        stall.clear()
        async with websockets.connect(server.ws_url) as again:
            assert (await read(again))[0]["type"] == "hello"


@on_both_loops
async def test_during_a_turn_a_fault_waits_for_its_end() -> None:
    async with quiet_market() as server, RawClient(server) as client:
        await client.message()
        faults, pump = server.plant.websockets.faults, server.plant.pump
        pump._idle.clear()
        armed = inject(server, "ping_flood", pings=3)
        gone = inject(server, "abort")
        faults.clear(gone.id)
        assert not armed.fired
        pump._idle.set()
        await step(server, 1_000)
        stall = inject(server, "stall")
        pump._idle.clear()
        faults.clear(stall.id)
        pump._idle.set()
        await step(server, 1_000)
        client.send(action="ping")
        opcodes = []
        while TEXT not in opcodes:
            opcodes.append((await client.frame())[0])
        assert opcodes == [9, 9, 9, TEXT]


@on_both_loops
async def test_a_server_that_stops_lets_go_of_upgrades_that_it_holds_up() -> None:
    async with quiet_market() as server:
        armed = inject(server, "silence")
        connecting = asyncio.create_task(websockets.connect(server.ws_url).__aenter__())
        await eventually(lambda: armed.fired, "an upgrade")
        await server.stop()
        async with asyncio.timeout(TIMEOUT_S):
            ws = await connecting
            assert await ending(ws) == (1001, [])


@on_both_loops
async def test_over_tls_connections_are_cut_and_held_up_alike() -> None:
    pytest.importorskip("cryptography")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with quiet_market(tls_self_signed=True) as server:
        refused = inject(server, "refuse", times=1)
        with pytest.raises((OSError, websockets.InvalidMessage)):
            await websockets.connect(server.ws_url, ssl=trusting)
        assert refused.fired
        for name in ("abort", "half_open", "truncated"):
            async with websockets.connect(server.ws_url, ssl=trusting) as ws:
                await read(ws)
                armed = inject(server, name)
                server.plant.websockets.faults.clear(armed.id)
                assert await ending(ws) == (1006, [])
        async with websockets.connect(server.ws_url, ssl=trusting) as ws:
            inject(server, "sliced", size=3)
            await ws.send(text(action="ping"), text=True)
            assert [(await read(ws))[0]["type"] for _ in range(2)] == ["hello", "pong"]


async def _bytes_of_a_run() -> bytes:
    async with quiet_market() as server, RawClient(server) as client:
        inject(server, "gap", probability=0.2, seed=1)
        inject(server, "stale", probability=0.2, seed=2)
        inject(server, "reorder", after=3)
        inject(server, "ping_flood", after=10, pings=2)
        inject(server, "close", after=25, code=4000)
        client.send(**TRADES | {"channels": ["trades", "quotes"]})
        got = b""
        await eventually(lambda: server.plant.feed.stats.requests["subscribe"], "a request")
        await step(server, 1_000_000)
        try:
            while True:
                opcode, payload = await client.frame()
                got += bytes([opcode]) + payload
        except EOFError:
            return got


@on_both_loops
async def test_the_same_faults_give_the_same_bytes() -> None:
    one, two = await _bytes_of_a_run(), await _bytes_of_a_run()
    assert one == two
    assert one.count(b"\x09") == 2
    assert one.endswith(b"\x08\x0f\xa0")


def test_nothing_can_be_laid_over_a_tape() -> None:
    tape: Any = ScriptedMarket()
    for name in ("halt", "microburst"):
        with pytest.raises(FaultError, match=f"{name}: what plays is a tape"):
            scripting.check(tape, Fault.make(name, symbol="AAPL"))
    scripting.check(tape, Fault.make("gap"))
