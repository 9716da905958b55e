"""The judge: statistics against closed forms, and verdicts that tell a market from a random walk."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ticker.batch import QUOTES, TRADES
from ticker.facts import Band, Panel, Ticks, Verdict, accepted, judge, simulate
from ticker.facts.measures import (
    aggregate,
    arch_lm,
    autocorrelation,
    cross_correlation,
    deseasonalised,
    ewma_volatility,
    excess_kurtosis,
    fano,
    hill,
    log_log_slope,
    pairs,
)
from ticker.facts.ticks import lee_ready
from ticker.market import Market
from ticker.model import FULL
from ticker.trading_day.shape import DayShape
from ticker.universe import Universe


def random() -> np.random.Generator:
    """The same numbers in each test; only their distribution matters."""
    return np.random.default_rng(11)


def normals(*shape: int) -> np.ndarray:
    return random().standard_normal(shape)


# Measures.


def test_kurtosis_of_known_numbers() -> None:
    """A coin has -2; a normal distribution about 0; no variation gives NaN."""
    assert excess_kurtosis(np.array([1.0, -1.0, 1.0, -1.0])) == pytest.approx(-2)
    assert excess_kurtosis(normals(100_000)) == pytest.approx(0, abs=0.1)
    assert np.isnan(excess_kurtosis(np.zeros(5)))


@pytest.mark.parametrize("index", [2.0, 3.0, 4.5])
def test_hill_finds_the_index_of_a_power_law(index: float) -> None:
    """Of a Pareto distribution, to its standard error."""
    size = random().random((4, 200_000)) ** (-1 / index)
    assert hill(size, 0.015) == pytest.approx(np.full(4, index), rel=0.1)


def test_autocorrelation_of_a_moving_sum_is_a_half() -> None:
    """At lag 1, and 0 beyond; and never over the end of a session."""
    noise = normals(2, 40, 501)
    found = autocorrelation(noise[:, :, 1:] + noise[:, :, :-1], [1, 2, 3])
    assert found == pytest.approx(np.tile([0.5, 0, 0], (2, 1)), abs=0.03)
    steps = np.repeat(np.arange(10.0), 4).reshape(1, 10, 4) % 2
    assert autocorrelation(steps, [1])[0, 0] == pytest.approx(1)


def test_cross_correlation_knows_what_came_first() -> None:
    """An echo after three intervals is found at lag 3 alone."""
    noise = normals(1, 30, 400)
    echo = np.roll(noise, 3, axis=2)
    assert cross_correlation(noise, echo, [1, 3])[0] == pytest.approx([0, 0.99], abs=0.03)
    assert cross_correlation(echo, noise, [3])[0, 0] == pytest.approx(0, abs=0.03)


def test_the_shape_of_the_day_is_taken_out() -> None:
    """What is left is flat, whatever each symbol's level."""
    day = 1 + np.linspace(-1, 1, 390) ** 2
    values = np.array([1.0, 50.0])[:, None, None] * day * (0.5 + random().random((2, 300, 390)))
    flat = deseasonalised(values).mean(axis=1)
    assert flat.std(axis=1) / flat.mean(axis=1) == pytest.approx([0, 0], abs=0.03)


def test_arch_lm_finds_changing_variance_only() -> None:
    """Tiny for clusters; uniform for noise; 1 for nothing."""
    quiet = [arch_lm(row) for row in normals(40, 2_000)]
    assert 0.2 < np.median(quiet) < 0.8
    clusters = normals(4_000) * np.repeat([1.0, 3.0] * 20, 100)
    assert arch_lm(clusters) < 1e-20
    assert arch_lm(np.zeros(100)) == 1.0


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    """NaN where logarithms don't exist."""
    lags = np.array([5, 10, 50, 200])
    assert log_log_slope(lags, 0.3 * lags**-0.4) == pytest.approx(0.4)
    assert math.isnan(log_log_slope(lags, np.array([0.1, 0.05, -0.01, 0.01])))


def test_returns_add_up() -> None:
    """Whole groups of a session; the rest is dropped."""
    values = np.arange(7.0).reshape(1, 1, 7)
    assert aggregate(values, 3).tolist() == [[[3.0, 12.0]]]


def test_a_moving_average_follows_the_variance_and_does_not_look_ahead() -> None:
    """It is constant for constant squares, and a shock moves only what comes later."""
    constant = np.full((1, 2, 50), 0.3)
    assert ewma_volatility(constant) == pytest.approx(constant)
    shocked = constant.copy()
    shocked[0, 1, 20] = 5.0
    found = ewma_volatility(shocked)
    assert found[0, 1, 21] > 1.0
    assert (np.diff(found[0, 1, :20]) < 0).all()


def test_fano_factors() -> None:
    """1 for Poisson counts, also when their level differs from block to block; 0 for a clock."""
    level = np.repeat([5.0, 50.0], 1_000)
    assert fano(random().poisson(level, (6, 2_000)).astype(float), 100).mean() == pytest.approx(
        1, abs=0.05
    )
    assert fano(np.full((1, 100), 3.0), 10)[0] == 0


def test_pairs_leave_the_diagonal_out() -> None:
    """And what isn't a number."""
    matrix = np.array([[1.0, 0.2, np.nan], [0.2, 1.0, 0.4], [np.nan, 0.4, 1.0]])
    assert pairs(matrix, np.ones((3, 3), dtype=bool)) == pytest.approx(0.3)


# Signs.


def ticks(rows: list[tuple[int, int, float, float | None]]) -> Ticks:
    """Rows of symbol, microsecond, price or bid, and ask or None for a trade; in the order of time."""
    symbol, time, price = (np.array([row[i] for row in rows]) for i in range(3))
    quote = np.array([row[3] is not None for row in rows])
    ask = np.array([row[3] or 0.0 for row in rows])
    return Ticks.sort(symbol, time, quote, price.astype(float), ask, np.ones(len(rows)))


def test_signs_by_lee_and_ready() -> None:
    """Above the middle a buyer, below a seller, in the middle as the price last moved; each symbol for itself."""
    tape = ticks(
        [
            (0, 1, 10.0, None),  # between a standing 8 and 14: below the middle
            (1, 2, 99.0, None),  # nothing stands, nothing before: unknown
            (0, 3, 10.0, 12.0),
            (0, 4, 12.0, None),
            (0, 5, 11.0, None),  # the middle, after a fall
            (1, 6, 50.0, 60.0),
            (1, 7, 50.0, None),
            (0, 8, 11.0, None),  # the middle, the fall before counts still
        ]
    )
    bid, ask = np.array([8.0, np.nan]), np.array([14.0, np.nan])
    assert lee_ready(tape, bid, ask).tolist() == [-1, 1, -1, -1, 0, -1]


# The panel.


def test_a_panel_keeps_what_the_tape_says() -> None:
    """Minute by minute, against a naive reading of every event."""
    universe = Universe.of_size(4)
    market = Market(universe, seed=5, rate=6.0)
    start = market.now_us
    batch = market.step(start + 240_000_000)
    panel = Panel(["X"] * 4, 120)
    for session in range(2):
        begin = start + session * 120_000_000
        for part in range(4):
            low = begin + part * 30_000_000
            rows = (batch.time >= low) & (batch.time < low + 30_000_000) & (batch.channel < 2)
            panel.add(Ticks.of(batch[rows], begin))
        panel.close_session()
    for symbol in range(4):
        mine = batch[(batch.symbol == symbol) & (batch.channel <= QUOTES)]
        trades = mine[mine.channel == TRADES]
        quotes = mine[mine.channel == QUOTES]
        for minute in range(4):
            low = start + minute * 60_000_000
            inside = (trades.time >= low) & (trades.time < low + 60_000_000)
            price, at = trades.price[inside], (symbol, minute // 2, minute % 2)
            expected = [trades.size[inside].sum(), price[0], price.max(), price.min(), price[-1]]
            columns = ("volume", "open", "high", "low", "close")
            assert [panel.column(name)[at] for name in columns] == expected
            last = np.flatnonzero(quotes.time < low + 60_000_000)[-1]
            middle = (quotes.price[last] + quotes.ask[last]) / 2
            assert panel.column("middle")[symbol, minute // 2, minute % 2 + 1] == middle
    assert panel.trades == (batch.channel == TRADES).sum()
    assert panel.quotes == (batch.channel == QUOTES).sum()
    assert panel.crossed == 0
    assert panel.smallest == 1


def test_the_time_weighted_spread_is_that_of_the_seconds() -> None:
    """A quote stands until the next one, over the end of a session too."""
    panel = Panel(["X"], 60)
    panel.add(ticks([(0, 0, 10.0, 12.0), (0, 29_500_000, 10.0, 16.0)]))
    panel.close_session()
    panel.close_session()
    assert panel.column("spread").tolist() == [[[(29 * 2 + 31 * 6) / 60], [6.0]]]


def test_trades_in_pieces_have_the_autocorrelation_of_each_symbols_series() -> None:
    """Against numpy's own sums, symbol by symbol; pairs over the end of a piece don't count."""
    price = 100 + np.cumsum(normals(3, 40), axis=1)
    panel = Panel(["X"] * 3, 60)
    for piece in (slice(0, 25), slice(25, 40)):
        count = piece.stop - piece.start
        rows = [
            (symbol, 1_000 * n, float(price[symbol, piece][n]), None)
            for n in range(count)
            for symbol in range(3)
        ]
        panel.add(ticks(rows))
    for symbol in range(3):
        change = [np.diff(price[symbol, piece]) for piece in (slice(0, 25), slice(25, 40))]
        variance = np.concatenate(change) ** 2
        for lag in (1, 10):
            product = np.concatenate([c[lag:] * c[:-lag] for c in change])
            found = panel.bounce()[symbol, lag - 1]
            assert found == pytest.approx(product.mean() / variance.mean())


def test_crossed_quotes_are_counted() -> None:
    """Locked ones too."""
    panel = Panel(["X"], 60)
    panel.add(ticks([(0, 0, 10.0, 11.0), (0, 1, 10.0, 10.0), (0, 2, 10.0, 9.0)]))
    assert panel.crossed == 2


@pytest.mark.parametrize("seconds", [0, 59, 61])
def test_a_session_has_whole_minutes(seconds: int) -> None:
    """And at least one."""
    with pytest.raises(ValueError, match=f"session of {seconds} s"):
        Panel(["X"], seconds)


# Verdicts.


def verdict(**values: Any) -> Verdict:
    given: dict[str, Any] = {
        "number": "1",
        "fact": "f",
        "measured": {"a": 1.0},
        "bands": {"a": Band(0, 2)},
        "source": "s",
    }
    return Verdict(**(given | values))


@pytest.mark.parametrize(
    ("band", "inside", "outside", "text"),
    [
        (Band(0, 2), [0.0, 2.0], [-0.1, 2.1, math.nan], "0 to 2"),
        (Band(low=0.5), [0.5, math.inf], [0.4, math.nan], ">= 0.5"),
        (Band(high=0.5), [0.5, -math.inf], [0.6, math.nan], "<= 0.5"),
        (Band(), [0.0], [math.nan], "any"),
    ],
)
def test_a_band_has_both_its_ends(
    band: Band, inside: list[float], outside: list[float], text: str
) -> None:
    """And holds no NaN."""
    assert all(band.holds(value) for value in inside)
    assert not any(band.holds(value) for value in outside)
    assert str(band) == text


def test_a_tape_is_accepted_if_a_gating_fact_passes_and_none_fails() -> None:
    """What is only reported, or can't be judged, decides nothing."""
    good, bad = verdict(), verdict(measured={"a": 3.0})
    reported = verdict(measured={"a": 3.0}, gating=False)
    unknown = verdict(missing="2 sessions, not 1")
    assert unknown.passed is None
    assert accepted([good, reported, unknown])
    assert not accepted([good, bad])
    assert not accepted([reported, unknown])
    assert verdict(measured={"a": math.nan}).as_dict()["measured"] == {"a": None}


# The whole.


@pytest.fixture(scope="module", params=["full", "gbm"])
def judged(request: pytest.FixtureRequest) -> tuple[str, dict[str, Verdict]]:
    """Verdicts on six symbols over three short days."""
    universe = Universe.of_symbols(["AAPL", "MSFT", "NVDA", "XOM", "TSLA", "JPM"])
    panel = simulate(universe, seed=77, sessions=3, session_s=110 * 60, model=request.param)
    return request.param, {v.number: v for v in judge(panel)}


def test_a_short_run_tells_the_model_from_its_control(
    judged: tuple[str, dict[str, Verdict]],
) -> None:
    """What five hours show: tails, volume, bursts, signs. The control has none of them."""
    model, verdicts = judged
    assert [v.number for v in verdicts.values()][:3] == ["1", "1b", "2"]
    for number in ("10", "13", "14"):
        assert verdicts[number].passed is (model == "full"), verdicts[number]
    for number in ("1b", "16"):
        assert verdicts[number].passed is True, verdicts[number]
    kurtosis = verdicts["2"].measured["excess kurtosis"]
    assert kurtosis > 1.5 if model == "full" else abs(kurtosis) < 0.8
    assert verdicts["5"].missing == "sessions of 260 minutes, not 110"
    assert verdicts["3"].missing == "1000 minutes, not 330"
    assert verdicts["15"].measured["crossed or locked quotes"] == 0


def test_progress_ends_where_it_should() -> None:
    """It never goes back."""
    seen: list[tuple[int, int]] = []
    simulate(
        Universe.of_size(2),
        seed=1,
        sessions=2,
        session_s=180,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (360, 360)


def test_the_tape_judged_is_the_tape_published() -> None:
    """The simulation's events are the market's, without its bars, from an opening on."""
    universe = Universe.of_size(3)
    panel = simulate(universe, seed=9, sessions=1, session_s=120, rate=5.0)
    opening = replace(FULL, shape=DayShape(first_minute=0))
    market = Market(universe, seed=9, rate=5.0, model=opening)
    batch = market.step(market.now_us + 120_000_000)
    trades = batch.channel == TRADES
    assert panel.trades == trades.sum()
    assert panel.column("volume").sum() == batch.size[trades].sum()
