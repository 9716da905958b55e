"""How often all connections from one address may ask together: so many times what one of them may, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import websockets
from raw_http import RawHttp
from test_limits import freeze
from wire import RawClient, on_both_loops, running, step

from clients.client import TickerClient
from clients.failures import ConnectError
from feeds.admission import budget as budget_module
from feeds.admission.budget import Account
from feeds.admission.limits import Limits
from feeds.admission.turnstile import Turnstile, address_of

S = 1_000_000
FEW = Limits(max_requests_s=0.1, max_burst=4)
"""With the next fixture, an address has 2 requests a second, in bursts of 8."""
REFUSED = "more than 2 requests a second from one address, with bursts of 8; try again in 0.500 s"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bursts of an address are twice those of a connection."""
    monkeypatch.setattr(budget_module, "ADDRESS_REQUESTS_BURST", 2)
    return


# What is one address.


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("", ""),
    ],
)
def test_of_ipv6_a_network_is_one_address(host: str, address: str) -> None:
    """Who has one has 2**64 addresses; but those that are link-local are all machines of a network."""
    assert address_of(host) == address


def test_by_default_an_address_has_twenty_times_the_rate_and_fifty_times_the_burst() -> None:
    """Behind a proxy, which is let have more connections, it has more."""
    requests = Turnstile(Limits()).account("a", 0.0).requests
    assert (requests.rate, requests.burst) == (1_000, 10_000)
    requests = Turnstile(Limits(max_per_address=5_000)).account("a", 0.0).requests
    assert (requests.rate, requests.burst) == (5_000, 50_000)
    requests = Turnstile(Limits(max_requests_s=3, max_burst=7)).account("a", 0.0).requests
    assert (requests.rate, requests.burst) == (60, 350)


@pytest.mark.parametrize("connections", [1, 1_000, 5_000, 100_000])
def test_all_that_an_address_may_have_can_come_at_once_and_again(connections: int) -> None:
    """Each with an upgrade, a token and a subscription, three times over: it is what a load test does, or a NAT after a cut."""
    limits = Limits(max_connections=10**6, max_per_address=connections)
    assert Turnstile(limits).account("a", 0.0).requests.burst >= 3 * 3 * connections


def test_what_an_address_has_asked_is_remembered_like_what_it_owes() -> None:
    account = Account.of(Limits(), 1.0, 0.0)
    assert account.full(0.0)
    account.requests.take(0.0)
    assert not account.full(0.0)
    assert account.full(1.0)


# What a client sees.


@on_both_loops
async def test_many_connections_have_no_more_than_their_address(small: None) -> None:
    now = 0.0
    async with running(limits=FEW) as server, AsyncExitStack() as stack:
        assert server.doors is not None
        server.doors.seconds = server.plant.websockets._seconds = lambda: now
        clients = [await stack.enter_async_context(RawClient(server)) for _ in range(4)]
        for client in clients:
            assert (await client.ask(action="ping"))["type"] == "pong"
        refused = await clients[0].ask(action="ping")
        assert (refused["code"], refused["message"]) == ("rate_limited", REFUSED)
        with pytest.raises(websockets.InvalidStatus) as error:
            await websockets.connect(server.ws_url)
        response = error.value.response
        assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
        async with RawHttp(server, address="127.0.0.2") as other:
            assert (await other.get("/api/symbols")).status == 200
        now += 0.5
        assert (await clients[0].ask(action="ping"))["type"] == "pong"
        assert (await clients[1].ask(action="ping"))["message"] == REFUSED


@pytest.mark.asyncio
async def test_a_connection_for_each_request_is_no_way_around_it(small: None) -> None:
    """Whatever is asked for, and whatever the answer; only what monitors ask for is always answered."""
    async with running(limits=FEW) as server:
        freeze(server)
        for path in ("/", "/nowhere", "/api/symbols", "/api/bars", "/ws", "/static/x.js", "/", "/"):
            async with RawHttp(server) as http:
                assert (await http.get(path)).status in (200, 400, 404, 426)
        for path in ("/", "/nowhere", "/api/symbols", "/ws", "/stream?symbols=*", "/static/x.js"):
            async with RawHttp(server) as http:
                answer = await http.get(path)
                assert (answer.status, answer.headers["retry-after"]) == (429, "1")
                assert answer.json() == {
                    "type": "error",
                    "code": "rate_limited",
                    "message": REFUSED,
                }
        for _ in range(20):
            for path in ("/health", "/metrics"):
                async with RawHttp(server) as monitor:
                    assert (await monitor.get(path)).status == 200


@pytest.mark.asyncio
async def test_others_of_the_address_keep_their_stream_and_who_goes_on_is_sent_away(
    small: None,
) -> None:
    async with running(rate=100, limits=FEW) as server, RawClient(freeze(server)) as calm:
        assert (await calm.ask(action="subscribe", symbols="*"))["type"] == "subscribed"
        async with AsyncExitStack() as stack:
            for _ in range(6):
                eager = await stack.enter_async_context(RawClient(server))
            await eager.message()
            for _ in range(120):
                eager.send(action="ping")
            kinds: list[str] = []
            while "too_many_errors" not in kinds:
                kinds += [item.get("code", item["type"]) for item in await eager.message()]
            assert kinds == ["rate_limited"] * 100 + ["too_many_errors"]
            assert (await eager.closed(), eager.reason) == (1008, "100 requests over the rate")
        await step(server, S)
        assert (await calm.until("trade"))[-1]["type"] == "trade"


@on_both_loops
async def test_who_goes_on_over_http_is_told_a_hundred_times_and_no_more() -> None:
    """Pipelined, as fast as it can; the last answer says that it is the last."""
    limits = Limits(max_requests_s=0.1, max_burst=3)
    async with running(limits=limits) as server, RawHttp(freeze(server)) as http:
        for _ in range(150):
            http.send("GET /api/symbols HTTP/1.1", "Host: localhost")
        data = await http.read()
        assert data.count(b"HTTP/1.1 200 ") == 3
        assert data.count(b"HTTP/1.1 429 ") == 100
        assert data.count(b"Connection: close") == 1
        assert data.rpartition(b"HTTP/1.1 ")[2].count(b"Connection: close") == 1


@pytest.mark.asyncio
async def test_who_keeps_within_the_rate_for_a_while_over_http_is_forgiven() -> None:
    now = 0.0
    limits = Limits(max_requests_s=1, max_burst=2)
    async with running(limits=limits) as server, RawHttp(server) as http:
        assert server.doors is not None
        server.doors.seconds = lambda: now
        for _ in range(3):
            for _ in range(60):
                http.send("GET /nowhere HTTP/1.1", "Host: localhost")
            seen = 0
            while seen < 60:
                seen += (await http.read(until=b"}")).count(b'"type":"error"')
                assert not http.ended
            now += 10.0
        http.send("GET /nowhere HTTP/1.1", "Host: localhost", "Connection: close")
        assert b" 404 " in await http.read()


@pytest.mark.asyncio
async def test_our_client_waits_and_comes_back(small: None) -> None:
    now = 0.0
    async with running(limits=FEW) as server:
        assert server.doors is not None
        server.doors.seconds = server.plant.websockets._seconds = lambda: now
        for _ in range(8):
            async with RawHttp(server) as http:
                assert (await http.get("/nowhere")).status == 404
        with pytest.raises(ConnectError) as error:
            async with TickerClient(server.ws_url):
                pass
        assert error.value.status == 429
        now += 10.0
        async with TickerClient(server.ws_url) as client:
            await client.ping()


@pytest.mark.asyncio
async def test_what_drives_a_test_isnt_counted(small: None) -> None:
    async with running(limits=FEW, control=True) as server:
        freeze(server)
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(_state(server.port))


async def _state(port: int) -> None:
    async with RawHttp(port) as http:
        assert (await http.get("/control/state")).status == 200
