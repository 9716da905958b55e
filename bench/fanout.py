"""
The fan-out, side by side: how many events a second one core delivers to many clients.

    python -m bench.fanout [--quick] [--scenario all-100,sub-20] [--only floor,node-ws]

Every row is a server of its own, pinned to one core; the load client is pinned to another
and is the same for all. The rows take turns within a round, so that what disturbs the
machine disturbs all of them; ratios are taken within a round. See README.md.
"""

import argparse
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from bench.about import about
from bench.cell import Cell, Pace, measure
from bench.load import SCENARIOS, Scenario
from bench.process import Cores, choose_cores
from bench.rows import ROWS, Row
from bench.stats import summarise
from bench.table import scenario_table
from bench.tools import OUT, Tools, prepare

__all__ = ["allow_files", "main", "stop"]

_MOST_SECONDS = 60.0
_SPARE_FILES = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code is 0 if at least one row could be measured."""
    options = _options(argv)
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)  # a file needs no folding
    scenarios, rows = options.scenario, options.only
    signal.signal(signal.SIGTERM, stop)
    allow_files(max(scenario.clients for scenario in scenarios))
    cores = choose_cores()
    # This process only waits: it must not wait on the server's core.
    os.sched_setaffinity(0, {cores.client})
    if cores.shared:
        console.print("one core only: server and load client share it, the figures are of both")
    tools = prepare(scenarios, node=any(row.needs == "node" for row in rows))
    if "cc" in tools.missing:
        console.print(f"load client in Python: {tools.missing['cc']}")
    result: dict[str, Any] = {
        "about": about("bench.fanout", cores, tools.versions),
        "scenarios": {},
    }
    result["about"] |= {"rounds": options.rounds, "seconds": options.seconds}
    measured = 0
    for scenario in scenarios:
        pace = Pace(options.warm_up, options.seconds)
        cells = _rounds(scenario, rows, options.rounds, tools, cores, pace, console)
        summaries = summarise(cells, [row.key for row in rows])
        measured += sum(summary.rounds for summary in summaries)
        result["scenarios"][scenario.name] = {
            "title": scenario.title,
            "rows": [summary.to_json() for summary in summaries],
            "cells": [cell.to_json() for cell in cells],
        }
        console.print(scenario_table(scenario.title, summaries))
        # After each scenario, so that an interrupted run keeps what it has.
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if measured else 1


def _rounds(
    scenario: Scenario,
    rows: Sequence[Row],
    rounds: int,
    tools: Tools,
    cores: Cores,
    pace: Pace,
    console: Console,
) -> list[Cell]:
    """Measure every row once a round, each round starting with another row."""
    cells: list[Cell] = []
    for number in range(rounds):
        shift = number * max(1, len(rows) // rounds) % len(rows)
        for row in [*rows[shift:], *rows[:shift]]:
            with console.status(f"{scenario.name}, round {number + 1} of {rounds}: {row.title}"):
                cells.append(measure(row, scenario, number, tools, cores, pace))
            if cells[-1].error:
                console.print(f"{scenario.name}: {row.title}: {cells[-1].error}", markup=False)
    return cells


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, help="how often to measure each row (default 5)")
    parser.add_argument("--seconds", type=float, help="how long to count each time (default 2)")
    parser.add_argument(
        "--scenario",
        type=lambda text: [_known(SCENARIOS, name) for name in text.split(",")],
        default=list(SCENARIOS.values()),
        help=f"of {', '.join(SCENARIOS)} (default: all)",
    )
    parser.add_argument(
        "--only",
        type=lambda text: [_known(ROWS, name) for name in text.split(",")],
        default=list(ROWS.values()),
        help=f"rows: of {', '.join(ROWS)} (default: all)",
    )
    parser.add_argument("--json", type=Path, default=OUT / "fanout.json", help="where to write")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.5 if options.quick else 2.0)
    options.warm_up = 0.3 if options.quick else 0.7
    if not (0 < options.seconds <= _MOST_SECONDS and 0 < options.rounds <= 100):
        parser.error(f"--seconds is at most {_MOST_SECONDS:.0f}, --rounds at most 100")
    return options


def _known(table: dict[str, Any], name: str) -> Any:
    if name not in table:
        raise argparse.ArgumentTypeError(f"unknown {name!r}; known: {', '.join(table)}")
    return table[name]


def allow_files(clients: int) -> None:
    """Raise the limit on open files, which the servers inherit."""
    wanted = clients + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def stop(_number: int, _frame: FrameType | None) -> None:
    # As an exception, so that the children are killed on the way out.
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
