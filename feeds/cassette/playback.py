"""Plays a recorded connection to one client."""

import asyncio
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from feeds.cassette.index import Index
from feeds.cassette.lines import Closed, Line, Message, Opened
from feeds.cassette.matching import Matching
from feeds.cassette.pace import Pace
from feeds.cassette.requests import Requests, rewrite

__all__ = ["Playback"]


class Playback:
    """
    One client, and what is played to it.

    Args:
        index: of the tape.
        matching: chooses what is played.
        requests: compares requests.
        pace: says when.
        loop: whether what comes after the last request starts over at its end.
        ws: the client.
    """

    def __init__(
        self,
        index: Index,
        matching: Matching,
        requests: Requests,
        pace: Pace,
        *,
        loop: bool,
        ws: web.WebSocketResponse,
    ) -> None:
        self._index, self._matching, self._requests = index, matching, requests
        self._pace, self._loop, self._ws = pace, loop, ws
        self._news = asyncio.Event()
        self._marks: dict[tuple[str, Any], Any] = {}
        self._offset: float | None = None  # of the pace's time to the tape's
        self._said = 0  # messages since the last gate
        self._skip = 0
        self._batches: Iterator[list[Line]] = iter(())
        self._batch: list[Line] = []  # with the next line at its end

    def ask(self, data: str | bytes) -> None:
        """
        Take what the client says.

        Raises:
            NothingMatchesError: nobody said that on the tape.
        """
        key = self._requests.key(data)
        if key is not None:
            self._matching.ask(key, self._requests.marks(data))
            self._pace.tell(self._news)

    async def play(self) -> Closed | None:
        """Play to the end; give how the server ended the connection, None if the client is gone."""
        self._pace.enter()
        try:
            self._go_to(self._matching.part.at)
            while True:
                if self._must_jump():
                    self._jump()
                line = await self._next()
                if isinstance(line, Message):
                    await (self._gate(line) if line.inward else self._say(line))
                elif self._loop and self._said:
                    self._go_to_section()
                elif isinstance(line, Closed) and line.by == "server":
                    return line
                elif not isinstance(line, Opened):
                    self._news.clear()
                    if not self._must_jump():  # which may have come while the tape was read
                        await self._pace.idle(self._news)
        except ConnectionError:
            return None
        finally:
            self._pace.leave()

    async def _say(self, line: Message) -> None:
        """Send a message when it is due; at once if what is waited for stands behind it."""
        if self._offset is None:
            self._offset = self._pace.now() - line.t
        due = line.t + self._offset
        while not self._hurries() and self._pace.now() < due:
            if self._must_jump():
                return
            self._news.clear()
            await self._pace.until(due, self._news)
        self._said += 1
        if isinstance(line.data, str):
            await self._ws.send_str(rewrite(line.data, self._marks))
        else:
            await self._ws.send_bytes(line.data)

    async def _gate(self, line: Message) -> None:
        """Wait until the client has said what stands here."""
        if self._requests.key(line.data) is None:
            return
        while not self._matching.ready():
            if self._matching.best is not self._matching.part:
                break
            self._news.clear()
            await self._pace.idle(self._news)
        if self._matching.best is not self._matching.part:
            self._jump()
            return
        live = self._matching.go_through()
        for name, old in self._requests.marks(line.data).items():
            self._marks.pop((name, old), None)
            if name in live and live[name] != old:
                self._marks[name, old] = live[name]
        self._offset, self._said = self._pace.now() - line.t, 0

    def _hurries(self) -> bool:
        matching = self._matching
        return matching.ready() or (
            matching.best is not matching.part and matching.next_gate() is not None
        )

    def _must_jump(self) -> bool:
        """Tell whether something else should play, and nothing that is to come here leads there."""
        return self._matching.best is not self._matching.part and self._matching.next_gate() is None

    def _jump(self) -> None:
        """Play what should be played, from the request on that it differs in."""
        self._matching.switch()
        gate = self._matching.next_gate()
        assert gate is not None
        if self._said:
            self._go_to(gate.at)
        else:
            self._go_to_section()

    def _go_to_section(self) -> None:
        """Go to what comes after the last gate."""
        part, passed = self._matching.part, self._matching.passed
        if passed:
            self._go_to(part.gates[passed - 1].at, skip=1)
        else:
            self._go_to(part.at)

    def _go_to(self, at: int, skip: int = 0) -> None:
        self._batches = self._index.lines(self._matching.part, at)
        self._batch, self._skip, self._offset = [], skip, None

    async def _next(self) -> Line | None:
        while not self._batch:
            batch = await asyncio.to_thread(next, self._batches, None)
            if batch is None:
                return None
            self._batch = batch[self._skip :][::-1]
            self._skip = 0
        return self._batch.pop()
