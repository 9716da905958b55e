"""The asynchronous client connects, and connects again: a scripted feed, on real sockets."""

import asyncio
from typing import Any

import pytest
from fake_feed import (
    TIME,
    UNIVERSE,
    FakeFeed,
    GoneError,
    Peer,
    plays,
    snapshot,
    trade,
)
from typed_client import Waits, client, last_trade, take

from clients.client import TickerClient
from clients.core.connection import Connection
from clients.events import (
    Connected,
    Disconnected,
    Gap,
    Snapshot,
    Trade,
)
from clients.failures import ClosedError, ConnectError, ConnectionLostError, RequestError

pytestmark = pytest.mark.asyncio


async def test_it_connects_again_resumes_and_names_what_was_lost() -> None:
    """The program sees the break, the new connection, the gap, the state, and then events again."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1))
        peer.abort()

    async def returns(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 10), seq=9)
        await peer.serve()

    waits = Waits()
    async with (
        FakeFeed(breaks, None, None, returns) as feed,
        client(feed, symbols=["AAPL"], sleep=waits) as c,
    ):
        events = await take(c, last_trade(10))
        assert (c.reconnects, c.hello) == (1, events[0].hello)  # type: ignore[union-attr]
    down = [event for event in events if isinstance(event, Disconnected)]
    assert [event.retry_in for event in down] == waits == [1, 2, 4]
    assert [event.code for event in down] == [1006, 1006, 1006]
    assert down[1].reason.startswith("HTTP status 503: ")
    assert list(map(type, events)) == [
        Connected, Snapshot, Trade,
        Disconnected, Disconnected, Disconnected,
        Connected, Gap, Snapshot, Trade,
    ]  # fmt: skip
    assert events[6].reconnects == 1  # type: ignore[union-attr]
    assert events[7] == Gap("AAPL", "trades", 2, 9, "reconnect")


async def test_all_subscriptions_are_made_again() -> None:
    """Those that were added and not those that were given up."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        for _ in range(4):
            await peer.answer(await peer.request())
        peer.abort()

    async with FakeFeed(breaks, plays()) as feed, client(feed, symbols=["MSFT"]) as c:
        await c.subscribe("AAPL", "GOOG", channels=["quotes"])
        await c.subscribe("AAPL", channels=["bars"], interval="1s", snapshot=False)
        await c.unsubscribe("GOOG")
        await take(c, lambda event: isinstance(event, Disconnected))
        await c.ping()
    again = [{**request, "id": 0} for request in feed.requests[4:7]]
    told = [(request.pop("epoch", None), request.pop("since", {})) for request in again]
    assert [(epoch, list(since)) for epoch, since in told[:2]] == [
        ("e1", ["MSFT"]),
        ("e1", ["AAPL"]),
    ]
    assert again == [
        {"action": "subscribe", "id": 0, "symbols": ["MSFT"], "channels": ["trades"]},
        {"action": "subscribe", "id": 0, "symbols": ["AAPL"], "channels": ["quotes"]},
        {"action": "subscribe", "id": 0, "symbols": ["AAPL"], "channels": ["bars"], "interval": "1s"},
    ]  # fmt: skip


async def test_silence_is_death() -> None:
    """Two heartbeat intervals without a message, and the client connects again."""

    async def silent(peer: Peer) -> None:
        await peer.hello(heartbeat_ms=100)
        with pytest.raises(GoneError):
            await peer.request()

    async with FakeFeed(silent, plays()) as feed, client(feed) as c:
        events = await take(c, lambda event: isinstance(event, Connected) and event.reconnects > 0)
    assert events[1] == Disconnected("heard nothing for 0.2 s", 1006, 1.0)


async def test_heartbeats_keep_a_quiet_connection_alive() -> None:
    """Longer than silence would have been tolerated."""

    async def quiet(peer: Peer) -> None:
        await peer.hello(heartbeat_ms=300)
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.75
        while loop.time() < until:
            await peer.send({"type": "heartbeat", "time": TIME})
            await asyncio.sleep(0)
        await peer.send(trade("AAPL", 1))
        await peer.serve()

    async with FakeFeed(quiet) as feed, client(feed) as c:
        events = await take(c, last_trade(1))
    assert list(map(type, events)) == [Connected, Trade]


async def test_the_silence_of_a_client_that_does_not_read_is_its_own() -> None:
    """A program that is slower than the heartbeat is no reason to connect again."""

    async def talks(peer: Peer) -> None:
        await peer.hello(heartbeat_ms=100)
        for seq in range(1, 50):
            await peer.send(trade("AAPL", seq))
        await peer.serve()

    async with FakeFeed(talks) as feed, client(feed, buffer=1) as c:
        silence_is_over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, silence_is_over.set)
        await silence_is_over.wait()
        events = await take(c, last_trade(49))
    assert not [event for event in events if isinstance(event, Disconnected)]


@pytest.mark.parametrize("code", [1002, 1007, 1008, 1009])
async def test_a_client_that_must_be_mended_does_not_connect_again(code: int) -> None:
    """Iteration and requests raise what the server said."""

    async def expels(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1))
        await peer.close(code, "too many errors")

    async with FakeFeed(expels) as feed, client(feed, symbols=["AAPL"]) as c:
        with pytest.raises(ClosedError, match=f"closed with {code}: too many errors") as caught:
            await take(c, lambda _: False)
        assert (caught.value.code, caught.value.reason) == (code, "too many errors")
        with pytest.raises(ClosedError):
            await c.ping()
    assert feed.connections == 1


@pytest.mark.parametrize(
    ("code", "reason"), [(1001, "stopping"), (1011, "a bug"), (1000, ""), (4321, "new")]
)
async def test_other_close_codes_lead_to_another_connection(code: int, reason: str) -> None:
    """The server restarts, or will have been mended."""

    async def stops(peer: Peer) -> None:
        await peer.hello()
        await peer.close(code, reason)

    async with FakeFeed(stops, plays()) as feed, client(feed) as c:
        events = await take(c, lambda event: isinstance(event, Connected) and event.reconnects > 0)
    assert events[1] == Disconnected(reason or "closed by the server", code, 1.0)


async def test_reconnecting_can_be_turned_off() -> None:
    """Then any end is an error."""

    async def stops(peer: Peer) -> None:
        await peer.hello()
        await peer.close(1001, "stopping")

    async with FakeFeed(stops) as feed, client(feed, reconnect=False) as c:
        with pytest.raises(ClosedError, match="1001: stopping"):
            await take(c, lambda _: False)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"type":"trade"}',
        "[7]",
        '[{"symbol":"AAPL"}]',
        '[{"type":"trade","symbol":"AAPL"}]',
        '[{"type":"trade","symbol":"AAPL","seq":"1","time":1,"price":1,"size":1}]',
        '[{"type":"subscribed","id":77}]',
        '[{"type":["trade"]}]',
    ],
)
async def test_a_malformed_message_ends_the_connection(text: str) -> None:
    """What else the server says can't be trusted, so the client starts afresh."""

    async def raves(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await peer.text(text)
        await peer.serve()

    async with (
        FakeFeed(raves, plays([trade("AAPL", 1)])) as feed,
        client(feed, symbols=["AAPL"]) as c,
    ):
        events = await take(c, last_trade(1))
    (down,) = [event for event in events if isinstance(event, Disconnected)]
    assert down.reason.startswith("malformed message: ")


async def test_a_binary_message_is_malformed() -> None:
    """The protocol knows text only."""

    async def raves(peer: Peer) -> None:
        await peer.hello()
        await peer.ws.send_bytes(b"[]")
        await peer.serve()

    async with FakeFeed(raves, plays()) as feed, client(feed) as c:
        events = await take(c, lambda event: isinstance(event, Disconnected))
    assert events[-1] == Disconnected("malformed message: a binary frame", 1006, 1.0)


async def test_a_broken_frame_ends_the_connection() -> None:
    """The reason says what was wrong."""

    async def raves(peer: Peer) -> None:
        await peer.hello()
        assert peer.transport is not None
        peer.transport.write(b"\xff\x00")
        await peer.serve()

    async with FakeFeed(raves, plays()) as feed, client(feed) as c:
        events = await take(c, lambda event: isinstance(event, Disconnected))
    assert isinstance(events[-1], Disconnected)
    assert events[-1].reason.startswith("the connection broke")


async def test_a_subscription_that_is_refused_after_a_reconnect_ends_the_client() -> None:
    """The server came back without the symbol; going on without it would look like health."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        peer.abort()

    async def refuses(peer: Peer) -> None:
        await peer.hello(epoch="e2")
        request = await peer.request("subscribe")
        item = {"type": "error", "id": request["id"], "code": "unknown_symbol", "message": "no"}
        await peer.send(item)
        await peer.serve()

    async with FakeFeed(breaks, refuses) as feed, client(feed, symbols=["AAPL"]) as c:
        with pytest.raises(RequestError, match="no"):
            await take(c, lambda _: False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionLostError("it is down"), "it is down"),
        (TimeoutError(), "the server reads nothing"),
    ],
)
async def test_a_connection_that_breaks_while_resuming_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """As any other that breaks."""
    send = Connection.send

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        monkeypatch.setattr(Connection, "send", fails)
        peer.abort()

    async def fails(self: Connection, request: dict[str, Any]) -> None:
        monkeypatch.setattr(Connection, "send", send)
        raise error

    async with FakeFeed(breaks, plays()) as feed, client(feed, symbols=["AAPL"]) as c:
        events = await take(c, lambda event: isinstance(event, Connected) and event.reconnects > 1)
    assert Disconnected(reason, 1006, 2.0) in events


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ('[{"type":"hello"}]', "this is no feed: it began with"),
        ("[]", "this is no feed"),
        ("howdy", "this is no feed"),
        ("[7]", "this is no feed"),
        ('[{"type":"error","message":"too many connections"}]', "too many connections"),
    ],
)
async def test_a_server_that_is_no_feed_is_an_error(first: str, words: str) -> None:
    """The first message must be a hello."""
    async with FakeFeed(lambda peer: peer.text(first)) as feed:
        with pytest.raises(ConnectError, match=words):
            await client(feed).__aenter__()


async def test_a_server_of_another_protocol_is_an_error() -> None:
    """Rather than misunderstanding it."""
    async with FakeFeed(lambda peer: peer.hello(protocol=2)) as feed:
        with pytest.raises(ConnectError, match="speaks protocol 2, not 1"):
            await client(feed).__aenter__()


async def test_where_no_heartbeat_is_promised_silence_means_nothing() -> None:
    """A market whose time stands still has nothing to say."""
    async with (
        FakeFeed(plays([trade("AAPL", 1)], heartbeat_ms=0)) as feed,
        client(feed, symbols=["AAPL"]) as c,
    ):
        await take(c, last_trade(1))
        assert await c.ping() == TIME


async def test_a_snapshot_that_was_asked_for_is_where_the_next_event_follows() -> None:
    """It is no event, but it says where each channel stands."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1))
        await peer.answer(await peer.request("snapshot"), trade("AAPL", 6), seq=5)
        await peer.serve()

    async with FakeFeed(script) as feed, client(feed, symbols=["AAPL"]) as c:
        (state,) = await c.snapshot("AAPL")
        events = await take(c, last_trade(6))
    assert state.seq["trades"] == 5
    assert list(map(type, events)) == [Connected, Snapshot, Trade, Trade]


async def test_a_long_reply_may_come_in_pieces() -> None:
    """The request is done when all are here, and all of them count."""
    async with FakeFeed(plays([])) as feed, client(feed) as c:
        assert await c.subscribe("*") == UNIVERSE
        assert await c.unsubscribe(*UNIVERSE) == UNIVERSE
        assert await c.snapshot() == []
        events = await c.batch()
    assert list(map(type, events)) == [Connected, *[Snapshot] * len(UNIVERSE)]


async def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    """Nobody listens, nobody understands, nobody answers, or the address is none."""
    async with FakeFeed(None) as feed:
        with pytest.raises(ConnectError, match="503"):
            await client(feed).__aenter__()
    with pytest.raises(ConnectError, match="cannot connect to ws://127"):
        await client(feed).__aenter__()
    with pytest.raises(ConnectError, match="'nonsense' is not a ws:"):
        await TickerClient("nonsense").__aenter__()
    async with FakeFeed(lambda peer: peer.request()) as feed:
        with pytest.raises(ConnectError, match=r"no answer from .* within 0.02 s"):
            await client(feed, request_timeout=0.02).__aenter__()
    async with FakeFeed(lambda peer: peer.close(1013, "full")) as feed:
        with pytest.raises(ConnectError, match="closed the connection before saying hello"):
            await client(feed).__aenter__()


async def test_a_bug_in_a_callback_reaches_the_program() -> None:
    """It is neither swallowed nor mistaken for a network failure."""

    def fails(text: str, items: list[Any]) -> None:
        raise OSError("disk full")

    async with FakeFeed(plays()) as feed, client(feed, on_message=fails) as c:
        with pytest.raises(OSError, match="disk full"):
            await take(c, lambda _: False)


async def test_events_of_another_epoch_are_no_gap() -> None:
    """The restarted server begins to count again, and the new hello tells."""

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 501), seq=500)
        peer.abort()

    async def returns(peer: Peer) -> None:
        await peer.hello(epoch="e2")
        await peer.grant(trade("AAPL", 1))
        await peer.serve()

    async with FakeFeed(breaks, returns) as feed, client(feed, symbols=["AAPL"]) as c:
        events = await take(c, last_trade(1))
    assert not [event for event in events if isinstance(event, Gap)]
    epochs = [event.hello.epoch for event in events if isinstance(event, Connected)]
    assert epochs == ["e1", "e2"]
    assert [event for event in events if isinstance(event, Snapshot)][1].seq == snapshot("")["seq"]
