"""The asynchronous client reads and asks: a scripted feed, on real sockets."""

import asyncio
import logging
from typing import Any

import pytest
from fake_feed import (
    TIME,
    UNIVERSE,
    FakeFeed,
    GoneError,
    Peer,
    bar,
    plays,
    quote,
    status,
    trade,
)
from typed_client import client, last_trade, take

from clients.client import TickerClient
from clients.events import (
    Bar,
    Connected,
    Event,
    Gap,
    Instrument,
    Quote,
    Snapshot,
    Status,
    Trade,
)
from clients.failures import ConnectionLostError, RequestError

pytestmark = pytest.mark.asyncio


# Reading.


async def test_events_come_typed_and_in_order() -> None:
    """Everything that a subscription brings, and nothing that the client doesn't know."""
    news = {"type": "rumour", "symbol": "AAPL"}
    first = [trade("AAPL", 1), quote("AAPL", 1), news, bar("AAPL", 1), status("AAPL", 1)]
    async with FakeFeed(plays(first, [{"type": "heartbeat", "time": TIME}], [trade("AAPL", 2)])) as feed:  # fmt: skip
        channels = ["trades", "quotes", "bars", "status"]
        async with client(feed, symbols=["AAPL"], channels=channels, interval="1m") as c:
            events = await take(c, last_trade(2))
            assert c.hello is not None
            assert c.hello.epoch == "e1"
    assert list(map(type, events)) == [Connected, Snapshot, Trade, Quote, Bar, Status, Trade]
    assert feed.requests[0] == {
        "action": "subscribe",
        "id": 1,
        "symbols": ["AAPL"],
        "channels": channels,
        "interval": "1m",
    }


async def test_the_clients_own_interval_goes_with_bars_only() -> None:
    """With anything else, the server refuses one."""
    async with FakeFeed(plays([])) as feed, client(feed, interval="1s") as c:
        await c.subscribe("AAPL", channels=["bars"])
        await c.subscribe("AAPL", channels=["trades"])
        bars, trades = feed.requests
    assert bars["interval"] == "1s"
    assert "interval" not in trades


async def test_a_batch_is_everything_that_is_here() -> None:
    """And it is empty at the end."""
    script = plays([trade("AAPL", 1), trade("AAPL", 2)])
    async with FakeFeed(script) as feed, client(feed, connection_events=False) as c:
        await c.subscribe("AAPL", snapshot=False)
        events: list[Event] = []
        while len(events) < 2:
            events += await c.batch()
        assert [event.seq for event in events if isinstance(event, Trade)] == [1, 2]
        await c.close()
        assert await c.batch() == []


async def test_connection_events_can_be_left_out() -> None:
    """For programs that only care about the market."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1), seq=0)
        peer.abort()

    async with (
        FakeFeed(breaks, plays([trade("AAPL", 1)])) as feed,
        client(feed, symbols=["AAPL"], connection_events=False) as c,
    ):
        events = [await anext(c) for _ in range(4)]
    assert list(map(type, events)) == [Snapshot, Trade, Snapshot, Trade]


async def test_iteration_ends_when_the_client_is_closed() -> None:
    """After the events that are here, without an error; requests say that it is closed."""
    async with FakeFeed(plays()) as feed, client(feed) as c:
        await c.subscribe("AAPL")
        assert repr(c) == f"<TickerClient {feed.url} [connected, 2 waiting, 0 reconnects]>"
        await c.close()
        assert "[closed, 2 waiting" in repr(c)
        assert [type(event) async for event in c] == [Connected, Snapshot]
        with pytest.raises(ConnectionLostError, match="the client is closed"):
            await c.ping()
        await c.close()


async def test_a_client_must_be_entered() -> None:
    """Otherwise a program would wait for ever for a connection that nobody makes."""
    c = TickerClient()
    for use in (c.ping, c.batch):
        with pytest.raises(RuntimeError, match="async with"):
            await use()
    with pytest.raises(RuntimeError, match="async with"):
        aiter(c)
    await c.close()


async def test_the_text_of_each_message_can_be_seen() -> None:
    """Recorders want what came, not what was understood."""
    seen: list[tuple[str, list[dict[str, Any]]]] = []
    script = plays([trade("AAPL", 1)])
    async with (
        FakeFeed(script) as feed,
        client(feed, symbols=["AAPL"], on_message=lambda *a: seen.append(a)) as c,
    ):
        await take(c, last_trade(1))
    assert [[item["type"] for item in items] for _, items in seen] == [
        ["hello"],
        ["subscribed", "snapshot"],
        ["trade"],
    ]
    assert seen[2][0].startswith('[{"type":"trade"')


# Sequences.


async def test_a_lost_event_shows_as_a_gap_and_a_merged_one_does_not() -> None:
    """Merged events are accounted for."""
    items = [trade("AAPL", 1), trade("AAPL", 5, merged=3), trade("AAPL", 8)]
    async with FakeFeed(plays(items)) as feed, client(feed, symbols=["AAPL"]) as c:
        events = await take(c, last_trade(8))
    assert [event for event in events if isinstance(event, Gap)] == [
        Gap("AAPL", "trades", 6, 7, "sequence")
    ]
    assert [event.merged for event in events if isinstance(event, Trade)] == [0, 3, 0]


async def test_a_gap_that_the_server_announces_is_passed_on() -> None:
    """In its place among the events."""
    gap = {"type": "gap", "symbol": "AAPL", "channel": "trades", "from": 1, "to": 4}
    script = plays([gap | {"reason": "too_old"}, trade("AAPL", 5)])
    async with FakeFeed(script) as feed, client(feed, symbols=["AAPL"]) as c:
        events = await take(c, last_trade(5))
    assert events[-2] == Gap("AAPL", "trades", 1, 4, "too_old")


# Requests.


async def test_requests_work_while_nobody_iterates() -> None:
    """Each gets its own reply."""
    async with FakeFeed(plays()) as feed, client(feed) as c:
        assert await c.subscribe("A*") == ("AAPL", "AMZN")
        assert await c.unsubscribe("AAPL", channels=["bars"], interval="1s") == ("AAPL",)
        assert await c.unsubscribe("AMZN") == ("AMZN",)
        assert await c.ping() == TIME
        assert [entry.symbol for entry in await c.symbols()] == list(UNIVERSE)
        assert (await c.symbols())[0] == Instrument("AAPL", "AAPL Inc.", "Technology", 0.01, 100)
        assert [state.symbol for state in await c.snapshot("*")] == list(UNIVERSE)
        assert await asyncio.gather(c.ping(), c.ping()) == [TIME, TIME]
        assert list(map(type, await c.batch())) == [Connected, Snapshot, Snapshot]
    assert feed.requests[1] | {"id": 0} == {
        "action": "unsubscribe",
        "id": 0,
        "symbols": ["AAPL"],
        "channels": ["bars"],
        "interval": "1s",
    }


async def test_a_request_works_behind_a_full_buffer() -> None:
    """The reply is behind more events than the client cares to hold."""
    many = [[trade("AAPL", seq)] for seq in range(1, 200)]
    async with FakeFeed(plays(*many)) as feed, client(feed, symbols=["AAPL"], buffer=5) as c:
        assert await c.ping() == TIME
        events = await take(c, last_trade(199))
    assert not [event for event in events if isinstance(event, Gap)]


async def test_a_program_that_does_not_iterate_stops_the_reading() -> None:
    """What it doesn't take stays with the server, which sees a slow consumer; nothing is lost."""
    stuck: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    messages = 0

    def count(text: str, items: list[Any]) -> None:
        nonlocal messages
        messages += 1

    async def floods(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        assert peer.transport is not None
        sends, padding = [], "x" * 50_000
        while peer.transport.get_write_buffer_size() < 1_000_000:
            item = trade("AAPL", len(sends) + 1, padding=padding)
            sends.append(asyncio.create_task(peer.send(item)))
            await asyncio.sleep(0)
        stuck.set_result(len(sends))
        await asyncio.gather(*sends)
        await peer.serve()

    async with (
        FakeFeed(floods) as feed,
        client(feed, symbols=["AAPL"], buffer=10, on_message=count) as c,
    ):
        sent = await stuck
        assert messages < 15 < sent
        events = await take(c, last_trade(sent))
    assert list(map(type, events)) == [Connected, Snapshot, *[Trade] * sent]


async def test_a_refused_request_raises_and_the_connection_lives() -> None:
    """The error carries the server's code and message."""

    async def refuses(peer: Peer) -> None:
        await peer.hello()
        request = await peer.request("subscribe")
        error = {"type": "error", "id": request["id"], "code": "unknown_symbol"}
        await peer.send(error | {"message": "unknown symbol 'APPL'; did you mean 'AAPL'?"})
        await peer.serve()

    async with FakeFeed(refuses) as feed, client(feed) as c:
        with pytest.raises(RequestError, match="did you mean 'AAPL'") as caught:
            await c.subscribe("APPL")
        assert (caught.value.code, caught.value.id) == ("unknown_symbol", 1)
        assert await c.subscribe("AAPL") == ("AAPL",)
        assert feed.connections == 1


async def test_a_refused_first_subscription_raises_when_entering() -> None:
    """And leaves no connection behind."""

    async def refuses(peer: Peer) -> None:
        await peer.hello()
        request = await peer.request("subscribe")
        item = {"type": "error", "id": request["id"], "code": "unknown_symbol", "message": "no"}
        await peer.send(item)
        with pytest.raises(GoneError):
            await peer.serve()

    async with FakeFeed(refuses) as feed:
        with pytest.raises(RequestError, match="no"):
            await client(feed, symbols=["APPL"]).__aenter__()


async def test_an_error_without_an_id_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it, but somebody should see it."""
    item = {"type": "error", "code": "invalid_json", "message": "not JSON"}
    with caplog.at_level(logging.WARNING, logger="clients"):
        async with FakeFeed(plays([item])) as feed, client(feed, symbols=["AAPL"]) as c:
            await c.ping()
    assert caplog.messages == ["the server reports invalid_json: not JSON"]


async def test_a_request_without_a_reply_times_out() -> None:
    """A late reply is no error, and its subscription counts."""

    async def dawdles(peer: Peer) -> None:
        await peer.hello()
        first = await peer.request("subscribe")
        second = await peer.request("ping")
        await peer.answer(first)
        await peer.answer(second)
        peer.abort()

    async with FakeFeed(dawdles, plays()) as feed, client(feed) as c:
        c._link.request_timeout = 0.05  # of this request alone
        with pytest.raises(TimeoutError, match=r"no reply to 'subscribe' within 0\.05 s"):
            await c.subscribe("AAPL", snapshot=False)
        c._link.request_timeout = 60
        resumed = asyncio.create_task(feed.asked("subscribe"))
        await asyncio.gather(c.ping(), resumed)
    assert resumed.result()["symbols"] == ["AAPL"]


async def test_a_request_on_its_way_when_the_connection_breaks_raises() -> None:
    """It may have worked or not: the program must decide."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.request("ping")
        peer.abort()

    async with FakeFeed(breaks, plays()) as feed, client(feed) as c:
        with pytest.raises(ConnectionLostError, match="before the reply"):
            await c.ping()
        # Between two connections a request waits for the next one.
        assert await c.ping() == TIME
        assert c.reconnects == 1


async def test_the_token_is_sent_when_the_server_wants_one() -> None:
    """Before anything else."""
    async with FakeFeed(plays(auth=True)) as feed, client(feed, token="sesame", symbols=["AAPL"]):
        pass
    assert [request["action"] for request in feed.requests] == ["auth", "subscribe"]
    assert feed.requests[0]["token"] == "sesame"
    async with FakeFeed(plays(auth=False)) as feed, client(feed, token="sesame", symbols=["AAPL"]):
        pass
    assert [request["action"] for request in feed.requests] == ["subscribe"]
