"""The command line serves: what it says, signals, and exit codes."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import urllib.request

import pytest
from command_line import run
from terminal import process
from wire import TIMEOUT_S, RawClient, eventually

from feeds.cli import serve
from feeds.config import FeedConfig
from feeds.server import FeedServer
from ticker import __version__

# Serving, in this process.


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_a_signal_comes(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    server = FeedServer(FeedConfig(port=0, clock="manual", symbols="1"))
    serving = asyncio.create_task(serve.run_feed(server, ready_json=False))
    await eventually(lambda: server.port, "it listens")
    async with RawClient(server) as client:
        await client.message()
        signal.raise_signal(number)
        assert await client.closed() == 1001
    async with asyncio.timeout(TIMEOUT_S):
        assert await serving == 0
    assert capsys.readouterr().out == (
        f"tickerplant {__version__}: 1 invented symbol, 10 events a second on average of its own time, seed 7, clock manual\n"
        "  page       (not installed)\n"
        f"  websocket  {server.ws_url}\n"
        "Ctrl-C stops it.\n"
    )


@pytest.mark.asyncio
async def test_when_the_feed_fails_the_command_fails_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    server = FeedServer(FeedConfig(port=0, clock="manual", symbols="1"))

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no ticks")

    monkeypatch.setattr(server.plant.market, "step", fail)
    async with asyncio.timeout(TIMEOUT_S):
        assert await serve.run_feed(server, ready_json=True) == 1
    (record,) = [r for r in caplog.records if r.levelname == "CRITICAL"]
    assert record.getMessage().startswith("the feed failed: ZeroDivisionError: no ticks (tests/")


# Serving, in a process of its own.


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_exit_code_0(loop: str, number: int) -> None:
    """Its clients get 1001, the first line on stdout was the ready line, and nothing is on stderr."""
    options = ["--port", "0", "--ready-json", "--symbols", "3", "--loop", loop, "--rate", "100"]
    options += ["--slow-turn-ms", "0"]
    with process("serve", *options) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert ready == {
            "event": "ready",
            "url": f"http://127.0.0.1:{ready['port']}",
            "ws": f"ws://127.0.0.1:{ready['port']}/ws",
            "port": ready["port"],
            "seed": 7,
            "pid": running.pid,
            "version": __version__,
        }
        assert list(ready) == ["event", "url", "ws", "port", "seed", "pid", "version"]

        async def client() -> None:
            async with RawClient(ready["port"]) as raw:
                raw.send(action="subscribe", symbols="*")
                await raw.until("trade")
                running.send_signal(number)
                assert await raw.closed() == 1001

        asyncio.run(client())
        out, err = running.communicate(timeout=TIMEOUT_S)
        assert (running.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_exit_code_2_and_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process("serve", "--port", str(port), "--ready-json") as running:
            out, err = running.communicate(timeout=TIMEOUT_S)
        assert running.returncode == 2
        assert out == ""
        assert err == (
            f"tickerplant: can't listen on 127.0.0.1 port {port}:"
            " the port is in use; choose another with --port, or 0 for any free one\n"
        )


def test_it_can_be_configured_by_the_environment_alone() -> None:
    with process(
        "serve",
        TICKERPLANT_PORT="0",
        TICKERPLANT_READY_JSON="1",
        TICKERPLANT_SEED="11",
        TICKERPLANT_SYMBOLS="2",
        TICKERPLANT_CLOCK="manual",
    ) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert ready["seed"] == 11
        with urllib.request.urlopen(f"{ready['url']}/health", timeout=TIMEOUT_S) as answer:  # noqa: S310
            health = json.load(answer)
        assert (health["symbols"], health["clock"]) == (2, "manual")
        running.terminate()
        assert running.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "",
            "tickerplant: TICKERPLANT_TOKEN is set, but has no token; unset it to let everybody read",
        ),
        (
            " , ",
            "tickerplant: TICKERPLANT_TOKEN is set, but has no token; unset it to let everybody read",
        ),
        ("two words", "tickerplant: token: one of 9 characters can't be used"),
    ],
)
def test_a_token_variable_that_says_nothing_lets_nobody_in(given: str, told: str) -> None:
    """Nor is one with a blank in it two tokens."""
    _, errors = run("serve", "--port", "0", code=2, TICKERPLANT_TOKEN=given)
    assert errors.startswith(told)
