"""Dead peers over real sockets: found, and let go with their memory; whoever answers stays."""

import gc
import socket

import aiohttp
import pytest
from blackhole import blackhole, needs_blackhole
from proxy import ProxiedFeed
from streaming import StreamClient
from wire import PING, RawClient, eventually, on_both_loops, running

from clients.client import TickerClient
from feeds.connections import acks as acks_module
from feeds.connections.acks import Acks, acks
from feeds.wire.backlog import BacklogPolicy, Eviction

pytestmark = pytest.mark.timeout(180)


@on_both_loops
async def test_who_doesnt_answer_a_ping_is_cut_off_and_forgotten() -> None:
    """As a program that hangs does: its kernel takes our bytes, so TCP sees nothing wrong."""
    async with (
        running(clock="wall", rate=1, heartbeat_s=0.2) as server,
        RawClient(server) as mute,
    ):
        mute.answers_pings = False
        mute.send(action="subscribe", symbols="*")
        await eventually(lambda: not server.plant.websockets.open, "it is let go")
        assert server.plant.hub.stats.evicted[Eviction.NO_PONG] == 1
        assert server.plant.hub.roster.groups == {}
        seen = []
        try:
            while True:
                seen.append((await mute.frame())[0])
        except EOFError:
            pass
        assert seen.count(PING) == 1
        assert mute.close_code is None, "no close frame: nobody would read it"


@on_both_loops
async def test_who_answers_stays_however_silent_it_is() -> None:
    async with running(clock="wall", rate=0, heartbeat_s=0.2) as server:
        url = server.ws_url
        async with aiohttp.ClientSession() as http, http.ws_connect(url, autoping=False) as ws:
            pings = 0
            while pings < 5:
                message = await ws.receive()
                if message.type is aiohttp.WSMsgType.PING:
                    pings += 1
                    await ws.pong(message.data)
            assert sum(server.plant.hub.stats.evicted.values()) == 0


@on_both_loops
async def test_who_talks_isnt_asked() -> None:
    async with (
        running(clock="wall", rate=0, heartbeat_s=1.0) as server,
        RawClient(server) as client,
    ):
        for number in range(200):
            await client.ask(action="ping", id=number)
        opcodes = set()
        client.send(action="ping", id="last")
        opcodes.add((await client.frame())[0])
        assert PING not in opcodes
        assert sum(server.plant.hub.stats.evicted.values()) == 0


@on_both_loops
async def test_who_is_behind_is_left_to_the_rules_of_the_backlog() -> None:
    """It hasn't seen the ping yet; while it makes progress, nobody cuts it off."""
    async with (
        running(clock="wall", rate=400, symbols="100", turn_ms=1, heartbeat_s=0.1) as server,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        slow.pause()
        await eventually(lambda: server.plant.hub.slow.laggards, "it is behind")
        (transport,) = server.plant.websockets.open.values()
        asked = server.plant.hub.stats.events
        await eventually(lambda: server.plant.hub.stats.events > asked + 20_000, "half a second")
        assert transport.unread()
        assert server.plant.hub.stats.evicted[Eviction.NO_PONG] == 0


@on_both_loops
async def test_who_waits_long_for_an_answer_isnt_taken_for_dead() -> None:
    """Others are answered first, and until then its pongs aren't read: that is our delay, not its."""
    async with (
        running(clock="wall", rate=0, heartbeat_s=0.2) as server,
        RawClient(server) as client,
        RawClient(server) as witness,
    ):
        await client.until("hello")
        async with server.plant.websockets._conversations._desk:
            client.send(action="subscribe", symbols="*")
            for _ in range(6):
                await witness.until("heartbeat")
        assert (await client.until("subscribed"))[-1]["type"] == "snapshot"
        assert sum(server.plant.hub.stats.evicted.values()) == 0


# A cut cable: nothing comes from the other machine any more, not even from its kernel.

PATIENT = BacklogPolicy(no_progress_s=1_000)
"""So that it is neither the rules of the backlog nor the kernel's own patience that find it."""


async def beat(client: StreamClient) -> None:
    """Read up to the next heartbeat."""
    while b'"heartbeat"' not in await client.chunk():
        pass


@needs_blackhole
@pytest.mark.parametrize("path", ["/sse", "/stream"])
@on_both_loops
async def test_a_stream_whose_peer_is_gone_without_a_word_is_let_go(path: str) -> None:
    """In silence there are heartbeats; two of them without an acknowledgement are enough."""
    async with (
        running(clock="wall", rate=0, heartbeat_s=0.3, backlog=PATIENT) as server,
        StreamClient(server, f"{path}?symbols=*") as gone,
        StreamClient(server, f"{path}?symbols=*") as witness,
    ):
        await beat(gone)
        await beat(witness)
        blackhole(gone.writer.get_extra_info("socket"))
        await eventually(lambda: len(server.plant.streams.open) == 1, "it is let go")
        assert server.plant.hub.stats.evicted[Eviction.NO_ACK] == 1
        assert sum(server.plant.hub.stats.evicted.values()) == 1
        (group,) = server.plant.hub.roster.groups.values()
        assert group.members == 1, "nothing is kept of it"
        await beat(witness)


@needs_blackhole
@on_both_loops
async def test_a_websocket_whose_peer_is_gone_without_a_word_is_let_go() -> None:
    async with (
        running(clock="wall", rate=0, heartbeat_s=0.3, backlog=PATIENT) as server,
        RawClient(server) as client,
    ):
        await client.message()
        blackhole(client.writer.get_extra_info("socket"))
        await eventually(lambda: not server.plant.websockets.open, "it is let go")
        assert server.plant.hub.stats.evicted[Eviction.NO_PONG] == 1
        assert server.plant.hub.roster.groups == {}


@needs_blackhole
@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "sse"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.asyncio
async def test_both_ends_find_a_silent_death_and_the_client_comes_back(websockets: bool) -> None:
    """A proxy's machine dies: the feed lets go of it, the client connects anew, through another one."""
    options = {"symbols": "10", "rate": 0.0, "heartbeat_s": 0.5, "backlog": PATIENT}
    with ProxiedFeed(websockets=websockets, **options) as proxied:
        async with TickerClient(proxied.ws_url) as client:
            await client.subscribe("*")
            await client.batch()
            proxied.blackhole()
            while not client.reconnects:
                await client.batch()
            hub = proxied._feed.plant.hub
            reason = Eviction.NO_PONG if websockets else Eviction.NO_ACK
            await eventually(lambda: hub.stats.evicted[reason] == 1, "the feed has found it too")
    gc.collect()  # what the proxy leaves of connections that end without a word, asyncio complains of here


@on_both_loops
async def test_a_stream_in_which_nothing_happens_stays() -> None:
    async with (
        running(clock="wall", rate=0, heartbeat_s=0.1, backlog=PATIENT) as server,
        StreamClient(server, "/sse?symbols=*") as client,
    ):
        for _ in range(20):
            await beat(client)
        assert sum(server.plant.hub.stats.evicted.values()) == 0


@needs_blackhole
@on_both_loops
async def test_a_stream_that_isnt_read_is_left_to_the_rules_of_the_backlog() -> None:
    """The client's machine is there, and says that it has no room."""
    async with running(clock="wall", rate=50, heartbeat_s=0.1, backlog=PATIENT) as server:
        client = StreamClient(server, "/sse?symbols=*", receive_buffer=1024)
        async with client:
            client.pause()
            await eventually(lambda: server.plant.streams.open, "it is there")
            (stream,) = server.plant.streams.open
            await eventually(lambda: stream.transport.unread() > 500, "it is behind")
            assert server.plant.hub.stats.evicted[Eviction.NO_ACK] == 0


# What the kernel knows.


def test_where_the_kernel_doesnt_tell_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terse:
        def getsockopt(self, *_: int) -> bytes:
            return bytes(10)

    assert acks(None) is None
    assert acks(Terse()) is None
    with socket.socket() as closed:
        pass
    assert acks(closed) is None
    monkeypatch.setattr(acks_module.sys, "platform", "darwin")
    with socket.socket() as sock:
        assert acks(sock) is None


@needs_blackhole
def test_what_was_sent_and_not_acknowledged_is_outstanding() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        server, _ = listener.accept()
        with server:
            server.sendall(b"one")
            assert client.recv(3) == b"one"
            first = acks(server)
            assert isinstance(first, Acks)
            assert not first.outstanding
            blackhole(client)
            server.sendall(b"two")
            second = acks(server)
            assert second is not None
            assert second.outstanding
            assert second.heard_s >= first.heard_s
