"""One desk for all answers: who comes first is served first, and after some milliseconds the event loop runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from raw_http import RawHttp
from wire import RawClient, eventually, running

from feeds.engine import desk as desk_module
from feeds.engine.desk import MOST_S, Desk
from feeds.engine.feed import Feed
from feeds.protocol.reply import PIECE


class Idle:
    """A pump that is never in a turn."""

    async def between_turns(self) -> None:
        pass


class Works:
    """Those who want something, and how long each takes; no time passes but at the desk."""

    def __init__(self) -> None:
        self.now = 0.0
        self.passes = 0
        self.log: list[tuple[str, int]] = []
        self.desk = Desk(Idle(), lambda: self.now)  # type: ignore[arg-type]

    async def count(self) -> None:
        """Count the passes of the event loop."""
        while True:
            self.passes += 1
            await asyncio.sleep(0)

    async def work(self, name: str, seconds: float, pieces: int = 1, *, long: bool = False) -> None:
        for _ in range(pieces):
            async with self.desk.long() if long else self.desk:
                self.now += seconds
                self.log.append((name, self.passes))

    async def all(self, *works: tuple[str, float, int]) -> None:
        counting = asyncio.create_task(self.count())
        await asyncio.gather(*(self.work(*each) for each in works))
        counting.cancel()


@pytest.mark.asyncio
async def test_of_long_answers_no_two_pieces_are_made_in_one_pass_of_the_loop() -> None:
    works = Works()
    await works.all(*((name, 2 * MOST_S, 5) for name in "abcd"))
    passes = [n for _, n in works.log]
    assert len(set(passes)) == len(passes) == 20


@pytest.mark.asyncio
async def test_whoever_wants_much_waits_for_the_others_between_his_pieces() -> None:
    works = Works()
    await works.all(*((name, 2 * MOST_S, 3) for name in "abc"))
    assert "".join(name for name, _ in works.log) == "abcabcabc"


@pytest.mark.asyncio
async def test_short_answers_are_made_at_once() -> None:
    """Who is alone at the desk doesn't wait for a pass of the loop."""
    works = Works()
    await works.all(("a", MOST_S / 100, 90))
    assert len({n for _, n in works.log}) == 1


@pytest.mark.asyncio
async def test_who_fails_or_gives_up_leaves_it_to_the_next() -> None:
    works = Works()
    with pytest.raises(ZeroDivisionError):
        async with works.desk:
            raise ZeroDivisionError
    async with works.desk:
        waiting = asyncio.create_task(works.work("waits", 0.0))
        await asyncio.sleep(0)
        waiting.cancel()
    await works.work("next", 0.0)
    assert [name for name, _ in works.log] == ["next"]


@pytest.mark.asyncio
async def test_who_is_cancelled_while_a_turn_is_under_way_leaves_it_too() -> None:
    class Busy:
        def __init__(self) -> None:
            self.over = asyncio.Event()

        async def between_turns(self) -> None:
            await self.over.wait()

    busy = Busy()
    desk = Desk(busy)  # type: ignore[arg-type]
    served: list[str] = []

    async def work(name: str) -> None:
        async with desk:
            served.append(name)

    first = asyncio.create_task(work("first"))
    await asyncio.sleep(0)
    second = asyncio.create_task(work("second"))
    await asyncio.sleep(0)
    first.cancel()
    busy.over.set()
    await second
    assert served == ["second"]


@pytest.mark.asyncio
async def test_who_wants_little_waits_for_one_of_those_who_want_much() -> None:
    works = Works()
    many = [works.work(name, 2 * MOST_S, 3, long=True) for name in "abcd"]
    few = [works.work(name, MOST_S / 10, 1) for name in "xy"]
    await asyncio.gather(*many, *few)
    order = "".join(name for name, _ in works.log)
    assert order.replace("x", "").replace("y", "") == "abcd" * 3
    assert order.index("y") <= 3


@pytest.mark.asyncio
async def test_who_gives_up_in_the_queue_holds_nobody_up() -> None:
    works = Works()
    async with works.desk.long():
        queued = asyncio.create_task(works.work("queued", 0.0, long=True))
        await asyncio.sleep(0)
        queued.cancel()
    async with works.desk:
        first = asyncio.create_task(works.work("first", 0.0, long=True))  # has the queue behind it
        await asyncio.sleep(0)
        first.cancel()
    with pytest.raises(ZeroDivisionError):
        async with works.desk.long():
            raise ZeroDivisionError
    await works.work("next", 0.0, long=True)
    assert [name for name, _ in works.log] == ["next"]


@pytest.mark.asyncio
async def test_in_a_storm_of_those_who_want_everything_others_are_answered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ping, and a subscription by name, wait for some pieces of the others' answers, not for one of each."""
    pieces, snapshots = 0, Feed.snapshots

    def counted(feed: Feed, symbols: Sequence[int], *more: Any) -> list[bytes]:
        nonlocal pieces
        pieces += len(symbols) == PIECE
        return snapshots(feed, symbols, *more)

    monkeypatch.setattr(Feed, "snapshots", counted)
    async with running(symbols="1000") as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(server)) for _ in range(30)]
        other = await stack.enter_async_context(RawClient(server))
        for client in (*clients, other):
            await client.message()
        name = server.plant.market.universe.symbols[17]

        async def read(client: RawClient) -> None:
            client.send(action="subscribe", symbols="*")
            while any(item.get("more") for item in await client.message()):
                pass

        reading = [asyncio.create_task(read(client)) for client in clients]
        await eventually(lambda: pieces, "the storm has begun")
        waited = []
        for request in ({"action": "ping"}, {"action": "subscribe", "symbols": [name]}) * 3:
            before = pieces
            await other.ask(**request)
            waited.append(pieces - before)
        assert pieces < 140, "the storm isn't over"
        assert max(waited) < 10, waited
        await asyncio.gather(*reading)
        assert pieces == 150


@pytest.mark.asyncio
async def test_many_that_want_everything_are_served_side_by_side() -> None:
    """Real clients: nobody has his last piece before everybody has his first."""
    async with running(symbols="5000") as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(server)) for _ in range(5)]
        for client in clients:
            await client.message()
        order: list[tuple[int, int]] = []

        async def read(number: int, client: RawClient) -> None:
            pieces = 0
            while pieces < 5:
                for item in await client.message():
                    if item["type"] == "subscribed":
                        pieces += 1
                        order.append((number, pieces))

        for client in clients:
            client.send(action="subscribe", symbols="*")
        await asyncio.gather(*(read(n, c) for n, c in enumerate(clients)))
        assert len(order) == 25
        firsts = [i for i, (_, piece) in enumerate(order) if piece == 1]
        lasts = [i for i, (_, piece) in enumerate(order) if piece == 5]
        assert max(firsts) < min(lasts)


@pytest.mark.asyncio
async def test_long_answers_over_http_are_made_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many ask for all bars at once: everybody else has his turn between two of them."""
    monkeypatch.setattr(desk_module, "MOST_S", 0.0)
    passes, made = 0, []

    async def count() -> None:
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    async with running(symbols="2") as server, AsyncExitStack() as stack:
        encoder = server.plant.feed.encoder
        encode = encoder.bar_objects
        monkeypatch.setattr(encoder, "bar_objects", lambda t: (made.append(passes), encode(t))[1])
        clients = [await stack.enter_async_context(RawHttp(server)) for _ in range(20)]
        counting = asyncio.create_task(count())
        for client in clients:
            client.send("GET /api/bars?symbol=AAPL&limit=5000 HTTP/1.1", "Host: localhost")
        for client in clients:
            assert b" 200 OK" in await client.read(until=b"\r\n\r\n")
        counting.cancel()
    assert len(made) == len(set(made)) == 20
