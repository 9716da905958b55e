"""A picture of the stylised facts: one panel a fact, with what was measured."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from feeds.cli.pictures.style import COLOURS, GRID, INK, QUIET, figure, save
from ticker.facts import Band, Panel, Verdict
from ticker.facts.measures import (
    aggregate,
    autocorrelation,
    cross_correlation,
    ewma_volatility,
    excess_kurtosis,
)
from ticker.facts.view import View

__all__ = ["draw"]

_WORDS = {True: "pass", False: "FAIL", None: "not judged"}
_MARKS = {True: "#1a7f37", False: "#b3261e", None: QUIET}
_LINE = COLOURS[0]
_COLUMNS = 3


def draw(panel: Panel, verdicts: list[Verdict], path: Path) -> None:
    """Draw the verdicts into a file, whose suffix says the format."""
    view = View(panel)
    rows = -(-len(verdicts) // _COLUMNS)
    made, axes = figure((3.4 * _COLUMNS, 2.15 * rows), rows, _COLUMNS)
    for unused in axes[len(verdicts) :]:
        unused.set_axis_off()
    for panel_axes, verdict in zip(axes, verdicts, strict=False):
        panel_axes.set_title(
            f"{verdict.number}  {verdict.fact}: {_WORDS[verdict.passed]}",
            fontsize=9,
            loc="left",
            color=_MARKS[verdict.passed],
        )
        panel_axes.tick_params(labelsize=7.5)
        if verdict.missing:
            panel_axes.set_axis_off()
            text = f"needs {verdict.missing}"
            panel_axes.text(0.5, 0.5, text, ha="center", transform=panel_axes.transAxes, color=INK)
        elif verdict.number in _PANELS:
            _PANELS[verdict.number](panel_axes, view)
        else:
            _numbers(panel_axes, verdict)
    if len(axes) > len(verdicts):
        _key(axes[-1], panel)
    save(made, path)


def _key(axes: Any, panel: Panel) -> None:
    """Say what the colours mean, where a panel is left over."""
    lines = (
        f"{len(panel.sectors)} symbols, {panel.sessions} sessions",
        "blue: measured; the lighter part",
        "is the middle half of the symbols",
        "dotted: normal, or a power of 3",
        "green: the accepted range",
    )
    axes.text(0.05, 0.5, "\n".join(lines), va="center", transform=axes.transAxes, fontsize=8.5)


def _numbers(axes: Any, verdict: Verdict) -> None:
    """Put each number beside the range in which it has to be, each on a scale of its own."""
    axes.set_xlim(0, 1)
    axes.set_ylim(max(4, len(verdict.measured)) - 0.4, -0.6)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    for row, (name, value) in enumerate(verdict.measured.items()):
        band = verdict.bands.get(name, Band())
        shown = f"{value:.3g}" if math.isfinite(value) else "none"
        axes.text(0, row - 0.3, f"{name}: {shown}", fontsize=7.5, va="center")
        if name not in verdict.bands:
            continue
        axes.text(1, row - 0.3, str(band), fontsize=7.5, va="center", ha="right", color=QUIET)
        begin, end, at = _scaled(value, band)
        axes.hlines(row + 0.12, 0, 1, color=GRID, linewidth=5)
        axes.hlines(row + 0.12, begin, end, color=COLOURS[2], alpha=0.4, linewidth=5)
        if math.isfinite(value):
            colour = _LINE if band.holds(value) else _MARKS[False]
            axes.plot([at], [row + 0.12], "o", color=colour, markersize=6)


def _scaled(value: float, band: Band) -> tuple[float, float, float]:
    """Give where a band begins and ends and where a value is, from 0 to 1."""
    bounds = [bound for bound in (band.low, band.high) if math.isfinite(bound)]
    if not math.isfinite(value) or not bounds:
        return 0.0, 1.0, 0.5
    low, high = min(*bounds, value), max(*bounds, value)
    room = 0.25 * (high - low) or max(1.0, abs(low))
    low, high = low - room, high + room
    ends = ((min(max(bound, low), high) - low) / (high - low) for bound in (band.low, band.high))
    return (*ends, (value - low) / (high - low))  # type: ignore[return-value]


def _acf(axis: Any, found: np.ndarray, lags: Any = None, label: str = "lag, minutes") -> None:
    """Median over symbols, with the middle half of them."""
    lags = np.arange(1, found.shape[1] + 1) if lags is None else lags
    low, middle, high = np.nanpercentile(found, [25, 50, 75], axis=0)
    axis.fill_between(lags, low, high, alpha=0.25, color=_LINE)
    axis.plot(lags, middle, color=_LINE, marker=".", markersize=3)
    axis.axhline(0, color=QUIET, linewidth=0.8)
    axis.set_xlabel(label, fontsize=7.5)


def _tails(axis: Any, view: View) -> None:
    scaled = np.sort(np.abs(view.flat / view.flat.std(axis=1, keepdims=True)).ravel())
    share = 1 - np.arange(len(scaled)) / len(scaled)
    axis.loglog(scaled, share, color=_LINE)
    grid = np.geomspace(0.1, max(6.0, scaled[-1]), 100)
    axis.loglog(grid, share[0] * (grid / 2) ** -3.0 * 0.05, ":", color=QUIET)
    axis.set_ylim(0.5 / len(scaled), 2)
    axis.set_xlabel("|r| in deviations; dotted: a power of 3", fontsize=7.5)


def _histogram(axis: Any, values: np.ndarray) -> None:
    edges = np.linspace(-8, 8, 97)
    centre = (edges[1:] + edges[:-1]) / 2
    count = np.histogram(values, edges, density=True)[0]
    axis.semilogy(centre, np.maximum(count, 1e-7), color=_LINE)
    axis.semilogy(centre, np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi), ":", color=QUIET)
    axis.set_ylim(1e-6, 1)
    axis.set_xlabel("deviations; dotted: normal", fontsize=7.5)


def _kurtosis(axis: Any, view: View) -> None:
    steps = [n for n in (1, 2, 5, 10, 15, 30, 65) if view.returns.shape[2] // n * n >= n]
    found = [
        np.nanmedian(excess_kurtosis(aggregate(view.returns, n).reshape(len(view.returns), -1)))
        for n in steps
    ]
    axis.plot(steps, found, marker="o", color=_LINE)
    axis.set_xscale("log")
    axis.set_xlabel("minutes", fontsize=7.5)


def _shape(axis: Any, view: View) -> None:
    for values, label, colour in (
        (np.abs(view.returns), "|r|", _LINE),
        (view.column("volume"), "volume", COLOURS[1]),
    ):
        mean = (values / values.mean(axis=(1, 2), keepdims=True)).mean(axis=(0, 1))
        axis.plot(mean, label=label, linewidth=0.8, color=colour)
    axis.legend(fontsize=7.5, frameon=False)
    axis.set_xlabel("minute of the day", fontsize=7.5)


def _memory(axis: Any, view: View) -> None:
    lags = np.unique(np.rint(np.geomspace(1, 200, 30)).astype(np.int64))
    found = np.maximum(autocorrelation(view.size, lags).mean(axis=0), 1e-4)
    axis.loglog(lags, found, marker=".", color=_LINE)
    axis.set_xlabel("lag, minutes", fontsize=7.5)


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
