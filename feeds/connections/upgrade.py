"""From an HTTP request to a WebSocket: what is agreed on, and what is refused."""

import base64
import sys
from typing import Any, Protocol

import orjson
from aiohttp import HttpVersion11, WebSocketError, WSCloseCode, hdrs, web

from feeds.admission.limits import RETRY_AFTER_S
from feeds.config import FeedConfig
from feeds.counters.stats import FeedStats
from feeds.dialects.fields import show
from feeds.errors import HttpCode
from feeds.faults.injector import Injector
from feeds.wire.deflate import agreement

__all__ = ["Host", "Upgraded", "agree", "spoiled", "upgrade"]

_UNREADABLE_BYTES = 512 * 1024  # also of what compressed messages come to: inflating stops there
_CLOSE_WAIT_S = 2.0  # at least, for the answer to a close frame
_LONGEST_REASON = 120
_VERSION = "13"
_JSON = "application/json"
_NO_UPGRADE = (
    "this path speaks WebSocket; over plain HTTP, /sse streams Server-Sent Events, /stream JSON lines,"
    " and /api/snapshot, /api/bars, /api/history and /api/symbols answer at once"
)


class Host(Protocol):
    """Who has conversations."""

    def let_go(self, call: Any, code: int, reason: str, /) -> object:
        """Leave a connection to the close frame that comes, with this code and reason."""
        ...


class Upgraded(web.WebSocketResponse):
    """
    aiohttp's side of a connection, with a say when it closes by itself: on what breaks RFC 6455, and on what is too big.

    It would do so without a reason, and past what the hub has yet to write.
    """

    __slots__ = ("call", "host")  # a callable would be two objects of each connection

    call: Any
    """The conversation; None: there is none yet."""
    host: "Host"
    """Whose conversation it is."""

    @property
    def last_code(self) -> int | None:
        """
        The code with which it ended; 0: a close frame without one, None: nobody said so.

        aiohttp itself forgets the one with which it closes when it can't read on.
        """
        error = self.exception()
        return error.code if isinstance(error, WebSocketError) else self.close_code

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        error = sys.exception()
        if isinstance(error, WebSocketError) and not self.closed:
            reason = str(error)[:_LONGEST_REASON]
            message = reason.encode()[:_LONGEST_REASON]
            if self.call is not None:
                self.host.let_go(self.call, code, reason)
        return await super().close(code=code, message=message, drain=drain)


def upgrade(
    request: web.Request, config: FeedConfig, stats: FeedStats, *, stopping: bool
) -> Upgraded:
    """
    Give the response to an upgrade, not prepared yet.

    Raises:
        HTTPServiceUnavailable: the server is stopping.
        HTTPUpgradeRequired: the request asks for no upgrade, or for another version of the protocol.
        HTTPBadRequest: its key is none.
    """
    # compress: aiohttp's own compressor is never used, it only negotiates. autoclose=False: the hub must let go of the
    # connection before the answer to a close frame goes out. autoping=False: a pong has to keep its place behind
    # what is unread, of which the hub knows. decode_text=False: bytes go to the parser as they are.
    ws = Upgraded(
        compress=config.compress,
        autoclose=False,
        autoping=False,
        timeout=max(_CLOSE_WAIT_S, config.shutdown_timeout),
        max_msg_size=_UNREADABLE_BYTES,
        decode_text=False,
    )
    ws.call = None
    if stopping:
        stats.refused[HttpCode.STOPPING] += 1
        raise web.HTTPServiceUnavailable(
            text=_error(HttpCode.STOPPING, "the server is stopping"),
            content_type=_JSON,
            headers={hdrs.RETRY_AFTER: str(RETRY_AFTER_S)},
        )
    if (refused := _refusal(ws, request)) is not None:
        code = HttpCode.INVALID_REQUEST if refused.status == 400 else HttpCode.UPGRADE_REQUIRED
        stats.refused[code] += 1
        raise refused
    return ws


async def agree(request: web.Request, response: web.StreamResponse) -> None:
    """Say all that is agreed on; for an application's ``on_response_prepare``."""
    if response.status == 101:
        name = hdrs.SEC_WEBSOCKET_EXTENSIONS
        if (agreed := response.headers.get(name)) is not None:
            response.headers[name] = agreement(request.headers[name], agreed)


def _refusal(ws: Upgraded, request: web.Request) -> web.HTTPClientError | None:
    """Give why a request can't become a WebSocket (RFC 6455, section 4.2.1); None: it can."""
    headers = request.headers
    if headers.get(hdrs.UPGRADE, "").strip().lower() != "websocket":
        return _upgrade_required(_NO_UPGRADE)
    if request.method != hdrs.METH_GET or request.version < HttpVersion11:
        major, minor = request.version
        text = f"a WebSocket is asked for with GET of HTTP/1.1, not {request.method} of HTTP/{major}.{minor}"
        return _upgrade_required(text)
    if request.body_exists:
        return _bad_request("a request for a WebSocket has no body")
    version = headers.get(hdrs.SEC_WEBSOCKET_VERSION)
    if version != _VERSION:
        shown = "missing" if version is None else show(version)
        return _upgrade_required(f"Sec-WebSocket-Version is {shown}; {_VERSION} is spoken here")
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY)
    if key is None or len(headers.getall(hdrs.SEC_WEBSOCKET_KEY)) > 1 or not _is_key(key):
        shown = "missing" if key is None else show(key)
        text = f"Sec-WebSocket-Key is {shown}; it must be there once: 16 bytes in base64"
        return _bad_request(text)
    return None if ws.can_prepare(request).ok else _upgrade_required(_NO_UPGRADE)


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.strip(), validate=True)) == 16
    except ValueError:
        return False


def _error(code: HttpCode, text: str) -> str:
    return orjson.dumps({"type": "error", "code": code, "message": text}).decode()


def _bad_request(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=_error(HttpCode.INVALID_REQUEST, text), content_type=_JSON)


def _upgrade_required(text: str) -> web.HTTPUpgradeRequired:
    body = _error(HttpCode.UPGRADE_REQUIRED, text)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": _VERSION}
    return web.HTTPUpgradeRequired(text=body, content_type=_JSON, headers=headers)


async def spoiled(
    faults: Injector, number: int, request: web.Request, stats: FeedStats
) -> web.Response | None:
    """Give what a fault answers instead of the upgrade; None: it goes on."""
    raw = request.transport
    answer = None if raw is None else await faults.handshake(number, raw)
    if answer is None:
        return None
    stats.refused["fault"] += 1
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
