"""What is under way, and the wait until nothing is."""

import asyncio

import pytest

from feeds.engine.underway import Underway


def test_what_is_not_under_way_is_not_waited_for() -> None:
    """It is over at once, at first and after each end."""
    underway = Underway()
    with pytest.raises(StopIteration):
        underway.over().send(None)
    with underway:
        pass
    with pytest.raises(StopIteration):
        underway.over().send(None)


def test_it_is_over_when_all_have_ended() -> None:
    """One that begins in the moment in which another ends is waited for as well."""

    async def scene() -> None:
        underway = Underway()
        with underway:
            waiting = asyncio.create_task(underway.over())
            await asyncio.sleep(0)
            with underway:
                pass
            await asyncio.sleep(0)
            assert not waiting.done()
        with underway:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(scene())
