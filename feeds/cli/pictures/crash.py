"""A picture of a flash crash under the rules of the US market: limit states, a pause, a reopening."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feeds.cli.pictures.style import COLOURS, DOWN, INK, QUIET, Axes, figure, only, save
from ticker.batch import TickBatch
from ticker.market import Market
from ticker.reference.status import REASONS, STATUSES
from ticker.scenarios import scenario_named
from ticker.universe import Universe

__all__ = ["draw"]

F64 = NDArray[np.float64]

_RATE = 12.0  # events a second and symbol
_BEFORE_S, _AFTER_S = 90, 240
_CRASH_S, _SIZE = 600, -0.2
_BUCKET_S = 5
_SHADES = {"limit_state": ("#e69f00", "limit state"), "paused": (QUIET, "paused")}


def draw(universe: Universe, seed: int, path: Path) -> None:
    """Draw a flash crash of some symbols into a file, of which the first is shown closer."""
    market = Market(universe, seed=seed, rate=_RATE)
    begin_us = market.now_us
    scenario = replace(
        scenario_named("flash_crash", size=_SIZE, duration_s=_CRASH_S, volatility=4.0), bands=1
    )
    market.play(scenario, begin_us + _BEFORE_S * 1_000_000)
    length_s = _BEFORE_S + _CRASH_S + _AFTER_S
    batch = market.step(begin_us + length_s * 1_000_000)
    batch.time -= begin_us + _BEFORE_S * 1_000_000
    made, panels = figure((9, 9.6), 4, sharex=True, height_ratios=[4, 2.4, 1.2, 1.6])
    price, others, spread, volume = panels
    _price(price, batch, universe)
    _others(others, batch, universe)
    _spread(spread, batch)
    _volume(volume, batch)
    for axes in panels:
        axes.set_xlim(-_BEFORE_S / 60, (length_s - _BEFORE_S) / 60)
        _shade(axes, batch, named=axes is price)
    volume.set_xlabel("minutes since the crash began")
    volume.set_xticks(range(-1, (length_s - _BEFORE_S) // 60 + 1, 2))
    save(made, path)


def _minutes(time: NDArray[np.int64]) -> F64:
    minutes: F64 = time / 60e6
    return minutes


def _price(axes: Axes, batch: TickBatch, universe: Universe) -> None:
    trades = only(batch, 0, "trades")
    at, bid, ask = _quoted(batch, universe, 0)
    price = universe.prices(trades.symbol, trades.price)
    zoomed = [(b, e) for status, _, b, e in _stretches(batch) if status == "limit_state"][-1:]
    views = [(axes, 1.5)]
    for begin, end in zoomed:
        close = axes.inset_axes((0.67, 0.07, 0.3, 0.42))
        inside = (at > begin - 0.1) & (at < end)
        close.set_xlim(begin - 0.1, end + 0.02)
        room = 0.15 * (ask[inside].max() - bid[inside].min())
        close.set_ylim(bid[inside].min() - room, ask[inside].max() + room)
        close.axvspan(begin, end, color=_SHADES["limit_state"][0], alpha=0.22, linewidth=0)
        close.set_title("the limit state", fontsize=8.5, loc="left")
        close.tick_params(labelsize=7.5, labelbottom=False, length=0)
        axes.indicate_inset_zoom(close, edgecolor=QUIET)
        views.append((close, 8.0))
    for view, dot in views:
        for side in (bid, ask):
            view.plot(at, side, color=COLOURS[0], linewidth=0.7, drawstyle="steps-post")
        view.fill_between(at, bid, ask, step="post", color=COLOURS[5], alpha=0.45, linewidth=0)
        view.scatter(_minutes(trades.time), price, s=dot, color=DOWN, linewidths=0, zorder=3)
    axes.plot([], [], color=COLOURS[0], linewidth=2, label="bid and ask")
    axes.scatter([], [], s=20, color=DOWN, linewidths=0, label="trades")
    axes.set_title(f"{universe.symbols[0]}: a fall that runs into limit up, limit down", loc="left")
    axes.legend(loc="upper right", ncols=2, frameon=False)


def _quoted(batch: TickBatch, universe: Universe, symbol: int) -> tuple[F64, F64, F64]:
    """Give minutes, bids and asks of a symbol; what wasn't quoted for some time isn't joined."""
    quotes = only(batch, symbol, "quotes")
    bid, ask = (universe.prices(quotes.symbol, side) for side in (quotes.price, quotes.ask))
    gap = np.flatnonzero(np.diff(quotes.time) > 30_000_000) + 1
    at, bid, ask = (np.insert(column, gap, np.nan) for column in (_minutes(quotes.time), bid, ask))
    return at, bid, ask


def _others(axes: Axes, batch: TickBatch, universe: Universe) -> None:
    """Draw how far each symbol goes, whose mean is the size."""
    for symbol, name in enumerate(universe.symbols):
        at, bid, ask = _quoted(batch, universe, symbol)
        middle = (bid + ask) / 2
        change = 100 * (middle / middle[0] - 1)
        axes.plot(at, change, color=COLOURS[symbol], linewidth=1.0, label=name)
    axes.set_title(
        f"Per cent: told to fall by {-100 * _SIZE:.0f} % on average, each pauses at its own band",
        loc="left",
    )
    axes.legend(loc="lower right", ncols=len(universe), frameon=False, fontsize=8.5)


def _spread(axes: Axes, batch: TickBatch) -> None:
    quotes = only(batch, 0, "quotes")
    axes.plot(
        _minutes(quotes.time), quotes.ask - quotes.price, ".", markersize=1.5, color=COLOURS[0]
    )
    axes.set_yscale("log")
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.set_title("Spread, in ticks", loc="left")


def _volume(axes: Axes, batch: TickBatch) -> None:
    trades = only(batch, 0, "trades")
    bucket = trades.time // (_BUCKET_S * 1_000_000)
    first = int(bucket.min())
    shares = np.bincount(bucket - first, trades.size) / 1_000
    at = (first + np.arange(len(shares)) + 0.5) * _BUCKET_S / 60
    axes.bar(at, shares, _BUCKET_S / 60, color=COLOURS[2])
    axes.set_title(f"Thousands of shares in {_BUCKET_S} seconds", loc="left")


def _shade(axes: Axes, batch: TickBatch, *, named: bool) -> None:
    """Shade when it doesn't trade freely; say why, once."""
    low, high = axes.get_ylim()
    for status, reason, begin, end in _stretches(batch):
        if status not in _SHADES:
            continue
        colour, word = _SHADES[status]
        axes.axvspan(begin, end, color=colour, alpha=0.22, linewidth=0)
        if named and end - begin > 0.2:
            text = f"{word}\n{reason}" if reason else word
            axes.text(
                (begin + end) / 2, high - 0.03 * (high - low), text, rotation=0 if reason else 90,
                ha="center", va="top", color=INK, fontsize=8.5,
            )  # fmt: skip
    axes.set_ylim(low, high)


def _stretches(batch: TickBatch) -> Iterator[tuple[str, str | None, float, float]]:
    """Give each status that was, why, and from when to when."""
    changes = only(batch, 0, "status")
    at = [*_minutes(changes.time).tolist(), float(_minutes(batch.time[-1:])[0])]
    for number, (status, reason) in enumerate(
        zip(changes.price.tolist(), changes.size.tolist(), strict=True)
    ):
        yield STATUSES[status], tuple(REASONS)[reason], at[number], at[number + 1]
