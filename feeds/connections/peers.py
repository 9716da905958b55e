"""
Dead peers: notices a silent death, where TCP alone would take a quarter of an hour.

A peer that wasn't heard for a heartbeat is pinged (RFC 6455, section 5.5.2); one that doesn't answer for another heartbeat
counts as dead. A client that is behind answers late, because our ping waits behind what it has yet to read. So while
something is unread, the backlog's rules decide (:mod:`feeds.wire.backlog`), not these.
"""

from enum import Enum

__all__ = ["Peer", "Receipts", "Verdict"]


class Verdict(Enum):
    """What to do about a connection."""

    WELL = "well"
    PING = "ping"
    DEAD = "dead"


class Peer:
    """
    What one connection's client has let us hear.

    Args:
        now: the time in seconds.
    """

    __slots__ = ("_heard", "_pinged", "answered")

    def __init__(self, now: float) -> None:
        self._heard = now
        self._pinged: float | None = None
        self.answered = True
        """Whether all that it asked has its answer. Until then nothing more is read of it, so it can't be heard."""

    def heard(self, now: float) -> None:
        """Note that anything came from it."""
        self._heard = now
        self._pinged = None

    def look(self, unread: int, now: float, heartbeat_s: float) -> Verdict:
        """
        Decide what to do now.

        Args:
            unread: the bytes of its backlog.
            now: the time in seconds.
            heartbeat_s: the longest silence, and the longest wait for an answer.
        """
        if unread or not self.answered:
            self._pinged = None  # the wait for an answer begins when it can have seen the question
            return Verdict.WELL
        if self._pinged is not None:
            return Verdict.DEAD if now - self._pinged >= heartbeat_s else Verdict.WELL
        if now - self._heard < heartbeat_s:
            return Verdict.WELL
        self._pinged = now
        return Verdict.PING


class Receipts:
    """Whether a peer that can't be asked acknowledges what it is sent."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None

    def forget(self) -> None:
        """Start over."""
        self._since = None

    def missing(self, outstanding: bool, heard: float, now: float) -> float:
        """
        Give for how many seconds it has acknowledged nothing, although it should have; 0.0: it owes nothing.

        Args:
            outstanding: whether there is something that it hasn't acknowledged.
            heard: when it last acknowledged anything, in seconds.
            now: the time in seconds.
        """
        if not outstanding:
            self._since = None
            return 0.0
        if self._since is None or heard > self._since:
            self._since = now
        return now - self._since
