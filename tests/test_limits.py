"""Limits: what a client sees when it is one too many, too slow to begin, or too eager."""

from __future__ import annotations

import asyncio
import resource
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import websockets
from raw_http import RawHttp
from wire import TEXT, RawClient, eventually, on_both_loops, running, step, text

from clients.client import TickerClient
from clients.failures import ClosedError, ConnectError, RequestError
from feeds import server as server_module
from feeds.admission.file_limit import fit_file_limit, raise_file_limit
from feeds.admission.limits import Limits, TokenBucket
from feeds.admission.turnstile import Turnstile
from feeds.config import FeedConfig
from feeds.errors import ConfigError, HttpCode
from feeds.fanout.interest import Interest
from feeds.protocol.gate import Gate
from feeds.server import FeedServer

S = 1_000_000


# The options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_connections": 0}, "max-connections 0 is out of range: 1 to 1e+06 is allowed"),
        ({"max_per_address": -1}, "max-per-address -1 is out of range: 1 to 1e+06 is allowed"),
        ({"handshake_s": 0}, "handshake-s 0 is out of range: 0.1 to 3600 is allowed"),
        ({"max_requests_s": 0}, "max-requests-s 0 is out of range: 0.1 to 1e+06 is allowed"),
        ({"max_burst": 0}, "max-burst 0 is out of range: 1 to 1e+06 is allowed"),
        ({"max_symbols": 0}, "max-symbols 0 is out of range: 1 to 1e+06 is allowed"),
        (
            {"handshake_s": float("nan")},
            "handshake-s nan is out of range: 0.1 to 3600 is allowed",
        ),
    ],
)
def test_a_limit_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Limits(**options)
    assert str(error.value) == message


def test_every_limit_has_a_default() -> None:
    assert FeedConfig().limits == Limits(10_000, 1_000, 10.0, 50.0, 200, 10_000)


# The bucket.


def test_a_bucket_gives_a_burst_then_its_rate() -> None:
    bucket = TokenBucket(10.0, 5, now=100.0)
    assert [bucket.take(100.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(100.0) == pytest.approx(0.1)
    assert bucket.take(100.05) == pytest.approx(0.05)
    assert bucket.take(100.1) == 0.0
    assert bucket.take(100.1) > 0
    assert [bucket.take(1000.0) for _ in range(5)] == [0.0] * 5, "no more than a burst"
    assert bucket.take(1000.0) > 0


def test_a_bucket_stands_time_that_goes_back() -> None:
    bucket = TokenBucket(1.0, 1, now=100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) == pytest.approx(1.0)
    assert bucket.take(101.0) == 0.0


def test_over_any_time_a_bucket_gives_no_more_than_rate_and_burst() -> None:
    bucket = TokenBucket(50.0, 200, now=0.0)
    given = sum(bucket.take(n / 1000) == 0.0 for n in range(10_000))  # ten seconds, 1,000 a second
    assert 200 + 499 <= given <= 200 + 500


def test_a_gate_forgives_who_keeps_within_the_rate_for_a_while() -> None:
    now = 0.0
    gate = Gate(limits=Limits(max_requests_s=1, max_burst=3), seconds=lambda: now)
    assert [gate.too_fast() is None for _ in range(5)] == [True] * 3 + [False] * 2
    assert gate.over == 2
    now = 2.0
    assert gate.too_fast() is None
    assert gate.over == 2
    now = 10.0
    assert gate.too_fast() is None
    assert gate.over == 0


def test_symbols_count_once_whatever_the_channels() -> None:
    gate = Gate(limits=Limits(max_symbols=5))
    interest = Interest().add(range(4), [0, 1, 2])
    gate.check_symbols([interest], [0, 1, 2, 3, 4], 1)
    with pytest.raises(Exception, match="6 symbols on one connection; at most 5 are allowed"):
        gate.check_symbols([interest], [4, 5], 1)


# The turnstile.


def test_a_turnstile_counts_in_and_out() -> None:
    turnstile = Turnstile(Limits(max_connections=3, max_per_address=2))
    assert turnstile.enter("a") is None
    assert turnstile.enter("a") is None
    refusal = turnstile.enter("a")
    assert refusal is not None
    assert (refusal.status, refusal.code) == (429, HttpCode.TOO_MANY_FROM_ADDRESS)
    assert turnstile.enter("b") is None
    refusal = turnstile.enter("c")
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, HttpCode.TOO_MANY_CONNECTIONS)
    turnstile.leave("a")
    assert turnstile.enter("a") is None
    for address in "aab":
        turnstile.leave(address)
    assert turnstile.inside == 0
    assert turnstile._by_address == {}, "nothing is kept of who has left"


# Too many connections.


@on_both_loops
async def test_one_connection_too_many_is_told_so_and_when_to_come_back() -> None:
    async with running(limits=Limits(max_connections=2)) as server, AsyncExitStack() as stack:
        assert server.doors is not None
        first = await stack.enter_async_context(RawClient(server))
        await stack.enter_async_context(RawClient(server))
        async with RawHttp(server) as http:
            answer = await http.get("/api/symbols")
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert answer.headers["connection"] == "close"
        for path in ("/health", "/metrics"):  # a full server isn't a dead one
            async with RawHttp(server) as monitor:
                assert (await monitor.get(path)).status == 200
        async with RawHttp(server) as greedy:  # once, not for as long as it likes
            for _ in range(3):
                greedy.send("GET /health HTTP/1.1", "Host: localhost")
            assert (await greedy.read()).count(b"HTTP/1.1 ") == 1
        async with RawHttp(server) as http:
            answer = await http.get("/api/symbols")
            assert answer.json() == {
                "type": "error",
                "code": "too_many_connections",
                "message": "2 connections; no more are allowed",
            }
        with pytest.raises(websockets.InvalidStatus) as error:
            await websockets.connect(server.ws_url)
        assert error.value.response.status_code == 503
        assert (await first.ask(action="ping"))["type"] == "pong"
        first.vanish()
        doors = server.doors
        await eventually(lambda: doors.turnstile.inside == 1, "it has left")
        async with RawHttp(server) as http:
            assert (await http.get("/health")).status == 200


@pytest.mark.asyncio
async def test_one_address_has_its_own_limit() -> None:
    async with (
        running(limits=Limits(max_per_address=1)) as server,
        RawClient(server),
        RawHttp(server) as http,
    ):
        answer = await http.get("/api/symbols")
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")
        assert answer.json()["code"] == "too_many_from_address"
        assert answer.json()["message"] == "1 connections from 127.0.0.1; no more are allowed"
        for path in ("/health", "/metrics"):
            async with RawHttp(server) as monitor:
                answer = await monitor.get(path)
                assert (answer.status, answer.headers["connection"]) == (200, "close")
        # Another address of this machine.
        async with RawHttp(server, address="127.0.0.2") as other:
            assert (await other.get("/health")).status == 200


@pytest.mark.asyncio
async def test_those_that_wait_to_be_told_so_are_bounded_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Limits, "max_waiting", 1)
    async with running(limits=Limits(max_connections=1)) as server, RawClient(server):
        assert server.doors is not None
        doors = server.doors
        async with RawHttp(server) as waiting:
            await eventually(lambda: doors.waiting == 1, "it waits")
            async with RawHttp(server) as dropped:
                assert await dropped.read() == b""
            assert (await waiting.get("/api/symbols")).status == 503
        await eventually(lambda: doors.waiting == 0, "nobody waits")
        assert server.access.stats.connections.total() == 2


@pytest.mark.asyncio
async def test_our_client_tries_again_later() -> None:
    async with running(limits=Limits(max_connections=1)) as server, RawClient(server) as other:
        with pytest.raises(ConnectError) as error:
            async with TickerClient(server.ws_url):
                pass
        assert error.value.status == 503
        assert error.value.reason == (
            "HTTP status 503: the server has as many connections as it allows"
        )
        assert (await other.ask(action="ping"))["type"] == "pong"


# Too slow.


@on_both_loops
async def test_who_says_nothing_or_half_a_request_gets_408() -> None:
    async with (
        running(limits=Limits(handshake_s=0.2)) as server,
        RawHttp(server) as silent,
        RawHttp(server) as half,
        RawHttp(server) as dripping,
    ):
        half.send("GET /health HTTP/1.1", "Host: localhost", end="\r\n")

        async def drip() -> None:
            dripping.send("GET /health HTTP/1.1", end="\r\n")
            while not dripping.ended:
                dripping.send("X-More: 1", end="\r\n")
                await asyncio.sleep(0.02)

        dripper = asyncio.create_task(drip())
        for http in (silent, half, dripping):
            answer = await http.answer()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert answer.json() == {
                "type": "error",
                "code": "request_timeout",
                "message": "no whole request within 0.2 s",
            }
        await dripper
        assert server.doors is not None
        doors = server.doors
        await eventually(lambda: doors.turnstile.inside == 0, "all are gone")


@pytest.mark.asyncio
async def test_who_has_sent_a_request_in_time_may_stay() -> None:
    limits = Limits(handshake_s=3.0)  # long enough for everybody, however busy the machine is
    async with (
        running(limits=limits) as server,
        RawClient(server) as client,
        RawHttp(server) as kept,
    ):
        kept.send("GET /health HTTP/1.1", "Host: localhost")
        assert await kept.read(b'"evicted":0}')
        async with RawHttp(server) as silent:
            assert (await silent.answer()).status == 408  # came last, so the time is over for all
        assert (await client.ask(action="ping"))["type"] == "pong"
        kept.send("GET /health HTTP/1.1", "Host: localhost", "Connection: close")
        assert b"HTTP/1.1 200 OK" in await kept.read()


# Too eager.


def freeze(server: FeedServer) -> FeedServer:
    """Let no time pass for the rates, however busy the machine is."""
    assert server.doors is not None
    server.doors.seconds = server.plant.websockets._seconds = lambda: 0.0
    return server


async def drained(client: TickerClient) -> None:
    """Read to the end."""
    while await client.batch():
        pass


@on_both_loops
async def test_one_request_too_many_gets_an_error_with_its_id() -> None:
    limits = Limits(max_requests_s=0.1, max_burst=3)
    async with running(limits=limits) as server, RawClient(freeze(server)) as client:
        await client.message()
        for n in range(5):
            client.send(action="ping", id=n)
        answers = [(await client.message())[0] for _ in range(5)]
        assert [a["type"] for a in answers] == ["pong"] * 3 + ["error"] * 2
        assert [a["id"] for a in answers] == [0, 1, 2, 3, 4]
        assert answers[3]["code"] == "rate_limited"
        said, _, wait = answers[3]["message"].partition("; try again in ")
        assert said == "more than 0.1 requests a second on one connection, with bursts of 3"
        assert 0 < float(wait.removesuffix(" s")) <= 10


@pytest.mark.asyncio
async def test_who_waits_as_long_as_it_was_told_is_served() -> None:
    now = 100.0
    async with running(limits=Limits(max_requests_s=2, max_burst=1)) as server:
        server.plant.websockets._seconds = lambda: now
        async with RawClient(server) as client:
            assert (await client.ask(action="ping"))["type"] == "pong"
            refused = await client.ask(action="subscribe", symbols="*")
            assert refused["message"].endswith("; try again in 0.500 s")
            now += 0.5
            assert (await client.ask(action="subscribe", symbols="*"))["type"] == "subscribed"


@on_both_loops
async def test_who_goes_on_and_on_is_sent_away_and_others_dont_notice() -> None:
    limits = Limits(max_requests_s=0.1, max_burst=10)
    async with (
        running(rate=100, limits=limits) as server,
        RawClient(freeze(server)) as client,
        RawClient(server) as other,
    ):
        await other.ask(action="subscribe", symbols="*")
        await client.message()
        for _ in range(300):
            client.send(action="ping")
        kinds: list[str] = []
        while "too_many_errors" not in kinds:
            kinds += [item.get("code", item["type"]) for item in await client.message()]
        assert kinds == ["pong"] * 10 + ["rate_limited"] * 100 + ["too_many_errors"]
        assert (await client.closed(), client.reason) == (1008, "100 requests over the rate")
        await step(server, S)
        assert (await other.until("trade"))[-1]["type"] == "trade"


@pytest.mark.asyncio
async def test_what_is_malformed_counts_too_and_pings_of_the_websocket_dont() -> None:
    limits = Limits(max_requests_s=0.1, max_burst=2)
    async with running(limits=limits) as server, RawClient(freeze(server)) as client:
        await client.message()
        for _ in range(50):
            client.send_frame(9, b"?")
        client.send_frame(TEXT, b"{")
        client.send_frame(2, b"binary")
        client.send_frame(TEXT, text(action="ping", id=["no", "id"]))
        codes = [(await client.message())[0]["code"] for _ in range(3)]
        assert codes == ["invalid_json", "binary_frame", "rate_limited"]


@pytest.mark.asyncio
async def test_requests_of_http_have_the_same_rate() -> None:
    limits = Limits(max_requests_s=0.5, max_burst=2)
    async with running(limits=limits) as server, RawHttp(freeze(server)) as http:
        for n in range(3):
            close = ("Connection: close",) if n == 2 else ()
            http.send("GET /health HTTP/1.1", "Host: localhost", *close)
        data = await http.read()
        assert data.count(b"HTTP/1.1 200 OK") == 2
        _, _, last = data.rpartition(b"HTTP/1.1 ")
        assert last.startswith(b"429 ")
        assert b'"rate_limited"' in last
        assert b"Retry-After: 2\r\n" in last


# Too many symbols.


@pytest.mark.asyncio
async def test_a_subscription_that_comes_to_too_many_symbols_changes_nothing() -> None:
    limits = Limits(max_symbols=3)
    async with running(limits=limits, rate=100) as server, RawClient(server) as client:
        names = server.plant.market.universe.symbols
        assert (await client.ask(action="subscribe", symbols=names[:2]))["type"] == "subscribed"
        refused = await client.ask(action="subscribe", symbols=names[1:4], channels=["quotes"])
        assert refused == {
            "type": "error",
            "id": "ask",
            "code": "too_many_symbols",
            "message": "4 symbols on one connection; at most 3 are allowed here",
        }
        assert (await client.ask(action="subscribe", symbols="*"))["code"] == "too_many_symbols"
        await step(server, S)
        events = await client.until("trade")
        assert {item["symbol"] for item in events} <= {*names[:2]}
        assert {item["type"] for item in events} == {"trade"}
        await client.ask(action="unsubscribe", symbols=names[:1])
        assert (await client.ask(action="subscribe", symbols=names[1:4]))["type"] == "subscribed"


@pytest.mark.asyncio
async def test_our_client_raises_what_the_server_says() -> None:
    limits = Limits(max_symbols=3, max_requests_s=0.1, max_burst=3)
    async with running(limits=limits) as server, TickerClient(freeze(server).ws_url) as client:
        with pytest.raises(RequestError) as error:
            await client.subscribe("*")
        assert error.value.code == "too_many_symbols"
        await client.ping()
        await client.ping()
        with pytest.raises(RequestError) as error:
            await client.ping()
        assert error.value.code == "rate_limited"


@pytest.mark.asyncio
async def test_our_client_doesnt_come_back_when_it_was_sent_away() -> None:
    limits = Limits(max_requests_s=0.1, max_burst=1)
    async with running(limits=limits) as server, TickerClient(freeze(server).ws_url) as client:
        asked = [client.ping() for _ in range(120)]
        await asyncio.gather(*asked, return_exceptions=True)
        with pytest.raises(ClosedError) as error:
            await drained(client)
        assert (error.value.code, client.reconnects) == (1008, 0)


# Too big: what the server did already, seen by a library.


@pytest.mark.asyncio
async def test_a_message_too_big_is_refused_and_one_far_too_big_ends_the_connection() -> None:
    async with running() as server, websockets.connect(server.ws_url) as ws:
        await ws.recv()
        await ws.send("x" * (256 * 1024 + 1))
        assert '"message_too_big"' in str(await ws.recv())
        await ws.send("x" * (512 * 1024 + 1))
        with pytest.raises(websockets.ConnectionClosedError) as error:
            await ws.recv()
        assert error.value.rcvd is not None
        assert error.value.rcvd.code == 1009


# The system's own limit.


class System:
    """What the system allows, and what it was asked for."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE
    RLIM_INFINITY = resource.RLIM_INFINITY

    def __init__(self, soft: int, hard: int, most: int | None = None) -> None:
        self.soft, self.hard, self._most = soft, hard, most

    def getrlimit(self, _: int) -> tuple[int, int]:
        return self.soft, self.hard

    def setrlimit(self, _: int, limits: tuple[int, int]) -> None:
        most = self.hard if self._most is None else self._most
        if not 0 <= limits[0] <= most:
            raise ValueError("not so many")
        self.soft, self.hard = limits


@pytest.mark.parametrize(
    ("system", "soft", "logged"),
    [
        (System(1_024, 50_000), 50_000, ""),
        (
            System(1_024, 4_096),
            4_096,
            "open 4096 files: enough for 1920 connections, not for 10000",
        ),
        (System(50_000, 50_000), 50_000, ""),
        (System(256, resource.RLIM_INFINITY, most=100_000), 21_064, ""),
        (System(256, resource.RLIM_INFINITY, most=10_240), 256, "256 files: enough for 88 "),
        (System(50, 50), 50, "open 50 files: enough for 1 connections"),
        (System(resource.RLIM_INFINITY, resource.RLIM_INFINITY), resource.RLIM_INFINITY, ""),
    ],
)
def test_as_many_files_are_allowed_as_the_system_lets(
    system: System,
    soft: int,
    logged: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import sys

    caplog.set_level("INFO")
    monkeypatch.setitem(sys.modules, "resource", system)
    raise_file_limit(Limits())
    fitted = fit_file_limit(Limits())
    assert system.soft == soft
    assert (fitted.max_connections < 10_000) == bool(logged)
    assert f" {fitted.max_connections} connections" in caplog.text or not logged
    assert (logged in caplog.text) if logged else not caplog.text


def test_where_there_is_no_such_limit_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "resource", None)
    raise_file_limit(Limits())
    assert fit_file_limit(Limits()) == Limits()


@on_both_loops
async def test_from_python_a_server_takes_as_many_as_there_are_files_for() -> None:
    """And leaves the limit as it is, since the process isn't its own; who is one too many is told so."""
    import sys

    system = System(144, 50_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "resource", system)
        async with running() as server, AsyncExitStack() as stack:
            assert system.soft == 144
            for _ in range(32):
                await stack.enter_async_context(RawClient(server))
            async with RawHttp(server) as http:
                answer = await http.get("/api/symbols")
                assert answer.json()["code"] == "too_many_connections"
                assert answer.json()["message"] == "32 connections; no more are allowed"


@pytest.mark.parametrize(
    ("connections", "waiting"), [(1, 16), (160, 16), (1_000, 100), (10_000, 1_000), (99_999, 1_000)]
)
def test_a_tenth_of_the_limit_may_wait_to_be_told_so(connections: int, waiting: int) -> None:
    assert Limits(max_connections=connections).max_waiting == waiting


@pytest.mark.asyncio
async def test_an_aiohttp_client_sees_the_same_over_one_connection() -> None:
    limits = Limits(max_requests_s=0.1, max_burst=1)
    async with running(limits=limits) as server, aiohttp.ClientSession(freeze(server).url) as http:
        async with http.get("/health") as answer:
            assert answer.status == 200
            await answer.read()
        async with http.get("/health") as answer:
            assert answer.status == 429
            assert (await answer.json())["code"] == "rate_limited"


# The pause between two requests of HTTP.


@pytest.mark.asyncio
async def test_a_connection_of_http_may_be_silent_between_requests_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then it is closed, without a word, as an answer to nothing would be taken for one to the next request."""
    assert server_module._KEEP_ALIVE_S == 75
    monkeypatch.setattr(server_module, "_KEEP_ALIVE_S", 1.0)
    async with running() as server, RawHttp(server) as http:
        http.send("GET /health HTTP/1.1", "Host: localhost")
        assert b" 200 OK" in await http.read(until=b"}")
        assert not http.ended
        assert await http.read() == b""
        assert http.ended
        assert server.doors is not None
        await eventually(lambda: not server.doors.turnstile.inside, "it is counted out")  # type: ignore[union-attr]
