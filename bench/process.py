"""Child processes: pinned to a core, ready by a JSON line, measured from /proc, always killed."""

import ctypes
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["Child", "ChildError", "Cores", "Usage", "choose_cores", "usage"]

_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class ChildError(RuntimeError):
    """A child process ended, or was not ready in time; the text has its last words."""


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server and that of the load client."""

    server: int
    client: int

    @property
    def shared(self) -> bool:
        """Whether there is one core only, so that the figures are of both together."""
        return self.server == self.client


def choose_cores() -> Cores:
    """Choose the last core for the server and, if there are, one that isn't its sibling."""
    cores = sorted(os.sched_getaffinity(0))
    # Interrupts tend to arrive on the first core: let the load client have them.
    server = cores[-1]
    siblings = _siblings(server)
    others = [core for core in cores if core not in siblings]
    return Cores(server, (others or cores)[0])


def _siblings(core: int) -> set[int]:
    """Return the logical cores that share this one's physical core."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        parts = [part.split("-") for part in path.read_text().strip().split(",")]
    except OSError:
        return {core}
    return {core for part in parts for core in range(int(part[0]), int(part[-1]) + 1)}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used of its core up to now."""

    at: float
    cpu: float
    waited: float
    """Seconds for which it could have run, but another process or machine had its core."""

    def since(self, before: "Usage") -> tuple[float, float]:
        """Return the shares of wall time since `before`: running, and waiting for the core."""
        wall = self.at - before.at
        ran = (self.cpu - before.cpu) / wall
        # Threads of one process also wait for each other: that leaves no core time unused.
        return ran, min((self.waited - before.waited) / wall, max(0.0, 1.0 - ran))


def usage(pid: int, core: int) -> Usage:
    """Read the use of all threads of a process that is pinned to a core."""
    ran = waited = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            nanoseconds = [int(field) for field in (thread / "schedstat").read_text().split()]
        except OSError:  # the thread has ended
            continue
        ran += nanoseconds[0]
        waited += nanoseconds[1]
    return Usage(time.monotonic(), ran / 1e9, waited / 1e9 + _stolen(core))


def _stolen(core: int) -> float:
    """Return the seconds for which the host gave this virtual core to somebody else."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            return int(fields[7]) / _TICKS
    return 0.0


class Child:
    """
    A child process on one core, used as a context manager: at its end the process is dead.

    It dies with this process too, however that ends. Its stdout is read as lines of JSON,
    its stderr is kept for the error message.
    """

    def __init__(self, command: Sequence[str], core: int, *, pass_fds: Sequence[int] = ()) -> None:
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in __exit__
        self._command = command
        self._lines = b""
        libc = ctypes.CDLL(None)

        def pin() -> None:
            os.sched_setaffinity(0, {core})
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=pass_fds,
                preexec_fn=pin,
            )
        except OSError:
            self._stderr.close()
            raise
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._stderr.close()

    def read_json(self, timeout_s: float) -> dict[str, Any]:
        """Return the next line of stdout that is a JSON object; other lines are skipped."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self._read_line(deadline)
            if line.startswith(b"{"):
                found: dict[str, Any] = json.loads(line)
                return found

    def _read_line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in self._lines:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ChildError(f"no answer in time: {self.last_words()}")
                chunk = os.read(stream, 65_536)
                if not chunk:
                    raise ChildError(f"ended: {self.last_words()}")
                self._lines += chunk
        line, _, self._lines = self._lines.partition(b"\n")
        return line

    def last_words(self) -> str:
        """Return the last line that the process wrote to stderr, or its command."""
        self._stderr.seek(0)
        lines = [line.strip() for line in self._stderr.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"{' '.join(self._command)} said nothing"
