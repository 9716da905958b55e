"""What all connections together may have at a pace, and how often it is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streaming import StreamClient
from wire import RawClient, eventually, on_both_loops, running, step

from feeds.admission import turnstile as turnstile_module
from feeds.admission.limits import Limits
from feeds.admission.turnstile import Turnstile
from feeds.clock import parse_clock
from feeds.engine.throttle import Throttle
from feeds.fanout.interest import Interest
from feeds.fanout.paced import Lanes
from feeds.protocol import subscriber

SYMBOLS = 1_000


@pytest.fixture
def lanes() -> Lanes:
    seq = np.zeros(10 * SYMBOLS, dtype=np.int64)
    return Lanes(SYMBOLS, seq, np.zeros(len(seq), dtype=np.int32))


def wish(count: int) -> Interest:
    return Interest().add(range(count), (0, 1))


def test_slots_are_counted_as_they_come_and_go(lanes: Lanes) -> None:
    one, other = object(), object()
    marks = np.zeros(10 * SYMBOLS, dtype=np.int64)
    steps: list[tuple[Any, tuple[tuple[int, Interest], ...], int]] = [
        (one, ((1_000, wish(600)),), 1_200),
        (other, ((1_000, wish(10)), (500, Interest().add([20], (0,)))), 1_221),
        (one, ((1_000, wish(1_000)),), 2_021),
        (one, ((2_000, wish(1_000)),), 2_021),
        (one, ((2_000, wish(300)),), 621),
        (other, (), 600),
    ]
    for member, paced, total in steps:
        lanes.place(member, paced, marks)
        assert lanes.slots == total
    lanes.forget(one)
    lanes.forget(one)
    assert (lanes.slots, lanes.rest_s) == (0, 0.0)
    assert not lanes._wanted.any()


def test_what_one_has_already_isnt_counted_again(lanes: Lanes) -> None:
    one: Any = object()
    other: Any = object()
    lanes.place(one, ((1_000, wish(900)),), np.zeros(10 * SYMBOLS, dtype=np.int64))
    assert (lanes.count(one), lanes.count(other)) == (1_800, 0)
    assert lanes.added(one, wish(1_000).slots(SYMBOLS)) == 200
    assert lanes.added(one, wish(800).slots(SYMBOLS)) == 0
    assert lanes.added(other, wish(800).slots(SYMBOLS)) == 1_600


def test_an_address_has_a_tenth_and_more_if_it_may_have_more_connections() -> None:
    """As long as one of its connections is there; then it starts over."""
    turnstile = Turnstile(Limits())
    quota = turnstile.quota("a")
    quota.taken = 199_999
    assert turnstile.quota("a") is quota
    assert quota.room(1)
    assert not quota.room(2)
    assert turnstile.quota("b").taken == 0
    del quota
    assert turnstile.quota("a").taken == 0
    assert Turnstile(Limits(max_per_address=5_000)).quota("proxy").most == 1_000_000


LATEST = {"action": "subscribe", "channels": ["trades", "quotes"], "mode": "latest"}


@on_both_loops
async def test_one_address_cant_have_all_of_it() -> None:
    """All of its connections count together, until they are over; those of others don't."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turnstile_module, "ADDRESS_PACED", 15)
        async with running() as server:
            names = list(server.plant.market.universe.symbols)
            async with RawClient(server) as one, RawClient(server) as other:
                assert (await one.ask(**LATEST, symbols="*"))["type"] == "subscribed"
                assert (await other.ask(**LATEST, symbols=names[:1]))["type"] == "subscribed"
                refused = await other.ask(**LATEST, symbols=names[1:])
                assert refused["code"] == "too_many_symbols"
                assert refused["message"] == (
                    "8 symbols and channels with mode 'latest': of one address, at most 15 are allowed,"
                    " and there are too many already; mode 'all' has no such limit"
                )
                assert (await one.ask(**LATEST, symbols="*", max_hz=5))["type"] == "subscribed"
                async with RawClient(server, address="127.0.0.2") as elsewhere:
                    told = await elsewhere.ask(**LATEST, symbols="*")
                    assert told["type"] == "subscribed"
                await one.ask(action="unsubscribe", symbols=names[:1])
                assert (await other.ask(**LATEST, symbols=names[:2]))["type"] == "subscribed"
                assert (await other.ask(**LATEST, symbols=names[2:]))["type"] == "error"
                quota = server.doors and server.doors.turnstile.quota("127.0.0.1")
            await eventually(lambda: quota and not quota.taken, "all of it is free again")


@on_both_loops
async def test_an_event_stream_that_is_over_has_none_of_it() -> None:
    """While another connection of its address lives, which keeps the account."""
    asked = "/sse?symbols=*&channels=trades,quotes&mode=latest"
    async with running() as server, RawClient(server) as other:
        one = server.plant.market.universe.symbols[:1]
        assert (await other.ask(**LATEST, symbols=one))["type"] == "subscribed"
        quota = server.doors and server.doors.turnstile.quota("127.0.0.1")
        assert quota
        assert quota.taken == 2
        async with StreamClient(server, asked) as stream:
            await stream.until("subscribed")
            assert quota.taken == 2 + 2 * len(server.plant.market.universe)
        await eventually(lambda: quota.taken == 2, "what the stream had is free again")


@on_both_loops
async def test_a_connection_has_so_many_different_rates() -> None:
    """One more is refused and changes nothing; those that there are may be used further, and one may take another's place."""
    async with running(symbols="30") as server, RawClient(server) as client:
        names = list(server.plant.market.universe.symbols)
        for n in range(16):
            told = await client.ask(**LATEST, symbols=names[n], max_hz=n + 1)
            assert told["type"] == "subscribed"
        refused = await client.ask(**LATEST, symbols=names[20], max_hz=99)
        assert (refused["code"], refused["message"]) == (
            "invalid_value",
            "17 different rates of mode 'latest' on one connection; at most 16 are allowed",
        )
        for symbol, hz in ((names[20], 16), (names[0], 99), (names[21], 99)):
            told = await client.ask(**LATEST, symbols=symbol, max_hz=hz)
            assert told["type"] == "subscribed"


@on_both_loops
async def test_there_is_a_limit_to_what_all_have_at_a_pace() -> None:
    """Who comes over it is told so, and keeps what it had; without ``latest`` it gets everything, and so do the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscriber, "MOST_SLOTS", 15)
        async with running() as server, RawClient(server) as one, RawClient(server) as other:
            names = list(server.plant.market.universe.symbols)
            assert (await one.ask(**LATEST, symbols="*"))["type"] == "subscribed"
            assert (await other.ask(**LATEST, symbols=names[:1]))["type"] == "subscribed"
            refused = await other.ask(**LATEST, symbols=names[1:])
            assert (refused["type"], refused["code"]) == ("error", "too_many_symbols")
            assert refused["message"] == (
                "8 symbols and channels with mode 'latest': of all connections, at most 15 are allowed,"
                " and there are too many already; mode 'all' has no such limit"
            )
            assert server.plant.hub.roster.lanes.slots == 12
            again = await one.ask(**LATEST, symbols="*", max_hz=5)
            assert again["type"] == "subscribed", "it has as many already"
            everything = await other.ask(**LATEST | {"mode": "all"}, symbols="*")
            assert everything["type"] == "subscribed"
            await step(server, 10_000_000)
            assert {item["type"] for item in await one.until("trade")} >= {"trade"}
        await eventually(lambda: not server.plant.hub.roster.lanes.slots, "all have left")


@pytest.mark.parametrize(
    ("name", "looks"), [("wall", [1, 0, 0, 0, 0, 1, 0]), ("manual", [1] * 7), ("max", [1] * 7)]
)
def test_very_many_are_looked_at_less_often(
    name: str, looks: list[int], lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where time has no pace: there a turn is somebody's, or a window."""
    now = 100.0
    clock = parse_clock(name, 0, 0.01)
    monkeypatch.setattr(clock, "seconds", lambda: now)
    lanes.slots = 1_000_000
    throttle = Throttle(clock)
    found = []
    for _ in looks:
        found.append(int(throttle.passes(lanes.rest_s)))
        now += 0.0101
    assert found == looks
