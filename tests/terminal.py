"""A terminal for tests: runs one line of a shell at a time, in a folder of its own, beside servers that go on."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.sync.client import connect

from feeds.cli import main

__all__ = [
    "COMMAND",
    "TIMEOUT_S",
    "Ended",
    "Running",
    "Terminal",
    "environment",
    "exit_code",
    "process",
    "served",
]

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "feeds")

TIMEOUT_S = 120
SHOWN_PORTS = r"\b(8765|8766|54321)\b"
"""What documents say where a test has a free port."""


def environment(without: str = "TICKERPLANT_", **variables: str) -> dict[str, str]:
    """
    Give this process's environment without options of ours, or *without* another kind, and with some variables.

    Without those of make, too: a make that the tests are run by isn't one that a line's own make is part of.
    """
    not_ours = ("TICKERPLANT_", "MAKE", "MFLAGS", without)
    found = {k: v for k, v in os.environ.items() if not k.startswith(not_ours)}
    return found | {"COLUMNS": "80"} | variables


def exit_code(*words: str) -> int:
    """Run `tickerplant` with these words in this process, and give its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@contextmanager
def process(
    *words: str, program: Sequence[str] = COMMAND, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run `tickerplant`, or another program, with these words; it is killed if it is still there at the end."""
    with subprocess.Popen(
        [*program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def served(*options: str, **variables: str) -> Iterator[dict[str, Any]]:
    """Run `tickerplant serve` on a free port; gives what it says when it is ready."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--ready-json", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(**variables),
    ) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.send_signal(signal.SIGINT)
            server.stdout.read()


@dataclass(frozen=True)
class Ended:
    """What a line came to."""

    code: int
    out: str
    err: str


class Running:
    """A line that runs: a process group, so that Ctrl-C reaches all of a pipeline."""

    def __init__(self, line: str, folder: Path, environment: dict[str, str]) -> None:
        self.line = line
        self._err = (folder / ".stderr").open("w+")
        self.process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,  # open: `--exit-with-parent` sees its end
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
            start_new_session=True,
        )
        self._watchdog = threading.Timer(TIMEOUT_S, self._signal, [signal.SIGKILL])
        self._watchdog.start()
        self._read = ""
        self._ended: Ended | None = None

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def next_line(self) -> str:
        """Read the next line of the output; fail where there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.line!r} ended without another line: {self.end()}"
        self._read += line
        return line

    def interrupt(self) -> Ended:
        """Do what Ctrl-C does, and wait for the end."""
        self._signal(signal.SIGINT)
        return self.end()

    def end(self) -> Ended:
        """Wait for the end."""
        if self._ended is None:
            out, _ = self.process.communicate()
            self._watchdog.cancel()
            self._err.seek(0)
            self._ended = Ended(self.process.returncode, self._read + out, self._err.read())
            self._err.close()
        return self._ended

    def kill(self) -> None:
        """End it, if it still runs."""
        self._signal(signal.SIGKILL)
        self.end()


@dataclass
class Terminal:
    """Use it as a context manager: what still runs at its end is killed."""

    folder: Path
    ready: dict[str, Any] = field(default_factory=dict)
    """Of the server that was started last, what it said when it was ready."""
    variables: dict[str, str] = field(default_factory=dict)
    """Of the environment, beside the usual ones."""
    without: str = "TICKERPLANT_"
    """How the names of variables begin that it doesn't have."""
    server: Running | None = None
    code: int = 0
    _running: list[Running] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running:
            one.kill()

    def environment(self) -> dict[str, str]:
        """What a line sees: our own commands first, and the server that was started last as the default."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ours = {"TICKERPLANT_PORT": "0", "TICKERPLANT_READY_JSON": "1"}
        if self.ready:
            ours["TICKERPLANT_URL"] = self.ready["ws"]
        return environment(self.without, PATH=path, **ours, **self.variables)

    def start(self, line: str) -> Running:
        """Start a line; ports that documents show become that of the server."""
        if self.ready:
            line = re.sub(SHOWN_PORTS, str(self.ready["port"]), line)
        running = Running(line, self.folder, self.environment())
        self._running.append(running)
        return running

    def serve(self, line: str, code: int = 0) -> None:
        """
        Start a line that is a server, in place of the one before, and wait until it is ready.

        Args:
            line: the command.
            code: what it ends with when it is interrupted.
        """
        self.stop_server()
        self.server, self.code = self.start(line), code
        self.ready = json.loads(self.server.next_line())

    def stop_server(self) -> None:
        """Interrupt the server, which must take it well."""
        if self.server is not None:
            ended = self.server.interrupt()
            self.server = None
            assert ended.code == self.code, ended
            assert "Traceback" not in ended.err, ended
            assert " ERROR " not in ended.err, ended

    def first_message(self) -> list[dict[str, Any]]:
        """Connect to the server that was started last; give what it says first."""
        context = None
        if "certificate" in self.ready:
            context = ssl.create_default_context(cadata=self.ready["certificate"])
        with connect(self.ready["ws"], ssl=context, open_timeout=TIMEOUT_S) as ws:
            found = json.loads(ws.recv(TIMEOUT_S))
        assert isinstance(found, list)
        return found

    def wait_for(self, name: str) -> None:
        """Wait until there is a file."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"there is no {name}"
            time.sleep(0.01)
