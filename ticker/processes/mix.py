"""How trades and quotes are mixed: as many of each as wanted, and a quote behind each trade where there are enough of them."""

from typing import NamedTuple

__all__ = ["MOST_FOLLOWED", "Mix", "mix_of"]

MOST_FOLLOWED = 0.4
"""The largest fraction of trades among events at which each has a quote behind it; one quote in three is a fresh one then."""


class Mix(NamedTuple):
    """What happens at the points at which something happens: a trade, a quote, or a trade and the quote behind it."""

    points: float
    """How many of them an event is."""
    traded: float
    """The fraction of them at which there is a trade."""
    followed: bool
    """Whether there is a quote behind each trade."""


def mix_of(trade_share: float) -> Mix:
    """Give the mix in which such a fraction of all events are trades."""
    if trade_share > MOST_FOLLOWED:
        return Mix(1.0, trade_share, followed=False)
    return Mix(1 - trade_share, trade_share / (1 - trade_share), followed=True)
