"""Waiting for one connection to read."""

from __future__ import annotations

import pytest
from hub_bench import HubBench

from feeds.connections.drain import drained
from feeds.wire.backlog import BacklogPolicy, Eviction

pytestmark = pytest.mark.asyncio
POLICY = BacklogPolicy(soft_limit=100, low_water=10, hard_limit=10_000, no_progress_s=5.0)


MOST_LOOKS = 400


class Reader:
    """A client of which the test says, look by look, how much it has left to read; None: the connection is over."""

    def __init__(self, *looks: int | None) -> None:
        self.looks = list(looks)
        self.aborted = False
        self.now = 0.0

    def closed(self) -> bool:
        self.now += 1.0
        assert self.now < MOST_LOOKS, "waits for ever"
        return self.aborted or self.looks[0] is None

    def unread(self) -> int:
        look = self.looks[0]
        assert look is not None
        return look

    def seconds(self) -> float:
        if len(self.looks) > 1:
            self.looks.pop(0)
        return self.now

    def abort(self) -> None:
        self.aborted = True


async def waited(*looks: int | None) -> tuple[HubBench, Reader]:
    bench, reader = HubBench(policy=POLICY), Reader(0)
    member = bench.join(reader)
    reader.looks = list(looks)
    await drained(member, reader, bench.hub, reader.seconds)  # type: ignore[arg-type]
    return bench, reader


@pytest.mark.parametrize("looks", [(0,), (100,), (500, 101, 100, 7), (500, None)])
async def test_it_returns_when_there_is_little_unread_or_nobody(
    looks: tuple[int | None, ...],
) -> None:
    bench, reader = await waited(*looks)
    assert len(reader.looks) == 1 + (looks == (500, 101, 100, 7))
    assert not reader.aborted
    assert bench.evicted == []


async def test_who_reads_a_little_now_and_then_is_waited_for() -> None:
    _, reader = await waited(*(n for n in range(900, 100, -50) for _ in range(3)), 100)
    assert reader.now > 40
    assert not reader.aborted


async def test_who_makes_no_progress_is_evicted_and_counted() -> None:
    bench, reader = await waited(500)
    assert reader.aborted
    assert bench.hub.stats.evicted[Eviction.NO_PROGRESS] == 1
    assert bench.evicted == [(reader, Eviction.NO_PROGRESS)]
    assert bench.roster.groups == {}


async def test_who_takes_too_long_over_one_piece_is_evicted_however_steadily_it_reads() -> None:
    bench, reader = await waited(*range(9_000, 4_000, -1))
    assert reader.aborted
    assert reader.now <= POLICY.soft_seconds + 2
    assert bench.evicted == [(reader, Eviction.TOO_LONG)]


async def test_no_size_is_too_much_for_an_answer_but_it_has_to_be_read() -> None:
    size = 2 * POLICY.hard_limit
    bench, reader = await waited(*(size - n for n in range(20)), 100)
    assert bench.evicted == []
    bench, reader = await waited(size)
    assert bench.evicted == [(reader, Eviction.NO_PROGRESS)]
