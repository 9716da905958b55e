"""How much a client may use: its limits, and the rate of its requests. No I/O."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from numbers import Real
from typing import Any

import orjson

from feeds.errors import ConfigError, HttpCode

__all__ = [
    "MAX_WAITING",
    "MOST_OVER",
    "RETRY_AFTER_S",
    "Limits",
    "Refusal",
    "TokenBucket",
    "check_ranges",
    "too_fast",
]

_ROUNDING = 1e-9

MAX_WAITING, _LEAST_WAITING = 1_000, 16
"""Connections at a time that are too many and wait to be told so: a tenth of the limit, between these."""

MOST_OVER = 100
"""Requests over a rate, without a pause in which a burst refills, after which a connection is closed."""

RETRY_AFTER_S = 5
"""Seconds after which a client that was refused a connection may ask again."""


def check_ranges(options: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """
    Check that attributes are in their ranges, ends included.

    Raises:
        ConfigError: one isn't; the message names the option, its value and what is allowed.
    """
    for name, (low, high) in ranges.items():
        value: Any = getattr(options, name)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number:
            raise ConfigError(
                f"{name.replace('_', '-')} {value!r} is no number: {low:g} to {high:g} is allowed"
            )
        if not low <= value <= high:
            option = name.replace("_", "-")
            raise ConfigError(f"{option} {value!r} is out of range: {low:g} to {high:g} is allowed")


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one client, and all of them together, may use.

    Raises:
        ConfigError: a limit is out of range.
    """

    max_connections: int = 10_000
    """Connections in all; further ones get HTTP 503."""
    max_per_address: int = 1_000
    """Connections from one address, loopback too; further ones get HTTP 429."""
    handshake_s: float = 10.0
    """Seconds for TLS, for the first request's head, and for a token, each."""
    max_requests_s: float = 50.0
    """Requests a second of one connection, in the long run."""
    max_burst: int = 200
    """Requests of one connection at once, after a pause."""
    max_symbols: int = 10_000
    """Symbols that one connection is subscribed to."""

    @property
    def max_waiting(self) -> int:
        """Connections at a time that are too many and wait to be told so."""
        return min(MAX_WAITING, max(_LEAST_WAITING, self.max_connections // 10))

    def __post_init__(self) -> None:
        ranges = {
            "max_connections": (1, 1_000_000),
            "max_per_address": (1, 1_000_000),
            "handshake_s": (0.1, 3_600),
            "max_requests_s": (0.1, 1_000_000),
            "max_burst": (1, 1_000_000),
            "max_symbols": (1, 1_000_000),
        }
        check_ranges(self, ranges)


class TokenBucket:
    """
    A rate that may be exceeded for a moment (a token bucket): a request takes a token, and tokens come back at the rate.

    Args:
        rate: tokens a second.
        burst: the most tokens that there can be, and those at the start.
        now: the time in seconds, from any origin.
    """

    __slots__ = ("_since", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate, self.burst = rate, float(burst)
        self._tokens, self._since = self.burst, now

    def take(self, now: float) -> float:
        """Take a token; give the seconds until there is one, 0.0 if one was taken."""
        self._fill(now)
        if self._tokens >= 1.0 - _ROUNDING:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.rate

    def spend(self, now: float, tokens: float) -> None:
        """Take tokens, also such as there aren't yet."""
        self._fill(now)
        self._tokens -= tokens

    def debt(self, now: float) -> float:
        """Give the seconds until no more is owed than there is."""
        self._fill(now)
        return max(0.0, -self._tokens / self.rate)

    def full(self, now: float) -> bool:
        """Tell whether nothing was taken for as long as it takes to refill."""
        self._fill(now)
        return self._tokens >= self.burst - _ROUNDING

    def _fill(self, now: float) -> None:
        # Time may stand still, and never goes back for us.
        passed = max(0.0, now - self._since)
        self._since += passed
        self._tokens = min(self.burst, self._tokens + passed * self.rate)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is answered with an error of HTTP."""

    status: int
    code: HttpCode
    message: str
    retry_after_s: int | None = None

    @classmethod
    def rated(cls, text: str, wait_s: float) -> "Refusal":
        """Refuse a request because of those before it."""
        return cls(429, HttpCode.RATE_LIMITED, text, math.ceil(wait_s))

    def last_words(self) -> bytes:
        """Give the whole answer, for a connection on which nothing else was or will be said to a request."""
        body = orjson.dumps({"type": "error", "code": self.code, "message": self.message})
        return (
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\n"
            b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (self.status, HTTPStatus(self.status).phrase.encode(), len(body), body)
        )


def too_fast(bucket: TokenBucket, whose: str, wait_s: float) -> str:
    """Say what the limit of requests is, and how long to wait."""
    return (
        f"more than {bucket.rate:,g} requests a second {whose}, with bursts of {bucket.burst:,g};"
        f" try again in {wait_s:.3f} s"
    )
