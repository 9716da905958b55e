"""Dead peers over real sockets: asked, and let go with their memory; whoever answers stays."""

import aiohttp
import pytest
from wire import PING, RawClient, eventually, on_both_loops, running

from feeds.backlog import Eviction

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
        await eventually(lambda: not server.websockets.open, "it is let go")
        assert server.hub.stats.evicted[Eviction.NO_PONG] == 1
        assert server.hub.roster.groups == {}
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
            assert sum(server.hub.stats.evicted.values()) == 0


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
        assert sum(server.hub.stats.evicted.values()) == 0


@on_both_loops
async def test_who_is_behind_is_left_to_the_rules_of_the_backlog() -> None:
    """It hasn't seen the ping yet; while it makes progress, nobody cuts it off."""
    async with (
        running(clock="wall", rate=400, symbols="100", turn_ms=1, heartbeat_s=0.1) as server,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        slow.pause()
        await eventually(lambda: server.hub.slow.laggards, "it is behind")
        (transport,) = server.websockets.open.values()
        asked = server.hub.stats.events
        await eventually(lambda: server.hub.stats.events > asked + 20_000, "half a second")
        assert transport.unread()
        assert server.hub.stats.evicted[Eviction.NO_PONG] == 0
