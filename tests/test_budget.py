"""What requests cost: paid by what they come to, by a connection and by an address, so that nobody has all of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
import websockets
from raw_http import RawHttp
from session_rig import Rig
from test_limits import freeze
from wire import TIMEOUT_S, RawClient, on_both_loops, running, text

from clients.client import TickerClient
from clients.failures import RequestError
from feeds.admission import budget as budget_module
from feeds.admission import turnstile as turnstile_module
from feeds.admission.budget import ADDRESS_BURST, BURST, SYMBOLS_S, Account, Budget
from feeds.admission.limits import Limits
from feeds.admission.turnstile import Turnstile
from feeds.protocol.gate import Gate
from feeds.protocol.session import Session
from feeds.server import FeedServer

OF_ONE = "the answers to one connection came to more than 2,000 symbols a second, with bursts of "
OF_ALL = "the answers to one address came to more than 20,000 symbols a second, with bursts of "


# The budget.


def test_nothing_is_owed_until_more_is_spent_than_a_burst() -> None:
    now = 100.0
    budget = Budget(lambda: now)
    assert budget.owed() is None
    budget.spend(BURST)
    assert budget.owed() is None
    budget.spend(3_000)
    assert budget.owed() == (OF_ONE + "50,000; try again in 1.500 s", 1.5)
    now += 1.5
    assert budget.owed() is None


def test_what_an_address_has_is_shared() -> None:
    shared = Account.of(Limits(), 1.0, 0.0)
    one, other = Budget(lambda: 0.0, shared), Budget(lambda: 0.0, shared)
    for _ in range(11):
        one.spend(BURST)
    assert other.owed() == (OF_ALL + "500,000; try again in 2.500 s", 2.5)


def test_over_any_time_no_more_is_answered_than_the_rate_a_burst_and_one_answer() -> None:
    """An answer of 10,000 symbols, asked for a thousand times a second for a minute."""
    now, given = 0.0, 0
    budget = Budget(lambda: now)
    for n in range(60_000):
        now = n / 1000
        if budget.owed() is None:
            budget.spend(10_000)
            given += 10_000
    assert BURST + 58 * SYMBOLS_S <= given <= BURST + 60 * SYMBOLS_S + 10_000


def test_what_is_owed_isnt_forgotten_with_the_connection() -> None:
    turnstile = Turnstile(Limits())
    turnstile.account("a", 0.0).answers.spend(0.0, ADDRESS_BURST + 20_000)
    assert turnstile.account("a", 0.5).answers.debt(0.5) == pytest.approx(0.5)
    assert turnstile.account("b", 0.5).answers.debt(0.5) == 0.0


def test_an_address_that_may_have_more_connections_may_have_more_answers() -> None:
    """A proxy's, with all clients behind it."""
    shared = Turnstile(Limits(max_per_address=5_000)).account("proxy", 0.0).answers
    assert (shared.rate, shared.burst) == (100_000, 2_500_000)
    shared = Turnstile(Limits(max_per_address=1)).account("anybody", 0.0).answers
    assert (shared.rate, shared.burst) == (20_000, 500_000)


def test_of_no_more_addresses_is_anything_remembered_than_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those who owe are the last to be forgotten."""
    monkeypatch.setattr(turnstile_module, "MOST_ACCOUNTS", 3)
    turnstile = Turnstile(Limits())
    for address in "abc":
        turnstile.account(address, 0.0)
    turnstile.account("b", 0.0).answers.spend(0.0, 1)
    turnstile.account("d", 0.0).answers.spend(0.0, 1)
    assert [*turnstile._accounts] == ["b", "d"]
    turnstile.account("e", 0.0).answers.spend(0.0, 1)
    turnstile.account("f", 0.0)
    assert [*turnstile._accounts] == ["d", "e", "f"]


# The prices.


class Till(Budget):
    """Counts what is paid."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.paid = 0.0

    def spend(self, symbols: float) -> None:
        self.paid += symbols


class Shop:
    """A session of 2,500 symbols whose answers are counted."""

    def __init__(self) -> None:
        self.rig, self.till = Rig("2500"), Till()
        gate = Gate(budget=self.till)
        self.session = Session(self.rig.feed, self.rig.member, gate)

    def price(self, **request: Any) -> float:
        """Give what an answer came to."""
        before = self.till.paid
        for _ in self.session.handle(orjson.dumps(request), 0.0):
            pass
        return round(self.till.paid - before, 6)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_snapshot_counts_one_and_what_is_only_named_a_twentieth(shop: Shop) -> None:
    some = shop.rig.market.universe.symbols[:100]
    assert shop.price(action="snapshot", symbols=some) == 100
    assert shop.price(action="subscribe", symbols=some) == 100
    assert shop.price(action="subscribe", symbols=some, snapshot=False) == 5
    assert shop.price(action="unsubscribe", symbols=some) == 5
    assert shop.price(action="symbols") == 125
    assert shop.price(action="ping") == 0
    assert shop.price(action="subscribe", symbols=["WRONG"]) == 0


def test_who_comes_back_pays_for_what_it_says_that_it_has(shop: Shop) -> None:
    some = shop.rig.market.universe.symbols[:100]
    since = {name: {"trades": 0} for name in some}
    request = {"symbols": some, "snapshot": False, "epoch": shop.rig.feed.epoch, "since": since}
    assert shop.price(action="subscribe", **request) == 100


def test_a_pattern_that_wasnt_asked_for_before_is_compared_with_every_symbol(shop: Shop) -> None:
    found = len(shop.rig.market.universe.match("AB*"))
    assert shop.price(action="unsubscribe", symbols=["AB*"]) == pytest.approx(
        (2500 + 300 + found) / 50 + found / 20
    )
    assert shop.price(action="unsubscribe", symbols=["AB*"]) == pytest.approx(
        found / 50 + found / 20
    )
    patterns = [f"%{n}*" for n in range(1000)]
    assert shop.price(action="snapshot", symbols=patterns) == 56, "the first one matches nothing"


# What a client sees.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bursts of 11 symbols for a connection, of 30 for an address."""
    monkeypatch.setattr(budget_module, "BURST", 11)
    monkeypatch.setattr(budget_module, "ADDRESS_BURST", 30)
    return


@on_both_loops
async def test_who_owes_is_told_how_long_to_wait_and_may_still_ping(small: None) -> None:
    now = 0.0
    async with running(symbols="5") as server:
        assert server.doors is not None
        server.doors.seconds = lambda: now
        async with RawClient(server) as client:
            kinds = [(await client.ask(action="snapshot", symbols="*"))["type"] for _ in range(3)]
            assert kinds == ["snapshot"] * 3, "whole answers, the last on credit"
            for action in ("snapshot", "subscribe", "unsubscribe"):
                refused = await client.ask(action=action, symbols="*")
                assert refused["code"] == "rate_limited"
                assert refused["message"].startswith(OF_ONE + "11; try again in 0.0")
            assert (await client.ask(action="symbols"))["code"] == "rate_limited"
            assert (await client.ask(action="ping"))["type"] == "pong"
            now += 1.0
            assert (await client.ask(action="snapshot", symbols="*"))["type"] == "snapshot"


@pytest.mark.asyncio
async def test_who_doesnt_wait_is_sent_away(small: None) -> None:
    async with running(symbols="50") as server, RawClient(freeze(server)) as client:
        for n in range(150):
            client.send(action="snapshot", id=n, symbols="*")
        codes: list[str] = []
        while "too_many_errors" not in codes:
            codes += [item.get("code", "") for item in await client.message()]
        assert codes.count("rate_limited") == 100
        assert (await client.closed(), client.reason) == (1008, "100 requests over the rate")


@pytest.mark.asyncio
async def test_coming_anew_doesnt_help(small: None) -> None:
    """Over WebSocket and HTTP, what an address owes is owed by all of its connections."""
    async with running(symbols="50") as server:
        freeze(server)
        async with RawClient(server) as client:
            await client.ask(action="snapshot", symbols="*")
        async with RawClient(server) as client:
            refused = await client.ask(action="snapshot", symbols="*")
            assert refused["message"] == OF_ALL + "30; try again in 0.001 s"
        paths = ["/api/snapshot", "/api/symbols", "/sse?symbols=*", "/stream?symbols=*"]
        for path in (*paths, "/api/depth?symbol=AAPL", "/api/history?symbol=AAPL"):
            async with RawHttp(server) as http:
                answer = await http.get(path)
                assert (answer.status, answer.headers["retry-after"]) == (429, "1")
                assert answer.json()["code"] == "rate_limited"
                assert answer.json()["message"].startswith(OF_ALL)
        async with RawHttp(server) as http:
            assert (await http.get("/health")).status == 200
        async with RawHttp(server, address="127.0.0.2") as other:
            assert (await other.get("/api/snapshot")).status == 200


COSTLY = {
    "/api/snapshot": 5 + (5 + 5) / 50,
    "/api/snapshot?symbols=A*": 4 + (5 + 200 + 4) / 50,
    "/api/symbols": 5 / 20,
    "/api/bars?symbol=AAPL&limit=10": 102,
    "/api/depth?symbol=AAPL": 1,
    "/api/depth?symbol=AAP*": 1 + (5 + 400 + 1) / 50,
    "/api/history?symbol=AAPL&since=0": 10,
    "/api/history?symbol=AAPL": 410,
    "/api/history?symbol=AAPL&since=-9000": 410,
    "/stream?symbols=*": 5 + (5 + 5) / 50 + 5 / 50,
}


@pytest.mark.parametrize(("path", "price"), COSTLY.items(), ids=COSTLY.keys())
@pytest.mark.asyncio
async def test_answers_over_http_have_their_price(path: str, price: float) -> None:
    async with running(symbols="AAPL,AMD,AMZN,AVGO,MSFT") as server:
        freeze(server)
        assert server.doors is not None
        async with RawHttp(server) as http:
            http.send(f"GET {path} HTTP/1.1", "Host: localhost")
            await http.read(until=b'"snapshot"' if path.startswith("/stream") else b"\r\n\r\n")
        left = server.doors.turnstile.account("127.0.0.1", 0.0).answers._tokens
        assert ADDRESS_BURST - left == pytest.approx(price, abs=1e-6)


@pytest.mark.asyncio
async def test_our_client_raises_what_the_server_says(small: None) -> None:
    async with running(symbols="50") as server, TickerClient(freeze(server).ws_url) as client:
        await client.subscribe("*")
        with pytest.raises(RequestError) as error:
            await client.subscribe("*", channels=["quotes"])
        assert error.value.code == "rate_limited"


@pytest.mark.asyncio
async def test_who_asks_for_everything_again_and_again_gets_little_and_others_all() -> None:
    """Counted, not timed: of what 300 greedy requests would come to, only what is allowed is made."""
    made = 0

    def counting(server: FeedServer) -> None:
        make = server.plant.feed.market.snapshot

        def snapshot(symbol: int) -> Any:
            nonlocal made
            made += 1
            return make(symbol)

        server.plant.market.snapshot = snapshot  # type: ignore[method-assign]

    async with running(symbols="3000", limits=Limits(max_burst=1_000)) as server:
        counting(server)
        freeze(server)
        async with websockets.connect(server.ws_url, max_size=None) as greedy:
            for _ in range(300):
                await greedy.send(text(action="snapshot", symbols="*").decode())
            with suppress(websockets.ConnectionClosedError):
                async with asyncio.timeout(TIMEOUT_S):
                    while True:
                        await greedy.recv()
        assert BURST < made <= BURST + 3_000
        async with RawClient(server) as other:
            assert (await other.ask(action="snapshot", symbols=["AAPL"]))["type"] == "snapshot"
