"""
Latency under load: how old an event is when its client has read it, at given rates.

    python -m bench.latency [--quick] [--rates 0.02,0.1,0.2,0.5,1,2,3,4] [--only ours,uws,node-ws]

1,000 clients, each on 20 of 500 symbols, trades and quotes; rates in million deliveries a second.
Ours is `tickerplant serve`, on the wall clock, with its market, its history and all its counting; its --rate is chosen so
that its market gives what is wanted (see calibrate.py). A peer publishes ready-made events, stamped with the time at
which each is due. Who delivers less than 80 % of a rate, and late, isn't tried at higher ones. See README.md.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.about import about
from bench.aged import HEADINGS, OURS, Aged, ceiling, median
from bench.calibrate import rate_for
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

_PEERS = ("uws", "node-ws", "socket.io", "picows-uvloop", "websockets-uvloop", "aiohttp-uvloop")
_PACED = (*OURS, *_PEERS, "picows", "websockets", "aiohttp")
"""Rows that can go at a rate. The floor can't: it sends what the kernel takes, and has no schedule."""

_WARM_UP_S = 2.0
_CONNECTING_S = 2
"""About how long a server has run when the warm-up begins."""
_SPARE_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code is 0 if anything could be measured."""
    options = _options(argv)
    console = Console() if Console().is_terminal else Console(width=150)
    signal.signal(signal.SIGTERM, stop)
    allow_files(SCENARIO.clients)
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.client})
    peers = [ROWS[row] for row in options.only if row not in OURS]
    tools = prepare([SCENARIO], node=any(row.needs == "node" for row in peers))
    if "cc" in tools.missing:
        console.print(f"the client needs a C compiler: {tools.missing['cc']}")
        return 1
    cells, medians = _all(tools, cores, options, console)
    table = Table(title=_title(), title_justify="left")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 0 < index < len(HEADINGS) - 1 else "left")
    for cell in medians:
        table.add_row(*cell.cells())
    console.print(table)
    ceilings = [ceiling([cell for cell in medians if cell.row == row]) for row in options.only]
    console.print("\n".join(ceilings))
    result = {
        "about": about("bench.latency", cores, tools.versions),
        "title": _title(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "ceilings": ceilings,
        "medians": [cell.to_json() for cell in medians],
        "cells": [cell.to_json() for cell in cells],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if any(cell.delivered for cell in cells) else 1


def _all(
    tools: Tools, cores: Cores, options: argparse.Namespace, console: Console
) -> tuple[list[Aged], list[Aged]]:
    """Give all rounds, and the median one of each row and rate."""
    cells: list[Aged] = []
    medians: list[Aged] = []
    rows = list(options.only)
    for rate in options.rates:
        here: list[Aged] = []
        for number in range(options.rounds):
            for row in rows:
                with console.status(f"{rate / 1e6:g} M/s, round {number + 1}: {row}"):
                    here.append(_measure(row, rate, tools, cores, options))
        found = [median([cell for cell in here if cell.row == row]) for row in rows]
        cells += here
        medians += found
        rows = [cell.row for cell in found if not cell.fell_behind]
    return cells, medians


def _command(row: str, rate: float, tools: Tools, options: argparse.Namespace) -> list[str]:
    if row in OURS:
        model = "gbm" if row == "ours-gbm" else "full"
        begin = round(_CONNECTING_S + _WARM_UP_S)
        window = begin, begin + max(1, round(options.seconds))
        serve = [sys.executable, "-m", "feeds", "serve", "--port", "0", "--ready-json"]
        serve += ["--symbols", str(SCENARIO.symbols), "--rate", f"{_rate(rate, model, window):.4f}"]
        serve += ["--model", model, "--heartbeat-s", "3600", "--max-per-address", "10000"]
        serve += ["--loop", "asyncio" if row == "ours-asyncio" else "auto"]
        return [*serve, *options.serve.split()]
    words = tools.words(SCENARIO)
    command = [part.format(**words) for part in ROWS[row].command]
    return [*command, "--rate", f"{rate / _SHARE:.1f}"]


@cache
def _rate(wanted: float, model: str, window_s: tuple[int, int]) -> float:
    return rate_for(wanted, SCENARIO.symbols, _picks(), model, window_s)


def _measure(
    row: str, rate: float, tools: Tools, cores: Cores, options: argparse.Namespace
) -> Aged:
    needs = None if row in OURS else ROWS[row].needs
    if needs and needs in tools.missing:
        return Aged(row, rate, error=tools.missing[needs])
    try:
        with Child(_command(row, rate, tools, options), cores.server) as server:
            return _serve(row, rate, server, cores, options.seconds)
    except (OSError, RuntimeError, ValueError) as error:
        return Aged(row, rate, error=f"{type(error).__name__}: {error}")


def _serve(row: str, rate: float, server: Child, cores: Cores, seconds: float) -> Aged:
    port = int(server.read_json(_SPARE_S)["port"])
    names = api_symbols(port) if row in OURS else SCENARIO.names()
    dialect = NATIVE if row in OURS else ROWS[row].dialect
    clients = open_all(port, dialect, [[names[i] for i in pick] for pick in _picks()])
    try:
        fds = [client.fileno() for client in clients]
        command = [str(OUT / "latency"), str(_WARM_UP_S), str(seconds), *map(str, fds)]
        with Child(command, cores.client, pass_fds=fds) as client:
            client.read_json(_WARM_UP_S + _SPARE_S)
            before = usage(server.pid, cores.server)
            found = client.read_json(seconds + _SPARE_S)
            share, waited = usage(server.pid, cores.server).since(before)
    finally:
        close_all(clients)
    return Aged(
        row,
        rate,
        delivered=found["events"] / found["wall"],
        **{name: found[name] for name in ("p50", "p90", "p99", "p999", "max")},
        server_cpu=share,
        client_cpu=found["cpu"] / found["wall"],
        server_waited=waited,
        gone=int(found["gone"]),
    )


def _picks() -> list[list[int]]:
    return [SCENARIO.picks(client) or [] for client in range(SCENARIO.clients)]


def _title() -> str:
    return f"{SCENARIO.clients:,} clients on {SCENARIO.wanted} of {SCENARIO.symbols} symbols, one server core"


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rates", type=_rates, default=_rates("0.02,0.1,0.2,0.5,1,2,3,4"))
    known = f"of {', '.join(_PACED)}; the floor has no schedule"
    parser.add_argument("--only", type=_rows, default=["ours", *_PEERS], help=known)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--serve", default="", help="further options of tickerplant serve")
    parser.add_argument("--json", type=Path, default=OUT / "latency.json")
    parser.add_argument("--quick", action="store_true", help="one short round at two rates")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds, options.rates = 1, 1.0, options.rates[:2]
    return options


def _rates(text: str) -> list[float]:
    rates = [float(part) * 1e6 for part in text.split(",")]
    if not all(0 < rate <= 1e8 for rate in rates):
        raise argparse.ArgumentTypeError(f"{text!r}: more than 0, at most 100 (million a second)")
    return sorted(rates)


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    for row in rows:
        if row not in _PACED:
            raise argparse.ArgumentTypeError(f"unknown {row!r}; known: {', '.join(_PACED)}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
