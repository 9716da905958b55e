"""Giving memory back to the system: asked for where the C library can, harmless elsewhere."""

from pathlib import Path

import pytest
from wire import RawClient, eventually, running

from feeds.connections import keepalive, memory


def test_it_can_be_asked_for_at_any_time() -> None:
    asked = [memory.give_back() for _ in range(3)]
    assert len(set(asked)) == 1


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", None)
    assert memory.give_back() is False


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_a_system_without_the_call_is_found_out(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def missing(_: object) -> object:
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    assert memory._find() is None


def test_what_is_in_memory_can_be_told_or_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Linux, a block that is written to shows."""
    before = memory.resident()
    block = bytearray(b"x") * 32_000_000
    assert len(block) == 32_000_000
    assert memory.resident() > before + 16_000_000 or not memory._STATM.exists()
    monkeypatch.setattr(memory, "_STATM", tmp_path / "nothing")
    assert memory.resident() == 0


@pytest.mark.asyncio
async def test_it_is_asked_for_when_the_process_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever it is that the memory was of; and once, as long as it doesn't grow further."""
    sizes = iter((100, 60, 75, 77, 60, 75, 77, 80))
    asked: list[None] = []
    monkeypatch.setattr(keepalive, "give_back", lambda: asked.append(None))
    monkeypatch.setattr(keepalive, "resident", lambda: next(sizes) * 2**20)
    async with running() as server:
        told = []
        for _ in range(5):
            server.plant.websockets.keepalive._tidy()
            told.append(len(asked))
    assert told == [1, 1, 2, 2, 3]


@pytest.mark.asyncio
async def test_it_is_asked_for_after_an_eviction_and_when_many_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def give_back() -> bool:
        nonlocal asked
        asked += 1
        return True

    monkeypatch.setattr(keepalive, "give_back", give_back)
    monkeypatch.setattr(keepalive, "resident", lambda: 0)
    async with running(clock="wall", heartbeat_s=0.1) as server:
        watch = server.plant.websockets.keepalive

        async def leave(count: int) -> None:
            before = server.plant.hub.stats.left
            for _ in range(count):
                async with RawClient(server) as client:
                    await client.message()
            await eventually(
                lambda: server.plant.hub.stats.left == before + count, "they have left"
            )
            watch._tidy()

        await leave(keepalive._MANY - 1)
        assert asked == 0
        await leave(1)
        assert asked == 1
        await leave(keepalive._MANY + 1)
        assert asked in (2, 3)
        before = asked
        async with RawClient(server) as mute:
            mute.answers_pings = False
            await mute.closed()
        await eventually(lambda: asked == before + 1, "asked again")
