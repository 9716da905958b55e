"""The client for programs that are not asynchronous: scripts, notebooks, threads.

with SyncTickerClient(symbols=["AAPL"]) as client:
    for event in client:
        print(event)
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self, TypeVar

from clients.client import DEFAULT_URL, TickerClient
from clients.core.connection import shown
from clients.events import Event, Hello, Instrument, Snapshot
from clients.failures import ConnectionLostError

__all__ = ["SyncTickerClient"]

T = TypeVar("T")


class SyncTickerClient:
    """A `TickerClient` behind plain functions: `with`, `for`, and the same requests and errors.

    The asynchronous client runs in a thread of its own, so the connection is kept alive and up
    whatever the program does between two events. Use it from one thread at a time. *options* are
    those of `TickerClient`. Leaving the `with` block closes the connection, however it is left.
    """

    def __init__(self, url: str = DEFAULT_URL, **options: Any) -> None:
        self._url = url
        self._options = options
        self._closed = False
        self._taken: deque[Event] = deque()
        self._ready: Future[TickerClient] = Future()
        self._thread = threading.Thread(target=self._work, name=f"feed {shown(url)}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def _work(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            # Whoever enters the context learns why; afterwards it is only the cancellation by close().
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._closed:
            return
        async with TickerClient(self._url, **self._options) as client:
            self._ready.set_result(client)
            await asyncio.Event().wait()  # until close() cancels this

    def __enter__(self) -> Self:
        try:
            self._thread.start()
            self._client = self._ready.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        taken = self._taken
        if not taken and not self._closed:
            # All that waits comes over at once: crossing between the threads is what costs.
            taken.extend(self._do(self._client.batch()))
        if not taken:
            raise StopIteration
        return taken.popleft()

    @property
    def hello(self) -> Hello | None:
        """What the server said last."""
        return self._client.hello

    @property
    def transport(self) -> str:
        """What it is connected over: `websocket` or `sse`."""
        return self._client.transport

    @property
    def reconnects(self) -> int:
        """How often the connection was made again."""
        return self._client.reconnects

    def subscribe(
        self,
        *symbols: str,
        channels: Iterable[str] | None = None,
        interval: str | None = None,
        snapshot: bool = True,
        mode: str | None = None,
        max_hz: float | None = None,
    ) -> tuple[str, ...]:
        """As `TickerClient.subscribe`."""
        return self._do(
            self._client.subscribe(
                *symbols,
                channels=channels,
                interval=interval,
                snapshot=snapshot,
                mode=mode,
                max_hz=max_hz,
            )
        )

    def unsubscribe(
        self, *symbols: str, channels: Iterable[str] | None = None, interval: str | None = None
    ) -> tuple[str, ...]:
        """As `TickerClient.unsubscribe`."""
        return self._do(self._client.unsubscribe(*symbols, channels=channels, interval=interval))

    def snapshot(self, *symbols: str) -> list[Snapshot]:
        """As `TickerClient.snapshot`."""
        return self._do(self._client.snapshot(*symbols))

    def symbols(self) -> list[Instrument]:
        """As `TickerClient.symbols`."""
        return self._do(self._client.symbols())

    def ping(self) -> float:
        """As `TickerClient.ping`."""
        return self._do(self._client.ping())

    def close(self) -> None:
        """Close the connection and end the thread; iteration then ends after what was taken already."""
        self._closed = True
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.is_alive():
            self._thread.join()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the loop do *work*, and wait for it."""
        if self._closed or self._loop is None:
            work.close()
            raise ConnectionLostError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in this thread must not leave the work behind
            raise
