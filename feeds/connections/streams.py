"""
Streams over plain HTTP, for clients that can't have a WebSocket: ``/sse`` and ``/stream``.

aiohttp reads the request, writes the head of the response and ends it. What comes in between is written past it, by the same
hub that serves the WebSockets, so groups, conflation, eviction and heartbeats work for streams as well.
"""

import asyncio
import logging
import random
from functools import partial

from aiohttp import HttpVersion11, web

from feeds.connections.drain import drained
from feeds.connections.reaper import Reaper, Stream
from feeds.connections.service import Service
from feeds.connections.settling import Settling
from feeds.counters.stats import STREAM
from feeds.dialects.requests import is_little
from feeds.errors import RequestError
from feeds.fanout.cursor import Cursor, Place
from feeds.fanout.group import Member
from feeds.http.access import spend
from feeds.observation.clientele import visiting
from feeds.observation.visit import eviction
from feeds.protocol.query import OF_EVERY_PATH, StreamQuery, parse_query
from feeds.protocol.session import Session
from feeds.wire.bodies import EventStream, Lines
from feeds.wire.transport import SocketTransport

__all__ = ["PATHS", "Streams"]

log = logging.getLogger("feeds")

PATHS = {"/sse": "text/event-stream; charset=utf-8", "/stream": "application/x-ndjson"}
"""The paths, and what they answer with."""

_RETRY_MS = (500, 1_500)  # drawn, so that clients that lost a server don't all come back at once
_CLOSE_WAIT_S = 2.0


class Streams:
    """
    The streaming responses of one feed.

    Args:
        service: what serves them.
    """

    def __init__(self, service: Service) -> None:
        self._feed, self._pump = service.feed, service.pump
        self._desk, self._clock = service.desk, service.clock
        self._config, self._access = service.config, service.access
        self._clientele = service.clientele
        self._settling = Settling(self._feed.hub, self._clock)
        self._until: float | None = None  # in the event loop's seconds
        heartbeat_s = self._feed.heartbeat_ms / 1000
        self._reaper = Reaper(self._feed.hub, self._pump, self._clock, heartbeat_s)
        self.open = self._reaper.streams
        self._written: tuple[Place | None, bytes] = (None, b"")  # the newest cursor, as text
        # By path, whether in chunks, and whether with cursors: one object each, since groups go by it.
        self._envelopes: dict[tuple[str, bool, bool], EventStream | Lines] = {}
        for chunked in (False, True):
            for cursor in (None, self._cursor):
                key = chunked, cursor is not None
                self._envelopes["/sse", *key] = EventStream(chunked=chunked, cursor=cursor)
                self._envelopes["/stream", *key] = Lines(chunked=chunked, cursor=cursor)

    def _cursor(self) -> bytes:
        place = self._feed.hub.place
        if self._written[0] is not place:
            self._written = place, str(Cursor(self._feed.epoch, place)).encode()
        return self._written[1]

    def end(self) -> None:
        """Let every response end with its last chunk."""
        self._written = None, b""
        for stream in self.open:
            stream.over.set()

    async def close(self, deadline: float, *, settle: bool) -> None:
        """
        End every response with its last chunk.

        Args:
            deadline: who hasn't taken it by then is cut off; in the event loop's seconds.
            settle: first let clients have what is pending.
        """
        self._until, streams = deadline, list(self.open)
        await asyncio.gather(*(self._part(stream, deadline, settle=settle) for stream in streams))
        self.end()
        self._reaper.close()

    async def _part(self, stream: Stream, deadline: float, *, settle: bool) -> None:
        """End one response; cut it off at the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                if settle and stream.member is not None:
                    await self._settling.of(stream.member)
                stream.over.set()
                await stream.ended.wait()
        except TimeoutError:
            stream.over.set()
            stream.transport.abort()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        pairs = [pair for pair in request.query.items() if pair[0] not in OF_EVERY_PATH]
        query = parse_query(request.path, pairs, request.headers.get("Last-Event-ID"))
        for _ in self._feed.wanted(query.subscribe, None, partial(spend, request)):
            await asyncio.sleep(0)  # what is wrong has to be told before the head
        chunked = request.version >= HttpVersion11
        response = _response(request.path, chunked=chunked)
        await response.prepare(request)
        if request.method == "HEAD" or request.transport is None:
            return response
        transport = SocketTransport(request.transport, self._config.backlog.no_progress_s)
        gate = self._access.gate(request, self._config.limits, self._clock.seconds)
        visit = visiting(self._clientele, request)
        stream = Stream(
            request.path,
            visit.watch(transport),
            gate,
            visit,
            request.transport.get_extra_info("socket"),
        )
        try:
            await self._serve(stream, query, response, chunked=chunked)
        finally:
            visit.closed(None)
        return response

    async def _serve(
        self,
        stream: Stream,
        query: StreamQuery,
        response: web.StreamResponse,
        *,
        chunked: bool,
    ) -> None:
        self._reaper.enter(stream)
        self._feed.stats.accepted[stream.path.removeprefix("/")] += 1
        # A cursor says that everything came up to a time; with the latest only, something always waits for its window.
        cursors = query.subscribe.mode != "latest" and (query.cursors or stream.path == "/sse")
        try:
            await self._pump.may_answer()
            member = self._join(stream, self._envelopes[stream.path, chunked, False])
            stream.member = member
            try:
                with self._pump.answers:
                    envelope = self._envelopes[stream.path, chunked, cursors]
                    await self._begin(stream, member, query, envelope)
                await stream.over.wait()
            finally:
                stream.member = None
                self._feed.hub.leave(member)
                stream.gate.hold(0)
            await self._end(stream, response)
        except Exception:
            log.exception("a stream failed; please report this")
            stream.transport.abort()
        finally:
            self.open.discard(stream)
            self._feed.stats.closed[STREAM] += 1
            stream.transport.release()
            stream.ended.set()

    def _join(self, stream: Stream, envelope: EventStream | Lines) -> Member:
        hub, seconds = self._feed.hub, self._clock.seconds
        member = hub.join(stream.transport, seconds(), eviction(stream.visit), envelope)
        hub.control(
            member, envelope.greet(self._feed.hello(), random.randint(*_RETRY_MS)), seconds()
        )
        return member

    async def _begin(
        self,
        stream: Stream,
        member: Member,
        query: StreamQuery,
        envelope: EventStream | Lines,
    ) -> None:
        """
        Subscribe, in pieces.

        Before the last piece, no message has a cursor: it would say that the client has everything up to then.
        """
        hub, seconds = self._feed.hub, self._clock.seconds
        session = Session(self._feed, member, stream.gate, stream.visit)
        pieces = iter(session.subscriber.subscribe(query.subscribe, seconds(), query.cursor))
        long, more = query.cursor is not None or not is_little(query.subscribe), True
        try:
            while more and not self._gone(stream, member):
                async with self._desk.long() if long else self._desk:
                    if self._gone(stream, member):
                        break
                    answer, more = next(pieces)
                    if not more:
                        hub.repack(member, envelope, seconds())
                    if answer:
                        hub.reply(member, answer, seconds())
                del answer  # it is kept once, where it waits to be read
                await drained(member, stream.transport, hub, seconds)
                await asyncio.sleep(0)
            await self._pump.between_turns()
        except RequestError as error:
            await self._pump.between_turns()
            hub.reply(member, session.refuse(error).message, seconds())
            stream.over.set()

    @staticmethod
    def _gone(stream: Stream, member: Member) -> bool:
        return stream.over.is_set() or stream.transport.closed() or member.group is None

    async def _end(self, stream: Stream, response: web.StreamResponse) -> None:
        """Write the last chunk, unless the client has gone."""
        if stream.transport.closed():
            stream.transport.abort()  # what is unread would be kept until it is read, so perhaps for ever
            return
        stream.visit.closing("server", 1000, "the end of the response")
        stream.transport.release()
        until = self._until or asyncio.get_running_loop().time() + _CLOSE_WAIT_S
        try:
            async with asyncio.timeout_at(until):
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            stream.transport.abort()


def _response(path: str, *, chunked: bool) -> web.StreamResponse:
    """Give the head of a response that goes on."""
    response = web.StreamResponse(
        headers={
            "Content-Type": PATHS[path],
            # Proxies must neither keep it, nor compress it, nor wait for more of it.
            "Cache-Control": "no-store, no-transform",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )
    if chunked:
        response.enable_chunked_encoding()
    else:
        response.force_close()  # the end of the connection is the end of the response
    return response
