"""Web pages from elsewhere: a hostile one must not read a feed on the machine of who looks at it."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest
from raw_http import RawHttp
from wire import running

from clients.client import TickerClient
from clients.failures import ConnectError
from feeds.admission.origins import Origins
from feeds.errors import ConfigError, HttpCode

APP = "https://app.example"
EVIL = "https://evil.example"


# The rule, as a table.


@pytest.mark.parametrize(
    ("origin", "host", "code"),
    [
        # No page at all.
        (None, "127.0.0.1:8765", None),
        (None, "localhost:8765", None),
        (None, "[::1]:8765", None),
        (None, "LOCALHOST", None),
        (None, "localhost.", None),
        (None, "feed.localhost:1", None),
        (None, "192.168.1.7:9", None),  # a port that was forwarded; no DNS was asked
        (None, None, None),
        # The server's own page, however it was addressed.
        ("http://127.0.0.1:8765", "127.0.0.1:8765", None),
        ("http://localhost:8765", "localhost:8765", None),
        ("http://[::1]:8765", "[::1]:8765", None),
        ("http://localhost", "localhost", None),
        ("http://localhost", "localhost:80", None),
        ("http://localhost:80", "localhost", None),
        ("https://localhost", "localhost:443", None),
        ("HTTP://LocalHost:8765", "localhost:8765", None),
        # A page from elsewhere.
        (EVIL, "127.0.0.1:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://localhost:3000", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://localhost", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("https://localhost:8765", "127.0.0.1:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://localhost:8765.evil.example", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://localhost:8765@evil.example", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://evil.example/localhost:8765", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("file://", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("chrome-extension://localhost:8765", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("null", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("", "localhost:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://localhost:8765", None, HttpCode.FORBIDDEN_ORIGIN),
        # A page whose own name was made to lead here.
        (None, "evil.example:8765", HttpCode.FORBIDDEN_HOST),
        ("http://evil.example:8765", "evil.example:8765", HttpCode.FORBIDDEN_HOST),
        ("http://127.0.0.1.evil.example", "127.0.0.1.evil.example", HttpCode.FORBIDDEN_HOST),
        (None, "evillocalhost", HttpCode.FORBIDDEN_HOST),
        (None, "localhost:8765/x", HttpCode.FORBIDDEN_HOST),
        (None, "", HttpCode.FORBIDDEN_HOST),
    ],
)
def test_who_may_read_what_is_bound_to_loopback(
    origin: str | None, host: str | None, code: HttpCode | None
) -> None:
    for bound in ("127.0.0.1", "localhost", "::1"):
        refusal = Origins(bound).refuse(origin, host)
        assert (refusal and refusal.code) == code
        assert refusal is None or refusal.status == 403


@pytest.mark.parametrize(
    ("origin", "host", "code"),
    [
        (None, "feed.corp:8765", None),  # what it is called is for their DNS to say
        ("http://10.0.0.5:8765", "10.0.0.5:8765", None),
        (f"http://{socket.gethostname()}:8765", f"{socket.gethostname()}:8765", None),
        (EVIL, "feed.corp:8765", HttpCode.FORBIDDEN_ORIGIN),
        ("http://evil.example:8765", "evil.example:8765", HttpCode.FORBIDDEN_HOST),
    ],
)
def test_who_may_read_what_others_are_to_reach(
    origin: str | None, host: str, code: HttpCode | None
) -> None:
    refusal = Origins("0.0.0.0").refuse(origin, host)
    assert (refusal and refusal.code) == code


def test_the_name_that_it_is_bound_to_is_its_own() -> None:
    assert Origins("feed.corp").refuse("http://feed.corp:1", "feed.corp:1") is None


def test_others_are_let_in_by_name() -> None:
    origins = Origins("127.0.0.1", [APP + ":443", "http://localhost:3000", "null"])
    for origin in (APP, APP + ":443", "HTTPS://APP.example", "http://localhost:3000", "null"):
        assert origins.allows(origin)
        assert origins.refuse(origin, "localhost:8765") is None
    for origin in (EVIL, "http://app.example", APP + ":8443", "http://localhost", APP + "/"):
        assert not origins.allows(origin)
        assert origins.refuse(origin, "localhost:8765") is not None
    # A proxy at that name passes it on.
    assert origins.refuse(None, "app.example") is None
    assert origins.refuse(APP, "app.example") is None


def test_a_star_lets_everybody_in() -> None:
    origins = Origins("127.0.0.1", ["*"])
    assert origins.allows(EVIL)
    assert origins.refuse(EVIL, "evil.example") is None
    assert origins.refuse("null", None) is None


@pytest.mark.parametrize(
    "wrong", ["", "app.example", "https://", "https://a/b", "https://a b", "https://*.example"]
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    if wrong == "https://*.example":
        Origins("127.0.0.1", [wrong])  # matches itself only, which no browser sends
        return
    with pytest.raises(ConfigError, match="is no origin"):
        Origins("127.0.0.1", [wrong])


# With real clients.


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/health", "/api/symbols", "/nothing"])
async def test_a_page_from_elsewhere_gets_403(path: str) -> None:
    async with (
        running() as server,
        aiohttp.ClientSession(server.url) as http,
        http.get(path, headers={"Origin": EVIL}) as answer,
    ):
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.json() == {
            "type": "error",
            "code": "forbidden_origin",
            "message": f"pages of '{EVIL}' may not read this feed; start it with --origin to let them",
        }


@pytest.mark.asyncio
async def test_a_name_that_was_made_to_lead_here_gets_403() -> None:
    async with running() as server, RawHttp(server) as http:
        answer = await http.get("/api/symbols", "Host: evil.example")
        assert (answer.status, answer.json()["code"]) == (403, "forbidden_host")


@pytest.mark.asyncio
async def test_who_names_two_origins_is_of_neither() -> None:
    """Whichever comes first: no browser sends two, and what stands between may look at the other one."""
    async with running() as server:
        own = f"Origin: {server.url}"
        for origins in ((own, f"Origin: {EVIL}"), (f"Origin: {EVIL}", own), (own, own)):
            async with RawHttp(server) as http:
                answer = await http.get("/health", f"Host: 127.0.0.1:{server.port}", *origins)
                assert (answer.status, answer.json()["code"]) == (403, "forbidden_origin")


@pytest.mark.asyncio
async def test_a_request_without_a_host_is_no_browsers() -> None:
    async with running() as server, RawHttp(server) as http:
        http.send("GET /health HTTP/1.0")
        assert (await http.answer()).status == 200


@pytest.mark.asyncio
async def test_a_websocket_from_elsewhere_isnt_opened() -> None:
    async with running() as server, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await http.ws_connect(server.ws_url, origin=EVIL)
        assert error.value.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await http.ws_connect(server.ws_url, headers={"Host": "evil.example"})
        assert error.value.status == 403
        assert not server.plant.websockets.open
        async with http.ws_connect(server.ws_url, origin=server.url) as ws:
            assert (await ws.receive_json())[0]["type"] == "hello"


@pytest.mark.asyncio
async def test_a_page_that_is_let_in_can_read() -> None:
    async with running(origin=APP) as server, aiohttp.ClientSession(server.url) as http:
        for path, status in (("/api/symbols", 200), ("/api/bars", 400), ("/nothing", 404)):
            async with http.get(path, headers={"Origin": APP}) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == APP
                assert answer.headers["Vary"] == "Origin"
        async with http.get("/api/symbols") as answer:  # for a cache between us
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.headers["Vary"] == "Origin"
        async with http.ws_connect("/ws", origin=APP) as ws:
            assert (await ws.receive_json())[0]["type"] == "hello"
        async with http.get("/api/symbols", headers={"Origin": EVIL}) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.asyncio
async def test_a_preflight_needs_no_token_and_says_what_may_be_sent() -> None:
    preflight = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
        "Access-Control-Request-Private-Network": "true",
    }
    async with (
        running(origin=["http://x.example", APP], token="t") as server,
        aiohttp.ClientSession(server.url) as http,
    ):
        async with http.options("/api/symbols", headers=preflight | {"Origin": APP}) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == APP
            assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
            assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        async with http.options("/api/symbols", headers=preflight | {"Origin": EVIL}) as answer:
            assert answer.status == 403
        async with http.options("/api/symbols", headers={"Origin": APP}) as answer:
            assert answer.status == 401, "this is no preflight"
        # What follows needs the token, and the page can read that it does.
        async with http.get("/api/symbols", headers={"Origin": APP}) as answer:
            assert answer.status == 401
            assert answer.headers["Access-Control-Allow-Origin"] == APP


@pytest.mark.asyncio
async def test_the_python_client_says_that_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came by a name that leads to this machine, and that the server doesn't know."""
    ask = socket.getaddrinfo

    def rebound(host: Any, *args: Any, **options: Any) -> Any:
        return ask("127.0.0.1" if host == "evil.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    async with running() as server:
        with pytest.raises(ConnectError) as error:
            async with TickerClient(server.ws_url.replace("127.0.0.1", "evil.example")):
                pass
        assert error.value.status == 403
        assert error.value.reason == (
            "HTTP status 403: the server doesn't let this origin or host in"
        )
