"""
The option --rate with which a market gives the deliveries a second that are wanted.

A market's rate is a mean over a day: its volume comes in bursts and by the time of day, symbols differ, and which of them
clients pick is drawn. All that is the same for the same seed, so it can be counted beforehand, on the same market.
"""

from collections.abc import Sequence

import numpy as np

from ticker.market import Market
from ticker.universe import Universe

__all__ = ["rate_for"]

_ROUNDS = 4
_CLOSE = 0.01
_SECOND_US = 1_000_000


def rate_for(
    wanted: float,
    symbols: int,
    picks: Sequence[Sequence[int]],
    model: str,
    window_s: tuple[int, int],
) -> float:
    """
    Give the events a second and symbol, on average, with which so many deliveries a second come about.

    Args:
        wanted: deliveries a second.
        symbols: how many the market has.
        picks: the symbols of each client.
        model: the market's model.
        window_s: between which seconds of the market's life; a burst of a few seconds elsewhere isn't seen.
    """
    subscribers = np.bincount(
        np.concatenate([np.asarray(each) for each in picks]), minlength=symbols
    )
    rate = wanted / float(subscribers.sum())
    for _ in range(_ROUNDS):
        found = _deliveries(symbols, rate, subscribers, model, window_s)
        if abs(found / wanted - 1) < _CLOSE:
            break
        rate = round(rate * wanted / max(found, 1.0), 4)
    return rate


def _deliveries(
    symbols: int, rate: float, subscribers: np.ndarray, model: str, window_s: tuple[int, int]
) -> float:
    market = Market(Universe.of_size(symbols), seed=7, rate=rate, model=model)
    begin, end = (market.now_us + seconds * _SECOND_US for seconds in window_s)
    market.step(begin)
    return float(subscribers[market.step(end).symbol].sum()) / (window_s[1] - window_s[0])
