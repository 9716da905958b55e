"""The queue between the socket and the program."""

import asyncio

import pytest

from clients.core.buffer import EventBuffer
from clients.events import Event, Trade

pytestmark = pytest.mark.asyncio


def trade(seq: int) -> Event:
    return Trade("AAPL", seq, 0.0, 1.0, 1)


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_event_wakes_who_waits_for_it() -> None:
    """A reader may come first."""
    buffer = EventBuffer(10)
    reader = asyncio.create_task(buffer.get())
    await settle()
    assert not reader.done()
    buffer.events.append(trade(1))
    buffer.announce()
    assert await reader == trade(1)


async def test_a_full_buffer_makes_its_producer_wait_until_it_is_half_empty() -> None:
    """The producer is not woken for every event."""
    buffer = EventBuffer(4)
    buffer.events.extend(map(trade, range(4)))
    producer = asyncio.create_task(buffer.room())
    for expected in (False, False, True):
        await settle()
        assert producer.done() is expected
        await buffer.get()
    await producer


async def test_taking_everything_makes_room() -> None:
    """A batch is all that is here."""
    buffer = EventBuffer(2)
    buffer.events.extend(map(trade, range(3)))
    producer = asyncio.create_task(buffer.room())
    await settle()
    assert await buffer.get_all() == [trade(0), trade(1), trade(2)]
    await producer


async def test_a_full_buffer_does_not_stop_what_is_urgent() -> None:
    """While somebody awaits a reply, the events before it are taken in."""
    buffer = EventBuffer(1)
    buffer.events.append(trade(1))
    producer = asyncio.create_task(buffer.room())
    await settle()
    with buffer.urgent():
        await producer
        await buffer.room()
    producer = asyncio.create_task(buffer.room())
    await settle()
    assert not producer.done()
    producer.cancel()


async def test_the_end_comes_after_the_events_that_are_here() -> None:
    """Nothing that arrived is lost to an error after it."""
    buffer = EventBuffer(10)
    buffer.events.append(trade(1))
    buffer.finish(OSError("gone"))
    buffer.finish()
    assert await buffer.get() == trade(1)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            await buffer.get()
        with pytest.raises(OSError, match="gone"):
            await buffer.get_all()


async def test_a_wished_end_is_no_error() -> None:
    """Iteration stops, and a batch is empty; who waits learns of it."""
    buffer = EventBuffer(10)
    readers = [asyncio.create_task(buffer.get_all()) for _ in range(2)]
    await settle()
    buffer.finish()
    assert [await reader for reader in readers] == [[], []]
    with pytest.raises(StopAsyncIteration):
        await buffer.get()
