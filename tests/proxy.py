"""A real feed behind a proxy that does what bad networks do, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from blackhole import blackhole

from feeds.admission.listen import stop_listening
from feeds.config import FeedConfig
from feeds.server import FeedServer

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["ProxiedFeed"]

TIMEOUT_S = 60
T = TypeVar("T")


class ProxiedFeed:
    """
    A context manager. *websockets* says what happens to those: they pass (True), are refused with an HTTP error
    (False), or are cut after the handshake, before the first message ("cut").
    """

    def __init__(self, *, websockets: bool | str = True, **options: Any) -> None:
        self.websockets = websockets
        self.refused = 0
        """How many WebSockets did not get through."""
        self.port = 0
        self._config = FeedConfig(**{"port": 0, "rate": 20.0, "turn_ms": 2.0, **options})
        self._open: dict[asyncio.StreamWriter, bool] = {}  # and whether it is stalled
        self._pairs: dict[
            asyncio.StreamWriter, asyncio.StreamWriter
        ] = {}  # and the feed's side of it
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def __enter__(self) -> ProxiedFeed:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    def open_session(self, session: str, **changes: Any) -> None:
        """Begin one more session of the feed."""

        async def begin() -> None:
            self._feed.plants.open(session, changes)

        self._run(begin())

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever it carries."""

        async def cut() -> None:
            for writer in list(self._open):
                writer.transport.abort()

        self._run(cut())

    def stall(self) -> None:
        """From now on forward nothing more on the connections that stand, and close none: they are half open."""

        async def stall() -> None:
            for writer in self._open:
                self._open[writer] = True

        self._run(stall())

    def blackhole(self) -> None:
        """Let the connections that stand die without a word, on both sides: from now on nothing reaches us on them."""

        async def cut() -> None:
            for writer, forth in self._pairs.items():
                blackhole(writer.get_extra_info("socket"))
                blackhole(forth.get_extra_info("socket"))
                self._open[writer] = True

        self._run(cut())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    async def _start(self) -> None:
        self._feed = FeedServer(self._config)
        await self._feed.start()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        await stop_listening(self._server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._feed.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._serve(reader, writer)
        self._tasks.discard(task)
        self._open.pop(writer, None)
        self._pairs.pop(writer, None)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        websocket = b"upgrade: websocket" in head.lower()
        if websocket and self.websockets is False:
            self.refused += 1
            writer.write(
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
            return
        self._open[writer] = False
        back, forth = await asyncio.open_connection("127.0.0.1", self._feed.port)
        self._pairs[writer] = forth
        try:
            forth.write(head)
            if websocket and self.websockets == "cut":
                self.refused += 1
                writer.write(await back.readuntil(b"\r\n\r\n"))
                await writer.drain()
                return
            pumps = [
                asyncio.create_task(self._pump(reader, forth, writer)),
                asyncio.create_task(self._pump(back, writer, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                if self._open.get(writer):
                    await asyncio.Event().wait()  # whatever ended: nobody is told
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            forth.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, key: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(1 << 16):
            if not self._open.get(key, True):
                target.write(data)
                await target.drain()
