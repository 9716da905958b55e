"""Counters: plain numbers, counted where things happen, for ``/health``, ``/metrics`` and the tests."""

from collections import Counter
from dataclasses import dataclass, field

from feeds.errors import Code, HttpCode
from feeds.wire.backlog import Eviction

__all__ = ["CLOSE_CODES", "CROWDED", "REFUSALS", "STREAM", "FeedStats", "HubStats", "ServerStats"]

CLOSE_CODES = (1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012)
"""Close codes that are counted each for itself; a client may choose any other, and these are counted together."""

STREAM = "none"
"""What stands in place of a close code for the end of a stream over plain HTTP, which has none."""

REFUSALS = ("upgrade_required", "invalid_request", "stopping")
"""Error codes with which an upgrade is refused by the market that it is to."""

CROWDED = (HttpCode.TOO_MANY_CONNECTIONS, HttpCode.TOO_MANY_FROM_ADDRESS)
"""Those with which the server does, whatever it was to be asked for."""


@dataclass(slots=True)
class HubStats:
    """What a hub has done since it began."""

    events: int = 0
    """Events encoded."""
    caught_up: int = 0
    """Events handed to connections that had fallen behind, or that are paced."""
    writes: int = 0
    """Messages handed to a connection."""
    bytes: int = 0
    """Their bytes."""
    saved: int = 0
    """Bytes that compression saved."""
    merged: int = 0
    """Events that were replaced with later ones: for slow consumers, and for those that want only the latest."""
    skipped: int = 0
    """Events that were left out, with a gap, for slow consumers."""
    left: int = 0
    """Connections that have left, and weren't evicted."""
    evicted: dict[Eviction, int] = field(default_factory=lambda: dict.fromkeys(Eviction, 0))
    """Connections evicted, by reason."""

    def tell(self, events: int, merged: int) -> None:
        """Count the events of a message for one connection, and those that they replace."""
        self.caught_up += events
        self.merged += merged


@dataclass(slots=True)
class FeedStats:
    """What the clients of a feed have done since it began."""

    accepted: Counter[str] = field(default_factory=Counter)
    """Connections, by transport."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that were refused, by the error's code."""
    closed: Counter[str] = field(default_factory=Counter)
    """Connections that are over, by close code, or :data:`STREAM`."""
    requests: Counter[str] = field(default_factory=Counter)
    """Well-formed requests, by action."""
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Code, 0))
    """Errors told to clients, by code."""
    resumed: Counter[str] = field(default_factory=Counter)
    """Symbols and channels that were resumed: ``replayed``, or the reason of the gap."""

    def close(self, code: int | None) -> None:
        """Count a connection that is over; 0: by a close frame without a code, None: without one."""
        code = 1006 if code is None else code or 1005
        self.closed[str(code) if code in CLOSE_CODES else "other"] += 1


@dataclass(slots=True)
class ServerStats:
    """What a server has refused since it began, whatever market it was asked for."""

    connections: Counter[str] = field(default_factory=Counter)
    """Connections that were one too many, by the error's code."""
    errors: Counter[str] = field(default_factory=Counter)
    """Requests over HTTP that were answered with an error, by its code."""
    unread: dict[Eviction, int] = field(default_factory=lambda: dict.fromkeys(Eviction, 0))
    """Connections cut off because a plain answer over HTTP wasn't read, by reason."""
