"""
Slow clients: what they cost the server, the others, and themselves.

    python -m bench.slow [--quick] [--clients 1000] [--stalled 300] [--seconds 5]

First: so many clients read, then some of them stop. Once the server says that each of those is behind: the latency of
the others, and the server's memory until they are evicted and after. The same again with nobody stopping is the
control: what memory grew by there is taken off. Second: a client reads nothing for a while, then goes on. How much of
what it reads first is from before, with TCP_NOTSENT_LOWAT and without.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench.about import about
from bench.clients import NATIVE, api_symbols, close_all, open_all
from bench.fanout import allow_files, stop
from bench.load import SCENARIOS
from bench.process import Child, Cores, choose_cores
from bench.stale import stale
from bench.tools import OUT, prepare
from bench.watched import SPARE_S, Drained, Sampled, health, latency, memory_kb, serve_slow, wait

__all__ = ["main"]

SCENARIO = SCENARIOS["sub-20"]
_SMALL_BUFFER = 4096
"""The receive buffer of who will stop, in bytes: what the kernel holds for them is soon full, and the backlog shows."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run all measurements."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, stop)
    allow_files(options.clients)
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.client})
    tools = prepare([], node=False)
    if "cc" in tools.missing:
        print(f"the client needs a C compiler: {tools.missing['cc']}")
        return 1
    others = _others(cores, options)
    _print_others(others)
    result: dict[str, Any] = {"about": about("bench.slow", cores, {}), "others": others}
    result["stale"] = stale(cores, options.rate, options.stall)
    for name, each in result["stale"].items():
        print(
            f"{name} TCP_NOTSENT_LOWAT, after {options.stall:g} s: {each['kb']:.0f} KB from before"
            f" are read first; the oldest event of them is {each['age_s']:.1f} s old"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _others(cores: Cores, options: argparse.Namespace) -> dict[str, Any]:
    """Measure with clients that stop and without, and give the first less the second."""
    found, control = (_watch(cores, options, stalling=each) for each in (True, False))
    latencies = {
        f"{name}{suffix}": {q: each["latency"][name][q] for q in ("p50", "p99")}
        for each, suffix in ((found, ""), (control, ", control"))
        for name in each["latency"]
    }
    return {
        "clients": options.clients,
        "stalled": options.stalled,
        "latency": latencies,
        "p99_ratio": _ratio(found),
        "p99_ratio_control": _ratio(control),
        "kb_each": (found["peak_kb"] - control["peak_kb"]) / options.stalled,
        "behind_s": found["behind_s"],
        "too_soon": found["too_soon"],
        "evicted_s": found["evicted_s"],
        "after_s": options.after,
        "kb_left_each": (found["left_kb"] - control["left_kb"]) / options.stalled,
        "kb_control_each": control["peak_kb"] / options.stalled,
    }


def _ratio(found: dict[str, Any]) -> float:
    return float(found["latency"]["stalled"]["p99"] / found["latency"]["before"]["p99"])


def _watch(cores: Cores, options: argparse.Namespace, *, stalling: bool) -> dict[str, Any]:
    """
    Watch a server before some of its clients stop reading, while they are behind, and when they are gone.

    Memory is in KB over what it was before. In the control (not ``stalling``) they go on, and the same time goes by.
    """
    with serve_slow(cores, options.rate, options.patience) as server:
        port = int(server.read_json(SPARE_S)["port"])
        stalled = _clients(port, range(options.stalled), _SMALL_BUFFER)
        reading = _clients(port, range(options.stalled, options.clients), None)
        # Until they stop, those who will are read from as well, by a program of their own.
        with Drained(stalled, cores):
            before = latency(reading, cores, options.seconds)
            rested = memory_kb(server.pid)
        with nullcontext() if stalling else Drained(stalled, cores):
            found = _stalled(port, server, reading, cores, options, stalling=stalling)
            after = latency(reading, cores, options.seconds)
        found["latency"] = {"before": before, "stalled": found.pop("during"), "evicted": after}
        found["peak_kb"] -= rested
        found["left_kb"] -= rested
        close_all([*stalled, *reading])
    return found


def _stalled(
    port: int,
    server: Child,
    reading: Sequence[socket.socket],
    cores: Cores,
    options: argparse.Namespace,
    *,
    stalling: bool,
) -> dict[str, Any]:
    with Sampled(server.pid) as memory:
        behind_s = evicted_s = 0.0
        with Drained(reading, cores):
            if stalling:
                behind_s = wait(
                    "all behind", lambda: sum(_behind(port, options)) >= options.stalled
                )
        during = latency(reading, cores, options.seconds)
        too_soon = _behind(port, options)[1]
        with Drained(reading, cores):
            if stalling:
                evicted_s = wait("all evicted", lambda: _connections(port) == len(reading))
            else:
                time.sleep(options.patience)
            peak, left = memory.peak, memory_kb(server.pid)
            until = time.monotonic() + options.after
            while time.monotonic() < until:
                time.sleep(0.1)
                left = min(left, memory_kb(server.pid))
    return {
        "during": during,
        "too_soon": too_soon,
        "behind_s": behind_s,
        "evicted_s": evicted_s,
        "peak_kb": peak,
        "left_kb": left,
    }


def _clients(port: int, numbers: range, receive_buffer: int | None) -> list[socket.socket]:
    names = api_symbols(port)
    picks = [SCENARIO.picks(number) or [] for number in numbers]
    return open_all(port, NATIVE, [[names[i] for i in pick] for pick in picks], receive_buffer)


def _behind(port: int, options: argparse.Namespace) -> tuple[int, int]:
    """Give how many are conflated, and how many are gone."""
    found = health(port)
    return int(found["conflating"]), options.clients - int(found["connections"])


def _connections(port: int) -> int:
    return int(health(port)["connections"])


def _print_others(found: dict[str, Any]) -> None:
    print(f"{found['clients']} clients on 20 of 500 symbols; {found['stalled']} stop reading")
    for name, each in found["latency"].items():
        print(f"  {name:17} p50 {each['p50']:.2f} ms, p99 {each['p99']:.2f} ms of the others")
    print(
        f"  p99 while all of them are behind: {found['p99_ratio']:.2f} times what it was"
        f" (where nobody stops: {found['p99_ratio_control']:.2f})"
    )
    if found["too_soon"]:
        print(f"  doubt: {found['too_soon']} were gone before that was measured; see --patience")
    print(f"  memory: {found['kb_each']:.1f} KB at most for each of them")
    print(
        f"  behind after {found['behind_s']:.1f} s, evicted {found['evicted_s']:.1f} s after measuring;"
        f" within {found['after_s']:g} s of that {found['kb_left_each']:.1f} KB for each are left"
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.slow", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--stalled", type=int, default=300)
    parser.add_argument("--rate", type=float, default=25.0, help="events a second and symbol")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long latency is measured")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds until an eviction")
    parser.add_argument("--after", type=float, default=10.0, help="seconds for memory to go back")
    parser.add_argument("--stall", type=float, default=30.0, help="seconds of the second pause")
    parser.add_argument("--json", type=Path, default=OUT / "slow.json")
    parser.add_argument("--quick", action="store_true", help="few and short: does it work?")
    options = parser.parse_args(argv)
    if options.quick:
        options.clients, options.stalled, options.rate = 40, 10, 50.0
        options.seconds, options.patience, options.after, options.stall = 0.5, 4.0, 0.5, 2.0
    if not 0 < options.stalled < options.clients:
        parser.error(f"--stalled {options.stalled}: 1 to {options.clients - 1} are allowed")
    return options


if __name__ == "__main__":
    sys.exit(main())
