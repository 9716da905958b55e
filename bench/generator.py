"""
What the market costs: the plain walk, events with their encoding, and that the cost of an event is flat in symbols.

    python -m bench.generator [--quick] [--plot bench/generator.svg]

Each figure is of CPU time, in this process, on one core, after a round that warms up.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.about import about
from bench.fanout import stop
from bench.process import choose_cores
from bench.tools import OUT
from feeds.dialects.native import NativeEncoder
from ticker.market import Market
from ticker.processes.walk import RandomWalk
from ticker.universe import Universe

__all__ = ["SYMBOLS", "main", "measure"]

SYMBOLS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
EVENTS_A_SECOND = 100_000
"""Of all symbols together, however many they are: only their number changes."""

_EVENTS = 40_000
_CELLS = 64


def measure(rounds: int) -> dict[str, Any]:
    """Give all figures: millions a second, and nanoseconds an event by the number of symbols."""
    return {
        "walk_millions": _walk(rounds),
        "events_millions": _encoded(rounds),
        "ns_of_500": _of_500(rounds),
        "ns_an_event": {
            model: {symbols: _event(symbols, model, rounds) for symbols in SYMBOLS}
            for model in ("full", "gbm")
        },
    }


def _walk(rounds: int) -> float:
    """Steps times symbols a second of the plain walk, 10,000 symbols, in millions."""
    universe = Universe.of_size(10_000)
    walk = RandomWalk(
        7,
        universe.symbols,
        [i.sector for i in universe],
        universe.column("price"),
        universe.column("volatility"),
    )
    seconds = _median(lambda: walk.advance(_CELLS), rounds)
    return len(universe) * _CELLS / seconds / 1e6


def _encoded(rounds: int) -> float:
    """Events a second, made and encoded, of 500 symbols, in millions."""
    universe = Universe.of_size(500)
    market, encoder = Market(universe, seed=7, rate=200), NativeEncoder(universe)
    counts: list[int] = []
    seconds = _total(
        lambda: counts.append(len(encoder.encode(market.step(market.now_us + 250_000)))),
        4 * rounds,
    )
    return sum(counts[1:]) / seconds / 1e6


def _of_500(rounds: int) -> dict[str, float]:
    """
    Nanoseconds that an event costs the market, by the model, at 500 symbols: the least of some rounds.

    The models take turns, so that what else the machine does is the same for both.
    """
    found: dict[str, list[float]] = {"full": [], "gbm": []}
    for _ in range(rounds):
        for model, costs in found.items():
            costs.append(_event(500, model, 3))
    return {model: min(costs) for model, costs in found.items()}


def _event(symbols: int, model: str, rounds: int) -> float:
    """Nanoseconds that an event costs the market."""
    rate = EVENTS_A_SECOND / symbols
    market = Market(Universe.of_size(symbols), seed=7, rate=rate, model=model)
    step_us = round(_EVENTS / EVENTS_A_SECOND * 1e6)
    counts: list[int] = []
    seconds = _total(lambda: counts.append(len(market.step(market.now_us + step_us))), rounds)
    return seconds / sum(counts[1:]) * 1e9


def _total(call: Callable[[], object], rounds: int) -> float:
    """Seconds of CPU time of so many calls, after one that warms up."""
    call()
    started = time.process_time()
    for _ in range(rounds):
        call()
    return time.process_time() - started


def _median(call: Callable[[], object], rounds: int) -> float:
    return statistics.median(_total(call, 1) for _ in range(rounds))


def _plot(figures: dict[str, dict[int, float]], path: Path) -> None:
    """Draw a line a model; on no background, in colours that are seen on white and on black."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    grey, colours = "#7d8590", ("#2f81f7", "#db6d28")
    mpl.rcParams.update({"svg.hashsalt": path.name, "font.size": 10, "text.color": grey})
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for (model, line), colour in zip(figures.items(), colours, strict=True):
        counts, costs = [int(n) for n in line], list(line.values())
        axes.plot(counts, costs, marker="o", markersize=5, linewidth=2, color=colour)
        place = (counts[-1], costs[-1])
        axes.annotate(
            model, place, (9, -3), textcoords="offset points", color=colour, weight="bold"
        )
    axes.set_title(
        f"What an event costs the market, in nanoseconds, by the number of symbols\n"
        f"{EVENTS_A_SECOND:,} events a second in all, models full and gbm",
        loc="left",
        size=10,
    )
    axes.set(xscale="log", ylim=(0, None))
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.minorticks_off()
    axes.tick_params(colors=grey, length=0)
    axes.grid(axis="y", color=grey, alpha=0.25)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.savefig(path, metadata={"Date": None}, transparent=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write JSON and, if wanted, the plot."""
    parser = argparse.ArgumentParser(prog="python -m bench.generator", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, default=OUT / "generator.json")
    parser.add_argument("--plot", type=Path, help="draw the cost by symbols, as SVG")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds = 1
    signal.signal(signal.SIGTERM, stop)
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.server})
    found = measure(options.rounds)
    print(f"plain walk, 10,000 symbols: {found['walk_millions']:.0f} M steps x symbols a second")
    print(f"made and encoded, 500 symbols: {found['events_millions']:.2f} M events a second")
    full, gbm = found["ns_of_500"]["full"], found["ns_of_500"]["gbm"]
    print(f"made alone, 500 symbols: {1e3 / full:.2f} M events a second")
    print(f"full model over plain GBM, 500 symbols: {full / gbm:.2f} times an event")
    for model, line in found["ns_an_event"].items():
        costs = ", ".join(f"{symbols:,}: {ns:.0f}" for symbols, ns in line.items())
        print(f"{model}, ns an event by symbols: {costs}")
    if options.plot:
        _plot(found["ns_an_event"], options.plot)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"about": about("bench.generator", cores, {}), **found}
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
