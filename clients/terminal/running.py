"""What the terminal programs have in common: how they begin, are interrupted, and fail."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp

from clients.events import Connected, Disconnected, Event, Gap
from clients.failures import ConnectError, TickerError

__all__ = ["complain", "note_of", "race", "run_until_signal"]

Main = Callable[[asyncio.Event], Coroutine[Any, Any, int]]


def run_until_signal(
    main: Main, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> int:
    """Run *main* with an event that SIGINT and SIGTERM set, and return its exit code.

    The first signal asks *main* to come to an end, a second one is a KeyboardInterrupt. Errors of
    the feed become one line on stderr and 1, a reader of stdout who has gone becomes 0.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_run(main))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # `... | head` is a normal end. Python would complain when it flushes stdout at exit.
        with suppress(OSError, ValueError):
            stdout = sys.stdout.fileno()
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
        return 0
    except (TickerError, TimeoutError) as error:
        return complain(error)


async def _run(main: Main) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def interrupted() -> None:
        stop.set()
        restore()

    def restore() -> None:
        for number in caught:
            loop.remove_signal_handler(number)
        caught.clear()

    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not in a thread other than the main one, nor on Windows: Ctrl-C is a KeyboardInterrupt there.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, interrupted)
            caught.append(number)
    try:
        return await main(stop)
    finally:
        restore()


async def race(stop: asyncio.Event, *works: Coroutine[Any, Any, object]) -> None:
    """Do *works* side by side until one is done, or *stop* is set; raises what that one raises."""
    tasks = [asyncio.create_task(work) for work in (stop.wait(), *works)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def note_of(event: Event) -> str | None:
    """What there is to say about the connection, if *event* is about that."""
    match event:
        case Disconnected():
            return f"disconnected: {event.reason}; trying again in {event.retry_in:.1f} s"
        case Connected(reconnects=reconnects) if reconnects:
            return "connected again"
        case Gap():
            what = f"{event.missing} {event.channel} of {event.symbol}"
            return f"gap: {what} missing ({event.reason})"
    return None


def complain(error: Exception) -> int:
    """Print one line about *error* to stderr; return the exit code, 1."""
    hint = advice(error) if isinstance(error, ConnectError) else ""
    print(f"error: {error}{hint}", file=sys.stderr)
    return 1


def advice(error: ConnectError) -> str:
    """What may help against a failure to connect; nothing, if the error says it already."""
    why = error.cause
    if error.status == 401:
        return "; give it with --token, or in the variable TICKERPLANT_TOKEN"
    if error.status is not None or error.final:
        return ""
    if isinstance(why, aiohttp.ClientConnectorCertificateError):
        return "; name the certificates to trust with --cafile"
    if isinstance(why, aiohttp.ClientSSLError):
        return "; without TLS, the address of a feed begins with ws://"
    if isinstance(why, aiohttp.ServerDisconnectedError):
        return "; with TLS, the address of a feed begins with wss://"
    return "; start a feed with: tickerplant serve"
