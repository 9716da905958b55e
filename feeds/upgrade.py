"""From a request over HTTP to a WebSocket: what is agreed on, and who is refused."""

from aiohttp import web

from feeds.config import FeedConfig
from feeds.faults.injector import Injector
from feeds.stats import FeedStats

__all__ = ["spoiled", "upgrade"]

_UNREADABLE_BYTES = 4 * 1024 * 1024
_CLOSE_WAIT_S = 2.0  # at least, for the answer to a close frame


def upgrade(
    request: web.Request, config: FeedConfig, stats: FeedStats, *, stopping: bool
) -> web.WebSocketResponse:
    """
    Give the response to an upgrade, not prepared yet.

    Raises:
        HTTPServiceUnavailable: the server is stopping.
        HTTPUpgradeRequired: the request asks for no upgrade.
    """
    # compress: aiohttp's own compressor is never used, it only negotiates. autoclose=False: the hub must let go of the
    # connection before the answer to a close frame goes out. autoping=False: a pong has to keep its place behind
    # what is unread, of which the hub knows. decode_text=False: bytes go to the parser as they are.
    ws = web.WebSocketResponse(
        compress=config.compress,
        autoclose=False,
        autoping=False,
        timeout=max(_CLOSE_WAIT_S, config.shutdown_timeout),
        max_msg_size=_UNREADABLE_BYTES,
        decode_text=False,
    )
    if stopping:
        stats.refused["stopping"] += 1
        raise web.HTTPServiceUnavailable(
            text='{"type":"error","code":"stopping","message":"the server is stopping"}',
            content_type="application/json",
        )
    if not ws.can_prepare(request).ok:
        stats.refused["upgrade_required"] += 1
        raise web.HTTPUpgradeRequired(
            text='{"type":"error","code":"upgrade_required","message":"this path speaks WebSocket; over plain HTTP,'
            " /sse streams Server-Sent Events, /stream JSON lines, and /api/snapshot, /api/bars, /api/history"
            ' and /api/symbols answer at once"}',
            content_type="application/json",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )
    return ws


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
