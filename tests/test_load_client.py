"""One connection of the load generator, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import WSMsgType
from fake_feed import FakeFeed, Peer, Script, hello, plays, trade, until
from yarl import URL

from clients.loadgen.client import Address, LoadClient
from clients.loadgen.frames import FrameError
from clients.loadgen.tally import Tally

pytestmark = pytest.mark.asyncio

SUBSCRIBE = orjson.dumps({"action": "subscribe", "symbols": ["AAPL"], "snapshot": False})


@asynccontextmanager
async def connected(
    *scripts: Script, requests: list[bytes] | None = None
) -> AsyncIterator[tuple[LoadClient, Tally]]:
    """A client of a feed that plays *scripts*."""
    tally = Tally()
    async with FakeFeed(*scripts) as feed:
        url = URL(feed.url)
        address = Address(f"{url.host}:{url.port}", url.path)
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: LoadClient(address, [SUBSCRIBE] if requests is None else requests, tally),
            url.host or "",
            url.port or 0,
        )
        try:
            yield client, tally
        finally:
            client.close()


async def test_it_counts_what_comes_after_it_is_live() -> None:
    """Events in the message of the reply count as well."""
    finished = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1))
        await peer.send(trade("AAPL", 2), trade("AAPL", 4, merged=1))
        await peer.ws.ping(b"well?")
        message = await peer.ws.receive()
        assert message.type is WSMsgType.CLOSE
        finished.set()

    async with connected(script) as (client, tally):
        await client.live
        await until(lambda: tally.events == 3)
        assert (tally.frames, tally.merged, tally.merged_events) == (3, 1, 1)
        assert tally.received > 300
        client.close()
        client.close()
        await finished.wait()
    assert not tally.lost


async def test_it_is_live_when_all_requests_are_granted() -> None:
    """A token and long lists of symbols take several requests."""
    held = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello(auth=True)
        await peer.answer(await peer.request("auth"))
        await peer.grant()
        second = await peer.request("subscribe")
        await held.wait()
        await peer.answer(second)
        await peer.serve()

    auth = orjson.dumps({"action": "auth", "token": "sesame"})
    async with connected(script, requests=[auth, SUBSCRIBE, SUBSCRIBE]) as (client, tally):
        await until(lambda: tally.frames == 3)
        assert not client.live.done()
        held.set()
        await client.live


async def test_a_grant_may_come_in_pieces() -> None:
    """It is live after the last one."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await peer.serve()

    wish = {"action": "subscribe", "symbols": ["*"], "snapshot": False}
    async with connected(script, requests=[orjson.dumps(wish)]) as (client, tally):
        await client.live
        assert tally.frames == 3


async def test_a_message_may_be_larger_than_a_read() -> None:
    """Its parts are put together, and it counts once."""
    many = [trade("AAPL", seq) for seq in range(20_000)]
    async with connected(plays(many)) as (client, tally):
        await client.live
        await until(lambda: tally.events == len(many))
        assert tally.frames == 3
        assert tally.received > 1_000_000


@pytest.mark.parametrize(("code", "counted"), [(1001, "1001"), (1008, "1008"), (None, "1006")])
async def test_an_early_end_is_a_loss_with_its_close_code(code: int | None, counted: str) -> None:
    """1006 when there was no close frame."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        if code:
            await peer.close(code)
        else:
            peer.abort()

    async with connected(script) as (client, tally):
        await client.live
        await until(lambda: tally.lost)
    assert dict(tally.lost) == {counted: 1}


async def test_a_close_frame_may_have_no_code() -> None:
    """Which has a code of its own."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        assert peer.transport is not None
        peer.transport.write(b"\x88\x00")
        await peer.serve()

    async with connected(script) as (client, tally):
        await client.live
        await until(lambda: tally.lost)
    assert dict(tally.lost) == {"1005": 1}


@pytest.mark.parametrize("data", [b"\x82\x01x", b"\xc1\x00"], ids=["binary", "compressed"])
async def test_frames_that_a_feed_does_not_send_end_the_connection(data: bytes) -> None:
    """Counting them would be guessing."""
    live = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await live.wait()
        assert peer.transport is not None
        peer.transport.write(b"\x8a\x00" + data)  # after a pong, which means nothing
        await peer.serve()

    async with connected(script) as (client, tally):
        await client.live
        live.set()
        await until(lambda: tally.lost)
    assert sum(tally.lost.values()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"type":"error","code":"unknown_symbol","message":"no"}]', "unknown_symbol: no"),
        ("[7]", "malformed message"),
        ("{", "malformed message"),
    ],
)
async def test_a_refusal_is_a_failure_with_its_reason(text: str, reason: str) -> None:
    """The connection never becomes live."""

    async def script(peer: Peer) -> None:
        await peer.text(text)
        await peer.serve()

    async with connected(script) as (client, tally):
        with pytest.raises(FrameError, match=reason):
            await client.live
    assert not tally.lost


async def test_a_refused_handshake_is_a_failure() -> None:
    """With the status of the response."""
    async with FakeFeed(plays()) as feed:
        url = URL(feed.url)
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: LoadClient(Address("x", "/nowhere"), [SUBSCRIBE], Tally()),
            url.host or "",
            url.port or 0,
        )
        with pytest.raises(FrameError, match="HTTP status 404"):
            await client.live


async def test_a_server_that_hangs_up_is_a_failure() -> None:
    """Before the reply came."""

    async def script(peer: Peer) -> None:
        await peer.send(hello())
        await peer.request()
        peer.abort()

    async with connected(script) as (client, _):
        with pytest.raises(FrameError, match="closed before it was live"):
            await client.live


async def test_the_response_may_come_in_pieces() -> None:
    """And the first frame in the same read as its end."""
    loop = asyncio.get_running_loop()
    client = LoadClient(Address("x", "/ws"), [], Tally())

    class Sink(asyncio.Transport):
        def write(self, data: object) -> None:
            pass

        def close(self) -> None:
            pass

    client.connection_made(Sink())
    for part in (b"HTTP/1.1 1", b"01 Switching Protocols\r\nUpgrade: websocket\r"):
        client.get_buffer(-1)[: len(part)] = part
        client.buffer_updated(len(part))
        assert not client.live.done()
    part = b"\nSec-WebSocket-Accept: wrong\r\n\r\n"
    client.get_buffer(-1)[: len(part)] = part
    client.buffer_updated(len(part))
    with pytest.raises(FrameError, match="did not accept"):
        await client.live
    assert loop.is_running()
