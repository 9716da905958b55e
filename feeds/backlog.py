"""
Slow consumers: one function decides what happens to a connection that doesn't read fast enough.

A *backlog* is what was written to a connection and not yet taken by its kernel buffer. Three states:

``LIVE``         gets every event.
``CONFLATING``   over the soft limit: nothing is queued for it; when it has drained, it gets the newest of each.
``EVICTED``      over the hard limit, or made no progress for too long: aborted.

The shape is Redis's ``client-output-buffer-limit`` (a soft and a hard limit), with conflation where Redis only cuts.
"""

from dataclasses import dataclass
from enum import Enum

from feeds.errors import ConfigError

__all__ = ["Backlog", "BacklogPolicy", "Eviction", "State"]


class State(Enum):
    """What a connection gets."""

    LIVE = "live"
    CONFLATING = "conflating"
    EVICTED = "evicted"


class Eviction(Enum):
    """Why a connection was evicted."""

    HARD_LIMIT = "hard_limit"
    NO_PROGRESS = "no_progress"
    NO_PONG = "no_pong"


@dataclass(frozen=True, slots=True)
class BacklogPolicy:
    """The limits, the same for every connection."""

    soft_limit: int = 32 * 1024
    """Unread bytes above which a connection is conflated; with what the kernel takes beyond, 64 KB at most are stale."""
    low_water: int = 8 * 1024
    """Unread bytes at or below which a conflated connection has caught up and may be written to again."""
    hard_limit: int = 8 * 1024 * 1024
    """Unread bytes above which a connection is evicted."""
    no_progress_s: float = 10.0
    """Seconds without one byte taken after which a connection is evicted."""

    def __post_init__(self) -> None:
        if not 0 <= self.low_water <= self.soft_limit <= self.hard_limit:
            raise ConfigError(
                f"backlog limits must rise: low water {self.low_water}, soft {self.soft_limit}, hard {self.hard_limit}"
            )
        if self.no_progress_s <= 0:
            raise ConfigError(f"no-progress time {self.no_progress_s!r} s must be positive")


class Backlog:
    """One connection's standing under the policy."""

    __slots__ = ("_least", "_since", "policy", "state")

    def __init__(self, policy: BacklogPolicy) -> None:
        self.policy = policy
        self.state = State.LIVE
        self._least = 0
        self._since = 0.0

    def admit(self, unread: int, now: float) -> Eviction | None:
        """
        Decide, from the unread bytes and the time in seconds; sets ``state``.

        Returns:
            Why the connection has to be evicted, or None.
        """
        policy = self.policy
        if self.state is State.LIVE:
            if unread <= policy.soft_limit:
                return None
            self.conflate(unread, now)
        elif unread <= policy.low_water:
            self.state = State.LIVE
            return None
        if unread > policy.hard_limit:
            self.state = State.EVICTED
            return Eviction.HARD_LIMIT
        if unread < self._least:
            self._least, self._since = unread, now
        elif now - self._since >= policy.no_progress_s:
            self.state = State.EVICTED
            return Eviction.NO_PROGRESS
        return None

    def conflate(self, unread: int, now: float) -> None:
        """Begin to conflate, with so many bytes unread."""
        self.state, self._least, self._since = State.CONFLATING, unread, now
