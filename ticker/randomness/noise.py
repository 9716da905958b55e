"""
Counter-based randomness: a draw is a function of (seed, purpose, name, counter), not of what was drawn before.

Rules:

* A stream is keyed by the *name* that it serves (a symbol, a sector), so adding a symbol moves nobody else's draws.
* A draw is addressed by its counter (a cell of time, an event in a cell), so it doesn't depend on how long a step
  the caller chose, nor on the order in which things are generated.
* Only integer arithmetic and table look-ups: the same bits on every machine and every numpy version, which numpy's
  own ``Generator`` does not promise (NEP 19).

The mixer is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014):
nine passes of uint64 arithmetic for 64 bits, so four 16-bit draws cost less than one call of a stateful generator
costs for one number (``bench/test_walk.py``).
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EXPONENTIAL_ONE",
    "NORMAL_ONE",
    "Stream",
    "bits",
    "exponentials",
    "halves",
    "key",
    "normals",
]

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

NORMAL_ONE = 1 << 16
"""One standard deviation, in the integers of :func:`normals`."""

EXPONENTIAL_ONE = 1 << 16
"""The mean, in the integers of :func:`exponentials`."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_LEVELS = 1 << 16


def key(seed: int, purpose: str, name: str = "") -> int:
    """
    Derive the 64-bit key of one stream.

    Args:
        seed: the market's seed, any integer.
        purpose: what the draws are for ("walk", "events"); one stream a purpose, so that a new feature
            doesn't shift the draws of an old one.
        name: the symbol or sector that the stream serves.
    """
    text = f"{seed}\x1f{purpose}\x1f{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def bits(keys: U64, counters: U64) -> U64:
    """
    Mix keys and counters (broadcast together) into 64 independent bits each.

    Cost: nine passes over the result, about 2.5 ns an element.
    """
    x = np.asarray(keys + counters * _GOLDEN)
    scratch = np.empty_like(x)
    for shift, factor in ((_S30, _MIX_1), (_S27, _MIX_2)):
        np.right_shift(x, shift, out=scratch)
        np.bitwise_xor(x, scratch, out=x)
        np.multiply(x, factor, out=x)
    np.right_shift(x, _S31, out=scratch)
    np.bitwise_xor(x, scratch, out=x)
    return x


def halves(words: U64) -> NDArray[np.uint16]:
    """See each 64-bit word as four independent 16-bit draws: shape (..., 4), no copy."""
    view = words.astype("<u8", copy=False).view("<u2")
    return view.reshape(*words.shape, 4)


class Stream:
    """The draws of one purpose, for many names at once."""

    def __init__(self, seed: int, purpose: str, names: Sequence[str]) -> None:
        self.keys: U64 = np.array([key(seed, purpose, name) for name in names], dtype=np.uint64)
        """One key a name, shape (names,)."""

    def words(self, first: int, count: int) -> U64:
        """Draw 64 bits for each name and each counter from ``first``: shape (names, count)."""
        counters = np.arange(first, first + count, dtype=np.uint64)
        return bits(self.keys[:, None], counters[None, :])

    def normals(self, first: int, count: int) -> NDArray[np.float64]:
        """
        Draw standard normals, shape (names, count), for the counters from ``first``.

        Four counters share one word, so ``first`` may fall inside a word; what is drawn for a counter is the same
        however the range is cut.
        """
        word, skip = divmod(first, 4)
        words = self.words(word, (skip + count + 3) // 4)
        draws = halves(words).reshape(len(self.keys), -1)[:, skip : skip + count]
        return np.take(_normal_floats(), draws)


def normals(draws: NDArray[np.uint16]) -> I64:
    """
    Turn 16-bit draws into standard normal numbers, as integers in units of 1 / :data:`NORMAL_ONE`.

    Integers, so that their sums are exact, whatever else is summed in the same pass.
    """
    return np.take(_normal_integers(), draws)


def exponentials(draws: NDArray[np.uint16]) -> I64:
    """Turn 16-bit draws into exponential numbers of mean 1, as integers in units of 1 / :data:`EXPONENTIAL_ONE`."""
    return np.take(_exponential_integers(), draws)


def quantiles(
    inverse_cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Tabulate a distribution at the midpoints of 65,536 equally likely slices."""
    return inverse_cdf((np.arange(_LEVELS) + 0.5) / _LEVELS)


@cache
def _normal_integers() -> I64:
    half = _LEVELS // 2
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((half + i + 0.5) / _LEVELS) for i in range(half)])
    # Midpoints lose a little of the tails' variance: scale it back to exactly 1.
    upper /= np.sqrt(np.mean(upper**2))
    rounded = np.rint(upper * NORMAL_ONE).astype(np.int64)
    return np.concatenate((-rounded[::-1], rounded))


@cache
def _normal_floats() -> NDArray[np.float64]:
    return _normal_integers() / NORMAL_ONE


@cache
def _exponential_integers() -> I64:
    raw = quantiles(lambda u: -np.log1p(-u))
    # At least 1, so that a sum of gaps is never 0.
    table: I64 = np.maximum(1, np.rint(raw / raw.mean() * EXPONENTIAL_ONE)).astype(np.int64)
    return table
