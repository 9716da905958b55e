"""
Budgets for answers: how many symbols a second, for one connection and for all connections from its address. No I/O.

A request costs little or much, which isn't known until it is resolved. So an answer is made as soon as nothing is owed,
however large it turns out, and is paid for afterwards. The unit is one symbol's snapshot: about 10 µs of work.
"""

import time
from collections.abc import Callable

from feeds.admission.limits import TokenBucket
from feeds.admission.quota import Quota

__all__ = [
    "ADDRESS_BURST",
    "ADDRESS_CONNECTIONS",
    "ADDRESS_S",
    "BURST",
    "COMPARED",
    "LISTED",
    "SYMBOLS_S",
    "Budget",
]

SYMBOLS_S, BURST = 2_000.0, 50_000
"""Symbols a second in the answers to one connection, and how many at once."""

ADDRESS_S, ADDRESS_BURST = 20_000.0, 500_000
"""Those of all connections from one address; more where it may have more than :data:`ADDRESS_CONNECTIONS` of them."""

ADDRESS_CONNECTIONS = 1_000
"""Connections that share what an address has."""

LISTED = 1 / 20
"""What a symbol counts that is only named, in a list or a subscription without a snapshot."""

COMPARED = 1 / 50
"""What a symbol counts that is compared with a pattern."""


class Budget:
    """
    What one connection may still ask for.

    Args:
        seconds: gives real seconds, from any origin.
        shared: what all connections from its address have together; None: nobody counts them.
        paced: what these may have together at a pace; None: it is the only one.
    """

    __slots__ = ("_own", "_seconds", "_shared", "paced")

    def __init__(
        self,
        seconds: Callable[[], float] = time.monotonic,
        shared: TokenBucket | None = None,
        paced: Quota | None = None,
    ) -> None:
        self._seconds, self._shared = seconds, shared
        self.paced = paced or Quota()
        """How many symbols and channels its address has at a pace."""
        self._own: TokenBucket | None = None  # full until something is spent

    def spend(self, symbols: float) -> None:
        """Pay for an answer."""
        now = self._seconds()
        if self._own is None:
            self._own = TokenBucket(SYMBOLS_S, BURST, now)
        self._own.spend(now, symbols)
        if self._shared is not None:
            self._shared.spend(now, symbols)

    def owed(self) -> tuple[str, float] | None:
        """Give why nothing is answered now, and for how many seconds; None: nothing is owed."""
        now = self._seconds()
        for whose, bucket in (("connection", self._own), ("address", self._shared)):
            if bucket is not None and (wait := bucket.debt(now)):
                text = f"the answers to one {whose} came to more than {bucket.rate:,.0f} symbols a second"
                return (
                    f"{text}, with bursts of {bucket.burst:,.0f}; try again in {wait:.3f} s",
                    wait,
                )
        return None
