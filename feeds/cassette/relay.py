"""Passes messages on between a client and a server, until one of them ends it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import WSMessage, WSMsgType, web

__all__ = ["ABNORMAL", "CLOSE_S", "MAX_MESSAGE", "NO_CODE", "End", "Socket", "relay"]

MAX_MESSAGE = 64 << 20
"""Bytes of the largest message that passes; a larger one ends its connection with 1009."""
CLOSE_S = 2.0
"""Seconds to wait for the answer to a close frame."""
NO_CODE, ABNORMAL = 1005, 1006
"""What stands for a close frame without a code, and for none (RFC 6455, 7.4.1); neither can be sent."""

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
Note = Callable[[str | bytes, bool], bool]


@dataclass(frozen=True, slots=True)
class End:
    """How it ended."""

    by: str
    """``client``, ``server`` or ``recorder``."""
    code: int
    reason: str = ""

    async def tell(self, *sides: Socket) -> None:
        """Close both sides likewise, as far as it can be sent."""
        code = {NO_CODE: 1000, ABNORMAL: 1001}.get(self.code, self.code)
        for side in sides:
            await side.close(code=code, message=self.reason.encode())


async def relay(
    client: Socket,
    server: Socket,
    note: Note,
    until: Coroutine[Any, Any, End],
) -> End:
    """
    Pass messages on; each side is read only as fast as the other reads.

    Args:
        client: one side.
        server: the other.
        note: told each message, and whether the client sent it, before it is passed on; says whether it may be.
        until: ends it from outside.
    """
    works = [
        asyncio.create_task(_pass(client, server, note, inward=True)),
        asyncio.create_task(_pass(server, client, note, inward=False)),
        asyncio.create_task(until),
    ]
    try:
        done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    return next(work for work in works if work in done).result()


async def _pass(source: Socket, target: Socket, note: Note, *, inward: bool) -> End:
    here, there = ("client", "server") if inward else ("server", "client")
    while True:
        message = await source.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return _ending(message, here, source.close_code)
        if not note(message.data, inward):
            return End("recorder", 1011, "the recording failed")
        try:
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            else:
                await target.send_bytes(message.data)
        except (aiohttp.ClientError, ConnectionError):
            return End(there, ABNORMAL)


def _ending(message: WSMessage, by: str, code: int | None) -> End:
    if message.type is WSMsgType.CLOSE:
        return End(by, message.data or NO_CODE, message.extra or "")
    # Where a message was too large or no UTF-8, that is the code with which it was answered.
    return End(by, code or ABNORMAL)
