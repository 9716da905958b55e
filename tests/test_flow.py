"""The order flow: as many events as asked for, at the prices of the walk, in the standing quote, whoever else trades."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import COLUMNS, SECOND, UNIVERSES, assert_well_formed, events

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.generator.flow import OrderFlow
from ticker.generator.prices import Prices
from ticker.instruments import Instrument
from ticker.model import FULL, GBM, Model
from ticker.processes.grid import CELL_US, CELLS_PER_SECOND, Grid
from ticker.universe import Universe

ORIGIN = 1_000 * SECOND


class Tape:
    """An order flow over prices, without a market around it."""

    def __init__(
        self,
        instruments: list[Instrument],
        *,
        seed: int = 1,
        rate: float = 10.0,
        trade_share: float = 0.25,
        model: Model = GBM,
    ) -> None:
        self.universe = universe = Universe(instruments)
        self.walk = Prices(
            model,
            seed,
            universe.symbols,
            [i.sector for i in universe],
            universe.start_ticks(),
            universe.column("volatility"),
            floor=2 * universe.column("spread"),
        )
        self.flow = OrderFlow(
            seed, universe, universe.start_ticks(), rate=rate, trade_share=trade_share, model=model
        )
        self.path = np.empty((len(universe), 0))
        self._grid: Grid | None = None
        self._at = 0

    def block(self, cells: int) -> TickBatch:
        """The events of the next cells; prices are made for whole seconds, at least for a block."""
        parts, paths = [], []
        while cells:
            if self._grid is None or self._at == self._grid.cells:
                self._grid, self._at = self.walk.seconds(-(-cells // CELLS_PER_SECOND)), 0
            end = min(self._grid.cells, self._at + cells)
            grid = self._grid.cut(self._at, end)
            parts.append(self.flow.block(grid, ORIGIN + grid.first * CELL_US))
            paths.append(grid.path)
            cells -= end - self._at
            self._at = end
        self.path = np.concatenate(paths, axis=1)
        return TickBatch.join(parts)


def one(**values: Any) -> list[Instrument]:
    return [Instrument(**({"symbol": "A", "price": 100.0} | values))]


# Events are addressed by time and name.


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.sampled_from(sorted(UNIVERSES)),
    st.sampled_from([0.5, 20.0]),
    st.sampled_from([FULL, GBM]),
)
def test_a_block_can_be_cut_at_any_cell(
    cells: list[int], which: str, rate: float, model: Model
) -> None:
    """The same events in the same order, to the last bit."""
    whole, parts = (Tape(UNIVERSES[which], rate=rate, model=model) for _ in range(2))
    expected = whole.block(sum(cells))
    batch = TickBatch.join([parts.block(n) for n in cells])
    for name in COLUMNS:
        assert getattr(batch, name).tobytes() == getattr(expected, name).tobytes()
    assert (whole.flow.seq == parts.flow.seq).all()
    assert (whole.flow.bid == parts.flow.bid).all()
    assert (whole.flow.ask == parts.flow.ask).all()


@settings(max_examples=25)
@given(
    st.permutations(range(12)).flatmap(lambda p: st.integers(1, 12).map(lambda n: p[:n])),
    st.sampled_from([FULL, GBM]),
)
def test_a_symbol_has_its_events_in_any_company(which: list[int], model: Model) -> None:
    """Adding, removing and reordering symbols changes no other symbol's events."""
    everybody = [i for name in sorted(UNIVERSES) for i in UNIVERSES[name][:2]]
    everything = Tape(everybody, rate=30.0, model=model).block(20)
    some = Tape([everybody[i] for i in which], rate=30.0, model=model).block(20)
    for position, i in enumerate(which):
        assert events(some, position) == events(everything, i)


@pytest.mark.parametrize("which", sorted(UNIVERSES))
@pytest.mark.parametrize("rate", [0.0, 0.01, 10.0, 10_000.0])
@pytest.mark.parametrize("model", [FULL, GBM], ids=lambda m: m.name)
def test_events_are_well_formed(which: str, rate: float, model: Model) -> None:
    """bid < ask, trades inside the quote, sizes at least 1, whole lots, no gap in a sequence, times in range and order."""
    tape = Tape(UNIVERSES[which], rate=rate, model=model)
    cells = 1 if rate > 1_000 else 100
    bid, ask = tape.flow.bid.tolist(), tape.flow.ask.tolist()
    batch = TickBatch.join([tape.block(cells) for _ in range(2)])
    assert_well_formed(batch, tape.universe, ORIGIN, ORIGIN + 2 * cells * CELL_US)
    assert len(batch) == 0 if rate == 0 else len(batch) > 0 or rate < 1
    columns = (batch.symbol, batch.channel, batch.price, batch.ask)
    for symbol, channel, price, asked in zip(*(c.tolist() for c in columns), strict=True):
        if channel == QUOTES:
            bid[symbol], ask[symbol] = price, asked
        else:
            assert bid[symbol] <= price <= ask[symbol]
    assert (tape.flow.bid.tolist(), tape.flow.ask.tolist()) == (bid, ask)
    activity = tape.universe.column("activity")
    assert not np.isin(batch.symbol, np.flatnonzero(activity == 0)).any()


def test_before_the_first_quote_trades_are_inside_the_opening_quote() -> None:
    """The market opens with a quote of the mean spread around the price."""
    tape = Tape(one(spread=7.0), rate=100.0, trade_share=1.0)
    assert (tape.flow.bid.tolist(), tape.flow.ask.tolist()) == ([9_996], [10_004])
    assert {9_996, 10_004} <= set(tape.block(100).price.tolist()) <= set(range(9_996, 10_005))


def test_events_at_the_same_time_are_in_the_order_of_symbols() -> None:
    """And one symbol's in the order of their sequences."""
    batch = Tape(UNIVERSES["well-known names"], rate=9_000.0).block(3)
    order = np.lexsort((batch.seq, batch.channel, batch.symbol, batch.time))
    assert (np.diff(batch.time) == 0).sum() > 1_000
    assert (batch.symbol[order] == batch.symbol).all()
    for symbol in range(30):
        for channel in (TRADES, QUOTES):
            mine = (batch.symbol == symbol) & (batch.channel == channel)
            assert (np.diff(batch.seq[mine]) == 1).all()


# How many, and when.


def test_the_rate_is_the_mean_number_of_events() -> None:
    """Times each instrument's activity; counts of a second scatter as a Poisson process does."""
    instruments = [Instrument(f"S{i}", 100.0, activity=a) for i, a in enumerate([0.1, 1, 3])]
    batch = Tape(instruments, rate=10.0, trade_share=0.0).block(20_000)
    second = (batch.time - ORIGIN) // SECOND
    for symbol, mean in enumerate([1.0, 10.0, 30.0]):
        counts = np.bincount(second[batch.symbol == symbol], minlength=2_000)
        assert counts.mean() == pytest.approx(mean, rel=4.5 / (2_000 * mean) ** 0.5)
        assert counts.var() / counts.mean() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9, 1.0])
def test_the_share_of_trades_is_kept(share: float) -> None:
    """Exactly none at 0, exactly all at 1."""
    batch = Tape(one(), rate=5_000.0, trade_share=share).block(400)
    trades = int((batch.channel == TRADES).sum())
    if share in (0.0, 1.0):
        assert trades == share * len(batch)
    else:
        assert trades / len(batch) == pytest.approx(share, abs=0.004)


def test_events_are_spread_evenly_over_a_cell() -> None:
    """Their times are uniform, and the waits between them exponential."""
    batch = Tape(one(), rate=20.0, trade_share=0.0).block(50_000)
    offsets = (batch.time - ORIGIN) % CELL_US
    counts = np.bincount(offsets * 20 // CELL_US, minlength=20)
    chi_squared = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi_squared < 50
    waits = np.diff(batch.time)
    assert waits.std() / waits.mean() == pytest.approx(1, abs=0.02)
    assert np.median(waits) / waits.mean() == pytest.approx(np.log(2), abs=0.02)


# Prices.


@pytest.mark.parametrize("spread", [1.0, 1.3, 2.6, 22.0, 200.0])
def test_the_mean_spread_is_the_instruments(spread: float) -> None:
    """Also where it is no whole number of ticks."""
    batch = Tape(one(spread=spread), rate=1_000.0, trade_share=0.0).block(400)
    widths = batch.ask - batch.price
    assert widths.mean() == pytest.approx(spread, rel=0.02)
    assert widths.min() >= 1


def test_quotes_are_centred_on_the_walk() -> None:
    """The middle of bid and ask is the walk's price, on average, wherever in the cell."""
    tape = Tape(one(spread=5.0, price=5_000.0), rate=400.0, trade_share=0.0)
    batch = tape.block(2_000)
    middle = (batch.price + batch.ask) / 2
    at = (batch.time - ORIGIN) / CELL_US
    walk = np.interp(at, np.arange(2_001), np.concatenate(([500_000.0], tape.path[0])))
    assert (middle - walk).mean() == pytest.approx(0, abs=0.1)


def test_a_higher_rate_shows_more_of_the_same_path() -> None:
    """At the end of a second, a quiet and a busy market of one seed quote the same price, within what it moves."""
    ends = []
    for rate in (50.0, 2_000.0):
        tape = Tape(one(price=5_000.0, spread=1.0), rate=rate, trade_share=0.0)
        batch = tape.block(600)
        last = np.searchsorted(batch.time, ORIGIN + SECOND * np.arange(1, 61)) - 1
        ends.append(batch.price[last] + 0.5)
        path = tape.path[0, 9::10]
        deviation = 5_000 * 100 * tape.walk.sigma[0]
        assert abs(ends[-1] - path).max() < 5 * deviation
    assert np.corrcoef(ends)[0, 1] > 0.99


@pytest.mark.parametrize("rate", [20.0, 200.0, 2_000.0])
def test_the_path_between_cells_is_a_brownian_bridge(rate: float) -> None:
    """The sum of squared changes is what the volatility says, however many events show it."""
    tape = Tape(one(price=100_000.0, spread=1.0, volatility=1.0), rate=rate, trade_share=0.0)
    batch = tape.block(2_000)
    middle = (batch.price + batch.ask) / 2
    seconds = (batch.time[-1] - batch.time[0]) / SECOND
    realised = (np.diff(np.log(middle)) ** 2).sum() / seconds
    expected = tape.walk.sigma[0] ** 2 * SECOND / CELL_US
    assert realised == pytest.approx(expected, rel=0.1)


def test_a_wild_price_keeps_room_for_bid_and_ask() -> None:
    """Where the walk turns back, even a penny stock is quoted around several ticks."""
    tape = Tape(UNIVERSES["penny stocks"], rate=20.0)
    floor = np.array([2.0, 2.0, 40.0])
    tape.walk.price = floor * 1.001
    batch = tape.block(2_000)
    quote = batch.channel == QUOTES
    assert (batch.price >= 1).all()
    assert (batch.ask[quote] > batch.price[quote]).all()
    assert (tape.path >= floor[:, None]).all()
    assert (tape.path.min(axis=1) < floor * 1.001).all()


def test_trades_print_at_the_quote_and_seldom_inside() -> None:
    """Half of them at the ask, half at the bid of the last quote that isn't behind a trade, but for one in sixteen somewhere between."""
    batch = Tape(one(spread=40.0), rate=2_000.0).block(600)
    where: Counter[str] = Counter()
    bid = ask = traded = 0
    for event in events(batch):
        if event.channel == QUOTES:
            if event.time != traded:
                bid, ask = event.price, event.ask
            continue
        traded = event.time
        if bid and ask - bid > 10:
            where["bid" if event.price == bid else "ask" if event.price == ask else "inside"] += 1
    total = where.total()
    assert where["inside"] / total == pytest.approx(1 / 16, abs=0.01)
    assert where["ask"] / total == pytest.approx(15 / 32, abs=0.02)
    assert where["bid"] / total == pytest.approx(15 / 32, abs=0.02)


@pytest.mark.parametrize("lot", [1, 7, 40, 100, 1_000_000])
def test_sizes_follow_the_round_lot(lot: int) -> None:
    """Half of the trades are odd lots; where a lot is one share, there is none smaller."""
    batch = Tape(one(round_lot=lot), rate=5_000.0).block(100)
    sizes = batch.size[batch.channel == TRADES]
    quoted = Tape(one(round_lot=lot), rate=5_000.0, trade_share=0.0).block(100).size
    assert quoted.mean() == pytest.approx(lot / 0.32, rel=0.02)
    if lot == 1:
        assert np.median(sizes) == 1
    else:
        assert (sizes < lot).mean() == pytest.approx(0.5, abs=0.01)
    assert sizes.min() >= 1
