"""Chooses the recorded connection that a client gets: the one on which the same was asked for. No I/O."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from feeds.cassette.index import Gate, Part
from feeds.errors import FeedError

__all__ = ["Matching", "NothingMatchesError"]


class NothingMatchesError(FeedError):
    """A client asked for what nobody asked for on the tape."""


class Matching:
    """
    The choice for one client.

    A part *fits* if all that the client has asked for was asked for on it, too, in whatever order, and if what was played
    so far was let go by the same requests as there. Of those that fit, one on which nothing else was asked for is best;
    then the one that plays already, then those least often played, in the order of the tape.

    Args:
        parts: the parts with the client's path, in the order of the tape.

    Raises:
        NothingMatchesError: there is none.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise NothingMatchesError("there is nothing with this path")
        self._parts = parts
        self._asked: set[bytes] = set()
        self._pending: dict[bytes, deque[dict[str, Any]]] = {}
        self._used: Counter[bytes] = Counter()
        self.passed = 0
        """Gates that the client is through."""
        self.part = min(parts, key=lambda part: part.played)
        """What plays."""
        self.part.played += 1
        self.best = self.part
        """What should play."""

    def ask(self, key: bytes, marks: dict[str, Any]) -> None:
        """
        Take a request.

        Args:
            key: what it has in common with those that are the same.
            marks: what it hasn't, and answers repeat.

        Raises:
            NothingMatchesError: no part fits any more.
        """
        self._pending.setdefault(key, deque()).append(marks)
        if key in self._asked:
            return
        self._asked.add(key)
        fitting = [part for part in self._parts if self._fits(part)]
        if not fitting:
            raise NothingMatchesError("nobody asked for this on the tape")
        self.best = min(fitting, key=self._rank)

    def switch(self) -> None:
        """Let play what should."""
        self.part.played -= 1
        self.best.played += 1
        self.part = self.best

    def next_gate(self) -> Gate | None:
        """Give the request on the tape that what comes after the next ones waits for; None: nothing waits."""
        gates = self.part.gates
        return gates[self.passed] if self.passed < len(gates) else None

    def ready(self) -> bool:
        """Tell whether the client has said what the next gate waits for."""
        gate = self.next_gate()
        return gate is not None and bool(self._pending.get(gate.key))

    def go_through(self) -> dict[str, Any]:
        """Pass the next gate; give the marks of the request that opened it."""
        gate = self.next_gate()
        assert gate is not None
        self.passed += 1
        self._used[gate.key] += 1
        return self._pending[gate.key].popleft()

    def _fits(self, part: Part) -> bool:
        if part is self.part:
            return self._asked <= {gate.key for gate in part.gates}
        before = Counter(gate.key for gate in part.gates[: self.passed])
        return self._asked <= {gate.key for gate in part.gates} and before == self._used

    def _rank(self, part: Part) -> tuple[bool, bool, int]:
        more = {gate.key for gate in part.gates} != self._asked
        return more, part is not self.part, part.played
