"""What is under way."""

import asyncio

import pytest

from feeds.engine.underway import Underway


def test_it_is_under_way_until_all_have_ended() -> None:
    underway = Underway()
    assert not underway
    with underway:
        with underway:
            assert underway
        assert underway
    assert not underway


def test_what_fails_is_not_under_way_any_more() -> None:
    underway = Underway()
    with pytest.raises(KeyError), underway:
        raise KeyError
    assert not underway


async def begin(underway: Underway, idle: asyncio.Event, began: list[int], number: int) -> None:
    await underway.may_begin(idle)
    began.append(number)
    underway.__enter__()


@pytest.mark.asyncio
async def test_one_after_the_other_any_number_may_begin() -> None:
    """However many there were since others were last allowed: none overlaps."""
    underway, idle = Underway(2), asyncio.Event()
    idle.set()
    for _ in range(10):
        await underway.may_begin(idle)
        with underway:
            pass


@pytest.mark.asyncio
async def test_of_those_that_overlap_the_next_waits_until_it_is_allowed() -> None:
    """And no longer than that: each time, as many as at first may overlap."""
    underway, idle = Underway(2), asyncio.Event()
    idle.set()
    began: list[int] = []
    tasks = [asyncio.create_task(begin(underway, idle, began, n)) for n in range(6)]
    for expected in ([0, 1, 2], [0, 1, 2, 3, 4]):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert began == expected
        underway.allow()
    await asyncio.wait(tasks)
    assert began == [0, 1, 2, 3, 4, 5]
    underway.allow(always=True)
    for _ in range(5):
        await begin(underway, idle, began, 6)


@pytest.mark.asyncio
async def test_none_begins_while_it_isnt_time() -> None:
    underway, idle = Underway(1), asyncio.Event()
    began: list[int] = []
    with underway:
        task = asyncio.create_task(begin(underway, idle, began, 1))
        await asyncio.sleep(0)
        assert began == []
        with underway:
            idle.set()
            await asyncio.sleep(0)
            assert began == []
            idle.clear()
            underway.allow()
            await asyncio.sleep(0)
            idle.set()
            await task
    assert began == [1]
