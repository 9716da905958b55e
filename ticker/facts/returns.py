"""Facts about returns, of one minute unless it says otherwise: tails, memory, clustering, leverage, correlation."""

import math
from itertools import pairwise

import numpy as np

from ticker.facts.fact import Measured, fact
from ticker.facts.measures import (
    aggregate,
    arch_lm,
    autocorrelation,
    cross_correlation,
    ewma_volatility,
    excess_kurtosis,
    hill,
    log_log_slope,
    pairs,
)
from ticker.facts.verdict import Band
from ticker.facts.view import View, median

__all__ = ["RETURN_FACTS"]

_TAIL = 0.015
_LAGS = range(1, 21)
_MEMORY_LAGS = np.unique(np.rint(np.geomspace(5, 200, 24)).astype(np.int64))
_POSITIVE = Band(low=1e-9)


@fact("1", "no linear autocorrelation", "Cont 2001, fact 1", minutes=300, session=30)
def no_autocorrelation(view: View) -> Measured:
    """Returns can't be predicted from those before."""
    found = autocorrelation(view.returns, _LAGS)
    inside = np.abs(found) <= 3 / math.sqrt(view.observations)
    return {
        "largest median, lags 1-20": (
            float(np.abs(np.median(found, axis=0)).max()),
            Band(high=0.03),
        ),
        "share within 3/sqrt(n)": (float(inside.mean()), Band(low=0.9)),
    }


@fact("2", "heavy tails", "Cont 2001, fact 2", minutes=300)
def heavy_tails(view: View) -> Measured:
    """Large moves are far more frequent than a normal distribution says."""
    return {"excess kurtosis": (median(excess_kurtosis(view.flat)), Band(3, 40))}


@fact("3", "tail index", "Gopikrishnan et al. 1998", minutes=1000)
def tail_index(view: View) -> Measured:
    """The tail is a power law of index 3 or so."""
    return {"Hill index, top 1.5 %": (median(hill(view.returns, _TAIL)), Band(2.2, 5.0))}


@fact("4", "volatility clustering", "Cont 2001, fact 6; Engle 1982", minutes=300, session=100)
def clustering(view: View) -> Measured:
    """Large moves follow large moves, of either sign; the shape of the day is taken out first."""
    found = autocorrelation(view.size, [*_LAGS, 60])
    p_values = [arch_lm(row) for row in view.seasonless.reshape(len(view.returns), -1)]
    return {
        "mean ACF(|r|), lags 1-20": (median(found[:, :-1].mean(axis=1)), Band(0.05, 0.40)),
        "ACF(|r|), lag 60": (median(found[:, -1]), _POSITIVE),
        "ARCH-LM p": (float(np.median(p_values)), Band(high=1e-6)),
    }


@fact("5", "long memory of |r|", "Cont 2001, fact 8", minutes=2000, session=260)
def long_memory(view: View) -> Measured:
    """The clusters' memory fades like a power law, slowly."""
    found = autocorrelation(view.size, _MEMORY_LAGS).mean(axis=0)
    return {
        "exponent, lags 5-200": (log_log_slope(_MEMORY_LAGS, found), Band(0.1, 0.7)),
        "ACF(|r|), lag 200": (float(found[-1]), _POSITIVE),
    }


@fact("6", "aggregational Gaussianity", "Cont 2001, fact 4", minutes=2000, session=60)
def aggregational_gaussianity(view: View) -> Measured:
    """The longer the interval, the more normal the returns."""
    standard = view.returns / view.deviation
    measured: Measured = {}
    for name, minutes in {"1 min": 1, "5 min": 5, "30 min": 30, "1 day": standard.shape[2]}.items():
        sums = aggregate(standard, minutes)
        # Days of one symbol are few: all symbols are one sample then.
        whole = sums.reshape(1, -1) if name == "1 day" else sums.reshape(len(sums), -1)
        measured[f"kurtosis, {name}"] = (median(excess_kurtosis(whole)), None)
    values = [value for value, _ in measured.values()]
    down = sum(a > b for a, b in pairwise(values))
    return measured | {
        "30 min / 1 min": (values[2] / values[0], Band(high=0.6)),
        "steps down": (float(down), Band(low=3)),
    }


@fact("7", "conditional heavy tails", "Cont 2001, fact 7", minutes=300)
def conditional_tails(view: View) -> Measured:
    """Tails stay heavy after the volatility is divided out, but less so."""
    ratio = view.returns / ewma_volatility(view.returns)
    plain = median(excess_kurtosis(view.flat))
    return {
        "kurtosis of r/sigma": (
            median(excess_kurtosis(ratio.reshape(len(ratio), -1))),
            Band(0.2, max(0.2, plain)),
        ),
        "kurtosis of r": (plain, None),
    }


@fact("8", "leverage", "Bouchaud et al. 2001", minutes=1000, session=60)
def leverage(view: View) -> Measured:
    """Falls are followed by more volatility than rises, of the index more than of stocks."""
    stocks = cross_correlation(view.returns, np.abs(view.returns), _LAGS).mean(axis=1)
    index = cross_correlation(view.index, np.abs(view.index), _LAGS)
    return {
        "corr(r, |r later|), lags 1-20": (median(stocks), Band(-0.15, 0.01)),
        "of the index": (float(index.mean()), None),
    }


@fact("9", "gain/loss skew", "Cont 2001, fact 3", gating=False, sessions=10)
def skew(view: View) -> Measured:
    """The index falls faster than it rises. Few days say little: it is only reported."""
    daily = aggregate(view.index, view.index.shape[2]).ravel()
    centred = daily - daily.mean()
    found = (centred**3).mean() / (centred**2).mean() ** 1.5
    return {"skew of the index, daily": (float(found), Band(-1.5, 0.3))}


@fact("12", "cross-correlation, Epps effect", "Epps 1979", minutes=1000, session=60, symbols=2)
def co_movement(view: View) -> Measured:
    """Symbols move together, those of a sector more, and more over longer intervals."""
    symbols = len(view.returns)
    everybody = np.ones((symbols, symbols), dtype=bool)
    same = np.equal.outer(view.sectors, view.sectors)
    minute = np.asarray(np.corrcoef(view.flat))
    longer = np.asarray(np.corrcoef(aggregate(view.returns, 30).reshape(symbols, -1)))
    matrices = (view.second_correlation, minute, longer)
    values = [pairs(matrix, everybody) for matrix in matrices]
    measured: Measured = {
        "1 s": (values[0], None),
        "1 min": (values[1], Band(0.05, 0.45)),
        "30 min": (values[2], None),
        "steps up": (float(sum(a < b for a, b in pairwise(values))), Band(low=2)),
    }
    if len(set(view.sectors)) > 1:
        more = pairs(minute, same) - pairs(minute, ~same)
        measured["within a sector - across"] = (more, Band(low=0.05))
    return measured


RETURN_FACTS = (
    no_autocorrelation,
    heavy_tails,
    tail_index,
    clustering,
    long_memory,
    aggregational_gaussianity,
    conditional_tails,
    leverage,
    skew,
    co_movement,
)
