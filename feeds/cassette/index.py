"""What a cassette holds: its connections, and where they are in the file. One pass over it; the messages stay there."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from feeds.cassette.lines import (
    Closed,
    Head,
    Line,
    Message,
    Opened,
    Refused,
    TapeError,
    parse_head,
    parse_line,
)
from feeds.cassette.redact import Redactor
from feeds.cassette.requests import IGNORED, Requests

__all__ = ["Gate", "Index", "Part", "read_index"]

log = logging.getLogger("feeds")

_SHOWN = 100
_BATCH_LINES, _BATCH_BYTES = 256, 256 * 1024


@dataclass(frozen=True, slots=True)
class Gate:
    """A request on the tape: what the server said after it is played when a client has said the same."""

    key: bytes
    shown: str
    """The request, cut, for people."""
    at: int
    """Where its line begins in the file."""


@dataclass(slots=True)
class Part:
    """One connection of the tape."""

    conn: int
    path: str
    key: str
    """The path as it is compared."""
    at: int
    """Where its first line begins in the file."""
    protocol: str | None = None
    status: int | None = None
    """The HTTP status with which it was refused."""
    gates: list[Gate] = field(default_factory=list)
    closed: Closed | None = None
    out: int = 0
    """Messages that the server sent."""
    played: int = 0
    """How often it was given to a client."""


class Index:
    """
    The connections of one tape.

    Args:
        path: the file.
        head: its first line.
        parts: its connections, in order.
    """

    def __init__(self, path: Path, head: Head, parts: list[Part]) -> None:
        self.path, self.head, self.parts = path, head, parts

    def lines(self, part: Part, at: int) -> Iterator[list[Line]]:
        """Give the lines of one connection from a place in the file on, in batches; blocks while it reads."""
        marks = (b'"conn":%d,' % part.conn, b'"conn": ')
        batch: list[Line] = []
        size = 0
        with self.path.open("rb") as file:
            file.seek(at)
            for raw in file:
                size += len(raw)
                if any(mark in raw for mark in marks):
                    try:
                        line = parse_line(raw)
                    except TapeError as error:
                        if raw.endswith(b"\n"):
                            raise TapeError(f"{self.path} changed: {error}") from error
                        break  # told when the index was read
                    if line.conn == part.conn:
                        batch.append(line)
                        if isinstance(line, Closed):
                            break
                if len(batch) >= _BATCH_LINES or (batch and size >= _BATCH_BYTES):
                    yield batch
                    batch, size = [], 0
        if batch:
            yield batch


def read_index(path: Path, ignored: tuple[str, ...] = IGNORED) -> Index:
    """
    Read a tape once, and note what is where.

    Args:
        path: the file.
        ignored: names of fields that don't count when requests are compared.

    Raises:
        TapeError: it can't be read, is no cassette, or is damaged; the message names the file and the line.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file, ignored)
    except OSError as error:
        raise TapeError(f"can't read {str(path)!r}: {error.strerror or error}") from error


def _read(path: Path, file: IO[bytes], ignored: tuple[str, ...]) -> Index:
    number, at = 1, 0
    parts: dict[int, Part] = {}
    raw = file.readline()
    try:
        head = parse_head(raw)
        requests = Requests(Redactor(head.redact, head.keep), ignored)
        for number, (begin, line) in enumerate(_lines(file, len(raw)), 2):  # noqa: B007
            at = begin
            _note(parts, parse_line(line), at, requests)
    except TapeError as error:
        file.seek(at)
        if number > 1 and not file.readline().endswith(b"\n"):
            log.warning("%s: its last line is incomplete, and left out", path)
        else:
            raise TapeError(f"{path}, line {number}: {error}") from error
    if not parts:
        raise TapeError(f"{path}: there is no connection on it")
    return Index(path, head, list(parts.values()))


def _lines(file: IO[bytes], at: int) -> Iterator[tuple[int, bytes]]:
    for raw in file:
        yield at, raw
        at += len(raw)


def _note(parts: dict[int, Part], line: Line, at: int, requests: Requests) -> None:
    if isinstance(line, Opened | Refused):
        if line.conn in parts:
            raise TapeError(f"connection {line.conn} opens a second time")
        part = parts[line.conn] = Part(line.conn, line.path, requests.path(line.path), at)
        if isinstance(line, Opened):
            part.protocol = line.protocol
        else:
            part.status = line.status
        return
    known = parts.get(line.conn)
    if known is None or known.closed is not None or known.status is not None:
        raise TapeError(f"connection {line.conn} isn't open here")
    if isinstance(line, Closed):
        known.closed = line
    elif not line.inward:
        known.out += 1
    elif (key := requests.key(line.data)) is not None:
        known.gates.append(Gate(key, _shown(line), at))


def _shown(message: Message) -> str:
    text = message.data if isinstance(message.data, str) else f"{len(message.data)} bytes"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
