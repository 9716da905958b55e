"""
A feed for tests: a real server with a market that the test directs.

* :class:`TickerFeed` has a thread of its own: for tests that aren't coroutines, or run in any other loop.
* :class:`AsyncTickerFeed` runs in the loop that it is entered in.

Both have the methods of :class:`feeds.directing.director.Director`. With pytest, the fixture ``ticker_feed`` gives a
:class:`TickerFeed`.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar, Unpack

from feeds.config import FeedConfig, check_names
from feeds.directing.director import Director
from feeds.directing.facade import AioMethods, Methods
from feeds.directing.loop_thread import LoopThread, in_a_coroutine
from feeds.errors import CommandError, ConfigError, WaitTimeout, plainly
from feeds.faults.commands import FaultCommands, commanding
from feeds.faults.fault import FaultError
from feeds.faults.handle import FaultHandle
from feeds.notation.options import FeedOptions, as_changes
from feeds.observation.journal import Entry, Journal
from feeds.observation.observed import Client
from feeds.server import FeedServer

__all__ = [
    "AsyncTickerFeed",
    "Client",
    "CommandError",
    "ConfigError",
    "Entry",
    "FaultError",
    "FaultHandle",
    "Journal",
    "MakeTickerFeed",
    "TickerFeed",
    "WaitTimeout",
    "feed_config",
]

R = TypeVar("R")

_DEFAULTS: dict[str, Any] = {
    "port": 0,
    "clock": "manual",
    "journal": 1_000,
    "origin": "*",  # the page under test is served from elsewhere
    "shutdown_timeout": 0.5,
    "slow_turn_ms": 0.0,
}


def feed_config(**options: Unpack[FeedOptions]) -> FeedConfig:
    """
    Give the configuration of a feed for tests: any free port, a manual clock, a journal, pages from anywhere.

    Raises:
        ConfigError: an option isn't allowed.
    """
    changes = as_changes(options)
    check_names(changes)
    return FeedConfig(**(_DEFAULTS | changes))


class _Place:
    """Where a server is, and what it serves."""

    server: FeedServer

    @property
    def url(self) -> str:
        """The address for HTTP."""
        return self.server.url

    @property
    def ws_url(self) -> str:
        """The address for WebSockets."""
        return self.server.ws_url

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.server.port

    @property
    def seed(self) -> int:
        """The market's seed."""
        return self.server.plant.market.seed

    @property
    def symbols(self) -> tuple[str, ...]:
        """The market's symbols."""
        return self.server.plant.market.universe.symbols


class AsyncTickerFeed(Director, _Place):
    """
    A feed for tests in the running event loop: ``async with AsyncTickerFeed(symbols=["AAPL"]) as feed:``.

    Args:
        options: of the server and its market; see :func:`feed_config`.
    """

    def __init__(self, **options: Unpack[FeedOptions]) -> None:
        self.server = FeedServer(feed_config(**options))
        super().__init__(self.server.plants)

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()


class _Aio(AioMethods):
    """The methods of a :class:`TickerFeed` as coroutines for the running event loop, of asyncio or trio."""

    def __init__(self, director: Director, thread: LoopThread) -> None:
        self.director, self.bridge = director, thread.bridge


class TickerFeed(Methods, _Place):
    """
    A feed for tests with a thread of its own: ``with TickerFeed(symbols=["AAPL"], seed=7) as feed:``.

    Its methods return once their effects are written to clients. In a coroutine, await the methods of :attr:`aio` instead
    when its own event loop has something to do meanwhile, such as connecting a client.

    Args:
        options: of the server and its market; see :func:`feed_config`.
    """

    def __init__(self, **options: Unpack[FeedOptions]) -> None:
        self.server = FeedServer(feed_config(**options))
        self.director = self.server.director()
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        return f"<TickerFeed {self.url}, seed {self.seed}, {len(self.symbols)} symbols>"

    @property
    def now(self) -> datetime:
        """The market's time, in UTC."""
        return self.director.now

    @property
    def clients(self) -> list[Client]:
        """All connections since the last reset, in the order in which they came, closed ones included."""
        return self.director.clients

    @property
    def journal(self) -> Journal:
        """What happened since the last reset."""
        return self.director.journal

    @property
    def fault(self) -> FaultCommands:
        """The faults, as methods that give context managers: ``with feed.fault.stall(client=c):``."""
        return commanding(self.director.plant.faults, self.director.at_us, self._call)

    def report(self) -> str:
        """Give the clients and the end of the journal, for people."""
        return self.director.report()

    @property
    def aio(self) -> _Aio:
        """The same methods, to be awaited in a coroutine of asyncio or trio."""
        return _Aio(self.director, self._running)

    def start(self) -> None:
        """
        Listen, and turn the market.

        Raises:
            ConfigError: the port is in use, or the address isn't ours.
        """
        thread = self._thread = LoopThread(f"ticker feed {self.seed}")
        try:
            thread.call(self.server.start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """
        Close all connections with 1001, and end the thread; may be called twice.

        Raises:
            CommandError: it doesn't end; the message says what is still running.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.call(self.server.stop())
            finally:
                thread.end()

    def run(self, coroutine: Coroutine[Any, Any, R], /) -> R:
        """Run a coroutine in the feed's own event loop, and wait for what it gives."""
        __tracebackhide__ = True
        if self._thread is None:
            coroutine.close()
        thread = self._running
        try:
            return plainly(lambda: thread.call(coroutine))
        except WaitTimeout as error:
            if in_a_coroutine():
                error.add_note(
                    "the event loop of the test stood still meanwhile: in a coroutine, await feed.aio.wait_for_...()"
                )
            raise

    def _call(self, function: Callable[[], R]) -> R:
        """Call a function in the feed's own event loop."""
        __tracebackhide__ = True

        async def call() -> R:
            return function()

        return self.run(call())

    @property
    def _running(self) -> LoopThread:
        if self._thread is None:
            raise CommandError("the feed isn't running: enter it, or start() it")
        return self._thread

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class MakeTickerFeed(Protocol):
    """What the fixture ``make_ticker_feed`` gives, for annotations."""

    def __call__(self, **options: Unpack[FeedOptions]) -> TickerFeed:
        """Start a feed with these options; it stops with the test."""
        ...
