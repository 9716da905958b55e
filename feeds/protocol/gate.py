"""What one connection may do: whether it has shown a token, how often it may ask, and for how much. No I/O."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_

from feeds.admission.auth import NO_TOKENS, Tokens
from feeds.admission.budget import Budget
from feeds.admission.limits import Limits, TokenBucket, too_fast
from feeds.admission.quota import MOST_RATES
from feeds.dialects.fields import Id
from feeds.errors import Code, RequestError
from feeds.fanout.interest import Interest
from feeds.fanout.symbols import Symbols

__all__ = ["Gate"]

DEFAULT_LIMITS = Limits()


class Gate:
    """
    The gate of one connection.

    Args:
        tokens: those that are accepted.
        limits: what the connection may use.
        seconds: gives real seconds, from any origin.
        authenticated: whether the connection has shown a token already.
        budget: what its answers may cost; None: what a connection alone may.
    """

    __slots__ = (
        "_bucket",
        "_held",
        "_limits",
        "_seconds",
        "_tokens",
        "budget",
        "hurried",
        "locked",
        "over",
    )

    def __init__(
        self,
        tokens: Tokens = NO_TOKENS,
        limits: Limits = DEFAULT_LIMITS,
        seconds: Callable[[], float] = time.monotonic,
        *,
        authenticated: bool = False,
        budget: Budget | None = None,
    ) -> None:
        self._tokens, self._limits, self._seconds = tokens, limits, seconds
        self._bucket: TokenBucket | None = None  # full until something is asked
        self._held = 0
        self.budget = budget or Budget(seconds)
        """What the answers may cost; whatever makes one pays for it here."""
        self.locked = bool(tokens) and not authenticated
        """Whether a token is wanted before anything else."""
        self.hurried = self.locked
        """Whether that token has to come within the handshake time."""
        self.over = 0
        """Requests that were too many since the connection last kept within its rate for as long as a burst fills."""

    def too_fast(self) -> str | None:
        """Count a request; if it is one too many, give the words for it."""
        now = self._seconds()
        if self._bucket is None:
            self._bucket = TokenBucket(self._limits.max_requests_s, self._limits.max_burst, now)
        if self._bucket.full(now):
            self.over = 0
        wait = self._bucket.take(now)
        if wait:
            text = too_fast(self._bucket, "on one connection", wait)
        elif (asked := self.budget.ask()) is not None:
            text = asked[0]
        else:
            return None
        self.over += 1
        return text

    def unlock(self, token: str, request_id: Id) -> None:
        """
        Let a connection in that shows a token.

        Raises:
            RequestError: the token is wrong, or none is wanted.
        """
        if not self._tokens:
            raise RequestError(
                Code.AUTH_NOT_CONFIGURED,
                "this server was started without a token: no authentication is needed",
                request_id,
            )
        if not self._tokens.accept(token):
            raise RequestError(Code.INVALID_TOKEN, "the token is wrong", request_id)
        self.locked = self.hurried = False

    def expire(self) -> None:
        """Want a token again, whenever it comes."""
        self.locked, self.hurried = True, False

    def check(self, request_id: Id) -> None:
        """Refuse a request of a connection that hasn't shown its token."""
        if self.locked:
            text = 'this server wants a token first: {"action":"auth","token":"..."}'
            raise RequestError(Code.UNAUTHORIZED, text, request_id)

    def check_budget(self, request_id: Id) -> None:
        """Refuse a request for symbols while the connection is in debt for earlier answers."""
        if (owed := self.budget.owed()) is not None:
            self.over += 1
            raise RequestError(Code.RATE_LIMITED, owed[0], request_id)

    def check_symbols(
        self, interests: Iterable[Interest], more: Sequence[int], request_id: Id
    ) -> None:
        """Refuse a subscription to too many symbols."""
        limit = self._limits.max_symbols
        have = [symbols for interest in interests for _, symbols in interest.channels]
        if len(more) + sum(map(len, have)) <= limit:
            return  # cheap, and nearly always so
        total = len(reduce(or_, have, Symbols.of(more)))
        if total > limit:
            text = f"{total} symbols on one connection; at most {limit} are allowed here"
            raise RequestError(Code.TOO_MANY_SYMBOLS, text, request_id)

    def check_rates(self, rates: int, request_id: Id) -> None:
        """Refuse a subscription after which a connection would have too many different paces."""
        if rates > MOST_RATES:
            text = f"{rates} different rates of mode 'latest' on one connection; at most {MOST_RATES} are allowed"
            raise RequestError(Code.INVALID_VALUE, text, request_id)

    def hold(self, paced: int) -> None:
        """Note how many symbols and channels the connection has at a pace now; 0, once it is over."""
        self.budget.paced.taken += paced - self._held
        self._held = paced
