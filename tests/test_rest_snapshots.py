"""Snapshots of a whole market over HTTP: of one moment, in slices, and one at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from streaming import StreamClient
from wire import Follower, eventually, on_both_loops, running, step

from feeds.engine.feed import Feed
from feeds.http import snapshots as module


@on_both_loops
async def test_a_stream_goes_on_from_it_with_no_gap_and_nothing_twice() -> None:
    """In a market that moves while the snapshots are made."""
    async with (
        running(clock="wall", symbols="1500", rate=5.0, turn_ms=1) as server,
        aiohttp.ClientSession() as http,
    ):
        for _ in range(3):
            before = server.plant.pump.turns
            async with http.get(server.url + "/api/snapshot") as answer:
                answered: dict[str, Any] = await answer.json()
            assert server.plant.pump.turns > before, "the market went on"
            follower = Follower()
            follower.feed(answered["snapshots"])
            assert len(follower.last) == 3 * 1500
            target = f"/stream?symbols=*&channels=trades,quotes&last_event_id={answered['cursor']}"
            async with StreamClient(server, target) as stream:
                while follower.events < 3_000:
                    items = await stream.lines()
                    assert not any(item["type"] in ("gap", "snapshot") for item in items)
                    follower.feed(items)


@pytest.mark.asyncio
async def test_who_asks_while_one_is_made_waits_and_shares_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many they are, and nobody sees what was before he asked, as the next is made from then on."""
    made = 0
    snapshots = Feed.snapshots

    def counting(self: Feed, symbols: Any, *rest: Any) -> list[bytes]:
        nonlocal made
        made += len(symbols)
        return snapshots(self, symbols, *rest)

    monkeypatch.setattr(Feed, "snapshots", counting)
    async with running(symbols="1500") as server, aiohttp.ClientSession() as http:

        async def get() -> dict[str, Any]:
            async with http.get(server.url + "/api/snapshot") as answer:
                found: dict[str, Any] = await answer.json()
                return found

        maker = server.plant.api._snapshots
        async with maker._making:  # as while one is made
            asked = [asyncio.create_task(get()) for _ in range(20)]
            await eventually(lambda: maker._coming, "they wait")
        answers = await asyncio.gather(*asked)
        assert made % 1500 == 0
        assert made < 20 * 1500  # 1500, unless some came later than the others
        assert all(len(answer["snapshots"]) == 1500 for answer in answers)


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.asyncio
async def test_however_often_it_is_made_anew_it_is_of_one_moment(
    rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROUNDS", rounds)
    monkeypatch.setattr(module, "SLICE", 2)
    async with running(clock="wall", symbols="30", rate=500.0, turn_ms=1) as server:
        maker = server.plant.api._snapshots
        for _ in range(20):
            made, place = await maker.take(range(30))
            if server.plant.hub.place == place:  # nothing has happened since
                assert made == server.plant.feed.snapshots(range(30), ())


@pytest.mark.asyncio
async def test_a_client_that_gives_up_doesnt_take_it_from_the_others() -> None:
    async with running(symbols="1500", rate=10.0) as server:
        await step(server, 100_000)
        maker = server.plant.api._snapshots
        server.plant.pump._idle.clear()
        one, other = (asyncio.create_task(maker.take(range(1500))) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        server.plant.pump._idle.set()
        made, _ = await other
        assert len(made) == 1500
        assert one.cancelled()
