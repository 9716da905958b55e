"""Spreads a load test over processes, which connect, wait for each other, and measure together."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from clients.failures import TickerError
from clients.loadgen.swarm import Figures, Plan, Result, Swarm, raise_file_limit
from clients.terminal.running import race

__all__ = ["fast_loop", "shares", "spread", "work"]

SPARE_FILES = 64
"""Descriptors that a process needs for other things than clients."""
TELL_S = 0.5
LAST_S = 10.0
"""How long a process may take to end when it is told to."""


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the loop factory of uvloop if it is installed; None means asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def shares(plan: Plan, processes: int) -> list[Plan]:
    """Divide the clients of *plan*; the processes connect at the same time, each over the whole ramp."""
    plans, first = [], 0
    for number in range(processes):
        clients = plan.clients // processes + (number < plan.clients % processes)
        plans.append(replace(plan, clients=clients, first=first))
        first += clients
    return [plan for plan in plans if plan.clients]


async def work(
    plan: Plan,
    duration: float,
    *,
    stop: asyncio.Event,
    tell: Callable[[Figures], object],
    connected: Callable[[], Any] | None = None,
) -> Result:
    """Carry out *plan* in this process; between connecting and measuring, await *connected*."""
    raise_file_limit(plan.clients + SPARE_FILES)
    swarm = Swarm(plan)
    telling = asyncio.create_task(_tell(swarm, tell))
    try:
        await race(stop, swarm.connect())
        tell(swarm.figures())
        if connected is not None:
            await race(stop, connected())
        # Without a connection there is nothing to wait for.
        return await swarm.measure(duration if swarm.tally.connected else 0, stop)
    finally:
        telling.cancel()
        await swarm.close()


async def _tell(swarm: Swarm, tell: Callable[[Figures], object]) -> None:
    while True:
        await asyncio.sleep(TELL_S)
        tell(swarm.figures())


async def spread(
    plan: Plan, duration: float, processes: int, *, stop: asyncio.Event, figures: list[Figures]
) -> list[Result]:
    """Carry out *plan* in *processes* processes; raises TickerError when one of them dies."""
    workers = [
        _Worker(share, duration, number, figures)
        for number, share in enumerate(shares(plan, processes))
    ]
    try:
        await race(stop, _all([worker.ready for worker in workers]))
        for worker in workers:
            worker.say("stop" if stop.is_set() else "go")
        results = [worker.result for worker in workers]
        await race(stop, _all(results))
        for worker in workers:
            worker.say("stop")  # to those that have ended, it means nothing
        async with asyncio.timeout(LAST_S):
            await _all(results)
        return [result.result() for result in results]
    except TimeoutError:
        raise TickerError("a process of the load generator hangs") from None
    finally:
        for worker in workers:
            await asyncio.to_thread(worker.end)


async def _all(futures: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for *futures* without cancelling them; raise what the first one raises that fails."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
    for future in done:
        future.result()


class _Worker:
    """Another process, as this one sees it."""

    def __init__(self, plan: Plan, duration: float, number: int, figures: list[Figures]) -> None:
        # spawn: a forked event loop would be this process's own.
        context = multiprocessing.get_context("spawn")
        self._loop = asyncio.get_running_loop()
        self._pipe, theirs = context.Pipe()
        self._figures = figures
        self._number = number
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.result: asyncio.Future[Result] = self._loop.create_future()
        self._process = context.Process(target=_child, args=(theirs, plan, duration), daemon=True)
        self._process.start()
        theirs.close()
        listener = partial(_listen, self._pipe, self._loop, self._hear)
        self._thread = threading.Thread(target=listener, daemon=True)
        self._thread.start()

    def say(self, word: str) -> None:
        """Send `go` or `stop`."""
        with suppress(OSError):
            self._pipe.send(word)

    def _hear(self, message: Any) -> None:
        if isinstance(message, Result):
            self.result.set_result(message)
        elif message == "ready":
            self.ready.set_result(None)
        elif message is None:
            error = TickerError("a process of the load generator died")
            for future in (self.ready, self.result):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # one report is enough, whichever is awaited
        else:
            self._figures[self._number] = message

    def end(self) -> None:
        """Stop the process if it still runs, and wait until nothing of it is left."""
        self.say("stop")
        self._process.join(LAST_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        # The listener ends with the process, so that the pipe is not closed under it.
        self._thread.join()
        self._pipe.close()


def _listen(pipe: Connection, loop: asyncio.AbstractEventLoop, hear: Callable[[Any], None]) -> None:
    """Give what comes over *pipe* to the loop, and None at the end; runs in a thread of its own."""
    message: Any = "?"
    while message is not None:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            message = None
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(hear, message)


def _child(pipe: Connection, plan: Plan, duration: float) -> None:
    """The other process: does what it is told over *pipe*."""
    # Ctrl-C reaches the whole group; the parent passes on what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main() -> Result:
        stop, go = asyncio.Event(), asyncio.Event()
        events = {"go": go, "stop": stop, None: stop}
        hear = lambda word: events[word].set()  # noqa: E731  # one line, used once
        loop = asyncio.get_running_loop()
        threading.Thread(target=_listen, args=(pipe, loop, hear), daemon=True).start()

        async def connected() -> None:
            pipe.send("ready")
            await go.wait()

        return await work(plan, duration, stop=stop, tell=pipe.send, connected=connected)

    with suppress(OSError), asyncio.Runner(loop_factory=fast_loop()) as runner:
        pipe.send(runner.run(main()))
