"""What a test waits for and asserts, answered by the server; with real clients, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from streaming import StreamClient
from wire import BINARY, PING, RawClient, running

from feeds.admission.limits import Limits
from feeds.errors import CommandError, UnknownClient, WaitTimeout
from feeds.server import FeedServer

WATCHED: dict[str, Any] = {"journal": 100, "rate": 0.0, "symbols": "AAPL,MSFT"}


def subscribe(client: RawClient, *symbols: str, **more: Any) -> None:
    client.send(action="subscribe", symbols=list(symbols), **more)


@pytest.mark.asyncio
async def test_clients_are_counted_as_they_come() -> None:
    """Those that have gone too, until a reset."""
    async with running(**WATCHED) as server:
        director = server.director()
        waiting = asyncio.create_task(director.wait_for_client(2))
        async with RawClient(server) as one:
            await one.message()
        first = await director.wait_for_close(await director.wait_for_client())
        assert not waiting.done()
        async with RawClient(server):
            second = await waiting
        assert [client.id for client in director.clients] == [1, 2]
        assert director.clients == [first, second]


@pytest.mark.asyncio
async def test_what_a_client_sent_is_known() -> None:
    async with running(**WATCHED, token="s3cret") as server, RawClient(server) as client:
        await client.message()
        await client.ask(action="auth", token="s3cret")
        subscribe(
            client, "MSFT", channels=["trades", "bars"], epoch="e", since={"MSFT": {"trades": 41}}
        )
        (found,) = server.director().clients
        assert await server.director().wait_for_subscription("MSFT") is found
        assert found.sent == [
            {"id": "ask", "action": "auth", "token": "***"},
            {
                "action": "subscribe",
                "symbols": ["MSFT"],
                "channels": ["trades", "bars"],
                "epoch": "e",
                "since": {"MSFT": {"trades": 41}},
            },
        ]
        assert found.subscriptions == {"MSFT": ("trades", "bars:1m")}
        assert found.resume == {"epoch": "e", "since": {"MSFT": {"trades": 41}}}
        assert "s3cret" not in server.director().report()
        assert "s3cret" not in str(server.director().journal.as_json())


@pytest.mark.asyncio
async def test_a_subscription_is_waited_for() -> None:
    """On a channel, of a client; at a pace too; and one that has ended doesn't count."""
    async with running(**WATCHED) as server, RawClient(server) as one, RawClient(server) as other:
        director = server.director()
        first, second = [await director.wait_for_client(n) for n in (1, 2)]
        subscribe(other, "AAPL", channels=["quotes"], mode="latest", max_hz=5)
        assert await director.wait_for_subscription("AAPL") is second
        subscribe(one, "AAPL", channels=["bars"], interval="5m")
        assert await director.wait_for_subscription("AAPL", "bars") is first
        assert await director.wait_for_subscription("AAPL", "bars:5m", client=first) is first
        director.assert_subscribed("AAPL", "quotes", client=second)
        with pytest.raises(
            AssertionError, match=r"nobody is subscribed to 'AAPL' on 'bars:1m'\nclients:"
        ):
            director.assert_subscribed("AAPL", "bars:1m")
        with pytest.raises(AssertionError, match=r"<Client 1, .*> isn't subscribed to 'MSFT'"):
            director.assert_subscribed("MSFT", client=first)
        await one.until("subscribed")
        await one.ask(action="unsubscribe", symbols=["AAPL"])
        with pytest.raises(AssertionError):
            director.assert_subscribed("AAPL", client=first)
        with pytest.raises(CommandError, match="unknown symbol 'APPL'; did you mean 'AAPL'"):
            await director.wait_for_subscription("APPL")


@pytest.mark.asyncio
async def test_a_client_can_be_named_by_its_id() -> None:
    """As of everything that a fault, or a test in another language, is told."""
    async with running(**WATCHED) as server, RawClient(server) as client:
        director = server.director()
        first = await director.wait_for_client()
        subscribe(client, "AAPL")
        assert await director.wait_for_subscription("AAPL", client=1) is first
        director.assert_subscribed("AAPL", client=1)
        director.assert_no_unknown_messages(client=1)
        unknown = r"unknown client 2; those that came since the last reset are 1$"
        with pytest.raises(UnknownClient, match=unknown):
            await director.wait_for_subscription("AAPL", client=2)
        with pytest.raises(UnknownClient, match=unknown):
            director.assert_no_unknown_messages(client=2)
        with pytest.raises(UnknownClient, match=unknown):
            await director.sync(2)
        client.vanish()
        assert await director.wait_for_close(1) is first


@pytest.mark.asyncio
async def test_what_doesnt_come_is_told_with_the_journal() -> None:
    async with running(**WATCHED) as server, RawClient(server) as client:
        director = server.director()
        await director.wait_for_client()
        subscribe(client, "AAPL")
        await director.wait_for_subscription("AAPL")
        with pytest.raises(WaitTimeout) as caught:
            await director.wait_for_subscription("MSFT", "trades", timeout="10ms")
        lines = str(caught.value).splitlines()
        assert lines[0] == "no subscription to 'MSFT' on 'trades' within 0.01 s"
        assert lines[2] == "  <Client 1, websocket, open, 1 sent> subscribed to AAPL trades"
        assert any('in      {"action":"subscribe"' in line for line in lines)
        with pytest.raises(WaitTimeout, match="no end of <Client 1"):
            await director.wait_for_close(director.clients[0], timeout=0)
        with pytest.raises(CommandError, match="n 0: clients are counted from 1"):
            await director.wait_for_client(0)
        with pytest.raises(CommandError, match="'soon' is no length of time"):
            await director.wait_for_client(timeout="soon")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("trade", "unknown channel 'trade'; did you mean 'trades'?"),
        ("bars:2m", "unknown channel 'bars:2m'; did you mean 'bars:"),
        ("x", "unknown channel 'x'; the channels are trades, quotes, status, bars:1s, bars:1m"),
    ],
)
async def test_nobody_waits_for_a_channel_that_isnt_there(channel: str, message: str) -> None:
    async with running(**WATCHED) as server:
        director = server.director()
        with pytest.raises(CommandError) as error:
            await director.wait_for_subscription("AAPL", channel)
        assert str(error.value).startswith(message)
        with pytest.raises(CommandError):
            director.assert_subscribed("AAPL", channel)


@pytest.mark.asyncio
async def test_a_reset_ends_all_waiting() -> None:
    async with running(**WATCHED) as server:
        director = server.director()
        waiting = asyncio.create_task(director.wait_for_client())
        await asyncio.sleep(0)
        await director.reset()
        with pytest.raises(CommandError, match="waited for client 1, but the session was reset"):
            await waiting


@pytest.mark.asyncio
async def test_what_is_no_request_is_known() -> None:
    async with running(**WATCHED) as server, RawClient(server) as client:
        director = server.director()
        await client.message()
        await client.ask(action="ping")
        director.assert_no_unknown_messages()
        client.send(action="buy", symbols=["AAPL"])
        client.send_frame(1, b"hello")
        client.send_frame(1, b'{"token":"s3cret')
        client.send_frame(BINARY, b"{}")
        client.send_frame(PING)
        await client.ask(action="ping")
        (found,) = director.clients
        assert [message for message, _ in found.unknown] == [
            {"action": "buy", "symbols": ["AAPL"]},
            "hello",
            "***",
            {},
        ]
        with pytest.raises(
            AssertionError, match=r"client 1 sent {'action': 'buy'.*: unknown action 'buy'"
        ):
            director.assert_no_unknown_messages(client=found)


@pytest.mark.asyncio
async def test_a_client_has_read_what_came_before_its_pong() -> None:
    async with (
        running(**WATCHED) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(server.ws_url) as ws,
    ):
        director = server.director()
        client = await director.wait_for_client()
        await ws.receive()
        syncing = asyncio.create_task(director.sync(client))
        receiving = asyncio.create_task(ws.receive())  # aiohttp answers pings while it reads
        await syncing
        receiving.cancel()


@pytest.mark.asyncio
async def test_who_doesnt_answer_hasnt_read() -> None:
    async with running(**WATCHED) as server, StreamClient(server, "/sse?symbols=*") as stream:
        director = server.director()
        async with RawClient(server) as client:
            await client.message()
            silent = await director.wait_for_client(2)
            with pytest.raises(WaitTimeout, match="no pong of <Client 2"):
                await director.sync(silent, timeout="10ms")
            syncing = asyncio.create_task(director.sync(silent))
            await client.frame()
            client.vanish()
            with pytest.raises(CommandError, match="went before it answered"):
                await syncing
        with pytest.raises(CommandError, match="network with 1006, 0 sent> is over"):
            await director.sync(silent)
        await stream.event()
        with pytest.raises(CommandError, match="can't be pinged: only WebSockets answer"):
            await director.sync(director.clients[0])


@pytest.mark.asyncio
async def test_streams_are_clients_too() -> None:
    async with running(**WATCHED) as server:
        director = server.director()
        async with StreamClient(
            server, "/sse?symbols=AAPL&token=x&session=", Last_Event_ID="e.1"
        ) as stream:
            await stream.event()
            client = await director.wait_for_subscription("AAPL", "trades")
            assert client.transport == "sse"
            assert client.path == "/sse?symbols=AAPL&token=***&session="
            assert client.resume == {"cursor": "e.1"}
            stream.vanish()
            await director.wait_for_close(client)
        assert (client.closed_by, client.close_code) == ("network", 1006)


async def by_client(server: FeedServer, client: RawClient) -> None:
    client.send_frame(8, b"\x0f\xa1bye")


async def without_code(server: FeedServer, client: RawClient) -> None:
    client.send_frame(8)


async def by_network(server: FeedServer, client: RawClient) -> None:
    client.vanish()


async def by_reset(server: FeedServer, client: RawClient) -> None:
    server.reset()


async def by_breaking_the_protocol(server: FeedServer, client: RawClient) -> None:
    client.send_frame(3)


async def by_invalid_text(server: FeedServer, client: RawClient) -> None:
    client.send_frame(1, b"\xff")


async def by_silence(server: FeedServer, client: RawClient) -> None:
    """The token is waited for in vain."""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("end", "by", "code", "reason"),
    [
        (by_client, "client", 4001, "bye"),
        (without_code, "client", 1005, ""),
        (by_network, "network", 1006, ""),
        (by_reset, "server", 1012, "the session was reset"),
        (by_breaking_the_protocol, "server", 1002, "opcode"),
        (by_invalid_text, "server", 1007, "invalid UTF-8"),
        (by_silence, "server", 1008, "not authenticated within 0.2 s"),
    ],
)
async def test_who_ended_it_is_known(end: Any, by: str, code: int, reason: str) -> None:
    options = dict(WATCHED)
    if end is by_silence:
        options |= {"token": "s3cret", "limits": Limits(handshake_s=0.2)}
    async with running(**options) as server, RawClient(server) as raw:
        director = server.director()
        journal = director.journal
        await raw.message()
        client = await director.wait_for_client()
        over = director._clientele.until(lambda: None if client.is_open else client, 60, "the end")
        waiting = asyncio.create_task(over)
        await asyncio.sleep(0)
        await end(server, raw)
        if end is by_reset:
            assert await raw.closed() == 1012
            waiting.cancel()
        else:
            await waiting
        assert (client.closed_by, client.close_code) == (by, code)
        assert reason in client.close_reason
        entry = journal.entries("close", client.id)
        assert entry == [] or entry[0].detail["by"] == by
        assert client.as_json()["closed_by"] == by


@pytest.mark.asyncio
async def test_without_a_journal_nothing_is_known() -> None:
    """And it is said how to get one; driving the market needs none."""
    async with running() as server:
        await server.director().advance("1s")
        with pytest.raises(
            CommandError, match=r"keeps no journal: start it with FeedConfig\(journal=1000\)"
        ):
            await server.director().wait_for_client()
