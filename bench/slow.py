"""
Slow clients: what they cost the server, the others, and themselves.

    python -m bench.slow [--clients 1000] [--stalled 300] [--seconds 5]

First: so many clients read, then some of them stop. What happens to the latency of the others and to the server's
memory, until those are evicted and after. Second: a client reads nothing for a while, then goes on. How much of what
it reads first is from before, with TCP_NOTSENT_LOWAT and without.
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.about import about
from bench.clients import NATIVE, api_symbols, close_all, open_all
from bench.fanout import allow_files, stop
from bench.load import SCENARIOS
from bench.process import Child, Cores, choose_cores
from bench.tools import OUT, prepare

__all__ = ["main"]

SCENARIO = SCENARIOS["sub-20"]
_TIME = re.compile(rb'"time":([0-9.]+),')
_SPARE_S = 30.0

_SERVER = """
import sys
from feeds.cli import serve
from feeds.backlog import BacklogPolicy
from feeds.config import FeedConfig
from feeds.server import FeedServer
from feeds import transport
import asyncio
rate, no_progress, lowat = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "lowat"
if not lowat:
    transport.NOTSENT_LOWAT = 0
config = FeedConfig(
    port=0, symbols="500", rate=rate, heartbeat_s=60, history_mb=2,
    backlog=BacklogPolicy(no_progress_s=no_progress),
)
with asyncio.Runner(loop_factory=serve.loop_factory("auto")) as runner:
    runner.run(serve.run_feed(FeedServer(config), ready_json=True))
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run both measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--stalled", type=int, default=300)
    parser.add_argument("--rate", type=float, default=25.0, help="events a second and symbol")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--stall", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=OUT / "slow.json")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, stop)
    allow_files(options.clients)
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.client})
    tools = prepare([], node=False)
    if "cc" in tools.missing:
        print(f"the client needs a C compiler: {tools.missing['cc']}")
        return 1
    found = _others(cores, options)
    _print_others(found)
    result = {"about": about("bench.slow", cores, {}), "others": found, "stale": {}}
    for name, lowat in (("with", True), ("without", False)):
        result["stale"][name] = stale = _stale(cores, options, lowat=lowat)
        print(
            f"{name} TCP_NOTSENT_LOWAT, after {options.stall:g} s: {stale['kb']:.0f} KB from before"
            f" are read first; the oldest event of them is {stale['age_s']:.1f} s old"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _serve(cores: Cores, rate: float, no_progress_s: float, *, lowat: bool = True) -> Child:
    words = [str(rate), str(no_progress_s), "lowat" if lowat else "without"]
    return Child([sys.executable, "-c", _SERVER, *words], cores.server)


def _others(cores: Cores, options: argparse.Namespace) -> dict[str, Any]:
    with _serve(cores, options.rate, 10.0) as server:
        port = int(server.read_json(_SPARE_S)["port"])
        names = api_symbols(port)
        picks = [SCENARIO.picks(client) or [] for client in range(options.clients)]
        clients = open_all(port, NATIVE, [[names[i] for i in pick] for pick in picks])
        stalled, reading = clients[: options.stalled], clients[options.stalled :]
        # Until they stop, those who will are read from as well, by a program of their own.
        with _Drained(stalled, cores):
            before = _latency(reading, cores, options.seconds)
            memory = _memory_kb(server.pid)
        during = _latency(reading, cores, options.seconds)
        most = _memory_kb(server.pid)
        with _Drained(reading, cores):
            evicted = _wait(lambda: _connections(port) == len(reading))
            left = min(_memory_kb(server.pid) for _ in range(100) if not time.sleep(0.1))
        after = _latency(reading, cores, options.seconds)
        close_all(clients)
    phases = {"before": before, "stalled": during, "evicted": after}
    return {
        "clients": options.clients,
        "stalled": options.stalled,
        "latency": {name: {q: found[q] for q in ("p50", "p99")} for name, found in phases.items()},
        "kb_each": (most - memory) / options.stalled,
        "evicted_s": evicted,
        "kb_left_each": max(0.0, left - memory) / options.stalled,
    }


def _print_others(found: dict[str, Any]) -> None:
    latency = found["latency"]
    print(f"{found['clients']} clients on 20 of 500 symbols; {found['stalled']} stop reading")
    for name, each in latency.items():
        print(f"  {name:8} p50 {each['p50']:.2f} ms, p99 {each['p99']:.2f} ms of the others")
    ratio = latency["stalled"]["p99"] / latency["before"]["p99"]
    print(f"  p99 while they are stalled: {ratio:.2f} times what it was")
    print(f"  memory: {found['kb_each']:.1f} KB for each stalled client")
    print(
        f"  all evicted {found['evicted_s']:.1f} s later; within 10 s of that"
        f" {found['kb_left_each']:.1f} KB for each of them are left"
    )


class _Drained:
    """Reads from clients, in a program of its own, until the end of the block."""

    def __init__(self, clients: Sequence[socket.socket], cores: Cores) -> None:
        fds = [client.fileno() for client in clients]
        drain = [str(OUT / "drain"), "0", "1000", '{"t', *map(str, fds)]
        self._child = Child(drain, cores.client, pass_fds=fds)

    def __enter__(self) -> None:
        self._child.__enter__()
        self._child.read_json(_SPARE_S)

    def __exit__(self, *error: Any) -> None:
        self._child.__exit__(*error)


def _stale(cores: Cores, options: argparse.Namespace, *, lowat: bool) -> dict[str, float]:
    with _serve(cores, options.rate, 2 * options.stall, lowat=lowat) as server:
        port = int(server.read_json(_SPARE_S)["port"])
        (client,) = open_all(port, NATIVE, ["*"], receive_buffer=4096)
        client.settimeout(_SPARE_S)
        client.recv(1 << 16)
        time.sleep(options.stall)
        resumed = time.time() * 1e3
        size, first = _read_until_fresh(client, resumed)
        client.close()
    return {"stall_s": options.stall, "kb": size / 1024, "age_s": (resumed - first) / 1e3}


def _read_until_fresh(client: socket.socket, resumed: float) -> tuple[int, float]:
    """Read up to the first event that is at most a second older than the moment of going on."""
    data = bytearray()
    first = resumed
    while True:
        data += client.recv(1 << 20)
        times = [float(found) for found in _TIME.findall(data)]
        if times:
            first = min(times)
        for found in _TIME.finditer(data):
            if float(found[1]) > resumed - 1_000:
                return found.start(), first


def _latency(clients: Sequence[socket.socket], cores: Cores, seconds: float) -> dict[str, float]:
    fds = [client.fileno() for client in clients]
    command = [str(OUT / "latency"), "1", str(seconds), *map(str, fds)]
    with Child(command, cores.client, pass_fds=fds) as child:
        child.read_json(_SPARE_S)
        return child.read_json(seconds + _SPARE_S)


def _connections(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SPARE_S)
    try:
        connection.request("GET", "/health")
        return int(json.load(connection.getresponse())["connections"])
    finally:
        connection.close()


def _memory_kb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    return 0.0


def _wait(condition: Callable[[], bool], limit_s: float = 60.0) -> float:
    start = time.monotonic()
    while not condition() and time.monotonic() - start < limit_s:
        time.sleep(0.1)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
