"""Counters of the fan-out: what ``/health`` and the tests read."""

from dataclasses import dataclass, field

from feeds.backlog import Eviction

__all__ = ["HubStats"]


@dataclass(slots=True)
class HubStats:
    """What a hub has done since it began."""

    events: int = 0
    """Events encoded."""
    caught_up: int = 0
    """Events handed to connections that had fallen behind."""
    writes: int = 0
    """Messages handed to a connection."""
    bytes: int = 0
    """Their bytes."""
    saved: int = 0
    """Bytes that compression saved."""
    merged: int = 0
    """Events that conflation replaced with later ones."""
    evicted: dict[Eviction, int] = field(default_factory=lambda: dict.fromkeys(Eviction, 0))
    """Connections evicted, by reason."""

    def catch_up(self, events: int, size: int, merged: int) -> None:
        """Count a message that told a conflated connection what it had missed."""
        self.caught_up += events
        self.writes += 1
        self.bytes += size
        self.merged += merged
