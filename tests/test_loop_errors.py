"""When no more files may be open: nobody is lost, the log isn't filled, and afterwards all is as before."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from raw_http import RawHttp
from terminal import process
from wire import TIMEOUT_S, RawClient, eventually, on_both_loops, running

from feeds.cli.loop_errors import QUIET_S, LoopErrors
from feeds.plants import MAX_SESSIONS

FILES = 160
FIT = 40  # two files each, 16 for those that wait, 64 for everything else
SESSIONS = 48


def scarce(number: int = errno.EMFILE) -> dict[str, Any]:
    """What asyncio tells of a connection that it can't accept."""
    error = OSError(number, os.strerror(number))
    return {"message": "socket.accept() out of system resource", "exception": error, "socket": None}


@pytest.mark.asyncio
async def test_what_is_scarce_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 5.0
    handler = LoopErrors(lambda: now)
    loop = asyncio.get_running_loop()
    for _ in range(1_000):
        handler(loop, scarce())
    now += QUIET_S / 2
    handler(loop, scarce(errno.ENFILE))
    text = "connections can't be accepted, and wait until others have gone: Too many open files"
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("feeds", "WARNING", text)
    ]
    now += QUIET_S / 2
    handler(loop, scarce(errno.ENFILE))
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "context",
    [
        {"message": "this", "exception": OSError(errno.EMFILE, "too many")},
        {"message": "this", "exception": OSError(errno.EPERM, "no"), "socket": None},
        {"message": "this", "exception": ValueError(), "socket": None},
        {"message": "this"},
    ],
)
@pytest.mark.asyncio
async def test_everything_else_is_told_as_ever(
    context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    LoopErrors()(asyncio.get_running_loop(), context)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("asyncio", "ERROR")
    assert record.getMessage().startswith("this")


@pytest.mark.asyncio
async def test_asyncio_tries_to_accept_a_few_times_and_goes_on_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries as often as connections may wait, which were 4,096 lines each second."""
    accept, tries = socket.socket.accept, 0
    full = True

    def accepted(sock: socket.socket) -> Any:
        nonlocal tries
        if full:
            tries += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(sock)

    monkeypatch.setattr(socket.socket, "accept", accepted)
    asyncio.get_running_loop().set_exception_handler(LoopErrors())
    async with running(loggers=("asyncio", "aiohttp")) as server, RawHttp(server) as http:
        http.send("GET /health HTTP/1.1", "Host: localhost", "Connection: close")
        await eventually(lambda: tries, "it was tried")
        full = False
        assert (await http.answer()).status == 200
    assert 0 < tries <= 65
    assert [r.levelno for r in caplog.records] == [logging.WARNING]


@on_both_loops
async def test_without_a_file_for_the_short_way_it_goes_the_long_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    async with running() as server:
        monkeypatch.setattr(socket, "fromfd", fail)
        async with RawClient(server) as client:
            found = await client.ask(action="subscribe", symbols="*")
            assert (found["type"], len(found["symbols"])) == ("subscribed", 5)
            assert (await client.ask(action="ping"))["type"] == "pong"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_with_few_files_who_is_one_too_many_is_told_so(loop: str) -> None:
    """More clients than files: each gets a connection or 503, and when they have left, others get one."""
    with _few_files(FILES, "--loop", loop) as (_, port):
        asyncio.run(_crowd(port))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere timers are no files")
def test_the_timers_of_sessions_are_files_too() -> None:
    """However many sessions there may come to be, they take no connection from anybody who was promised one."""
    files = FILES + MAX_SESSIONS - 1
    small = ["--symbols", "1", "--rate", "0.1", "--turn-ms", "1000", "--history-mb", "0"]
    with _few_files(files, "--control", *small) as (pid, port):
        asyncio.run(_sessions(port, SESSIONS))
        _wait_for_timers(pid, SESSIONS)
        asyncio.run(_crowd(port))


@contextmanager
def _few_files(files: int, *options: str) -> Iterator[tuple[int, int]]:
    """Run a server that may open so many files, and must say nothing; gives its process and port."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}));"
        "from feeds.cli import main; main()"
    )
    usual = ["serve", "--port", "0", "--ready-json", "--slow-turn-ms", "0"]
    with process(*usual, *options, program=(sys.executable, "-c", code)) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        yield server.pid, ready["port"]
        server.terminate()
        _, err = server.communicate(timeout=TIMEOUT_S)
        assert (server.returncode, err) == (0, "")


async def _sessions(port: int, count: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        for n in range(count):
            async with http.post(f"/control/step?session=s{n}", json={"n": 1}) as answer:
                assert answer.status in (200, 409), await answer.text()


def _wait_for_timers(pid: int, count: int) -> None:
    def timers() -> int:
        found = 0
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found += "timerfd" in str(file.readlink())
        return found

    asyncio.run(eventually(lambda: timers() >= count, "each has a timer"))


async def _crowd(port: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(FIT):
            client = await stack.enter_async_context(RawClient(port))
            assert (await client.message())[0]["type"] == "hello"
        for _ in range(3):
            refused = [await stack.enter_async_context(RawHttp(port)) for _ in range(12)]
            for http in refused:
                http.send("GET /api/symbols HTTP/1.1", "Host: localhost")
            for http in refused:
                answer = await http.answer()
                assert (answer.status, answer.json()["code"]) == (503, "too_many_connections")
        async with RawHttp(port) as http:
            assert (await http.get("/health")).status == 200
    async with asyncio.timeout(TIMEOUT_S):
        while True:  # until the server has seen that they have left
            async with RawHttp(port) as http:
                if (await http.get("/api/symbols")).status == 200:
                    return
