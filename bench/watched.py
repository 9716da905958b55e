"""What `bench.slow` sees of a server: its health, its memory, and the latency of some of its clients."""

import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from bench.process import Child, Cores
from bench.tools import OUT

__all__ = ["SPARE_S", "Drained", "Sampled", "health", "latency", "memory_kb", "serve_slow", "wait"]

SPARE_S = 30.0
_SAMPLE_S = 0.05


def serve_slow(cores: Cores, rate: float, no_progress_s: float, *, lowat: bool = True) -> Child:
    """Start the server of `bench.slow_server`."""
    words = [str(rate), str(no_progress_s), "lowat" if lowat else "without"]
    return Child([sys.executable, "-m", "bench.slow_server", *words], cores.server)


class Drained:
    """Reads from clients, in a program of its own, until the end of the block."""

    def __init__(self, clients: Sequence[socket.socket], cores: Cores) -> None:
        fds = [client.fileno() for client in clients]
        drain = [str(OUT / "drain"), "0", "1000", '{"t', *map(str, fds)]
        self._child = Child(drain, cores.client, pass_fds=fds)

    def __enter__(self) -> Self:
        self._child.__enter__()
        self._child.read_json(SPARE_S)
        return self

    def __exit__(self, *error: Any) -> None:
        self._child.__exit__(*error)


class Sampled:
    """Looks at a process's memory twenty times a second until the end of the block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = memory_kb(pid)
        """The most resident memory that was seen, in KB."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self.peak = max(self.peak, memory_kb(self._pid))


def latency(clients: Sequence[socket.socket], cores: Cores, seconds: float) -> dict[str, float]:
    """Read from clients for so long, after a second of warm-up, and give percentiles in milliseconds."""
    fds = [client.fileno() for client in clients]
    command = [str(OUT / "latency"), "1", str(seconds), *map(str, fds)]
    with Child(command, cores.client, pass_fds=fds) as child:
        child.read_json(SPARE_S)
        return child.read_json(seconds + SPARE_S)


def health(port: int) -> dict[str, Any]:
    """Give what `/health` says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SPARE_S)
    try:
        connection.request("GET", "/health")
        found: dict[str, Any] = json.load(connection.getresponse())
        return found
    finally:
        connection.close()


def memory_kb(pid: int) -> float:
    """
    Give a process's resident memory.

    Raises:
        RuntimeError: it has none: the process is over.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError(f"no memory figure of process {pid}")


def wait(what: str, condition: Callable[[], bool], limit_s: float = 90.0) -> float:
    """
    Wait for something, and give the seconds that it took.

    Raises:
        TimeoutError: it didn't come about.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > limit_s:
            raise TimeoutError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - start
