"""Notices the end of the program that started us: its end of our stdin closes."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["at_the_end_of"]

_CHUNK = 4_096


@contextmanager
def at_the_end_of(file: int, callback: Callable[[], object]) -> Iterator[None]:
    """
    Call back, in the running event loop, when a file descriptor can't be read any further; what comes before is ignored.

    Args:
        file: of a pipe, a socket or a terminal; of anything else, in a thread.
        callback: called once.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not _more(file):
            loop.remove_reader(file)
            callback()

    def drain() -> None:
        while _more(file):
            pass
        with suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(callback)

    try:
        loop.add_reader(file, read)
    except (NotImplementedError, OSError, ValueError):  # Windows; a plain file, or /dev/null
        threading.Thread(target=drain, name="parent", daemon=True).start()
        yield
        return
    try:
        yield
    finally:
        loop.remove_reader(file)


def _more(file: int) -> bool:
    """Read something; false at the end, and if it can't be read."""
    try:
        return bool(os.read(file, _CHUNK))
    except BlockingIOError:
        return True
    except OSError:
        return False
