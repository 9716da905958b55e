"""
Budgets: how many requests, and how many symbols in the answers, for one connection and for all from its address. No I/O.

A request costs little or much, which isn't known until it is resolved. So an answer is made as soon as nothing is owed,
however large it turns out, and is paid for afterwards. The unit is one symbol's snapshot: about 10 µs of work.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from feeds.admission.limits import Limits, TokenBucket, too_fast
from feeds.admission.quota import Quota

__all__ = [
    "ADDRESS_BURST",
    "ADDRESS_CONNECTIONS",
    "ADDRESS_REQUESTS_BURST",
    "ADDRESS_REQUESTS_S",
    "ADDRESS_S",
    "BURST",
    "COMPARED",
    "LISTED",
    "SYMBOLS_S",
    "Account",
    "Budget",
]

SYMBOLS_S, BURST = 2_000.0, 50_000
"""Symbols a second in the answers to one connection, and how many at once."""

ADDRESS_S, ADDRESS_BURST = 20_000.0, 500_000
"""Those of all connections from one address; more where it may have more than :data:`ADDRESS_CONNECTIONS` of them."""

ADDRESS_REQUESTS_S, ADDRESS_REQUESTS_BURST = 20, 50
"""
As many times the requests of one connection as all from one address may send in a second, and at once.

The latter is enough for all that it may have to come back, and subscribe, several times over.
"""

ADDRESS_CONNECTIONS = 1_000
"""Connections that share what an address has; one that may have more of them has more."""

LISTED = 1 / 20
"""What a symbol counts that is only named, in a list or a subscription without a snapshot."""

COMPARED = 1 / 50
"""What a symbol counts that is compared with a pattern."""


@dataclass(frozen=True, slots=True)
class Account:
    """What all connections from one address have together; it outlives them."""

    requests: TokenBucket
    answers: TokenBucket
    """In symbols."""

    @classmethod
    def of(cls, limits: Limits, times: float, now: float) -> "Account":
        """Open one, with all that there can be in it: as many times what an address has."""
        rate = ADDRESS_REQUESTS_S * limits.max_requests_s * times
        burst = round(ADDRESS_REQUESTS_BURST * limits.max_burst * times)
        return cls(
            TokenBucket(rate, burst, now),
            TokenBucket(ADDRESS_S * times, round(ADDRESS_BURST * times), now),
        )

    def full(self, now: float) -> bool:
        """Tell whether nothing is to be remembered."""
        return self.requests.full(now) and self.answers.full(now)


class Budget:
    """
    What one connection may still ask for.

    Args:
        seconds: gives real seconds, from any origin.
        account: what all connections from its address have together; None: nobody counts them.
        paced: what these may have together at a pace; None: it is the only one.
    """

    __slots__ = ("_account", "_own", "_seconds", "paced")

    def __init__(
        self,
        seconds: Callable[[], float] = time.monotonic,
        account: Account | None = None,
        paced: Quota | None = None,
    ) -> None:
        self._seconds, self._account = seconds, account
        self.paced = paced or Quota()
        """How many symbols and channels its address has at a pace."""
        self._own: TokenBucket | None = None  # full until something is spent

    def ask(self) -> tuple[str, float] | None:
        """Count a request among those of the address; if it is one too many, say so, and for how many seconds."""
        if self._account is None:
            return None
        bucket = self._account.requests
        wait = bucket.take(self._seconds())
        return (too_fast(bucket, "from one address", wait), wait) if wait else None

    def spend(self, symbols: float) -> None:
        """Pay for an answer."""
        now = self._seconds()
        if self._own is None:
            self._own = TokenBucket(SYMBOLS_S, BURST, now)
        self._own.spend(now, symbols)
        if self._account is not None:
            self._account.answers.spend(now, symbols)

    def owed(self) -> tuple[str, float] | None:
        """Give why nothing is answered now, and for how many seconds; None: nothing is owed."""
        now = self._seconds()
        shared = None if self._account is None else self._account.answers
        for whose, bucket in (("connection", self._own), ("address", shared)):
            if bucket is not None and (wait := bucket.debt(now)):
                text = f"the answers to one {whose} came to more than {bucket.rate:,.0f} symbols a second"
                return (
                    f"{text}, with bursts of {bucket.burst:,.0f}; try again in {wait:.3f} s",
                    wait,
                )
        return None
