"""`--exit-with-parent`: no server is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest
from terminal import COMMAND, environment
from wire import TIMEOUT_S, on_both_loops

from feeds.cli.parent import at_the_end_of

SERVE = [*COMMAND, "serve", "--port", "0", "--ready-json", "--symbols", "2"]

# A test runner that starts a server, says that it is there, and hangs.
RUNNER = """
import subprocess, sys, time
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(server.stdout.readline().decode(), end="", flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_stops_in_order_when_stdin_closes(loop: str) -> None:
    """With exit code 0; what is written there before is ignored."""
    with subprocess.Popen(
        [*SERVE, "--exit-with-parent", "--loop", loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert json.loads(server.stdout.readline())["event"] == "ready"
        server.stdin.write("\n")
        server.stdin.flush()
        assert server.poll() is None
        out, err = server.communicate(timeout=TIMEOUT_S)
        assert (server.returncode, out, err) == (0, "", "")


def test_it_stops_when_whoever_started_it_is_killed() -> None:
    """Killed: so nobody tells it, and nothing cleans up."""
    command = [sys.executable, "-c", RUNNER, *SERVE, "--exit-with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as runner:
        assert runner.stdout is not None
        pid = json.loads(runner.stdout.readline())["pid"]
        runner.send_signal(signal.SIGKILL)
        runner.wait(TIMEOUT_S)
    # It is nobody's child now: ask the kernel for its end, which doesn't need that.
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        import select

        try:
            ready, _, _ = select.select([descriptor], [], [], TIMEOUT_S)
            assert ready, "it is still there"
        finally:
            os.close(descriptor)


def test_without_the_option_stdin_does_not_matter() -> None:
    with subprocess.Popen(
        SERVE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment()
    ) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["event"] == "ready"
        server.terminate()
        assert server.wait(TIMEOUT_S) == 0


@on_both_loops
async def test_an_end_is_told_once() -> None:
    read, write = os.pipe()
    told = asyncio.Event()
    with at_the_end_of(read, told.set):
        os.write(write, b"x")
        os.close(write)
        async with asyncio.timeout(TIMEOUT_S):
            await told.wait()
    os.close(read)


@on_both_loops
async def test_what_is_no_pipe_has_an_end_too() -> None:
    """/dev/null is at its end from the beginning; a descriptor that isn't there likewise."""
    with open(os.devnull, "rb") as file:  # noqa: ASYNC230, PTH123
        for descriptor in (file.fileno(), 9_999):
            told = asyncio.Event()
            with at_the_end_of(descriptor, told.set):
                async with asyncio.timeout(TIMEOUT_S):
                    await told.wait()


@on_both_loops
async def test_who_leaves_before_is_not_called() -> None:
    read, write = os.pipe()
    told = asyncio.Event()
    with at_the_end_of(read, told.set):
        pass
    os.close(write)
    await asyncio.sleep(0)
    assert not told.is_set()
    os.close(read)
