"""
Latency under load: how old an event is when its client has read it, at given rates.

    python -m bench.latency [--quick] [--rates 0.2,0.5,1,2] [--only ours,uws,node-ws]

1,000 clients, each on 20 of 500 symbols, trades and quotes; rates in million deliveries a second.
Ours is `tickerplant serve`, on the wall clock, with its market, its history and all its counting.
A peer publishes ready-made events, stamped with the time at which each is due. See README.md.
"""

import argparse
import json
import os
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.about import about
from bench.clients import NATIVE, api_symbols, close_all, open_all
from bench.fanout import allow_files, stop
from bench.load import SCENARIOS
from bench.process import Child, Cores, choose_cores, usage
from bench.rows import ROWS
from bench.tools import OUT, Tools, prepare

__all__ = ["main"]

SCENARIO = SCENARIOS["sub-20"]
_SHARE = SCENARIO.deliveries / SCENARIO.symbols
"""Clients that an event goes to, on average."""

_WARM_UP_S = 2.0
_SPARE_S = 30.0
HEADINGS = (
    "row",
    "wanted",
    "delivered",
    "p50 ms",
    "p90",
    "p99",
    "p99.9",
    "max",
    "server",
    "doubts",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row at one rate, once; latencies in milliseconds."""

    row: str
    rate: float
    """Deliveries a second that were wanted."""
    delivered: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    gone: int = 0
    error: str = ""

    @property
    def doubts(self) -> str:
        """What speaks against the figure."""
        found = [self.error] if self.error else []
        if self.delivered and not 0.9 < self.delivered / self.rate < 1.1:
            found.append(f"{self.delivered / self.rate:.0%} of the rate")
        if self.client_cpu > 0.9:
            found.append("client busy")
        if self.gone:
            found.append(f"{self.gone} connections lost")
        return "; ".join(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code is 0 if anything could be measured."""
    options = _options(argv)
    console = Console() if Console().is_terminal else Console(width=150)
    signal.signal(signal.SIGTERM, stop)
    allow_files(SCENARIO.clients)
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.client})
    tools = prepare([SCENARIO], node="node-ws" in options.only)
    if "cc" in tools.missing:
        console.print(f"the client needs a C compiler: {tools.missing['cc']}")
        return 1
    cells: list[Cell] = []
    for rate in options.rates:
        for number in range(options.rounds):
            for row in options.only:
                with console.status(f"{rate / 1e6:g} M/s, round {number + 1}: {row}"):
                    cells.append(_measure(row, rate, tools, cores, options))
    medians = [_median(cells, row, rate) for rate in options.rates for row in options.only]
    console.print(_table(medians))
    for row in options.only:
        console.print(_ceiling([cell for cell in medians if cell.row == row]))
    result = {
        "about": about("bench.latency", cores, tools.versions),
        "medians": [asdict(cell) for cell in medians],
        "cells": [asdict(cell) for cell in cells],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if any(cell.delivered for cell in cells) else 1


def _command(row: str, rate: float, tools: Tools, options: argparse.Namespace) -> list[str]:
    words = tools.words(SCENARIO)
    events = rate / _SHARE
    if row.startswith("ours"):
        serve = [sys.executable, "-m", "feeds", "serve", "--port", "0", "--ready-json"]
        serve += ["--symbols", str(SCENARIO.symbols), "--rate", f"{events / SCENARIO.symbols:.4f}"]
        serve += ["--heartbeat-s", "3600", *options.serve.split()]
        return [*serve, "--loop", "asyncio" if row == "ours-asyncio" else "auto"]
    return [*(part.format(**words) for part in ROWS[row].command), "--rate", f"{events:.1f}"]


def _measure(
    row: str, rate: float, tools: Tools, cores: Cores, options: argparse.Namespace
) -> Cell:
    try:
        with Child(_command(row, rate, tools, options), cores.server) as server:
            return _serve(row, rate, server, cores, options.seconds)
    except (OSError, RuntimeError, ValueError) as error:
        return Cell(row, rate, error=f"{type(error).__name__}: {error}")


def _serve(row: str, rate: float, server: Child, cores: Cores, seconds: float) -> Cell:
    port = int(server.read_json(_SPARE_S)["port"])
    names = api_symbols(port) if row.startswith("ours") else SCENARIO.names()
    picks = [SCENARIO.picks(client) or [] for client in range(SCENARIO.clients)]
    clients = open_all(port, NATIVE, [[names[i] for i in pick] for pick in picks])
    try:
        fds = [client.fileno() for client in clients]
        command = [str(OUT / "latency"), str(_WARM_UP_S), str(seconds), *map(str, fds)]
        with Child(command, cores.client, pass_fds=fds) as client:
            client.read_json(_WARM_UP_S + _SPARE_S)
            before = usage(server.pid, cores.server)
            found = client.read_json(seconds + _SPARE_S)
            share, _ = usage(server.pid, cores.server).since(before)
    finally:
        close_all(clients)
    return Cell(
        row,
        rate,
        delivered=found["events"] / found["wall"],
        **{name: found[name] for name in ("p50", "p90", "p99", "p999", "max")},
        server_cpu=share,
        client_cpu=found["cpu"] / found["wall"],
        gone=int(found["gone"]),
    )


def _median(cells: Sequence[Cell], row: str, rate: float) -> Cell:
    """Give the round in the middle, by its p99."""
    found = [cell for cell in cells if (cell.row, cell.rate) == (row, rate)]
    good = [cell for cell in found if not cell.error]
    if not good:
        return found[0]
    middle = statistics.median_low(cell.p99 for cell in good)
    return next(cell for cell in good if cell.p99 == middle)


def _ceiling(cells: Sequence[Cell]) -> str:
    """Say up to which of the rates a row kept up, with its p99 under 25 ms."""
    held = [cell.rate for cell in cells if cell.p99 < 25 and cell.delivered > 0.9 * cell.rate]
    most = f"{max(held) / 1e6:g} M deliveries/s" if held else "none of the rates"
    return f"{_title(cells[0].row)}: p99 under 25 ms up to {most}"


def _title(row: str) -> str:
    return {"ours": "tickerplant serve", "ours-asyncio": "tickerplant serve, asyncio"}.get(
        row, ROWS[row].title
    )


def _table(cells: Sequence[Cell]) -> Table:
    title = f"{SCENARIO.clients:,} clients on 20 of 500 symbols, one server core"
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 0 < index < len(HEADINGS) - 1 else "left")
    for cell in cells:
        latencies = [f"{ms:.2f}" for ms in (cell.p50, cell.p90, cell.p99, cell.p999, cell.max)]
        rates = [f"{cell.rate / 1e6:g} M", f"{cell.delivered / 1e6:.2f} M"]
        table.add_row(_title(cell.row), *rates, *latencies, f"{cell.server_cpu:.0%}", cell.doubts)
    return table


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rates", type=_rates, default=_rates("0.2,0.5,1,1.5,2,3"))
    parser.add_argument("--only", type=_rows, default=["ours", "uws", "node-ws"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--serve", default="", help="further options of tickerplant serve")
    parser.add_argument("--json", type=Path, default=OUT / "latency.json")
    parser.add_argument("--quick", action="store_true", help="one short round at two rates")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds, options.rates = 1, 2.0, options.rates[:2]
    return options


def _rates(text: str) -> list[float]:
    return [float(part) * 1e6 for part in text.split(",")]


def _rows(text: str) -> list[str]:
    known: dict[str, Any] = {"ours": 0, "ours-asyncio": 0, "uws": 0, "node-ws": 0}
    rows = text.split(",")
    for row in rows:
        if row not in known:
            raise argparse.ArgumentTypeError(f"unknown {row!r}; known: {', '.join(known)}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
