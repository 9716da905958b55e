"""A picture of the stylised facts: one panel a fact, with what was measured. Needs matplotlib."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ticker.facts import Panel, Verdict
from ticker.facts.measures import (
    aggregate,
    autocorrelation,
    cross_correlation,
    ewma_volatility,
    excess_kurtosis,
)
from ticker.facts.view import View

__all__ = ["draw"]

_COLOURS = {True: "#2a7f3f", False: "#b3261e", None: "#777777"}
_COLUMNS = 4


def draw(panel: Panel, verdicts: list[Verdict], path: Path) -> None:
    """Draw the verdicts into a file, whose suffix says the format."""
    from matplotlib.figure import Figure

    view = View(panel)
    rows = -(-len(verdicts) // _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS).ravel()
    for axis in axes[len(verdicts) :]:
        axis.set_axis_off()
    for axis, verdict in zip(axes, verdicts, strict=False):
        word = {True: "pass", False: "FAIL", None: "not judged"}[verdict.passed]
        axis.set_title(
            f"{verdict.number}  {verdict.fact}: {word}",
            fontsize=9,
            color=_COLOURS[verdict.passed],
        )
        axis.tick_params(labelsize=7)
        if verdict.missing:
            text = f"needs {verdict.missing}"
            axis.text(0.5, 0.5, text, ha="center", transform=axis.transAxes, fontsize=8)
        elif verdict.number in _PANELS:
            _PANELS[verdict.number](axis, view)
        else:
            _bars(axis, verdict)
    figure.savefig(path, dpi=110)


def _bars(axis: Any, verdict: Verdict) -> None:
    names = [name for name, value in verdict.measured.items() if np.isfinite(value)]
    axis.barh(names, [verdict.measured[name] for name in names], color="#4477aa")
    axis.invert_yaxis()


def _acf(axis: Any, found: np.ndarray, lags: Any = None, label: str = "lag, minutes") -> None:
    """Median over symbols, with the middle half of them."""
    lags = np.arange(1, found.shape[1] + 1) if lags is None else lags
    low, middle, high = np.nanpercentile(found, [25, 50, 75], axis=0)
    axis.fill_between(lags, low, high, alpha=0.25, color="#4477aa")
    axis.plot(lags, middle, color="#4477aa", marker=".", markersize=3)
    axis.axhline(0, color="black", linewidth=0.5)
    axis.set_xlabel(label, fontsize=7)


def _tails(axis: Any, view: View) -> None:
    scaled = np.sort(np.abs(view.flat / view.flat.std(axis=1, keepdims=True)).ravel())
    share = 1 - np.arange(len(scaled)) / len(scaled)
    axis.loglog(scaled, share, color="#4477aa")
    grid = np.geomspace(0.1, max(6.0, scaled[-1]), 100)
    axis.loglog(grid, share[0] * (grid / 2) ** -3.0 * 0.05, ":", color="#777777")
    axis.set_ylim(0.5 / len(scaled), 2)
    axis.set_xlabel("|r| in deviations; dotted: a power of 3", fontsize=7)


def _histogram(axis: Any, values: np.ndarray) -> None:
    edges = np.linspace(-8, 8, 97)
    centre = (edges[1:] + edges[:-1]) / 2
    count = np.histogram(values, edges, density=True)[0]
    axis.semilogy(centre, np.maximum(count, 1e-7), color="#4477aa")
    axis.semilogy(centre, np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi), ":", color="#777777")
    axis.set_ylim(1e-6, 1)
    axis.set_xlabel("deviations; dotted: normal", fontsize=7)


def _kurtosis(axis: Any, view: View) -> None:
    steps = [n for n in (1, 2, 5, 10, 15, 30, 65) if view.returns.shape[2] // n * n >= n]
    found = [
        np.nanmedian(excess_kurtosis(aggregate(view.returns, n).reshape(len(view.returns), -1)))
        for n in steps
    ]
    axis.plot(steps, found, marker="o", color="#4477aa")
    axis.set_xscale("log")
    axis.set_xlabel("minutes", fontsize=7)


def _shape(axis: Any, view: View) -> None:
    for values, label in (
        (np.abs(view.returns), "|r|"),
        (view.column("volume"), "volume"),
    ):
        mean = (values / values.mean(axis=(1, 2), keepdims=True)).mean(axis=(0, 1))
        axis.plot(mean, label=label, linewidth=0.8)
    axis.legend(fontsize=7)
    axis.set_xlabel("minute of the day", fontsize=7)


def _memory(axis: Any, view: View) -> None:
    lags = np.unique(np.rint(np.geomspace(1, 200, 30)).astype(np.int64))
    axis.loglog(lags, np.maximum(autocorrelation(view.size, lags).mean(axis=0), 1e-4), marker=".")
    axis.set_xlabel("lag, minutes", fontsize=7)


_MINUTES = range(1, 61)
_PANELS: dict[str, Callable[[Any, View], None]] = {
    "1": lambda axis, view: _acf(axis, autocorrelation(view.returns, range(1, 21))),
    "1b": lambda axis, view: _acf(axis, view.panel.bounce()[view.kept], label="lag, trades"),
    "2": lambda axis, view: _histogram(axis, view.flat / view.flat.std(axis=1, keepdims=True)),
    "3": _tails,
    "4": lambda axis, view: _acf(axis, autocorrelation(view.size, _MINUTES), _MINUTES),
    "5": _memory,
    "6": _kurtosis,
    "7": lambda axis, view: _histogram(axis, view.returns / ewma_volatility(view.returns)),
    "8": lambda axis, view: _acf(
        axis, cross_correlation(view.returns, np.abs(view.returns), _MINUTES), _MINUTES
    ),
    "11": _shape,
    "14": lambda axis, view: _acf(axis, view.panel.signs()[view.kept], label="lag, trades"),
}
