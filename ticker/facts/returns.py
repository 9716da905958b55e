"""Facts about returns: tails, memory, clustering, leverage, correlation."""

import math
from itertools import pairwise

import numpy as np

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
from ticker.facts.verdict import Band, Verdict
from ticker.facts.view import View, median

__all__ = ["RETURN_FACTS"]

_TAIL = 0.015
_CLUSTER_LAGS = range(1, 21)
_MEMORY_LAGS = np.unique(np.rint(np.geomspace(5, 200, 24)).astype(np.int64))


def no_autocorrelation(view: View) -> Verdict:
    """Fact 1: returns can't be predicted from those before."""
    found = autocorrelation(view.returns, range(1, 21))
    inside = np.abs(found) <= 3 / math.sqrt(view.observations)
    measured = {
        "largest median, lags 1-20": float(np.abs(np.median(found, axis=0)).max()),
        "share of symbols within 3/sqrt(n)": float(inside.mean()),
    }
    bands = dict(zip(measured, (Band(high=0.03), Band(low=0.9)), strict=True))
    return Verdict(
        "1",
        "no linear autocorrelation",
        measured,
        bands,
        "Cont 2001, fact 1",
        missing=view.lack(minutes=300),
    )


def heavy_tails(view: View) -> Verdict:
    """Fact 2: large moves are far more frequent than a normal distribution says."""
    measured = {"excess kurtosis": median(excess_kurtosis(view.flat))}
    return Verdict(
        "2",
        "heavy tails",
        measured,
        {"excess kurtosis": Band(3, 40)},
        "Cont 2001, fact 2",
        missing=view.lack(minutes=300),
    )


def tail_index(view: View) -> Verdict:
    """Fact 3: the tail is a power law of index 3 or so."""
    measured = {"Hill index, top 1.5 %": median(hill(view.returns, _TAIL))}
    return Verdict(
        "3",
        "tail index",
        measured,
        {"Hill index, top 1.5 %": Band(2.2, 5.0)},
        "Gopikrishnan et al. 1998",
        missing=view.lack(minutes=1000),
    )


def clustering(view: View) -> Verdict:
    """Fact 4: large moves follow large moves, of either sign; the shape of the day is taken out first."""
    found = autocorrelation(view.size, [*_CLUSTER_LAGS, 60])
    p_values = [arch_lm(row) for row in view.seasonless.reshape(len(view.returns), -1)]
    measured = {
        "mean ACF(|r|), lags 1-20": median(found[:, :-1].mean(axis=1)),
        "ACF(|r|), lag 60": median(found[:, -1]),
        "ARCH-LM p": float(np.median(p_values)),
    }
    bands = dict(zip(measured, (Band(0.05, 0.40), Band(low=1e-9), Band(high=1e-6)), strict=True))
    return Verdict(
        "4",
        "volatility clustering",
        measured,
        bands,
        "Cont 2001, fact 6; Engle 1982",
        missing=view.lack(minutes=300, session=100),
    )


def long_memory(view: View) -> Verdict:
    """Fact 5: the clusters' memory fades like a power law, slowly."""
    found = autocorrelation(view.size, _MEMORY_LAGS).mean(axis=0)
    measured = {
        "exponent, lags 5-200": log_log_slope(_MEMORY_LAGS, found),
        "ACF(|r|), lag 200": float(found[-1]),
    }
    bands = dict(zip(measured, (Band(0.1, 0.7), Band(low=1e-9)), strict=True))
    return Verdict(
        "5",
        "long memory of |r|",
        measured,
        bands,
        "Cont 2001, fact 8",
        missing=view.lack(minutes=2000, session=260),
    )


def aggregational_gaussianity(view: View) -> Verdict:
    """Fact 6: the longer the interval, the more normal the returns."""
    scale = np.sqrt((view.returns**2).mean(axis=(1, 2)))[:, None, None]
    standard = view.returns / scale
    steps = {"1 min": 1, "5 min": 5, "30 min": 30, "1 day": standard.shape[2]}
    measured = {}
    for name, minutes in steps.items():
        sums = aggregate(standard, minutes)
        # Days of one symbol are few: all symbols are one sample then.
        whole = sums.reshape(1, -1) if name == "1 day" else sums.reshape(len(sums), -1)
        measured[name] = median(excess_kurtosis(whole))
    values = list(measured.values())
    measured["30 min / 1 min"] = values[2] / values[0]
    measured["steps down"] = float(sum(a > b for a, b in pairwise(values)))
    return Verdict(
        "6",
        "aggregational Gaussianity",
        measured,
        {"30 min / 1 min": Band(high=0.6), "steps down": Band(low=3)},
        "Cont 2001, fact 4",
        missing=view.lack(minutes=2000, session=60),
    )


def conditional_tails(view: View) -> Verdict:
    """Fact 7: tails stay heavy after the volatility is divided out."""
    ratio = view.returns / ewma_volatility(view.returns)
    kurtosis = median(excess_kurtosis(ratio.reshape(len(ratio), -1)))
    plain = median(excess_kurtosis(view.flat))
    measured = {"excess kurtosis of r/sigma": kurtosis, "of r": plain}
    return Verdict(
        "7",
        "conditional heavy tails",
        measured,
        {"excess kurtosis of r/sigma": Band(0.2, plain if plain > 0.2 else 0.2)},
        "Cont 2001, fact 7",
        missing=view.lack(minutes=300),
    )


def leverage(view: View) -> Verdict:
    """Fact 8: falls are followed by more volatility than rises, of the index more than of stocks."""
    lags = range(1, 21)
    stocks = median(cross_correlation(view.returns, np.abs(view.returns), lags).mean(axis=1))
    index = view.index
    of_index = float(cross_correlation(index, np.abs(index), lags).mean())
    return Verdict(
        "8",
        "leverage",
        {"mean corr(r, |r later|), lags 1-20": stocks, "of the index": of_index},
        {"mean corr(r, |r later|), lags 1-20": Band(-0.15, 0.01)},
        "Bouchaud et al. 2001",
        missing=view.lack(minutes=1000),
    )


def skew(view: View) -> Verdict:
    """Fact 9: the index falls faster than it rises. Few days say little: it is only reported."""
    daily = aggregate(view.index, view.index.shape[2]).ravel()
    centred = daily - daily.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        found = float((centred**3).mean() / (centred**2).mean() ** 1.5)
    return Verdict(
        "9",
        "gain/loss skew",
        {"skew of the index, daily": found},
        {"skew of the index, daily": Band(-1.5, 0.3)},
        "Cont 2001, fact 3",
        gating=False,
        missing=view.lack(sessions=10),
    )


def co_movement(view: View) -> Verdict:
    """Fact 12: symbols move together, those of a sector more, and more over longer intervals (Epps)."""
    everybody = np.ones((len(view.returns),) * 2, dtype=bool)
    same = np.equal.outer(view.sectors, view.sectors)
    minute = np.asarray(np.corrcoef(view.flat))
    longer = np.asarray(np.corrcoef(aggregate(view.returns, 30).reshape(len(view.returns), -1)))
    measured = {
        "1 s": pairs(view.second_correlation, everybody),
        "1 min": pairs(minute, everybody),
        "30 min": pairs(longer, everybody),
    }
    values = list(measured.values())
    bands = {"1 min": Band(0.05, 0.45), "steps up": Band(low=2)}
    measured["steps up"] = float(sum(a < b for a, b in pairwise(values)))
    if len(set(view.sectors)) > 1:
        measured["within a sector - across"] = pairs(minute, same) - pairs(minute, ~same)
        bands["within a sector - across"] = Band(low=0.05)
    return Verdict(
        "12",
        "cross-correlation, Epps effect",
        measured,
        bands,
        "Epps 1979; Toth, Kertesz 2009",
        missing=view.lack(minutes=1000, session=60, symbols=2),
    )


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
