"""
The statistics behind the verdicts: pure functions of arrays.

Returns have the shape (symbols, sessions, intervals); lags never reach across the end of a session.
A statistic of a symbol without variation is NaN.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "aggregate",
    "arch_lm",
    "autocorrelation",
    "correlation",
    "cross_correlation",
    "deseasonalised",
    "ewma_volatility",
    "excess_kurtosis",
    "fano",
    "hill",
    "log_log_slope",
    "pairs",
]

F64 = NDArray[np.float64]


def excess_kurtosis(values: F64) -> F64:
    """Fourth moment over the squared second one, less 3, along the last axis."""
    centred = values - values.mean(axis=-1, keepdims=True)
    square = centred * centred
    with np.errstate(invalid="ignore", divide="ignore"):
        found: F64 = (square * square).mean(axis=-1) / square.mean(axis=-1) ** 2 - 3
    return found


def hill(returns: F64, tail: float) -> F64:
    """
    Estimate the tail index of absolute returns of each symbol (Hill, Annals of Statistics 1975).

    Args:
        returns: shape (symbols, ...).
        tail: the fraction of the largest values to use.
    """
    size = np.sort(np.abs(returns.reshape(len(returns), -1)), axis=1)
    count = max(2, int(tail * size.shape[1]))
    top = size[:, -count - 1 :]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: F64 = 1 / np.log(top[:, 1:] / top[:, :1]).mean(axis=1)
    return found


def cross_correlation(first: F64, second: F64, lags: Iterable[int]) -> F64:
    """Correlation of ``first`` with ``second`` some intervals later, within sessions: shape (symbols, lags)."""
    first = first - first.mean(axis=(1, 2), keepdims=True)
    second = second - second.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt((first * first).mean(axis=(1, 2)) * (second * second).mean(axis=(1, 2)))
    found = []
    for lag in lags:
        early = first[:, :, : first.shape[2] - lag]
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((early * second[:, :, lag:]).mean(axis=(1, 2)) / scale)
    return np.stack(found, axis=1)


def autocorrelation(values: F64, lags: Iterable[int]) -> F64:
    """Autocorrelation within sessions: shape (symbols, lags)."""
    return cross_correlation(values, values, lags)


def correlation(first: F64, second: F64) -> F64:
    """Correlation of two measures of the same intervals, shape (symbols,)."""
    return cross_correlation(first, second, [0])[:, 0]


def deseasonalised(values: F64) -> F64:
    """
    Divide what isn't negative by its mean in the same minute of all sessions and symbols.

    Each symbol counts the same. A few symbols and sessions say too little about a minute: then the mean is over the
    minutes around it too.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = values / values.mean(axis=(1, 2), keepdims=True)
    profile = np.nanmean(relative, axis=(0, 1)) if np.isfinite(relative).any() else None
    if profile is None:
        return values
    width = max(1, math.ceil(400 / (values.shape[0] * values.shape[1])) | 1)
    padded = np.pad(profile, width // 2, mode="edge")
    smooth = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(smooth > 0, values / smooth, values)


def arch_lm(returns: F64, lags: int = 10) -> float:
    """
    Test for changing variance (Engle, Econometrica 1982): the p-value of one symbol.

    The squares are regressed on the ``lags`` squares before; ``lags`` is even.
    """
    square = returns * returns
    target = square[lags:]
    columns = [np.ones(len(target))]
    columns += [square[lags - k : len(square) - k] for k in range(1, lags + 1)]
    matrix = np.stack(columns, axis=1)
    fitted = matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
    total = float(((target - target.mean()) ** 2).sum())
    if total == 0:
        return 1.0
    statistic = len(target) * (1 - float(((target - fitted) ** 2).sum()) / total)
    # The survival function of chi-squared with an even number of degrees of freedom.
    half, term, series = statistic / 2, 1.0, 1.0
    for k in range(1, lags // 2):
        term *= half / k
        series += term
    return math.exp(-min(half, 700.0)) * series


def log_log_slope(lags: NDArray[np.int64], values: F64) -> float:
    """Give the exponent of a power law: minus the slope of log values on log lags. NaN where one isn't positive."""
    if not (values > 0).all():
        return math.nan
    return -float(np.polyfit(np.log(lags), np.log(values), 1)[0])


def aggregate(returns: F64, intervals: int) -> F64:
    """Add up every so many intervals of a session; a remainder at its end is dropped."""
    symbols, sessions, count = returns.shape
    whole = count // intervals
    kept = returns[:, :, : whole * intervals]
    added: F64 = kept.reshape(symbols, sessions, whole, intervals).sum(axis=3)
    return added


def ewma_volatility(returns: F64, decay: float = 0.94) -> F64:
    """
    Forecast each interval's volatility from all those before it: RiskMetrics' moving average.

    It begins with the mean of the symbol's squares.
    """
    square = (returns * returns).reshape(len(returns), -1)
    variance = np.empty_like(square)
    level = square.mean(axis=1)
    for interval in range(square.shape[1]):
        variance[:, interval] = level
        level = decay * level + (1 - decay) * square[:, interval]
    return np.sqrt(variance).reshape(returns.shape)


def fano(counts: F64, block: int) -> F64:
    """
    Variance over mean of counts, within blocks of so many intervals, shape (symbols,).

    Within blocks, so that a busy opening and a quiet noon are not taken for clusters. 1 for a Poisson process.
    """
    symbols, intervals = counts.shape
    if block < 2:
        return np.full(symbols, np.nan)
    whole = counts[:, : intervals // block * block].reshape(symbols, -1, block)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: F64 = whole.var(axis=2, ddof=1).sum(axis=1) / whole.mean(axis=2).sum(axis=1)
    return found


def pairs(matrix: F64, which: NDArray[np.bool_]) -> float:
    """Mean of a symmetric matrix over some pairs, the diagonal left out."""
    chosen = which & ~np.eye(len(matrix), dtype=bool)
    values = matrix[chosen]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan
