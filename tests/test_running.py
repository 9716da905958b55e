"""How the terminal programs begin, are interrupted, and fail."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from clients.failures import ClosedError, ConnectError
from clients.terminal.running import complain, race, run_until_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_an_end(number: int) -> None:
    """The program ends in its own way, with its own exit code, and the handlers are put back."""
    before = signal.getsignal(number)

    async def main(stop: asyncio.Event) -> int:
        os.kill(os.getpid(), number)
        await stop.wait()
        return 7

    assert run_until_signal(main) == 7
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_does_not_ask() -> None:
    """A program that hangs on its way out is left at once; that is still no error."""

    async def main(stop: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        return 7

    assert run_until_signal(main) == 0


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConnectError("cannot connect"), "cannot connect; start a feed with: tickerplant serve"),
        (ClosedError(1008, "too many errors"), "connection closed with 1008: too many errors"),
        (TimeoutError("no reply"), "no reply"),
    ],
)
def test_an_error_of_the_feed_is_one_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a hint when there is probably no server."""

    async def main(stop: asyncio.Event) -> int:
        raise error

    assert run_until_signal(main) == 1
    assert capsys.readouterr().err == f"error: {line}\n"


def test_other_errors_are_bugs_and_show_themselves() -> None:
    """A traceback is what helps then."""

    async def main(stop: asyncio.Event) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_until_signal(main)


def test_it_works_in_a_thread_where_signals_cannot_be_caught() -> None:
    """As in a test, or in somebody's program."""
    codes = []

    async def main(stop: asyncio.Event) -> int:
        return 3

    thread = threading.Thread(target=lambda: codes.append(run_until_signal(main)))
    thread.start()
    thread.join()
    assert codes == [3]


def test_a_reader_that_has_gone_is_a_normal_end() -> None:
    """As in `... | head`: no traceback, and no complaint at exit either."""
    program = (
        "import sys\n"
        "from clients.terminal.running import run_until_signal\n"
        "async def main(stop):\n"
        "    while True: print('x' * 1000)\n"
        "sys.exit(run_until_signal(main))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_output_without_a_file_can_break_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Then there is nothing to redirect."""

    async def main(stop: asyncio.Event) -> int:
        raise BrokenPipeError

    assert run_until_signal(main) == 0


Work = Callable[[], Coroutine[Any, Any, object]]


async def at_once() -> None:
    pass


async def never() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise OSError("disk full")


@pytest.mark.asyncio
@pytest.mark.parametrize("works", [[at_once, never], [never, at_once]])
async def test_a_race_is_over_when_the_first_is_done(works: list[Work]) -> None:
    """The others are cancelled."""
    before = asyncio.all_tasks()
    await race(asyncio.Event(), *[work() for work in works])
    assert asyncio.all_tasks() == before


@pytest.mark.asyncio
async def test_a_race_is_over_when_it_is_stopped() -> None:
    """Whatever is still under way."""
    stop = asyncio.Event()
    stop.set()
    await race(stop, never())


@pytest.mark.asyncio
async def test_a_race_raises_what_the_first_raises() -> None:
    """As if it had been awaited."""
    with pytest.raises(OSError, match="disk full"):
        await race(asyncio.Event(), never(), fails())


ADVICE: dict[str, tuple[Exception | None, int | None, str]] = {
    "nobody there": (OSError("refused"), None, "start a feed with: tickerplant serve"),
    "a token": (None, 401, "give it with --token, or in the variable TICKERPLANT_TOKEN"),
    "a full server": (None, 503, ""),
    "its certificate": (
        aiohttp.ClientConnectorCertificateError(None, ssl.CertificateError()),  # type: ignore[arg-type]
        None,
        "name the certificates to trust with --cafile",
    ),
    "no TLS there": (
        aiohttp.ClientConnectorSSLError(None, OSError()),  # type: ignore[arg-type]
        None,
        "without TLS, the address of a feed begins with ws://",
    ),
    "only TLS there": (
        aiohttp.ServerDisconnectedError(),
        None,
        "with TLS, the address of a feed begins with wss://",
    ),
}


@pytest.mark.parametrize(("cause", "status", "hint"), ADVICE.values(), ids=ADVICE.keys())
def test_who_cant_connect_is_told_what_may_help(
    cause: Exception | None, status: int | None, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ConnectError("cannot connect", status=status, cause=cause)
    assert complain(error) == 1
    assert capsys.readouterr().err == f"error: cannot connect{'; ' if hint else ''}{hint}\n"
