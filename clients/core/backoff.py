"""How long to wait before connecting again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff"]


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random part of a ceiling that doubles with each failure.

    Full jitter spreads the clients of a restarted server evenly over the ceiling, so that they don't
    come back all at once. All times are in seconds.
    """

    base: float = 0.5
    """The ceiling of the first wait."""
    cap: float = 30.0
    """The highest ceiling."""
    healthy: float = 10.0
    """A connection that lived at least this long was a good one: after it, the ceiling starts afresh."""
    random: Callable[[], float] = random.random
    """Gives a number from 0 up to, but not including, 1."""
    _failures: int = field(default=0, init=False)

    def delay(self, lived: float) -> float:
        """Return the wait after a connection that lived for *lived* seconds (0: it never stood)."""
        if lived >= self.healthy:
            self._failures = 0
        # The exponent is bounded so that a client which retries for weeks doesn't overflow a float.
        ceiling = min(self.cap, self.base * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return self.random() * ceiling
