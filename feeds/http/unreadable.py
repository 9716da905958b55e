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

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from feeds.admission.inbound import Inbound
from feeds.admission.limits import Refusal
from feeds.errors import HttpCode
from feeds.http.answers import SERVER, refusal_answer

__all__ = ["MAX_FIELD_BYTES", "MAX_HEADERS", "MAX_URL_BYTES", "GuardedProtocol", "HttpProtocols"]

log = logging.getLogger("feeds")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_URL_BYTES = 64 * 1024
"""Enough for a URL of ``/sse`` with the sequences of some hundred symbols."""
MAX_FIELD_BYTES = 8_190
"""Of a header's name and value together."""
MAX_HEADERS = 128

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
    """

    def __init__(
        self,
        server: web.Server,
        keep_alive_s: float,
        refused: Counter[str],
        *,
        guarded: bool = False,
    ) -> None:
        self._server, self._refused = server, refused
        server.request_handler = _paths_only(server.request_handler, refused)
        self._kind = GuardedProtocol if guarded else _HttpProtocol
        self._options: dict[str, Any] = {
            "loop": asyncio.get_running_loop(),
            "access_log": None,
            "keepalive_timeout": keep_alive_s,
            "max_line_size": MAX_URL_BYTES,
            "max_field_size": MAX_FIELD_BYTES,
            "max_headers": MAX_HEADERS,
            "auto_decompress": False,  # nothing that we read is compressed, and what isn't either would be logged
        }

    def __call__(self) -> web.RequestHandler:
        protocol = self._kind(self._server, **self._options)
        protocol.refused = self._refused
        return protocol


class _HttpProtocol(web.RequestHandler):
    """aiohttp's protocol of one connection, with our answers to requests that never reach one of our handlers."""

    __slots__ = ("refused",)

    refused: Counter[str]

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
        self.inbound = Inbound(parser)
        super().set_parser(cast(Any, self.inbound), data_received_cb)
        # No further request comes on this connection. What aiohttp keeps to read one is 2.5 KB of each that is open.
        self._parser = None
        if not self._messages:
            self._messages = _NO_REQUESTS


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _paths_only(handler: Handler, refused: Counter[str]) -> Handler:
    """
    Keep from the routes what asks for no path, as ``CONNECT`` and ``OPTIONS *`` do: none of them is for that.

    aiohttp would answer it by itself, past the rules of access. No coroutine stands between, as it would stay as long as a
    connection does.
    """

    async def refuse(_: web.BaseRequest) -> web.StreamResponse:
        refused[_NO_PATH.code] += 1
        return _last_answer(_NO_PATH)

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        named = request.rel_url.raw_path.startswith("/")
        return handler(request) if named else refuse(request)

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
