"""The parts of a model: each does what its source says, and can be left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.facts.measures import autocorrelation, correlation, excess_kurtosis, fano
from ticker.generator.prices import Prices
from ticker.instruments import Instrument
from ticker.model import FULL, GBM, Model, model_named
from ticker.processes.arrivals import Hawkes, HawkesArrivals
from ticker.processes.grid import CELL_US, CELLS_PER_SECOND, Grid
from ticker.processes.shocks import JumpPath, Jumps, LeadLag, StudentT
from ticker.processes.signs import HiddenOrders, OrderSigns
from ticker.processes.spreads import Spreads, TenseSpread
from ticker.processes.volatility import LogVolatility, VolatilityPath
from ticker.randomness.draws import exp
from ticker.randomness.noise import Stream
from ticker.trading_day.shape import DAY_S, DayShape
from ticker.universe import Universe

SYMBOLS = tuple(f"S{i}" for i in range(8))


def prices(model: Model, symbols: int = 8, *, seed: int = 1, volatility: float = 0.3) -> Prices:
    names = SYMBOLS[:symbols]
    sectors = ["X", "Y"] * 4
    return Prices(
        model,
        seed,
        names,
        sectors[:symbols],
        np.full(symbols, 10_000.0),
        np.full(symbols, volatility),
    )


def second_returns(model: Model, seconds: int, symbols: int = 8, seed: int = 1) -> np.ndarray:
    """Returns of whole seconds, shape (symbols, 1, seconds)."""
    walk = prices(model, symbols, seed=seed)
    ends = [np.full((symbols, 1), 10_000.0)]
    while seconds > 0:
        step = min(seconds, 1_000)
        ends.append(walk.seconds(step).path[:, CELLS_PER_SECOND - 1 :: CELLS_PER_SECOND])
        seconds -= step
    return np.diff(np.log(np.concatenate(ends, axis=1)), axis=1)[:, None, :]


# Names, parts.


def test_models_are_found_by_name() -> None:
    """An unknown one is refused, with the names that are known."""
    assert model_named("full") is FULL
    assert model_named("gbm") is GBM
    with pytest.raises(ValueError, match=r"^model 'x' is not one of full, gbm$"):
        model_named("x")


PARTS = ("volatility", "shape", "tails", "jumps", "lags", "arrivals", "signs", "spread")


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_left_out_and_stand_alone(part: str) -> None:
    """Prices come out, cut anywhere, and differ from those of the full model if it is a part of prices."""
    for model in (replace(FULL, **{part: None}), replace(GBM, **{part: getattr(FULL, part)})):
        whole, parts = prices(model), prices(model)
        expected = whole.seconds(7)
        pieces = [parts.seconds(n) for n in (1, 4, 2)]
        path = np.concatenate([piece.path for piece in pieces], axis=1)
        assert path.tobytes() == expected.path.tobytes()
        if not model.plain:
            for name in ("sigma", "activity"):
                column = np.concatenate([getattr(piece, name) for piece in pieces], axis=1)
                assert column.tobytes() == getattr(expected, name).tobytes()


@settings(max_examples=20)
@given(st.permutations(range(8)).flatmap(lambda p: st.integers(1, 8).map(lambda n: p[:n])))
def test_a_symbol_has_its_prices_in_any_company(which: list[int]) -> None:
    """Adding, removing and reordering symbols changes nobody else's path, volatility or activity."""
    whole = prices(FULL).seconds(5)
    some = Prices(
        FULL,
        1,
        [SYMBOLS[i] for i in which],
        [["X", "Y"][i % 2] for i in which],
        np.full(len(which), 10_000.0),
        np.full(len(which), 0.3),
    ).seconds(5)
    assert some.path.tobytes() == whole.path[which].tobytes()
    assert some.sigma.tobytes() == whole.sigma[which].tobytes()


def test_the_volatility_is_what_the_instrument_says() -> None:
    """Each part keeps the variance: over many seconds, returns have the annual volatility."""
    calm = replace(FULL, volatility=None, shape=None)
    deviation = second_returns(calm, 20_000).std(axis=(1, 2)) * np.sqrt(252 * DAY_S)
    assert deviation == pytest.approx(np.full(8, 0.3), rel=0.1)
    fast = LogVolatility(half_lives_s=(5.0,), weights=(1.0,))
    wild = second_returns(replace(FULL, volatility=fast, shape=None), 20_000)
    assert wild.std(axis=(1, 2)) * np.sqrt(252 * DAY_S) == pytest.approx(np.full(8, 0.3), rel=0.1)


def test_a_wild_market_keeps_its_prices_positive() -> None:
    """At the highest volatility that an instrument may have, with every part."""
    walk = prices(FULL, volatility=10.0)
    for _ in range(20):
        assert (walk.seconds(500).path > 0).all()


def test_the_first_prices_are_pinned() -> None:
    """With jumps among them: change this only together with the golden tape of test_market.py."""
    walk = prices(
        replace(
            FULL, jumps=Jumps(own_a_day=100.0, own_size=0.04, market_a_day=50.0, market_size=0.04)
        )
    )
    grids = [walk.seconds(250) for _ in range(4)]
    columns = [getattr(grid, name) for grid in grids for name in ("path", "sigma", "activity")]
    text = b"".join(np.ascontiguousarray(column).astype("<f8").tobytes() for column in columns)
    assert hashlib.sha256(text).hexdigest()[:32] == "9680419d209b4229749a849d02bbc784"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jumps(own_a_day=100.0), "jumps make up 2.89 of the variance; below 1 is allowed"),
        (lambda: Hawkes(branching=1.0), "branching 1.0 is not between 0 and 0.95"),
        (lambda: HiddenOrders(exponent=1.0), "exponent 1.0 is not above 1, and at most 10"),
        (lambda: LogVolatility(variance=2.0), "variance 2.0 is not between 0 and 1"),
        (
            lambda: LogVolatility(weights=(0.5, 0.5)),
            "weights (0.5, 0.5) are not one a half-life, with the sum 1",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(make: Callable[[], object], message: str) -> None:
    """One line names the value and what is allowed."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        make()
    assert str(caught.value) == message


# Volatility.


def volatility_levels(model: LogVolatility, seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels of eight symbols, and the shocks of price that went in."""
    path = VolatilityPath(model, 1, SYMBOLS)
    own = Stream(5, "own", SYMBOLS).normals(0, seconds)
    market = Stream(5, "market", [""]).normals(0, seconds)[0]
    return path.advance(market, own), own


def test_the_volatility_has_its_variance_and_its_half_life() -> None:
    """One fast process: the logarithm's variance is the parameter, its autocorrelation halves in a half-life."""
    model = LogVolatility(half_lives_s=(20.0,), weights=(1.0,))
    levels, _ = volatility_levels(model, 40_000)
    assert levels.var(axis=1).mean() == pytest.approx(model.variance, rel=0.05)
    assert autocorrelation(levels[:, None], [20]).mean() == pytest.approx(0.5, abs=0.04)


def test_processes_of_several_scales_add_up_to_the_variance() -> None:
    """Although the price drives all of them."""
    model = LogVolatility(half_lives_s=(10.0, 30.0), weights=(0.5, 0.5), leverage=-0.8)
    levels, _ = volatility_levels(model, 40_000)
    assert levels.var(axis=1).mean() == pytest.approx(model.variance, rel=0.06)


def test_falls_raise_the_volatility() -> None:
    """The next second's, and not the same second's: prices don't know the future."""
    levels, own = volatility_levels(LogVolatility(leverage=-0.5), 20_000)
    change = np.diff(levels, axis=1)[:, None]
    after = correlation(own[:, None, :-1], change)
    before = correlation(own[:, None, 1:], change)
    assert (after < -0.2).all()
    assert (abs(before) < 0.04).all()


def test_storms_are_common() -> None:
    """A part of the variance is the market's own: it correlates symbols' volatilities."""
    model = LogVolatility(half_lives_s=(10.0,), weights=(1.0,), common=0.4)
    levels, _ = volatility_levels(model, 40_000)
    correlations = np.corrcoef(levels)[np.triu_indices(8, 1)]
    assert correlations.mean() == pytest.approx(0.4, abs=0.05)


def test_powers_of_e_are_the_exponential_function() -> None:
    """To 11 digits."""
    x = np.linspace(-16, 16, 101)
    assert exp(x) == pytest.approx(np.exp(x), rel=1e-11)


# The day.


def test_the_shape_of_the_day_keeps_variance_and_rate() -> None:
    """Mean square 1 and mean 1; the opening is wildest, noon calmest."""
    shape = DayShape()
    volatility, activity = shape.volatility(), shape.activity()
    assert (volatility**2).mean() == pytest.approx(1)
    assert activity.mean() == pytest.approx(1)
    for table in (volatility, activity):
        assert len(table) * 60 == DAY_S
        assert table.argmax() == 0
        assert 100 < table.argmin() < 300
        assert table[-1] > 1.2 * table[200]


def test_the_day_begins_again() -> None:
    """After 390 minutes."""
    assert DayShape(first_minute=0).minutes(59, 3).tolist() == [0, 1, 1]
    assert DayShape(first_minute=0).minutes(DAY_S - 1, 2).tolist() == [389, 0]
    assert DayShape(first_minute=389).minutes(0, 61).tolist() == [389] * 60 + [0]
    start = DayShape()
    assert start.activity()[start.minutes(0, 600)] == pytest.approx(np.ones(600), abs=0.1)


# Shocks.


def test_student_shocks_have_six_degrees_of_freedom() -> None:
    """A normal number times the scale: variance 1, and the fourth moment of a t of six degrees is 6."""
    scale = StudentT().scales(Stream(1, "t", SYMBOLS), 0, 60_000)
    shock = scale * Stream(1, "z", SYMBOLS).normals(0, 60_000)
    assert (scale**2).mean() == pytest.approx(1, rel=0.01)
    assert excess_kurtosis(shock.reshape(1, -1))[0] == pytest.approx(3, abs=0.7)


def test_tails_depend_on_each_other() -> None:
    """The mean of many symbols has heavy tails too: what hits one hits others in the same second."""
    found = []
    for model in (GBM, replace(GBM, tails=StudentT())):
        index = second_returns(model, 30_000)[:, 0].mean(axis=0)
        found.append(excess_kurtosis(index[None, :])[0])
    assert found[0] == pytest.approx(0, abs=0.15)
    assert found[1] > 0.7


def test_jumps_come_as_often_and_as_large_as_they_should() -> None:
    """Own jumps at their rate, the market's at once, falls more often than rises."""
    model = Jumps(own_a_day=400.0, market_a_day=50.0, own_size=0.01, market_size=0.02, down=0.75)
    symbol, _, size = JumpPath(model, 1, SYMBOLS).sizes(0, DAY_S)
    assert len(size) == pytest.approx(8 * 450, rel=0.1)
    assert (np.bincount(symbol) > 300).all()
    assert (size < 0).mean() == pytest.approx(0.75, abs=0.04)
    assert np.abs(size).mean() == pytest.approx((0.01 * 400 + 0.02 * 50) / 450, rel=0.1)


def test_jumps_are_a_share_of_the_variance() -> None:
    """So that with them, a day is as volatile as without."""
    jumpy = replace(GBM, jumps=Jumps(own_a_day=2_000.0, own_size=0.015, market_a_day=0.0))
    assert jumpy.jumps is not None
    assert jumpy.jumps.share() == pytest.approx(0.9)
    deviation = second_returns(jumpy, 30_000).std(axis=(1, 2)) * np.sqrt(252 * DAY_S)
    assert deviation == pytest.approx(np.full(8, 0.3), rel=0.06)


def test_symbols_hear_the_news_late_but_remember_nothing() -> None:
    """Correlation grows with the interval (Epps); no path has memory."""
    returns = second_returns(replace(GBM, lags=LeadLag(longest_s=20)), 40_000)
    minute = returns.reshape(8, -1, 100).sum(axis=2)
    second = np.corrcoef(returns[:, 0])[np.triu_indices(8, 1)].mean()
    assert second < 0.1 < 0.18 < np.corrcoef(minute)[np.triu_indices(8, 1)].mean()
    assert np.abs(autocorrelation(returns, range(1, 25))).max() < 0.025
    delays = LeadLag(longest_s=20).delays(1, [f"N{i}" for i in range(2_000)])
    assert set(delays) == set(range(21))


# Arrivals.


def counts(model: Hawkes, rate: float, seconds: int) -> np.ndarray:
    """Events of each second of eight symbols."""
    universe = Universe([Instrument(name, 10.0) for name in SYMBOLS])
    arrivals = HawkesArrivals(model, 1, universe, np.full(8, rate))
    cells, flat, parts = 1_000, np.zeros((8, 1)), []
    for first in range(0, seconds * CELLS_PER_SECOND, cells):
        second = first // CELLS_PER_SECOND
        times = arrivals.block(Grid(first, flat[:, 0], np.zeros((8, cells)), second, flat))
        assert (np.diff(times.cell) >= 0).all()
        assert (times.offset_us >= 0).all()
        assert (times.offset_us < CELL_US).all()
        found = np.bincount(times.cell // CELLS_PER_SECOND, minlength=8 * cells // CELLS_PER_SECOND)
        parts.append(found.reshape(8, -1))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("rate", [0.5, 5.0, 100.0])
def test_self_excited_events_come_at_the_rate_asked_for(rate: float) -> None:
    """Immigrants and their offspring together; from the first second on, in bursts."""
    seconds = round(20_000 / rate)
    found = counts(Hawkes(), rate, seconds)
    assert found.mean() == pytest.approx(rate, rel=0.04)
    assert found[:, : seconds // 20].mean() == pytest.approx(rate, rel=0.2)


@pytest.mark.parametrize("branching", [0.3, 0.7])
def test_counts_scatter_as_the_branching_says(branching: float) -> None:
    """Over long windows, the variance is 1 / (1 - n)^2 times the mean (Hawkes and Oakes 1974)."""
    found = counts(Hawkes(branching=branching), 5.0, 20_000)
    long = found.reshape(8, -1, 100).sum(axis=2)
    assert fano(long, 200).mean() == pytest.approx(1 / (1 - branching) ** 2, rel=0.15)


def test_without_offspring_arrivals_are_poisson() -> None:
    """A branching ratio of 0."""
    assert fano(counts(Hawkes(branching=0.0), 5.0, 10_000), 100).mean() == pytest.approx(
        1, abs=0.03
    )


# Signs.


def signs(model: HiddenOrders, trades: int, blocks: int = 1) -> np.ndarray:
    """Signs of the trades of eight symbols, shape (symbols, trades), made in so many blocks."""
    orders = OrderSigns(model, 1, SYMBOLS)
    parts = []
    for block in np.array_split(np.arange(trades), blocks):
        symbol = np.repeat(np.arange(8), len(block))
        words = Stream(9, "draws", SYMBOLS).words(0, trades)[:, block]
        draws = (words.ravel() >> np.uint64(48)).astype(np.uint16)
        parts.append(orders.buys(symbol, draws).reshape(8, -1))
    return np.concatenate(parts, axis=1) * 2.0 - 1


def test_signs_do_not_depend_on_blocks() -> None:
    """Hidden orders go on from one block to the next."""
    expected = signs(HiddenOrders(), 500)
    for blocks in (2, 7, 499, 500):
        assert (signs(HiddenOrders(), 500, blocks) == expected).all()


def test_signs_remember_as_a_power_law() -> None:
    """The autocorrelation falls with the exponent less 1; buyers and sellers are as many."""
    found = signs(HiddenOrders(others=0.0), 200_000, 3)
    assert abs(found.mean()) < 0.08
    lags = np.array([2, 4, 8, 16, 32, 64])
    decay = autocorrelation(found[:, None], lags).mean(axis=0)
    slope = np.polyfit(np.log(lags), np.log(decay), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.12)


def test_others_blur_the_memory() -> None:
    """Trades of others are coin flips."""
    clear = autocorrelation(signs(HiddenOrders(others=0.0), 50_000)[:, None], [1]).mean()
    blurred = autocorrelation(signs(HiddenOrders(others=0.5), 50_000)[:, None], [1]).mean()
    assert blurred == pytest.approx(clear / 4, abs=0.05)


# Spreads.


@pytest.mark.parametrize("strain", [0.25, 1.0, 4.0])
def test_spreads_grow_with_the_strain(strain: float) -> None:
    """What they have above one tick is in proportion."""
    ones = np.ones((1, 1))
    grid = Grid(0, ones[0], np.ones((1, 10)), 0, ones, ones, strain * ones)
    size = 1 << 16
    zeros, draws = np.zeros(size, dtype=np.int64), np.arange(size, dtype=np.uint16)
    dither = draws * np.uint16(40_503)
    for model, expected in ((TenseSpread(), 1 + 3 * strain), (None, 4.0)):
        spread = Spreads(model, np.array([4.0])).draw(grid, zeros, zeros, draws, dither)
        assert spread.mean() == pytest.approx(expected, rel=0.02)
        assert spread.min() >= 1
