"""
Connections: how fast they are accepted, and what an idle one costs the server in memory.

    python -m bench.connections [--connections 5000] [--loop uvloop]
"""

import argparse
import json
import resource
import socket
import sys
import time
from pathlib import Path

from bench.about import about
from bench.clients import close_all, connect_and_upgrade
from bench.process import Child, choose_cores

__all__ = ["main", "measure"]

_BATCH = 64  # handshakes under way at once
_SPARE_FILES = 200


def measure(connections: int, loop: str) -> dict[str, object]:
    """Connect to `tickerplant serve` so many times and give the rate and the memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < connections + _SPARE_FILES:
        raise SystemExit(
            f"{connections} connections need more open files than the {hard} that are allowed here"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = choose_cores()
    command = [
        sys.executable,
        "-m",
        "feeds",
        "serve",
        "--heartbeat-s",
        "3600",
        "--port",
        "0",
        "--ready-json",
        "--max-connections",
        "100000",
        "--max-per-address",
        "100000",
        "--loop",
        loop,
    ]
    with Child(command, cores.server) as server:
        port = int(server.read_json(30)["port"])
        clients: list[socket.socket] = connect_and_upgrade(
            port, "/ws", _BATCH
        )  # what is loaded once, is loaded now
        before = _memory_kb(server.pid)
        started = time.perf_counter()
        while len(clients) < connections + _BATCH:
            clients += connect_and_upgrade(
                port, "/ws", min(_BATCH, connections + _BATCH - len(clients))
            )
        wall = time.perf_counter() - started
        after = _memory_kb(server.pid)
        close_all(clients)
    return {
        "loop": loop,
        "connections": connections,
        "accepted_per_s": round(connections / wall),
        "kb_each": round((after - before) / connections, 1),
    }


def _memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"no memory figure of process {pid}")


def main() -> None:
    """Measure on both event loops and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), action="append")
    parser.add_argument("--json", type=Path, default=Path("bench/out/connections.json"))
    options = parser.parse_args()
    rows = []
    for loop in options.loop or ("asyncio", "uvloop"):
        row = measure(options.connections, loop)
        rows.append(row)
        print(
            f"{loop:8} {row['accepted_per_s']:>6,} accepted a second, {row['kb_each']:>5} KB each when idle"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(
        json.dumps(
            {"about": about("bench.connections", choose_cores(), {}), "rows": rows}, indent=1
        )
    )


if __name__ == "__main__":
    main()
