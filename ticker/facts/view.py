"""What the facts are measured on: the evidence of a panel, as far as it suffices for a verdict."""

import math

import numpy as np
from numpy.typing import NDArray

from ticker.facts.measures import deseasonalised
from ticker.facts.panel import Panel

__all__ = ["View", "median"]

F64 = NDArray[np.float64]


class View:
    """
    The symbols of a panel that were quoted and moved, and what several facts use of them.

    Args:
        panel: complete sessions.
    """

    def __init__(self, panel: Panel) -> None:
        returns = panel.returns()
        self.kept = np.flatnonzero(panel.usable())
        """The symbols that are looked at."""
        self.quoted = ~panel.unquoted[self.kept]
        """Which of these have quotes; the price of the others is that of their trades."""
        self.panel = panel
        self.returns: F64 = returns[self.kept]
        """Shape (symbols, sessions, minutes)."""
        self.flat: F64 = self.returns.reshape(len(self.kept), returns.shape[1] * returns.shape[2])
        """Shape (symbols, minutes of all sessions)."""
        self.sectors = panel.sectors[self.kept]
        if not len(self.kept):
            return
        self.size: F64 = deseasonalised(np.abs(self.returns))
        """Absolute returns without the shape of the day."""
        self.seasonless: F64 = np.sign(self.returns) * self.size
        """Returns without the shape of the day."""
        self.deviation: F64 = np.sqrt((self.flat**2).mean(axis=1))[:, None, None]
        """The standard deviation of each symbol, shape (symbols, 1, 1)."""
        self.index: F64 = (self.returns / self.deviation).mean(axis=0, keepdims=True)
        """The mean of all symbols, each in its own deviations: shape (1, sessions, minutes)."""

    @property
    def observations(self) -> int:
        """How many returns of a minute there are of each symbol."""
        return int(self.flat.shape[1])

    @property
    def second_correlation(self) -> F64:
        """Correlations of returns of a second."""
        return self.panel.second_correlation()[np.ix_(self.kept, self.kept)]

    def column(self, name: str) -> F64:
        """Give one measure of each minute, shape (symbols, sessions, minutes)."""
        return self.panel.column(name)[self.kept]

    def lack(
        self,
        *,
        minutes: int = 1,
        session: int = 1,
        sessions: int = 1,
        symbols: int = 1,
        trades: int = 0,
        together: int = 0,
        quoted: int = 0,
    ) -> str:
        """
        Tell what is missing for a verdict; empty: nothing.

        Args:
            minutes: that each symbol must have, in all sessions together.
            session: minutes that a session must have.
            sessions: how many there must be.
            symbols: that were quoted and moved.
            trades: that a symbol must have on average.
            together: trades of all symbols.
            quoted: symbols that have quotes.
        """
        there = self.returns.shape
        if there[0] < symbols:
            return f"{symbols} symbols that move, not {there[0]}"
        if there[1] < sessions:
            return f"{sessions} sessions, not {there[1]}"
        if there[2] < session:
            return f"sessions of {session} minutes, not {there[2]}"
        if self.observations < minutes:
            return f"{minutes} minutes, not {self.observations}"
        mean = self.panel.trades / len(self.panel.sectors)
        if mean < trades:
            return f"{trades} trades a symbol, not {mean:.0f}"
        if self.panel.trades < together:
            return f"{together} trades, not {self.panel.trades}"
        if np.count_nonzero(self.quoted) < quoted:
            return "quotes"
        return ""


def median(values: F64) -> float:
    """Median of what is a number; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan
