"""
Connections: how fast they are accepted, and what an idle one costs the server in memory.

    python -m bench.connections [--quick] [--connections 5000] [--loop uvloop]
"""

import argparse
import json
import resource
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.about import about
from bench.clients import close_all, connect_and_upgrade
from bench.fanout import stop
from bench.process import Child, choose_cores
from bench.tools import OUT
from bench.watched import memory_kb

__all__ = ["main", "measure"]

_BATCH = 64  # handshakes under way at once
_SPARE_FILES = 200
_START_S = 30.0
_SERVE = (
    *("-m", "feeds", "serve", "--port", "0", "--ready-json", "--heartbeat-s", "3600"),
    *("--max-connections", "100000", "--max-per-address", "100000"),
)


def measure(connections: int, loop: str) -> dict[str, object]:
    """Connect to `tickerplant serve` so many times and give the rate and the memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < connections + _SPARE_FILES:
        raise SystemExit(
            f"{connections} connections need more open files than the {hard} that are allowed here"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    command = [sys.executable, *_SERVE, "--loop", loop]
    with Child(command, choose_cores().server) as server:
        port = int(server.read_json(_START_S)["port"])
        clients = connect_and_upgrade(port, "/ws", _BATCH)  # what is loaded once, is loaded now
        before = memory_kb(server.pid)
        started = time.perf_counter()
        while len(clients) < connections + _BATCH:
            missing = connections + _BATCH - len(clients)
            clients += connect_and_upgrade(port, "/ws", min(_BATCH, missing))
        wall = time.perf_counter() - started
        after = memory_kb(server.pid)
        close_all(clients)
    return {
        "loop": loop,
        "connections": connections,
        "accepted_per_s": round(connections / wall),
        "kb_each": round((after - before) / connections, 1),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on both event loops and print a line each."""
    parser = argparse.ArgumentParser(prog="python -m bench.connections", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=OUT / "connections.json")
    parser.add_argument("--quick", action="store_true", help="few connections: does it work?")
    options = parser.parse_args(argv)
    if options.quick:
        options.connections, options.rounds = 200, 1
    signal.signal(signal.SIGTERM, stop)
    rows = []
    for loop in options.loop or ("asyncio", "uvloop"):
        rounds = [measure(options.connections, loop) for _ in range(options.rounds)]
        row = {name: statistics.median_low([each[name] for each in rounds]) for name in rounds[0]}
        rows.append(row)
        print(
            f"{loop:8} {row['accepted_per_s']:>6,} accepted a second, {row['kb_each']:>5} KB each when idle"
        )
    result = {"about": about("bench.connections", choose_cores(), {}), "rows": rows}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
