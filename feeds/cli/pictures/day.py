"""A picture of a simulated day, from the opening to the close: prices, volume, spreads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feeds.cli.pictures.style import COLOURS, DOWN, INK, QUIET, UP, Axes, figure, only, save
from ticker.batch import TickBatch
from ticker.generator.source import Source
from ticker.model import FULL, Model
from ticker.trading_day.shape import DAY_S, DayShape
from ticker.universe import Universe

__all__ = ["draw"]

F64 = NDArray[np.float64]

_RATE = 4.0  # events a second and symbol
_MINUTES = DAY_S // 60
_CANDLE = 5  # minutes


def draw(universe: Universe, seed: int, path: Path) -> None:
    """Draw a day of some symbols into a file, of which the first is shown closer."""
    shape = DayShape(first_minute=0)
    batch = _day(universe, seed, replace(FULL, shape=shape))
    made, (lines, candles, volume, spread) = figure(
        (9, 10), 4, sharex=True, height_ratios=[3, 3, 1.6, 1.3]
    )
    _lines(lines, batch, universe)
    _candles(candles, only(batch, 0, "trades"), universe)
    _volume(volume, batch, len(universe), shape)
    _spread(spread, batch, len(universe))
    for axes in (lines, candles, volume, spread):
        axes.set_xlim(0, _MINUTES)
        axes.margins(x=0)
    hours = range(30, _MINUTES + 1, 60)
    spread.set_xticks([0, *hours, _MINUTES])
    spread.set_xticklabels(["9:30", *(f"{10 + h // 60}:00" for h in hours[:-1]), "", "16:00"])
    save(made, path)


def _day(universe: Universe, seed: int, model: Model) -> TickBatch:
    """Give the trades and quotes of a day, with times from 0 on."""
    source = Source(
        universe,
        seed=seed,
        rate=_RATE,
        trade_share=0.25,
        start_us=0,
        model=model,
        block_events=100_000,
        longest_s=600,
    )
    blocks = [source.block()]
    while blocks[-1].end_us < DAY_S * 1_000_000:
        blocks.append(source.block())
    batch = TickBatch.join([block.batch for block in blocks])
    return batch[batch.time < DAY_S * 1_000_000]


def _minutes(time: NDArray[np.int64]) -> F64:
    minutes: F64 = time / 60e6
    return minutes


def _lines(axes: Axes, batch: TickBatch, universe: Universe) -> None:
    ends = []
    every = np.arange(_MINUTES + 1)
    for symbol, name in enumerate(universe.symbols):
        trades = only(batch, symbol, "trades")
        at = np.maximum(0, np.searchsorted(_minutes(trades.time), every) - 1)
        change = 100 * (trades.price[at] / trades.price[0] - 1)
        axes.plot(every, change, color=COLOURS[symbol], linewidth=1.2)
        ends.append((float(change[-1]), name, COLOURS[symbol]))
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.set_title(
        "Per cent since the opening: what moves all, what moves a sector, what moves one",
        loc="left",
    )
    low, high = axes.get_ylim()
    height = low
    for end, name, colour in sorted(ends):
        height = max(end, height + (high - low) / 13)
        axes.annotate(
            name, (_MINUTES, end), (_MINUTES + 5, height), color=colour, va="center",
            annotation_clip=False, fontweight="bold",
        )  # fmt: skip


def _candles(axes: Axes, trades: TickBatch, universe: Universe) -> None:
    number = trades.time // (_CANDLE * 60_000_000)
    first = np.flatnonzero(np.diff(number, prepend=-1))
    last = np.append(first[1:], len(number)) - 1
    price = universe.prices(trades.symbol, trades.price)
    middle = (number[first] + 0.5) * _CANDLE
    opened, close = price[first], price[last]
    colours = np.where(close >= opened, UP, DOWN).tolist()
    axes.vlines(
        middle, np.minimum.reduceat(price, first), np.maximum.reduceat(price, first),
        colors=colours, linewidth=0.9,
    )  # fmt: skip
    body = np.maximum(np.abs(close - opened), 0.004)
    axes.bar(middle, body, 0.7 * _CANDLE, np.minimum(opened, close), color=colours)
    money = np.cumsum(price * trades.size) / np.cumsum(trades.size)
    axes.plot(_minutes(trades.time), money, color=INK, linewidth=1, linestyle=(0, (4, 2)))
    axes.set_title(
        f"{universe.symbols[0]}, bars of {_CANDLE} minutes"
        " (blue: up, orange: down), and the volume-weighted average (dashed)",
        loc="left",
    )


def _volume(axes: Axes, batch: TickBatch, symbols: int, shape: DayShape) -> None:
    trades = [only(batch, symbol, "trades") for symbol in range(symbols)]
    per_minute = np.array(
        [np.bincount(t.time // 60_000_000, t.size, _MINUTES)[:_MINUTES] for t in trades]
    )
    middle = np.arange(_MINUTES) + 0.5
    axes.bar(middle, per_minute[0] / 1_000, 1.0, color=COLOURS[0], alpha=0.55)
    scaled = per_minute / per_minute.mean(axis=1, keepdims=True)
    mean = scaled.mean(axis=0) * per_minute[0].mean() / 1_000
    smooth = np.array([mean[max(0, m - 7) : m + 8].mean() for m in range(_MINUTES)])
    axes.plot(middle, smooth, color=DOWN, linewidth=1.6)
    usual = shape.activity() * per_minute[0].mean() / 1_000
    axes.plot(middle, usual, color=INK, linewidth=1, linestyle=(0, (4, 2)))
    axes.set_ylim(0, float(np.percentile(per_minute[0], 99.3)) / 1_000)
    axes.set_title(
        "Thousands of shares a minute (bars), all symbols' mean (line), and the usual day (dashed)",
        loc="left",
    )


def _spread(axes: Axes, batch: TickBatch, symbols: int) -> None:
    for symbol in range(symbols):
        quotes = only(batch, symbol, "quotes")
        minute = quotes.time // (5 * 60_000_000)
        count = np.maximum(1, np.bincount(minute, minlength=_MINUTES // 5))
        mean = np.bincount(minute, quotes.ask - quotes.price, _MINUTES // 5) / count
        style = {"linewidth": 1.6} if symbol == 0 else {"linewidth": 0.8, "alpha": 0.7}
        mean = np.append(mean, mean[-1])
        axes.step(np.arange(len(mean)) * 5, mean, where="post", color=COLOURS[symbol], **style)
    axes.set_yscale("log")
    ticks = [t for t in (1, 2, 3, 5, 10, 20, 50) if axes.get_ylim()[0] <= t <= axes.get_ylim()[1]]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.set_yticks([], minor=True)
    axes.set_title("Mean spread, in ticks: wide where it is volatile", loc="left")
