"""One connection of the load generator: as little work as possible for each message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson

from clients.loadgen.frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameParser,
    check_upgrade,
    is_whole,
    masked_frame,
    new_key,
    upgrade_request,
)
from clients.loadgen.tally import Tally

__all__ = ["Address", "LoadClient"]

READ_BUFFER = memoryview(bytearray(256 * 1024))
"""Shared by all connections of the process: a read is copied out of it before the next one begins."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to, and what to ask for there."""

    host: str
    """With the port, as for the `Host` header."""
    path: str
    token: str | None = field(default=None, repr=False)


class LoadClient(asyncio.BufferedProtocol):
    """Upgrades, sends *requests*, and counts what comes into *tally*.

    `live` is done when all requests have been granted, or fails with the reason.
    """

    transport: asyncio.Transport

    def __init__(self, address: Address, requests: Sequence[bytes], tally: Tally) -> None:
        self._address = address
        self._requests = requests
        self._tally = tally
        self._key = new_key()
        self._head: bytearray | None = bytearray()
        self._parser = FrameParser()
        self._awaited = len(requests)
        self._ended = False
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        address = self._address
        self.transport.write(upgrade_request(address.host, address.path, self._key, address.token))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the transport memory to read into."""
        return READ_BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        data = bytes(READ_BUFFER[:nbytes])
        try:
            if self._head is not None:
                data = self._upgrade(data)
            self._tally.received += len(data)
            for opcode, payload in self._parser.feed(data):
                if opcode == TEXT:
                    if self._awaited:
                        self._reply(payload)
                    self._tally.message(payload, time.time() * 1000)
                else:
                    self._control(opcode, payload)
        except FrameError as error:
            self._end(str(error))

    def _upgrade(self, data: bytes) -> bytes:
        """Take bytes of the response; return what follows it."""
        assert self._head is not None
        self._head += data
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        upgraded = head[8:13] == b" 101 "  # behind HTTP/1.1; its frames have no end to wait for
        if not blank or not (upgraded or is_whole(bytes(head), bytes(rest))):
            return b""
        check_upgrade(bytes(head), self._key, bytes(rest))
        self._head = None
        for request in self._requests:
            self.transport.write(masked_frame(TEXT, request))
        return bytes(rest)

    def _reply(self, payload: bytes) -> None:
        """Look for the replies to the requests; only before the connection is live."""
        try:
            for item in orjson.loads(payload):
                if item["type"] == "error":
                    self._end(f"{item['code']}: {item['message']}")
                elif item["type"] in ("subscribed", "authenticated"):
                    self._awaited -= not item.get("more", False)
        except (orjson.JSONDecodeError, LookupError, TypeError):
            self._end("malformed message")
        if not self._awaited and not self.live.done():
            self.live.set_result(None)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.transport.write(masked_frame(PONG, payload))
        elif opcode == CLOSE:
            self.transport.write(masked_frame(CLOSE, payload[:2]))
            self._end(str(int.from_bytes(payload[:2], "big") or 1005))
        elif opcode != PONG:
            self._end("a binary frame")

    def _end(self, reason: str) -> None:
        """Say once why the connection is over, and let it go."""
        if not self._ended:
            self._ended = True
            if self.live.done():
                self._tally.lost[reason] += 1
            else:
                self.live.set_exception(FrameError(reason))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note an end that nobody announced, as close code 1006."""
        self._end("1006" if self.live.done() else "closed before it was live")

    def close(self) -> None:
        """Leave with a close frame; this is no loss."""
        if not self._ended:
            self._ended = True
            self.transport.write(masked_frame(CLOSE, (1000).to_bytes(2, "big")))
            self.transport.close()
