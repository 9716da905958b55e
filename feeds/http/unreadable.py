"""
Requests that aren't HTTP, or are too long: answered like every other error, and neither repeated nor logged.

aiohttp answers such requests with what it couldn't read, in plain text, and logs it as an error with a traceback. There may
be a token in it, and anybody who can connect could fill the log.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from feeds.admission.inbound import Inbound
from feeds.admission.limits import Refusal
from feeds.admission.unfinished import Unfinished
from feeds.errors import HttpCode
from feeds.http.answers import SERVER, refusal_answer

__all__ = [
    "LINGER_S",
    "MAX_FIELD_BYTES",
    "MAX_HEADERS",
    "MAX_HEADERS_BYTES",
    "MAX_URL_BYTES",
    "GuardedProtocol",
    "HttpProtocols",
]

log = logging.getLogger("feeds")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_URL_BYTES = 64 * 1024
"""Enough for a URL of ``/sse`` with the sequences of some hundred symbols."""
MAX_FIELD_BYTES = 8_190
"""Of a header's name and value together."""
MAX_HEADERS = 128
MAX_HEADERS_BYTES = 32 * 1024
"""Of all headers together. They are kept for as long as a request is answered: for ever, if it became a WebSocket."""

LINGER_S = 2.0
"""For how long the rest of a body is read that nobody wants, so that its sender sees the answer."""

_NOT_HTTP = Refusal(400, HttpCode.INVALID_REQUEST, "what came is no request of HTTP/1.1")
_NO_PATH = Refusal(
    400, HttpCode.INVALID_REQUEST, "what is asked for is no path, and this server is no proxy"
)
_URL = Refusal(
    414, HttpCode.URI_TOO_LONG, f"a URL of more than {MAX_URL_BYTES} bytes; no more are allowed"
)
_FIELD = Refusal(
    431,
    HttpCode.HEADERS_TOO_LARGE,
    f"a header of more than {MAX_FIELD_BYTES} bytes; no more are allowed",
)
_HEADERS = Refusal(
    431, HttpCode.HEADERS_TOO_LARGE, f"more than {MAX_HEADERS} headers; no more are allowed"
)
_TOGETHER = Refusal(
    431,
    HttpCode.HEADERS_TOO_LARGE,
    f"headers of more than {MAX_HEADERS_BYTES} bytes together; no more are allowed",
)
_FAILED = Refusal(
    500,
    HttpCode.INTERNAL_ERROR,
    "an error inside the server, which is in its log; please report it",
)

_NO_REQUESTS: deque[Any] = deque(maxlen=0)
"""What is queued behind a request that became a WebSocket: nothing, ever."""


class HttpProtocols:
    """
    Makes the protocols behind a listening socket.

    Args:
        server: of aiohttp, which keeps account of them.
        keep_alive_s: how long a connection may be silent between two requests, in seconds.
        refused: counts what is answered here, by the error's code.
        guarded: whether the frames of WebSockets pass through :class:`feeds.admission.inbound.Inbound`.
        unfinished: keeps account of messages of WebSockets that aren't whole.
    """

    def __init__(
        self,
        server: web.Server,
        keep_alive_s: float,
        refused: Counter[str],
        *,
        guarded: bool = False,
        unfinished: Unfinished | None = None,
    ) -> None:
        self._server, self._refused, self._unfinished = server, refused, unfinished
        server.request_handler = _readable(server.request_handler, refused)
        self._kind = GuardedProtocol if guarded else _HttpProtocol
        self._options: dict[str, Any] = {
            "loop": asyncio.get_running_loop(),
            "access_log": None,
            "keepalive_timeout": keep_alive_s,
            "max_line_size": MAX_URL_BYTES,
            "max_field_size": MAX_FIELD_BYTES,
            "max_headers": MAX_HEADERS,
            "lingering_time": LINGER_S,
            "auto_decompress": False,  # nothing that we read is compressed, and what isn't either would be logged
        }

    def __call__(self) -> web.RequestHandler:
        protocol = self._kind(self._server, **self._options)
        protocol.refused, protocol.unfinished = self._refused, self._unfinished
        return protocol


class _HttpProtocol(web.RequestHandler):
    """aiohttp's protocol of one connection, with our answers to requests that never reach one of our handlers."""

    __slots__ = ("_body", "_head", "refused", "unfinished")

    refused: Counter[str]
    unfinished: Unfinished | None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._body: StreamReader = EMPTY_PAYLOAD  # of the newest request
        self._head = 0  # bytes of a request that isn't whole

    def data_received(self, data: bytes) -> None:
        if self._payload_parser is not None:  # a WebSocket
            super().data_received(data)
            return
        before = len(self._messages)
        super().data_received(data)
        if len(self._messages) > before:
            self._body, self._head = self._messages[-1][1], 0
        elif self._body.is_eof():
            self._head += len(data)
            if self._head > MAX_URL_BYTES + MAX_HEADERS_BYTES:
                self._give_up()

    def _give_up(self) -> None:
        """Refuse a request before it is whole, as what has come of it is kept until then."""
        self._head = 0
        self.refused[_TOGETHER.code] += 1
        if self._waiter is None or self.transport is None:  # something else is being answered
            self.close()
            return
        self.transport.write(_TOGETHER.last_words())
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):  # it went away in the middle: nobody reads an answer
            raise exc
        if isinstance(exc, RuntimeError) and _is_gone(request):  # uvloop says it this way
            raise ConnectionError("it went away in the middle") from exc
        if not isinstance(exc, HttpProcessingError):
            log.error("a request failed; please report this", exc_info=exc)
            refusal = _FAILED
        else:
            log.debug("a request from %s is no HTTP: %s", request.remote, type(exc).__name__)
            refusal = _refusal(exc)
        self.refused[refusal.code] += 1
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer has been sent")
        # A refusal is answered in the version that we speak; some WebSocket libraries read no other. There is no public way.
        request._version = HttpVersion11
        return _last_answer(refusal)


class GuardedProtocol(_HttpProtocol):
    """With a look at each frame of a WebSocket before it is read."""

    __slots__ = ("inbound",)

    inbound: Inbound

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        assert self.transport is not None
        self.inbound = Inbound(
            parser, unfinished=self.unfinished, abort=cast(Any, self.transport).abort
        )
        super().set_parser(cast(Any, self.inbound), data_received_cb)
        # No further request comes on this connection. What aiohttp keeps to read one is 2.5 KB of each that is open.
        self._parser = None
        if not self._messages:
            self._messages = _NO_REQUESTS


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _readable(handler: Handler, refused: Counter[str]) -> Handler:
    """
    Keep from the routes what asks for no path, as ``CONNECT`` and ``OPTIONS *`` do, and what has too much in its head.

    aiohttp would answer the former by itself, past the rules of access. No coroutine stands between, as it would stay as
    long as a connection does.
    """

    async def refuse(refusal: Refusal) -> web.StreamResponse:
        refused[refusal.code] += 1
        return _last_answer(refusal)

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        if not request.rel_url.raw_path.startswith("/"):
            return refuse(_NO_PATH)
        if sum([len(name) + len(value) for name, value in request.raw_headers]) > MAX_HEADERS_BYTES:
            return refuse(_TOGETHER)
        return handler(request)

    return handle


def _last_answer(refusal: Refusal) -> web.Response:
    response = refusal_answer(refusal)
    response.headers["Server"] = SERVER
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.force_close()
    return response


def _refusal(error: HttpProcessingError) -> Refusal:
    if isinstance(error, LineTooLong):
        return _URL if MAX_URL_BYTES in error.args else _FIELD
    return _HEADERS if error.message.startswith("Too many headers") else _NOT_HTTP
