"""The timer: that it rings, on either event loop, and what it does where the kernel has none. Nothing here looks at how late."""

import asyncio
import ctypes
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from feeds.timer import Timer

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def run(main: Coroutine[Any, Any, None], loop: Callable[[], Any] = asyncio.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(main, 20))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@LOOPS
def test_it_sleeps_for_fractions_of_a_millisecond_and_never_too_short(loop: Any) -> None:
    async def main() -> None:
        timer = Timer()
        for seconds in (0.000_2, 0.000_7, 0.001_3, 0.000_000_000_1):
            began = time.monotonic()
            await timer.sleep(seconds)
            assert time.monotonic() - began >= seconds
        timer.close()

    run(main(), loop)


@LOOPS
def test_a_sleep_that_was_broken_off_doesnt_end_the_next(loop: Any) -> None:
    async def main() -> None:
        timer = Timer()
        sleeper = asyncio.ensure_future(timer.sleep(0.001))
        await asyncio.sleep(0)
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        rung = time.monotonic() + 0.002
        while time.monotonic() < rung:
            pass  # nobody looks
        began = time.monotonic()
        await timer.sleep(0.01)
        assert time.monotonic() - began >= 0.01
        sleeper = asyncio.ensure_future(timer.sleep(0.001))
        await asyncio.sleep(0)
        sleeper.cancel()
        await asyncio.sleep(0.005)  # rings for nobody
        await timer.sleep(0.001)
        timer.close()

    run(main(), loop)


@LOOPS
def test_it_gives_its_file_back_and_can_be_used_again(loop: Any) -> None:
    async def main() -> None:
        before = open_files()
        timer = Timer()
        timer.close()
        for _ in range(3):
            await timer.sleep(0.000_1)
            assert open_files() == before + 1
            timer.close()
            timer.close()
            assert open_files() == before

    run(main(), loop)


class Libc:
    """One that can't open such a file, as too many are open."""

    @staticmethod
    def timerfd_settime(*_: object) -> int:
        raise AssertionError("there is nothing to set")

    @staticmethod
    def timerfd_create(*_: object) -> int:
        return -1


@pytest.mark.parametrize("libc", [object(), Libc()], ids=["another kernel", "too many files"])
def test_without_such_a_file_it_sleeps_as_the_loop_does(
    libc: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a millisecond at least: less would be none, for some loops."""
    slept: list[float] = []
    tried: list[object] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def load(name: object) -> object:
        tried.append(name)
        return libc

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr("feeds.timer.asyncio.sleep", sleep)

    async def main() -> None:
        timer = Timer(exact=True)
        for seconds in (0.25, 0.000_1, 0.0, -1.0):
            await timer.sleep(seconds)
        timer.close()

    with asyncio.Runner() as runner:
        runner.run(main())
    assert slept == [0.25, 0.001, 0, 0]
    assert tried == [None], "it isn't tried again"
