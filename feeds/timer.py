"""
Sleeping to some ten microseconds.

Event loops wait in whole milliseconds: epoll_wait(2) is asked for so many, rounded up, and libuv's timers, under uvloop, are
rounded to the nearest one, so that they ring too early as well. A timer that is a file, timerfd_create(2), is as exact as the kernel is, and
it wakes any event loop. Only Linux has such files, and Python's ``os`` from 3.13 on.
"""

import asyncio
import contextlib
import ctypes
import math
import os
import sys

__all__ = ["Timer"]

_MONOTONIC = 1  # CLOCK_MONOTONIC
_SHORTEST_S = 0.001


class _Spec(ctypes.Structure):
    """An itimerspec: how often to ring again, which is never, and when to ring; in seconds and nanoseconds."""

    _fields_ = (
        ("again_s", ctypes.c_long),
        ("again_ns", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Timer:
    """
    Sleeps, for one coroutine at a time. Where there is no such file, as the event loop does, and for a millisecond at least.

    Args:
        exact: whether to try for such a file; it is opened at the first sleep.
    """

    def __init__(self, *, exact: bool = sys.platform == "linux") -> None:
        self._exact = exact
        self._file: int | None = None
        self._spec = _Spec()
        self._rung: asyncio.Future[None] | None = None

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass; none: let the event loop run once."""
        if seconds <= 0:
            await asyncio.sleep(0)
        elif not self._set(seconds):
            await asyncio.sleep(max(seconds, _SHORTEST_S))
        else:
            self._rung = asyncio.get_running_loop().create_future()
            await self._rung

    def close(self) -> None:
        """Close the file, from within the event loop. The next sleep would open another."""
        if self._file is not None:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = None

    def _set(self, seconds: float) -> bool:
        """Have it ring in so many seconds; tell whether there is anything that does."""
        if self._file is None and self._exact:
            self._exact = self._open()
        if self._file is None:
            return False
        rest, whole = math.modf(seconds)
        spec = self._spec
        spec.seconds, spec.nanoseconds = int(whole), max(1, int(rest * 1e9))
        return bool(self._set_time(self._file, 0, ctypes.byref(spec), None) == 0)

    def _open(self) -> bool:
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "timerfd_create"):
            return False
        self._set_time = libc.timerfd_settime
        file = int(libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        if file < 0:  # no more files may be open
            return False
        self._file = file
        asyncio.get_running_loop().add_reader(file, self._ring)
        return True

    def _ring(self) -> None:
        if self._file is None or self._rung is None:
            return
        with contextlib.suppress(BlockingIOError):  # it was set anew meanwhile
            os.read(self._file, 8)
            if not self._rung.done():
                self._rung.set_result(None)
