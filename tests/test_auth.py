"""Tokens: who has none is told so, and sees nothing of the market."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import pytest
import websockets
from raw_http import RawHttp
from wire import RawClient, on_both_loops, running, step

from clients.client import TickerClient
from clients.core.connection import shown
from clients.events import Trade
from clients.failures import ConnectError
from feeds.admission.auth import Tokens, bearer
from feeds.admission.limits import Limits
from feeds.config import FeedConfig
from feeds.dialects.requests import Auth, parse_request
from feeds.errors import Code, ConfigError, RequestError
from feeds.protocol.gate import Gate
from feeds.server import FeedServer

TOKEN = "sesame-1.2_3~4+5/6=="
BEARER = {"Authorization": f"Bearer {TOKEN}"}
UNAUTHORIZED = {
    "type": "error",
    "code": "unauthorized",
    "message": 'this server wants a token first: {"action":"auth","token":"..."}',
}
S = 1_000_000


# The tokens themselves.


def test_only_the_tokens_are_accepted_whatever_their_length() -> None:
    tokens = Tokens(["one", "another"])
    assert tokens
    assert tokens.accept("one")
    assert tokens.accept("another")
    for wrong in ("", "on", "onee", "One", "onea", "one ", "\0", "\ud800", "ü", "x" * 100_000):
        assert not tokens.accept(wrong)
    assert not Tokens([])
    assert not Tokens([]).accept("")


@pytest.mark.parametrize("wrong", ["", "a b", "a\nb", "süß", "=", "a=b", "x" * 1_025])
def test_what_a_header_cant_carry_is_refused_and_not_told(wrong: str) -> None:
    with pytest.raises(ConfigError) as error:
        Tokens(["fine", wrong])
    assert f"one of {len(wrong)} characters can't be used" in str(error.value)
    if len(wrong) > 2:
        assert wrong not in str(error.value)


@pytest.mark.parametrize(
    ("header", "query", "token"),
    [
        (None, None, None),
        (None, "q", "q"),
        ("Bearer h", None, "h"),
        ("Bearer h", "q", "h"),
        ("bearer  h ", None, "h"),
        ("Bearer", None, ""),
        ("Basic dXNlcjpwdw==", None, None),
        ("Basic dXNlcjpwdw==", "q", "q"),
    ],
)
def test_the_header_comes_before_the_query_and_other_schemes_are_not_for_us(
    header: str | None, query: str | None, token: str | None
) -> None:
    assert bearer(header, query) == token


def test_nothing_that_shows_an_object_shows_a_token() -> None:
    config = FeedConfig(token="s3cret", clock="manual")
    server = FeedServer(config)
    shown_somewhere = [config, server, server.access, vars(server.access), Tokens(["s3cret"])]
    assert "s3cret" not in repr([*shown_somewhere, Auth(1, "s3cret")])
    assert config.token == ("s3cret",)


@pytest.mark.parametrize(
    "request_", [b'{"action":"auth","token":"s3cret', b'{"action":"auth","token":["s3cret"]}']
)
def test_an_error_doesnt_repeat_a_token(request_: bytes) -> None:
    with pytest.raises(RequestError) as error:
        parse_request(request_)
    assert "s3c" not in error.value.message


def test_a_gate_opens_for_a_token_only() -> None:
    gate = Gate(Tokens(["right"]))
    assert gate.locked
    with pytest.raises(RequestError, match="wants a token first"):
        gate.check(1)
    with pytest.raises(RequestError) as error:
        gate.unlock("wrong", 2)
    assert (error.value.code, error.value.request_id) == (Code.INVALID_TOKEN, 2)
    assert gate.locked
    gate.unlock("right", 3)
    assert not gate.locked
    gate.check(4)


# Over WebSocket.


def patient(server: FeedServer) -> FeedServer:
    """Give the upgrade itself all the time that it may need."""
    assert server.doors is not None
    server.doors.limits = Limits()
    return server


@on_both_loops
async def test_the_first_message_may_bring_the_token() -> None:
    async with running(token=TOKEN, rate=100) as server, RawClient(server) as client:
        (hello,) = await client.message()
        assert hello["auth"] is True
        assert await client.ask(action="auth", token=TOKEN) == {
            "type": "authenticated",
            "id": "ask",
        }
        assert (await client.ask(action="subscribe", symbols="*"))["type"] == "subscribed"
        await step(server, S)
        assert (await client.until("trade"))[-1]["type"] == "trade"
        client.send(action="auth", token=TOKEN)  # again is no error
        assert await client.until("authenticated")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_",
    [
        {"action": "subscribe", "symbols": "*"},
        {"action": "unsubscribe", "symbols": "*"},
        {"action": "snapshot", "symbols": ["AAPL"]},
        {"action": "symbols"},
        {"action": "ping"},
    ],
    ids=lambda request: request["action"],
)
async def test_before_it_everything_else_is_refused_and_the_connection_lives(
    request_: dict[str, Any],
) -> None:
    async with running(token=TOKEN, rate=100) as server, RawClient(server) as client:
        await client.message()
        assert await client.ask(**request_) == UNAUTHORIZED | {"id": "ask"}
        await step(server, S)
        assert server.plant.hub.roster.deliveries.total() == 0
        assert (await client.ask(action="auth", token=TOKEN))["type"] == "authenticated"
        assert (await client.ask(**request_))["type"] != "error"


@on_both_loops
async def test_a_wrong_token_ends_the_connection() -> None:
    async with running(token=TOKEN) as server, RawClient(server) as client:
        await client.message()
        client.send(action="auth", token=TOKEN[:-1], id=7)
        client.send(action="auth", token=TOKEN)
        assert await client.message() == [
            {"type": "error", "id": 7, "code": "invalid_token", "message": "the token is wrong"}
        ]
        assert (await client.closed(), client.reason) == (1008, "the token is wrong")


@on_both_loops
async def test_who_shows_no_token_in_time_is_sent_away() -> None:
    """Saying something else doesn't gain time."""
    async with (
        running(token=TOKEN, clock="wall", limits=Limits(handshake_s=0.2)) as server,
        RawClient(patient(server)) as silent,
        RawClient(server) as talking,
    ):
        talking.send(action="ping")
        assert await silent.closed() == await talking.closed() == 1008
        assert silent.reason == talking.reason == "not authenticated within 0.2 s"


@pytest.mark.asyncio
async def test_who_has_shown_one_stays_however_short_that_time_is() -> None:
    limits = Limits(handshake_s=3.0)  # long enough for this one, however busy the machine is
    async with (
        running(token=TOKEN, clock="wall", limits=limits) as server,
        RawClient(patient(server)) as client,
        RawClient(server) as other,
    ):
        client.send(action="auth", token=TOKEN)
        assert await client.until("authenticated")
        assert await other.closed() == 1008  # came later, so the time is over for both
        assert (await client.ask(action="ping"))["type"] == "pong"


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["header", "query"])
async def test_the_upgrade_may_bring_it(how: str) -> None:
    async with running(token=["other", TOKEN]) as server:
        url, headers = server.ws_url, {}
        if how == "header":
            headers = BEARER
        else:
            url += "?token=sesame-1.2_3~4%2B5/6=="
        async with websockets.connect(url, additional_headers=headers) as ws:
            assert '"auth":false' in str(await ws.recv())
            await ws.send('{"action":"ping"}')
            assert '"pong"' in str(await ws.recv())


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_wrong_one_ends_the_upgrade(how: str) -> None:
    async with running(token=TOKEN) as server:
        url = server.ws_url + ("?token=wrong" if how == "query" else "")
        headers = {"Authorization": "Bearer wrong"} if how == "header" else {}
        with pytest.raises(websockets.InvalidStatus) as error:
            await websockets.connect(url, additional_headers=headers)
        answer = error.value.response
        assert answer.status_code == 401
        assert (
            answer.headers["WWW-Authenticate"]
            == 'Bearer realm="tickerplant", error="invalid_token"'
        )
        assert answer.body is not None
        assert b'"invalid_token"' in answer.body


# Over HTTP.


PATHS = ("/api/symbols", "/api/snapshot", "/api/bars?symbol=AAPL", "/api/history?symbol=AAPL")


@pytest.mark.asyncio
async def test_paths_with_data_want_the_token() -> None:
    async with (
        running(token=TOKEN, symbols="AAPL") as server,
        aiohttp.ClientSession(server.url) as http,
    ):
        for path in PATHS:
            async with http.get(path) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tickerplant"'
                assert answer.headers["Cache-Control"] == "no-store"
                assert (await answer.json())["code"] == "unauthorized"
            async with http.get(path, headers={"Authorization": "Bearer x"}) as answer:
                assert answer.status == 401
                assert (await answer.json())["code"] == "invalid_token"
            async with http.get(path, headers=BEARER) as answer:
                assert answer.status == 200
            async with http.get(path, params={"token": TOKEN}) as answer:
                assert answer.status == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/sse", "/stream"])
async def test_a_stream_takes_it_in_its_address(path: str) -> None:
    """A browser's EventSource has no other way."""
    async with (
        running(token=TOKEN, symbols="AAPL") as server,
        aiohttp.ClientSession(server.url) as http,
    ):
        for token, status in ((TOKEN, 200), ("wrong", 401)):
            query = {"symbols": "AAPL", "token": token}
            async with http.get(path, params=query) as answer:
                assert answer.status == status
                assert TOKEN not in str(await answer.content.readline())


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/nothing", "/metrics", "//api/symbols", "/staticapi"])
async def test_what_isnt_open_is_closed(path: str) -> None:
    """So that a path that is added later can't be forgotten here."""
    async with running(token=TOKEN) as server, RawHttp(server) as http:
        assert (await http.get(path)).status == 401


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path", ["/static/../api/symbols", "/static/%2e%2e/api/symbols", "/static%2f../api/symbols"]
)
async def test_what_is_open_leads_nowhere_else(path: str) -> None:
    async with running(token=TOKEN) as server, RawHttp(server) as http:
        assert (await http.get(path)).status == 404


@pytest.mark.asyncio
async def test_health_the_page_and_its_files_are_open(tmp_path: Any) -> None:
    (tmp_path / "index.html").write_text("<p>page")
    (tmp_path / "page.js").write_text("1")
    async with (
        running(token=TOKEN, web_root=tmp_path) as server,
        aiohttp.ClientSession(server.url) as http,
    ):
        for path in ("/", "/health", "/static/page.js"):
            async with http.get(path) as answer:
                assert answer.status == 200


@pytest.mark.asyncio
async def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    async with running(token=TOKEN, loggers=()) as server, RawClient(server) as client:
        async with aiohttp.ClientSession(server.url) as http:
            for token in (TOKEN, "wr0ng"):
                async with http.get("/api/nothing", params={"token": token}):
                    pass
            for parameter in (TOKEN + "\x01", TOKEN + " x", "A" * 70_000 + TOKEN):
                async with RawHttp(server) as raw:
                    await raw.push(f"GET /sse?token={parameter} HTTP/1.1\r\n\r\n".encode())
                    assert (await raw.answer()).status in (400, 414)
        client.send(action="auth", token="wr0ng")
        await client.closed()
    assert TOKEN not in caplog.text
    assert "wr0ng" not in caplog.text


# What our client makes of it.


async def drained(client: TickerClient) -> None:
    """Read to the end."""
    while await client.batch():
        pass


@pytest.mark.asyncio
async def test_the_python_client_shows_its_token() -> None:
    async with (
        running(token=TOKEN, rate=100) as server,
        TickerClient(server.ws_url, token=TOKEN, symbols=["*"]) as client,
    ):
        assert client.hello is not None
        assert not client.hello.auth
        await step(server, S)
        async for event in client:
            if isinstance(event, Trade):
                break


@pytest.mark.asyncio
@pytest.mark.parametrize("token", [None, "wrong"])
async def test_the_python_client_says_what_is_wrong(token: str | None) -> None:
    async with running(token=TOKEN) as server:
        with pytest.raises(ConnectError) as error:
            async with TickerClient(server.ws_url, token=token):
                pass
        assert error.value.status == 401
        what = "none was given" if token is None else "this is none that it knows"
        assert error.value.reason == f"HTTP status 401: the server wants a token, and {what}"


@pytest.mark.asyncio
async def test_a_client_that_is_refused_when_it_comes_back_gives_up() -> None:
    """The server was started anew, with another token."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with running(token=TOKEN) as server:
        client = TickerClient(server.ws_url, token=TOKEN, sleep=sleep)
        await client.__aenter__()
        port = server.port
    async with running(token="changed", port=port):
        for again in (drained(client), client.ping()):
            with pytest.raises(ConnectError) as error:
                await again
            assert (error.value.status, error.value.final) == (401, True)
        assert waits
    await client.close()


def test_an_address_is_shown_without_its_token() -> None:
    assert shown("ws://h/ws?a=1&token=s3cret") == "ws://h/ws?a=1&token=..."
    assert shown("ws://h/ws?a=1") == "ws://h/ws?a=1"
    assert "s3cret" not in repr(TickerClient("ws://h/ws?token=s3cret", token="s3cret"))
