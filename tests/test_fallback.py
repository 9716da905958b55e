"""The Python clients where no WebSocket gets through, and where connections die in silence: nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from proxy import ProxiedFeed

from clients.client import TickerClient
from clients.core.backoff import Backoff
from clients.events import Connected, Disconnected, Gap, Quote, Snapshot, Trade
from clients.failures import ConnectError, RequestError
from clients.sync import SyncTickerClient


class Follower:
    """Checks by itself that each sequence comes once, whatever the client thinks of it."""

    def __init__(self, source: TickerClient) -> None:
        self.source = source
        self.last: dict[tuple[str, str], int] = {}
        self.events = 0
        self.down: list[str] = []

    async def until(self, condition: Any) -> None:
        """Read on until *condition* is true of an event."""
        async with asyncio.timeout(60):
            async for event in self.source:
                self.take(event)
                if condition(event):
                    return

    async def more(self, count: int) -> None:
        goal = self.events + count
        await self.until(lambda _: self.events >= goal)

    def take(self, event: Any) -> None:
        assert not isinstance(event, Gap), event
        if isinstance(event, Disconnected):
            self.down.append(event.reason)
        if isinstance(event, Snapshot):
            for channel, seq in event.seq.items():
                self.last[event.symbol, channel] = seq
        if isinstance(event, Trade | Quote):
            key = event.symbol, "trades" if isinstance(event, Trade) else "quotes"
            assert event.seq == self.last[key] + 1 + event.merged, (event, self.last[key])
            self.last[key] = event.seq
            self.events += 1


def client(feed: ProxiedFeed, **options: Any) -> TickerClient:
    options = {"backoff": Backoff(base=0.001, cap=0.002), "retry_websocket": 600} | options
    return TickerClient(feed.ws_url, channels=["trades", "quotes"], **options)


@pytest.mark.asyncio
@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_cut_again_and_again(transport: str) -> None:
    """Connections that are reset in the middle cost no event, over either transport."""
    with ProxiedFeed(symbols="10", websockets=transport == "websocket") as feed:
        async with client(feed, symbols=["*"]) as c:
            await c.subscribe("AAPL", channels=["bars"], interval="1s")
            follower = Follower(c)
            for cut in range(5):
                await follower.more(20)
                feed.cut()
                await follower.until(lambda event: isinstance(event, Connected))
                assert (c.transport, c.reconnects) == (transport, cut + 1)
            await follower.more(200)


@pytest.mark.asyncio
@pytest.mark.parametrize("blocked", [False, "cut"])
async def test_falls_back_and_returns(blocked: bool | str) -> None:
    """Where WebSockets are refused or cut it goes on over SSE, and back when they pass."""
    with ProxiedFeed(symbols="10", websockets=blocked) as feed:
        async with client(feed, symbols=["*"], retry_websocket=0.005) as c:
            follower = Follower(c)
            assert c.transport == "sse"
            for _ in range(2):
                await follower.more(20)
                feed.websockets = True
                await follower.until(lambda _: c.transport == "websocket")
                await follower.more(20)
                feed.websockets = blocked
                feed.cut()
                await follower.until(lambda _: c.transport == "sse")
            await c.unsubscribe("A*")
            await follower.more(20)


@pytest.mark.asyncio
async def test_of_a_session_it_is_the_same_market_over_sse() -> None:
    """The address names it, and each stream and request names it too."""
    with ProxiedFeed(symbols="10", websockets=False) as feed:
        feed.open_session("mine", symbols="AAPL,ZION")
        url = f"{feed.ws_url}?session=mine"
        async with TickerClient(url, backoff=Backoff(base=0.001), symbols=["*"]) as c:
            assert c.transport == "sse"
            assert c.hello is not None
            assert c.hello.symbols == 2
            assert {each.symbol for each in await c.symbols()} == {"AAPL", "ZION"}
            assert await c.subscribe("*", channels=["quotes"]) == ("AAPL", "ZION")


@pytest.mark.asyncio
async def test_a_pace_that_was_asked_for_holds_over_either_transport() -> None:
    """One update in a hundred seconds: the second one never comes, neither over SSE nor after the return."""
    with ProxiedFeed(symbols="2", rate=200.0, websockets=False) as feed:
        async with (
            client(feed, symbols=["*"], transports=("sse",)) as everything,
            client(feed, retry_websocket=0.005) as paced,
        ):
            follower, other = Follower(everything), Follower(paced)
            await paced.subscribe("*", mode="latest", max_hz=0.01)
            reading = asyncio.create_task(other.until(lambda _: False))
            for transport in ("sse", "websocket"):
                while paced.transport != transport:
                    feed.websockets = True
                    await follower.more(1)
                await paced.ping()  # what was subscribed before has been answered
                await follower.more(100)
                await paced.ping()
                updates = other.events
                await follower.more(200)
                await paced.ping()
                assert other.events == updates
            assert paced.transport == "websocket"
            assert not reading.done()
            reading.cancel()
            await asyncio.wait([reading])


@pytest.mark.asyncio
@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_half_open(transport: str) -> None:
    """A connection that carries nothing any more, and isn't closed, is found by its silence."""
    with ProxiedFeed(symbols="10", heartbeat_s=0.5, websockets=transport == "websocket") as feed:
        async with client(feed, symbols=["*"]) as c:
            follower = Follower(c)
            await follower.more(20)
            feed.stall()
            await follower.until(lambda event: isinstance(event, Connected) and c.reconnects)
            assert follower.down[0] == "heard nothing for 1 s"
            await follower.more(20)


@pytest.mark.asyncio
async def test_requests_over_sse() -> None:
    """The same requests with the same answers; a refused one changes nothing."""
    with ProxiedFeed(symbols="10", websockets=False) as feed:
        async with client(feed, symbols=["A*"], retry_websocket=0.001) as c:
            follower = Follower(c)
            came_to = await c.subscribe("MSFT", "A*", channels=["bars"], interval="1s")
            assert sorted(came_to) == ["AAPL", "AMZN", "AVGO", "MSFT"]
            with pytest.raises(RequestError, match="'APPL'"):
                await c.subscribe("MSFT", "APPL")
            assert len(await c.symbols()) == 10
            assert [s.symbol for s in await c.snapshot("MSFT", "AAPL")] == ["MSFT", "AAPL"]
            with pytest.raises(RequestError, match="'NOPE'"):
                await c.snapshot("NOPE")
            assert await c.ping() > 0
            assert await c.unsubscribe("AMZN") == ("AMZN",)
            await follower.more(200)
            seen: set[str] = set()
            await follower.until(lambda event: seen.add(event.symbol) or len(seen) == 2)  # type: ignore[func-returns-value]
            assert sorted(await c.unsubscribe("*")) == ["AAPL", "AVGO", "MSFT"]
            assert await c.subscribe("TSLA", channels=["quotes"]) == ("TSLA",)
            await follower.until(lambda event: isinstance(event, Quote) and event.symbol == "TSLA")


@pytest.mark.asyncio
async def test_only_what_may_be_used_is_used() -> None:
    """And what isn't known is refused at once."""
    with ProxiedFeed(symbols="10", websockets=False) as feed:
        with pytest.raises(ConnectError, match="HTTP status 403"):
            async with client(feed, transports=("websocket",)):
                raise AssertionError
        async with client(feed, transports=("sse",), symbols=["*"]) as c:
            await Follower(c).more(20)
        assert feed.refused == 1
        for wrong in ("smoke",), ():
            with pytest.raises(ValueError, match="transports are 'websocket', 'sse', not"):
                client(feed, transports=wrong)


def test_the_synchronous_client_falls_back_too() -> None:
    """With the same options and the same events."""
    with (
        ProxiedFeed(symbols="10", websockets=False) as feed,
        SyncTickerClient(feed.ws_url, symbols=["AAPL"], connection_events=False) as client,
    ):
        assert client.transport == "sse"
        assert isinstance(next(client), Snapshot)
        assert isinstance(next(client), Trade)
