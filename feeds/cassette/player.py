"""Serves a cassette: each client gets what was said on the recorded connection that asked for the same."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from aiohttp import WSMsgType, hdrs, web

from feeds.cassette.index import Part, read_index
from feeds.cassette.lines import Closed, TapeError
from feeds.cassette.matching import Matching, NothingMatchesError
from feeds.cassette.pace import ManualPace, parse_timing
from feeds.cassette.playback import Playback
from feeds.cassette.redact import Redactor
from feeds.cassette.relay import ABNORMAL, CLOSE_S, NO_CODE
from feeds.cassette.requests import IGNORED, Requests
from feeds.cassette.site import Seated, Site
from feeds.errors import ConfigError
from feeds.http.answers import error_json
from feeds.notation.times import Duration, seconds_of

__all__ = ["NOT_RECORDED", "Player"]

log = logging.getLogger("feeds")

NOT_RECORDED = 4404
"""Close code for a client that asks for what isn't on the tape."""

_MISSING = "not_recorded"
_NAMED = 5


class Player(Seated):
    """
    A server that plays a cassette; use it as ``async with Player(...) as player:``.

    Args:
        path: the cassette.
        timing: ``original``, ``max`` (as fast as clients read), ``manual`` (see :meth:`advance`), or ``x10``.
        loop: whether what comes after a connection's last request starts over at its end.
        ignored: names of fields that don't count when requests are compared.
        host: address to listen on.
        port: port to listen on; 0: any free one.
        origin: web pages from elsewhere that may connect.

    Raises:
        TapeError: the file can't be read, is no cassette, or is damaged.
        ConfigError: an option isn't allowed, or, on entering, the port is in use or the address isn't ours.
    """

    def __init__(
        self,
        path: Path,
        *,
        timing: str = "original",
        loop: bool = False,
        ignored: Iterable[str] = IGNORED,
        host: str = "127.0.0.1",
        port: int = 0,
        origin: Iterable[str] = (),
    ) -> None:
        self._pace, self._loop, self._ignored = parse_timing(timing), loop, tuple(ignored)
        self.index = read_index(path, self._ignored)
        """What is on the tape, and how often each part was played."""
        self._site = Site(self._handle, host, port, origin)
        self._open: set[web.WebSocketResponse] = set()
        self._stopping = False

    async def advance(self, by: Duration) -> None:
        """
        Move the time of the tape on, by ``"250ms"`` or so many seconds; returns when all that was due is written.

        Raises:
            ConfigError: the timing isn't ``manual``.
            CommandError: this is no length of time.
        """
        if not isinstance(self._pace, ManualPace):
            raise ConfigError("only with the timing 'manual' is the time moved by hand")
        await self._pace.advance(seconds_of(by))

    async def __aenter__(self) -> Self:
        await self._site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        closing = (
            ws.close(code=1001, message=b"the player is stopping") for ws in list(self._open)
        )
        await asyncio.gather(*closing)
        await self._site.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        redactor = Redactor(self.index.head.redact, self.index.head.keep)
        redactor.learn_headers(request.headers)
        requests = Requests(redactor, self._ignored)
        key = requests.path(request.path_qs)
        parts = [part for part in self.index.parts if part.key == key]
        if not parts:
            paths = _listed({part.key: None for part in self.index.parts})
            return error_json(
                404, _MISSING, f"nothing was recorded at {key!r}; there is something at {paths}"
            )
        first = min(parts, key=lambda part: part.played)
        if first.status is not None:
            first.played += 1
            return error_json(first.status, _MISSING, "it was refused when this was recorded, too")
        matching = Matching([part for part in parts if part.status is None])
        return await self._serve(request, matching, requests)

    async def _serve(
        self, request: web.Request, matching: Matching, requests: Requests
    ) -> web.StreamResponse:
        ws = web.WebSocketResponse(
            protocols=_protocols(request, matching.part), timeout=CLOSE_S, max_msg_size=0
        )
        await ws.prepare(request)
        playback = Playback(self.index, matching, requests, self._pace, loop=self._loop, ws=ws)
        self._open.add(ws)
        playing = asyncio.create_task(playback.play())
        hearing = asyncio.create_task(self._hear(ws, playback))
        try:
            await asyncio.wait((playing, hearing), return_when=asyncio.FIRST_COMPLETED)
            playing.cancel()
            hearing.cancel()
            await asyncio.gather(playing, hearing, return_exceptions=True)
            await self._end(request, ws, playing, hearing, matching)
        finally:
            self._open.discard(ws)
        return ws

    async def _hear(self, ws: web.WebSocketResponse, playback: Playback) -> None:
        while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            try:
                playback.ask(message.data)
            except NothingMatchesError:
                raise _UnheardError(message.data) from None

    async def _end(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        playing: asyncio.Task[Closed | None],
        hearing: asyncio.Task[None],
        matching: Matching,
    ) -> None:
        for task in (hearing, playing):
            if not task.cancelled() and (error := task.exception()) is not None:
                await self._fail(ws, error, matching)
                return
        closed = None if playing.cancelled() else playing.result()
        if closed is None:
            await ws.close()
        elif closed.code == ABNORMAL:
            if request.transport is not None:
                request.transport.abort()
        else:
            code = 1000 if closed.code == NO_CODE else closed.code
            await ws.close(code=code, message=closed.reason.encode())

    async def _fail(
        self, ws: web.WebSocketResponse, error: BaseException, matching: Matching
    ) -> None:
        if isinstance(error, _UnheardError):
            asked = _listed({gate.shown: None for gate in matching.part.gates})
            path = matching.part.key
            log.warning("%s isn't on the tape; at %s, it has %s", error, path, asked)
            await ws.close(code=NOT_RECORDED, message=f"not on the tape: {error}".encode()[:120])
            return
        if isinstance(error, TapeError):
            log.error("%s", error)
        else:
            log.error("playing failed; please report this", exc_info=error)
        await ws.close(code=1011, message=b"the tape can't be played on")


class _UnheardError(Exception):
    def __init__(self, data: str | bytes) -> None:
        text = data if isinstance(data, str) else f"{len(data)} bytes"
        super().__init__(text if len(text) <= 100 else text[:97] + "...")


def _listed(names: Iterable[str]) -> str:
    several = list(names)
    more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
    return (", ".join(several[:_NAMED]) or "no requests") + more


def _protocols(request: web.Request, part: Part) -> tuple[str, ...]:
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
    names = {name.strip() for name in offered.split(",")}
    return (part.protocol,) if part.protocol in names and part.protocol else ()
