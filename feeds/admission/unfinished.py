"""
Requests over WebSocket that aren't whole yet: how many bytes of them are kept, of all connections together. No I/O.

A message may come in pieces, with pings between them, and never end: no rule of RFC 6455 says how long it may take. A client
that means it sends its request in milliseconds, so who has been at it the longest is the one to go.
"""

import logging
from collections.abc import Callable

__all__ = ["MOST_UNFINISHED", "Unfinished"]

log = logging.getLogger("feeds")

MOST_UNFINISHED = 16 * 1024 * 1024
"""Bytes of requests that aren't whole, of all connections together; beyond, whoever has been at it longest is cut off."""


class Unfinished:
    """
    Keeps account of the connections of one server whose request isn't whole. Costs nothing for requests that come whole.

    Args:
        most: the bytes that there may be.
    """

    def __init__(self, most: int = MOST_UNFINISHED) -> None:
        self._most = most
        self._held: dict[Callable[[], object], int] = {}  # the longest first
        self.total = 0
        """Bytes that are kept."""

    def note(self, abort: Callable[[], object], size: int) -> None:
        """
        Note how much of a request has come; 0: it is whole, or the connection over.

        Args:
            abort: cuts the connection off; stands for it.
            size: in bytes.
        """
        self.total += size - self._held.get(abort, 0)
        if size:
            self._held[abort] = size
        else:
            self._held.pop(abort, None)
        while self.total > self._most:
            longest = next(iter(self._held))
            self.total -= self._held.pop(longest)
            log.info("cut off a client whose request did not come to an end")
            longest()
