"""
The events that a scenario adds to those of the walk: higher activity, bursts of quotes, auctions.

They have no price yet, only a place in the standing quote: :mod:`ticker.staging.repricing` gives them a price.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.processes.grid import CELL_US
from ticker.processes.mix import Mix, mix_of
from ticker.randomness.draws import lots, trade_sizes
from ticker.randomness.noise import bits, halves
from ticker.reference.marks import with_conditions
from ticker.reference.status import QUOTES_IN, TRADES_IN
from ticker.staging.piecewise import PiecewiseLinear
from ticker.staging.staged import Staged

__all__ = ["LEAST_RATE", "MOST_QUOTES_S", "Extras"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

LEAST_RATE = 2.0
"""Events a second: the least that a symbol is taken to have when a scenario makes it busier."""

MOST_QUOTES_S = 200_000
"""The most quotes a second that one play adds, of all its symbols together."""

_BUY, _SHIFT = 1, 6  # bits of the draw of an event's kind


class Extras:
    """
    The events that one play adds.

    Args:
        staged: what is played.
        keys: of the draws, one for each of its symbols.

    Raises:
        ValueError: it would be too many quotes.
    """

    def __init__(self, staged: Staged, keys: NDArray[np.uint64]) -> None:
        scenario, symbols, at_us = staged.scenario, staged.symbols, staged.at_us
        self._marks = {code: with_conditions(code) if staged.marked else 0 for code in "O56"}
        most = max((value for _, value in scenario.quotes_s), default=0.0) * len(symbols)
        if most > MOST_QUOTES_S:
            raise ValueError(
                f"scenario {scenario.name}: {most:.0f} quotes a second of {len(symbols)} symbols;"
                f" at most {MOST_QUOTES_S} are allowed"
            )
        self._scenario, self._at_us, self._symbols, self._keys = scenario, at_us, symbols, keys
        rate, trade_share = staged.flow
        universe = staged.universe
        rates = np.maximum(rate * universe.column("activity")[symbols], LEAST_RATE)
        mix = mix_of(trade_share)
        self._sources: list[tuple[PiecewiseLinear, F64, Mix]] = []
        if scenario.activity:
            busier = PiecewiseLinear(scenario.activity, at_us, before=1.0, after=1.0)
            self._sources.append((busier, rates * mix.points, mix))
        if scenario.quotes_s:
            quotes = PiecewiseLinear(scenario.quotes_s, at_us, before=0.0, after=0.0)
            self._sources.append((quotes, np.ones(len(symbols)), mix_of(0.0)))
        self._lot = universe.column("round_lot")[symbols].astype(np.int64)
        self._sizes, self._lots = trade_sizes(), lots()

    def between(self, begin_us: int, end_us: int) -> TickBatch | None:
        """
        Give the events that come on top in some time, in its order, without numbers.

        A quote has in ``price`` and ``ask`` by how much it is moved and widened; a trade has in ``price`` where in the
        quote it is: 0 at the bid, 1 in the middle, 2 at the ask.
        """
        parts = [self._more(*source, begin_us, end_us) for source in self._sources]
        parts.append(self._openings(begin_us, end_us))
        batch = TickBatch.join([part for part in parts if len(part)])
        return batch[np.argsort(batch.time, kind="stable")] if len(batch) else None

    def _more(
        self, levels: PiecewiseLinear, rates: F64, mix: Mix, begin_us: int, end_us: int
    ) -> TickBatch:
        """Events at a rate, spread over the cells in which they are; behind a trade, the quote that it leaves."""
        begin, end = max(begin_us, levels.start_us), min(end_us, levels.end_us)
        if begin >= end:
            return TickBatch.empty()
        inner = np.arange(begin // CELL_US + 1, -(-end // CELL_US)) * CELL_US
        edges = np.concatenate(([begin], inner, [end]))
        made = np.floor(rates[:, None] * levels.area(edges) + 1e-9).astype(np.int64)
        column, cell = np.nonzero(np.diff(made, axis=1))
        count = np.diff(made, axis=1)[column, cell]
        column, cell = np.repeat(column, count), np.repeat(cell, count)
        place = np.arange(len(column)) - np.repeat(np.cumsum(count) - count, count)
        total = np.repeat(count, count)
        number = made[column, cell] + place
        words = halves(bits(self._keys[column], number.astype(np.uint64)))
        moment, kind, size, other = (words[:, i].astype(np.int64) for i in range(4))
        width = np.diff(edges)[cell]
        time = edges[cell] + ((place << 16) + moment) * width // (total << 16)
        trade = kind < round(mix.traded * 65536)
        lot = self._lot[column]
        shift, wide = (kind >> _SHIFT) % 3 - 1, (kind >> 2 * _SHIFT) & 1
        traded = np.maximum(1, self._sizes[size] * lot // 100)
        events = TickBatch.unnumbered(
            symbol=self._symbols[column],
            channel=np.where(trade, TRADES, QUOTES),
            time=time,
            price=np.where(trade, 2 * (kind & _BUY), shift),
            size=np.where(trade, traded, self._lots[size] * lot),
            ask=np.where(trade, 0, wide),
            ask_size=np.where(trade, 0, self._lots[other] * lot),
        )
        return _followed(events, lot * self._lots[other]) if mix.followed else events

    def _openings(self, begin_us: int, end_us: int) -> TickBatch:
        """A quote where quotes begin again, and the prints of auctions, 200 round lots each."""
        rows: list[tuple[int, int, int, int]] = []  # time, channel, column, mark
        quoted, everyone = True, range(len(self._symbols))
        for change in self._scenario.changes:
            at = self._time_of(change.at_s)
            fresh = change.status in QUOTES_IN and (not quoted or change.cross)
            quoted = change.status in QUOTES_IN
            for column in everyone:
                if fresh:
                    rows.append((at + column + 1, QUOTES, column, 0))
                if change.cross:
                    after = change.status in TRADES_IN
                    code = "6" if not after else "5" if change.reason else "O"
                    mark = self._marks[code]
                    rows.append((at + column + (1 if after else -1), TRADES, column, mark))
        for _, end in self._scenario.silences:
            rows += [(self._time_of(end), QUOTES, column, 0) for column in everyone]
        rows = [row for row in rows if begin_us <= row[0] < end_us]
        if not rows:
            return TickBatch.empty()
        time, channel, at_column, marks = np.array(rows, dtype=np.int64).T
        trade = channel == TRADES
        lot = self._lot[at_column]
        return TickBatch.unnumbered(
            symbol=self._symbols[at_column],
            channel=channel,
            time=time,
            price=np.where(trade, 1, 0),
            size=np.where(trade, 200, 2) * lot,
            ask=marks,
            ask_size=np.where(trade, 0, 2) * lot,
        )

    def _time_of(self, seconds: float) -> int:
        return self._at_us + round(seconds * 1e6)


def _followed(events: TickBatch, size: I64) -> TickBatch:
    """Put a quote behind each trade: the standing one, with sizes that count if nothing is left of that."""
    trade = events.channel == TRADES
    every = np.repeat(np.arange(len(events)), 1 + trade)
    out = events[every]
    behind = np.flatnonzero(np.diff(every, prepend=-1) == 0)
    out.channel[behind] = QUOTES
    out.price[behind] = out.ask[behind] = 0
    out.size[behind] = out.ask_size[behind] = size[every[behind]]
    return out
