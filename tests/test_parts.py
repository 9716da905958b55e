"""Parts of a model: any can be left out, and any can be one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from markets import digest
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.market import Market
from ticker.model import FULL, GBM, Model
from ticker.processes.arrivals import Arrivals, PoissonArrivals
from ticker.processes.grid import Grid
from ticker.randomness.noise import Stream
from ticker.universe import Universe

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Draws = NDArray[np.uint16]

PARTS = [field.name for field in fields(Model) if field.name != "name"]


@dataclass(frozen=True)
class Flips:
    """A part of every kind: the plainest that has an effect."""

    variance: float = 0.1
    longest_s: int = 3

    def share(self) -> float:
        """Of jumps in the variance."""
        return 0.5

    def path(self, seed: int, symbols: Sequence[str]) -> FlipPath:
        """Of volatilities, or of jumps."""
        return FlipPath(Stream(seed, "flips", symbols))

    def scales(self, stream: Stream, first: int, seconds: int) -> F64:
        """A shock is there in every other second or so."""
        return np.sqrt(2.0) * (stream.words(first, seconds) & np.uint64(1)).astype(float)

    def delays(self, seed: int, symbols: Sequence[str]) -> I64:
        """Of news."""
        return np.arange(len(symbols)) % (self.longest_s + 1) + 0 * seed

    def arrivals(self, seed: int, universe: Universe, rate: F64) -> Arrivals:
        """Twice as many."""
        return PoissonArrivals(seed, universe, 2 * rate)

    def signs(self, seed: int, symbols: Sequence[str]) -> Flips:
        """All are buyers."""
        assert len(symbols) > seed - 10
        return self

    def buys(self, symbol: I64, draw: Draws) -> NDArray[np.bool_]:
        """All are."""
        assert len(symbol) == len(draw)
        return np.ones(len(symbol), dtype=bool)

    def spreads(self, mean: F64) -> Flips:
        """Of three ticks."""
        assert (mean >= 1).all()
        return self

    def draw(self, grid: Grid, symbol: I64, cell: I64, draw: Draws, dither: Draws) -> I64:
        """Three."""
        assert grid.cells > cell.max(initial=0)
        assert len(draw) == len(dither)
        return np.full(len(symbol), 3)


@dataclass(frozen=True)
class FlipPath:
    """Volatilities and jumps that know nothing of what was before."""

    stream: Stream

    def advance(self, market: F64, own: F64) -> F64:
        """Falls are calm."""
        assert own.shape == (len(self.stream.keys), len(market))
        return np.where(own < 0, -0.3, 0.3)

    def sizes(self, first: int, seconds: int) -> tuple[I64, I64, F64]:
        """One second in 64 has a jump."""
        words = self.stream.words(first, seconds)
        symbol, second = np.nonzero(words % np.uint64(64) == 0)
        return symbol, second, np.where(words[symbol, second] >> np.uint64(63), 0.01, -0.01)


def stream_of(model: Model, steps: Sequence[int], *, block_events: int = 16_384) -> TickBatch:
    """What a market of three symbols makes in some steps, in milliseconds."""
    m = Market(Universe.parse("AAPL,MSFT,KO"), seed=7, model=model, block_events=block_events)
    return TickBatch.join([m.step(m.now_us + step * 1_000) for step in steps])


@pytest.mark.parametrize("part", [part for part in PARTS if part != "shape"])
def test_any_part_can_be_ones_own(part: str) -> None:
    """It changes what happens, names another run, and a stream is the batch."""
    own: dict[str, Any] = {part: Flips()}
    model = replace(FULL, name="own", **own)
    whole = stream_of(model, [30_000])
    assert digest(whole) != digest(stream_of(FULL, [30_000]))
    cut = stream_of(model, [1, 10, 333, 1_656, 7, 9_993, 18_000], block_events=100)
    assert digest(cut) == digest(whole)
    epochs = {Market(Universe.parse("KO"), seed=7, model=m).epoch for m in (model, FULL)}
    assert len(epochs) == 2
    wild = FULL.wildness if part != "volatility" else (1 / 3) ** 0.5
    assert model.wildness == pytest.approx(wild)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("base", [FULL, GBM], ids=["out of the full model", "into the plain one"])
def test_any_part_can_be_left_out_or_added(base: Model, part: str) -> None:
    """And what it has nothing to do with goes on as it was: who trades, when, and how much, whatever the prices do."""
    other = FULL if base is GBM else GBM
    changed: dict[str, Any] = {part: getattr(other, part)}
    before, after = (stream_of(m, [20_000]) for m in (base, replace(base, name="own", **changed)))
    times = np.array_equal(before.time, after.time)
    # Arrivals are as busy as the volatility and the day have it, and the volatility hears of the price.
    assert times == (part not in ("arrivals", "volatility", "shape", *busy(base, part)))
    trades = [batch[batch.channel == TRADES] for batch in (before, after)]
    quotes = [batch[batch.channel == QUOTES] for batch in (before, after)]
    if times and part != "signs":  # which side is taken says how much there is to take
        assert np.array_equal(trades[0].size, trades[1].size)
        assert np.array_equal(quotes[0].size, quotes[1].size)


def busy(base: Model, part: str) -> set[str]:
    """Parts that shift arrivals by way of the volatility: it is driven by the shocks of prices."""
    return {"tails", "lags"} & {part} if base.volatility else set()


def test_buyers_alone_trade_at_the_ask() -> None:
    """A part is asked: with buyers alone, most trades are at the standing ask, three ticks above the bid, and the rest inside."""
    rows = stream_of(replace(GBM, name="buyers", signs=Flips(), spread=Flips()), [60_000])
    quotes = rows[rows.channel == QUOTES]
    spread = quotes.ask - quotes.price
    assert spread.min() == 3
    assert np.mean(spread == 3) > 0.6, "wider only where a trade has taken a whole level"
    ask: dict[int, int] = {}
    at_ask = []
    for channel, symbol, price, offered in zip(
        *(c.tolist() for c in (rows.channel, rows.symbol, rows.price, rows.ask)), strict=True
    ):
        if channel == QUOTES:
            ask[symbol] = offered
        elif channel == TRADES and symbol in ask:
            at_ask.append(price == ask[symbol])
    assert np.mean(at_ask) > 0.75
