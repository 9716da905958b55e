"""
Slow consumers: one function decides what happens to a connection that doesn't read fast enough.

A *backlog* is what was written to a connection and not yet taken by its kernel buffer. Three states:

``LIVE``         gets every event.
``CONFLATING``   over the soft limit: nothing is queued for it; when it has drained, it gets the newest of each.
``EVICTED``      over the hard limit, made no progress for too long, or behind for too long: aborted.

The shape is Redis's ``client-output-buffer-limit`` (a soft and a hard limit), with conflation where Redis only cuts.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from feeds.errors import ConfigError

__all__ = ["MOST_BYTES", "Backlog", "BacklogPolicy", "Eviction", "Slow", "State"]

MOST_BYTES = 2**62
"""More unread bytes than there can be."""

MOST_S = 1_000_000
"""The longest time that a policy may have, in seconds."""


class Slow(StrEnum):
    """What is done for a connection over the soft limit, on a clock that doesn't wait for it."""

    CONFLATE = "conflate"
    """When it has drained, it gets the newest of what it missed, with the number of those replaced."""
    DROP = "drop"
    """When it has drained, it is told what it missed, and gets snapshots."""
    DISCONNECT = "disconnect"
    """It is evicted when there is something to miss."""


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
    NO_ACK = "no_ack"
    """Nothing acknowledges what was sent, although the peer's window has room for it."""
    TOO_LONG = "too_long"
    """Over the low-water mark for longer than the policy's ``soft_seconds``."""
    SLOW = "slow"
    """Over the soft limit, where that is reason enough."""


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
    soft_seconds: float = 60.0
    """Seconds in one go without having drained after which a connection is evicted; 0: any time."""

    def __post_init__(self) -> None:
        if not 0 <= self.low_water <= self.soft_limit <= self.hard_limit:
            raise ConfigError(
                f"backlog limits must rise: low water {self.low_water}, soft {self.soft_limit}, hard {self.hard_limit}"
            )
        if not 0 < self.no_progress_s <= MOST_S:  # said so that it is true of nan, too
            raise ConfigError(
                f"no-progress time {self.no_progress_s!r} s must be positive, and at most {MOST_S}"
            )
        if not 0 <= self.soft_seconds <= MOST_S:
            raise ConfigError(
                f"soft seconds {self.soft_seconds!r} must be positive, and at most {MOST_S}; or 0: for any time"
            )


class Backlog:
    """One connection's standing under the policy."""

    __slots__ = ("_before", "_began", "_since", "policy", "state")

    def __init__(self, policy: BacklogPolicy) -> None:
        self.policy = policy
        self.state = State.LIVE
        self._before = 0
        self._since = 0.0
        self._began = 0.0

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
        # Less than at the last look, not than ever: answers that it asked for may have come on top since.
        before, self._before = self._before, unread
        if unread < before:
            self._since = now
        elif now - self._since >= policy.no_progress_s:
            self.state = State.EVICTED
            return Eviction.NO_PROGRESS
        if 0 < policy.soft_seconds <= now - self._began:
            self.state = State.EVICTED
            return Eviction.TOO_LONG
        return None

    def conflate(self, unread: int, now: float) -> None:
        """Begin to conflate, with so many bytes unread."""
        self.state, self._before = State.CONFLATING, unread
        self._since = self._began = now
