"""Errors of the event loop: that no connection can be accepted is told now and then, and in one line."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from typing import Any

__all__ = ["QUIET_S", "LoopErrors"]

log = logging.getLogger("feeds")

QUIET_S = 10.0
"""The least time between two such lines, in seconds."""

_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class LoopErrors:
    """
    An exception handler of an event loop. asyncio tries to accept again and again, and logs each failure with a traceback.

    Args:
        timer: gives seconds, from any origin.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._told: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _SCARCE and "socket" in context):
            loop.default_exception_handler(context)
            return
        now = self._timer()
        if self._told is None or now - self._told >= QUIET_S:
            self._told = now
            log.warning(
                "connections can't be accepted, and wait until others have gone: %s",
                error.strerror,
            )
