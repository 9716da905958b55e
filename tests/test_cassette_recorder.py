"""The recorder between real clients and real feeds: ours, and one that speaks something else."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from taping import Exchange, asking, lines_of, received
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wire import TIMEOUT_S, eventually, running, step

from clients.client import TickerClient
from clients.events import Trade
from feeds.cassette.proxy import Recorder
from feeds.cassette.redact import REDACTED
from feeds.errors import ConfigError

KEY = "PK3XW0AAAQ5Z9KL"
LOGIN = orjson.dumps({"op": "login", "args": [KEY, 5]}).decode()
SUBSCRIBE = '{"op":"subscribe","id":7,"args":["B","A"]}'

pytestmark = pytest.mark.asyncio


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def messages(items: list[dict[str, Any]], way: str) -> list[str]:
    return [item.get("text", item.get("b64")) for item in items if item.get("dir") == way]


async def test_both_sides_are_on_the_tape_and_hear_each_other_as_without_it(tmp_path: Path) -> None:
    """Text and binary, in order, the close frame too; the subprotocol and the path reach the feed."""
    tape = tmp_path / "tape.ndjson"
    async with Exchange() as feed, Recorder(feed.url, tape) as recorder:
        assert not tape.exists()
        url = f"{recorder.ws_url}/v1?depth=5"
        async with asking(url, LOGIN, SUBSCRIBE, subprotocols=["ticks.v1"]) as ws:
            assert ws.subprotocol == "ticks.v1"
            heard = await received(ws, 6)
            await ws.send('{"op":"bye"}')
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
    assert feed.got == [LOGIN, SUBSCRIBE, '{"op":"bye"}']
    assert feed.paths == ["/v1?depth=5"]
    assert heard[0] == "welcome"
    assert heard[3] == b'{"n":0,"px":1.5,"of":["B","A"]}'
    head, opened, *talk, closed_line = lines_of(tape)
    assert head["upstream"] == feed.url
    assert opened["path"] == "/v1?depth=5"
    assert opened["protocol"] == "ticks.v1"
    assert set(opened["headers"]) == {"user-agent"}
    assert len(messages(talk, "in")) == 3
    assert len(messages(talk, "out")) == 6
    end = {"conn": 1, "event": "close", "by": "server", "code": 4001, "reason": "enough"}
    assert closed_line == end


async def test_no_secret_is_written(tmp_path: Path) -> None:
    """Neither those of the upstream's address, nor of headers, parameters, requests, or of answers that repeat them."""
    tape = tmp_path / "tape.ndjson"
    secrets = [KEY, "from-the-query", "in-a-header", "of-the-address", "cookie-value"]
    headers = {
        "X-Api-Key": "in-a-header",
        "Cookie": "sid=cookie-value",
        "Origin": "http://127.0.0.1",
    }
    async with Exchange() as feed:
        upstream = f"{feed.url}/v1?apikey=of-the-address"
        async with (
            Recorder(upstream, tape, origin=["*"]) as recorder,
            asking(
                f"{recorder.ws_url}/?token=from-the-query", LOGIN, additional_headers=headers
            ) as ws,
        ):
            assert KEY in str((await received(ws, 2))[1])
    assert feed.paths == ["/v1?apikey=of-the-address&token=from-the-query"]
    assert feed.headers[0]["X-Api-Key"] == "in-a-header"
    text = tape.read_text()
    assert [secret for secret in secrets if secret in text] == []
    assert f"/?token={REDACTED}" in text
    assert f'{{\\"op\\":\\"login\\",\\"ok\\":true,\\"as\\":\\"{REDACTED}\\"}}' in text


async def test_our_own_feed_and_client_do_not_notice_it(tmp_path: Path) -> None:
    """What the client read is what is on the tape."""
    tape = tmp_path / "tape.ndjson"
    async with running(symbols="AAPL,MSFT") as server, Recorder(server.ws_url, tape) as recorder:
        texts: list[str] = []
        async with TickerClient(
            recorder.ws_url, on_message=lambda text, _: texts.append(text)
        ) as client:
            await client.subscribe("AAPL", channels=["trades"])
            await step(server, 5_000_000)
            async with asyncio.timeout(TIMEOUT_S):
                async for event in client:
                    if isinstance(event, Trade):
                        break
    items = lines_of(tape)
    assert messages(items, "out")[: len(texts)] == texts
    assert orjson.loads(messages(items, "in")[0])["symbols"] == ["AAPL"]
    assert items[-1]["by"] == "client"


async def test_an_upstream_with_tls_is_trusted_as_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate that the system doesn't know is refused, unless it is given."""
    tape = tmp_path / "tape.ndjson"
    async with running(tls_self_signed=True, loggers=("aiohttp", "asyncio")) as server:
        assert server.tls is not None
        context = ssl.create_default_context(cadata=server.tls.certificate)
        async with (
            Recorder(server.ws_url, tape, trust=context) as recorder,
            asking(recorder.ws_url) as ws,
        ):
            assert '"hello"' in str(await ws.recv())
        async with Recorder(server.ws_url, tape) as recorder:
            with pytest.raises(InvalidStatus, match="502"):
                async with asking(recorder.ws_url):
                    pass
    assert "certificate verify failed" in caplog.text


async def test_a_refusal_is_passed_on_and_recorded(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    async with Exchange() as feed, Recorder(feed.url, tape) as recorder:
        with pytest.raises(InvalidStatus) as refused:
            async with asking(f"{recorder.ws_url}/private?key=abc"):
                pass
    assert refused.value.response.status_code == 402
    line = {"conn": 1, "event": "refused", "path": f"/private?key={REDACTED}", "status": 402}
    assert lines_of(tape)[1:] == [line]


async def test_an_upstream_that_is_not_there_is_told_and_not_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tape = tmp_path / "tape.ndjson"
    async with Recorder("ws://127.0.0.1:1/", tape) as recorder:
        with pytest.raises(InvalidStatus) as refused:
            async with asking(recorder.ws_url):
                pass
    assert refused.value.response.status_code == 502
    body = orjson.loads(refused.value.response.body or b"")
    assert body["code"] == "upstream_unreachable"
    assert body["message"].startswith("can't connect to the upstream: ")
    assert len(lines_of(tape)) == 1
    assert "can't connect to the upstream" in caplog.text


async def test_a_lost_connection_is_lost_for_the_client_too(tmp_path: Path) -> None:
    """Without a close frame: 1006."""
    tape = tmp_path / "tape.ndjson"
    async with (
        Exchange() as feed,
        Recorder(feed.url, tape) as recorder,
        asking(recorder.ws_url, '{"op":"vanish"}') as ws,
    ):
        await ws.recv()
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd is None
    assert lines_of(tape)[-1] == {
        "conn": 1,
        "event": "close",
        "by": "server",
        "code": 1006,
        "reason": "",
    }


async def test_a_client_that_is_lost_is_gone_for_the_feed_too(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    gone: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def feed(ws: ServerConnection) -> None:
        await ws.send("hi")
        await ws.wait_closed()
        gone.set_result(ws.close_code)

    async with serve(feed, "127.0.0.1", 0) as server:
        upstream = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Recorder(upstream, tape) as recorder, asking(recorder.ws_url) as ws:
            await ws.recv()
            ws.transport.abort()
            assert await asyncio.wait_for(gone, TIMEOUT_S) == 1001
            await eventually(lambda: b'"close"' in (tmp_path / "tape.ndjson.part").read_bytes(), "")
    assert lines_of(tape)[-1]["by"] == "client"
    assert lines_of(tape)[-1]["code"] == 1006


async def test_the_end_of_the_recording_is_told_to_both(tmp_path: Path) -> None:
    """Whoever is connected then gets 1001, and the tape says that it was the recorder."""
    tape = tmp_path / "tape.ndjson"
    async with Exchange() as feed:
        recorder = Recorder(feed.url, tape)
        async with recorder:
            session = aiohttp.ClientSession()
            client = await session.ws_connect(recorder.ws_url)
            assert (await client.receive()).data == "welcome"
            reading = asyncio.create_task(client.receive())
        message = await asyncio.wait_for(reading, TIMEOUT_S)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await session.close()
    end = {"conn": 1, "event": "close", "by": "recorder", "code": 1001}
    assert lines_of(tape)[-1] == end | {"reason": "the recording ends"}
    assert names_in(tmp_path) == ["tape.ndjson"]


async def test_connections_are_told_apart(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    async with (
        Exchange() as feed,
        Recorder(feed.url, tape) as recorder,
        asking(recorder.ws_url, '{"op":"subscribe","args":["A"]}') as one,
        asking(recorder.ws_url, '{"op":"subscribe","args":["B"]}') as other,
    ):
        await received(one, 5)
        await received(other, 5)
        assert recorder.tape.connections == 2
        assert recorder.tape.summary().startswith("2 connections, 12 messages, 0.0 MB in ")
    items = lines_of(tape)
    for conn, symbol in ((1, "A"), (2, "B")):
        said = messages([item for item in items if item.get("conn") == conn], "out")
        assert orjson.loads(said[1])["ok"] == [symbol]


async def test_a_file_that_cannot_be_written_any_more_ends_it(tmp_path: Path) -> None:
    """Clients get 1011, and nothing passes unrecorded."""
    tape = tmp_path / "tape.ndjson"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    async with Exchange() as feed, Recorder(feed.url, tape) as recorder:
        async with asking(recorder.ws_url) as ws:
            await ws.recv()
            recorder.tape.message = full  # type: ignore[method-assign,assignment]
            await ws.send(LOGIN)
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            assert ws.close_code == 1011
        assert recorder.failed.is_set()
        assert recorder.failure is not None
    assert feed.got == []


async def test_a_file_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "tape"
    with pytest.raises(ConfigError, match=f"can't write '{path}': No such file or directory"):
        async with Recorder("ws://127.0.0.1:1", path):
            pass


async def test_a_port_in_use_leaves_no_socket_behind(tmp_path: Path) -> None:
    async with Exchange() as feed:
        port = int(feed.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"can't listen on 127.0.0.1 port {port}"):
            async with Recorder(feed.url, tmp_path / "tape", port=port):
                pass


@pytest.mark.parametrize(
    "upstream", ["http://x", "feed.example", "ws://", "ws://x:0", "ws://x:y", "ws://[x"]
)
async def test_an_upstream_must_be_an_address(upstream: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no address of a WebSocket"):
        Recorder(upstream, tmp_path / "tape")


async def test_a_page_from_elsewhere_may_not_connect(tmp_path: Path) -> None:
    """The same rules as for the feed itself: a foreign origin, or a name that is not ours."""
    async with Exchange() as feed, Recorder(feed.url, tmp_path / "tape") as recorder:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            async with (
                aiohttp.ClientSession() as session,
                session.get(recorder.url, headers=headers) as answer,
            ):
                assert answer.status == 403
        with pytest.raises(InvalidStatus, match="403"):
            async with asking(recorder.ws_url, origin="http://evil.example"):
                pass
    assert feed.paths == []


async def test_plain_requests_are_told_what_this_is(tmp_path: Path) -> None:
    async with (
        Exchange() as feed,
        Recorder(feed.url, tmp_path / "tape") as recorder,
        aiohttp.ClientSession() as session,
        session.get(recorder.url) as answer,
    ):
        assert answer.status == 426
        assert recorder.ws_url in (await answer.json())["message"]
