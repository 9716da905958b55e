"""Programs under Node for the tests: what every one starts with, and how it is talked to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browser_feed import FakeFeed

__all__ = ["CLIENTS", "Script", "flags", "run", "watch"]

CLIENTS = Path(__file__).parent.parent / "clients"
NODE = shutil.which(os.environ.get("NODE") or "node")
TIMEOUT_S = 60

# What every script starts with. `until` waits for events; `log` tells the test, a line of JSON each.
PRELUDE = """
import assert from "node:assert/strict";
import { TickerClient, TickerError } from "%(client)s";
import { Requests, Sequences, Subscriptions } from "%(state)s";
const URL = process.argv[2];
const log = (value) => console.log(JSON.stringify(value));
const until = (target, type, test = () => true) => new Promise((resolve) => {
  target.addEventListener(type, ({ detail }) => test(detail) && resolve(detail));
});
const state = (client, wanted) => client.state.state === wanted
  ? client.state : until(client, "state", ({ state }) => state === wanted);
const FAST = { minDelay: 1, maxDelay: 5 };
const WEB = "%(web)s";
"""


def flags() -> list[str]:
    """What this Node needs to have a WebSocket; skips where there is none, or fails if it must not."""
    reason = None
    if NODE is None:
        reason = "node is not installed"
    else:
        version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True)
        major = int(re.findall(r"\d+", version.stdout)[0])
        if major < 20:
            reason = f"node {major} is too old"
    if reason is None:
        return ["--no-warnings"] + (["--experimental-websocket"] if major < 22 else [])
    if "node" in os.environ.get("TICKERPLANT_REQUIRE", ""):
        pytest.fail(f"TICKERPLANT_REQUIRE wants node, and {reason}")
    pytest.skip(reason)


class Script:
    """A program under Node whose output is read line by line."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [NODE or "node", *flags(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._end: tuple[int, str, str] | None = None
        # A script that hangs is killed, so that reading from it ends.
        self._watchdog = threading.Timer(TIMEOUT_S, self.process.kill)
        self._watchdog.start()

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.finish()}"
        return line.rstrip("\n")

    def said(self) -> object:
        return json.loads(self.line())

    def error_line(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline().rstrip("\n")

    def finish(self) -> tuple[int, str, str]:
        """Waits for the end: the exit code, and the rest of both outputs."""
        if self._end is None:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            with self.process:
                out, err = self.process.stdout.read(), self.process.stderr.read()
            self._watchdog.cancel()
            self._end = self.process.returncode, out, err
        return self._end

    def end(self) -> None:
        """Whatever it is at."""
        self.process.kill()
        self.finish()

    def ends_well(self) -> None:
        code, out, err = self.finish()
        assert not err, err
        assert (code, out) == (0, "")


@pytest.fixture
def run(tmp_path: Path) -> Iterator:
    started: list[Script] = []

    def run(source: str, feed: FakeFeed | str | None = None) -> Script:
        modules = {
            "client": (CLIENTS / "web" / "ticker-client.js").as_uri(),
            "state": (CLIENTS / "web" / "ticker-state.js").as_uri(),
            "web": (CLIENTS / "web").as_uri(),
        }
        path = tmp_path / f"script{len(started)}.mjs"
        path.write_text(PRELUDE % modules + source, encoding="utf-8")
        url = feed if isinstance(feed, str) else feed.ws_url if feed else ""
        started.append(Script([str(path), url]))
        return started[-1]

    yield run
    for script in started:
        script.end()


@pytest.fixture
def watch() -> Iterator[Callable[..., Script]]:
    """Starts the sample, and ends it."""
    started: list[Script] = []

    def watch(*arguments: str) -> Script:
        started.append(Script([str(CLIENTS / "node" / "watch.mjs"), *arguments]))
        return started[-1]

    yield watch
    for script in started:
        script.end()
