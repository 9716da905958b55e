"""One stream of Server-Sent Events (WHATWG HTML, section 9.2). Knows no symbols."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import AsyncGenerator

import aiohttp
import orjson
import yarl

from clients.core.silence import Silence
from clients.failures import ConnectError, RequestError, TickerError

__all__ = ["EventParser", "read_events", "refusal"]

REFUSALS = frozenset({400, 401, 403, 404})
"""Statuses after which trying again would not help."""

_LINE_ENDS = re.compile(r"\r\n|\n|\r")


class EventParser:
    """Cuts text that comes in chunks into events; an id is that of its own event only."""

    def __init__(self) -> None:
        self._rest = ""
        self._data: list[str] = []
        self._id = ""

    def push(self, chunk: str) -> list[tuple[str, str]]:
        """Take a chunk; return the data and the id of each event that ends in it."""
        text = self._rest + chunk
        half = text.endswith("\r")  # the other half of the line's end may follow
        lines = _LINE_ENDS.split(text[:-1] if half else text)
        self._rest = lines.pop() + ("\r" if half else "")
        events = []
        for line in lines:
            if line:
                self._field(line)
                continue
            if self._data:
                events.append(("\n".join(self._data), self._id))
            self._data, self._id = [], ""
        return events

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value


async def refusal(response: aiohttp.ClientResponse) -> TickerError:
    """Say why a request was refused: RequestError in the server's words, or ConnectError."""
    try:
        error = orjson.loads(await response.read())
        if response.status in REFUSALS:
            return RequestError(error["code"], error["message"], status=response.status)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    why = f"HTTP status {response.status}"
    return ConnectError(f"cannot connect to {response.url.with_query(None)}: {why}", why)


async def read_events(
    session: aiohttp.ClientSession, url: str, silence: Silence
) -> AsyncGenerator[tuple[str, str], None]:
    """Yield the data and the id of each event; end when the stream ends.

    Raises RequestError or ConnectError when the server refuses, and what aiohttp raises when the
    connection breaks. *silence* is told of every wait.
    """
    clock = asyncio.get_running_loop().time
    parser, decode = EventParser(), codecs.getincrementaldecoder("utf-8")("replace").decode
    silence.since = clock()
    wanted = {"Accept": "text/event-stream"}
    async with session.get(yarl.URL(url, encoded=True), headers=wanted) as response:
        if response.status != 200:
            raise await refusal(response)
        if response.content_type != "text/event-stream":
            raise ConnectError(f"{response.url.with_query(None)} is no event stream")
        while chunk := await response.content.readany():
            silence.since = None
            for event in parser.push(decode(chunk)):
                yield event
            silence.since = clock()
