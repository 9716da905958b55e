"""What all connections together may have at a pace, and how often it is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wire import RawClient, eventually, on_both_loops, running, step

from feeds.clock import parse_clock
from feeds.fanout import lanes as lanes_module
from feeds.fanout.interest import Interest
from feeds.fanout.lanes import Lanes
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


def test_there_is_room_up_to_the_limit_and_for_what_one_has_already(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "MOST_SLOTS", 2_000)
    one: Any = object()
    slots = np.arange(5_000)
    assert lanes.room(one, slots[:2_000])
    assert not lanes.room(one, slots[:2_001])
    lanes.place(one, ((1_000, wish(900)),), np.zeros(10 * SYMBOLS, dtype=np.int64))
    assert lanes.room(one, wish(1_000).slots(SYMBOLS))
    assert not lanes.room(one, slots[:2_001])
    other: Any = object()
    assert lanes.room(other, slots[:200])
    assert not lanes.room(other, slots[:201])


def test_who_wants_more_piece_by_piece_is_counted_as_well(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece is no larger than what there is already, and none of it is there."""
    monkeypatch.setattr(lanes_module, "MOST_SLOTS", 2_000)
    one: Any = object()
    lanes.place(one, ((1_000, wish(900)),), np.zeros(10 * SYMBOLS, dtype=np.int64))
    assert lanes.room(one, np.arange(5_000, 5_200))
    assert not lanes.room(one, np.arange(5_000, 5_201))


@on_both_loops
async def test_there_is_a_limit_to_what_all_have_at_a_pace() -> None:
    """Who comes over it is told so, and keeps what it had; without ``latest`` it gets everything, and so do the others."""
    latest = {"action": "subscribe", "channels": ["trades", "quotes"], "mode": "latest"}
    with pytest.MonkeyPatch.context() as patch:
        for module in (lanes_module, subscriber):
            patch.setattr(module, "MOST_SLOTS", 15)
        async with running() as server, RawClient(server) as one, RawClient(server) as other:
            names = list(server.market.universe.symbols)
            assert (await one.ask(**latest, symbols="*"))["type"] == "subscribed"
            assert (await other.ask(**latest, symbols=names[:1]))["type"] == "subscribed"
            refused = await other.ask(**latest, symbols=names[1:])
            assert (refused["type"], refused["code"]) == ("error", "too_many_symbols")
            assert refused["message"] == (
                "8 symbols and channels with mode 'latest': of all connections, at most 15 are allowed,"
                " and there are too many already; mode 'all' has no such limit"
            )
            assert server.hub.roster.lanes.slots == 12
            again = await one.ask(**latest, symbols="*", max_hz=5)
            assert again["type"] == "subscribed", "it has as many already"
            everything = await other.ask(**latest | {"mode": "all"}, symbols="*")
            assert everything["type"] == "subscribed"
            await step(server, 10_000_000)
            assert {item["type"] for item in await one.until("trade")} >= {"trade"}
        await eventually(lambda: not server.hub.roster.lanes.slots, "all have left")


@pytest.mark.parametrize(
    ("name", "looks"), [("wall", [1, 0, 0, 0, 0, 1, 0]), ("manual", [1] * 7), ("max", [1] * 7)]
)
@pytest.mark.asyncio
async def test_very_many_are_looked_at_less_often(
    name: str, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where time has no pace: there a turn is somebody's, or a window."""
    now = 100.0
    clock = parse_clock(name, 0, 0.01)
    monkeypatch.setattr(clock, "seconds", lambda: now)
    async with running() as server:
        pump = server.pump
        with monkeypatch.context() as patch:
            patch.setattr(pump, "_clock", clock)
            patch.setattr(server.hub.roster.lanes, "slots", 1_000_000)
            found = []
            for _ in looks:
                found.append(int(pump._may_pace()))
                now += 0.0101
    assert found == looks
