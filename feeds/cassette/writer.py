"""Writes a cassette: numbers the connections, stamps the lines, and lets no secret pass."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from feeds.cassette.lines import Closed, Head, Line, Message, Opened, Refused
from feeds.cassette.redact import Redactor
from feeds.errors import ConfigError

__all__ = ["TapeWriter", "written_whole"]

_TOLD_HEADERS = ("origin", "user-agent")
"""The headers whose values are written; of the others not even the names are."""


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a file that has its name once it is complete, and ends in ``.part`` until then; it replaces one of that name.

    Raises:
        ConfigError: it can't be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise ConfigError(f"can't write {str(path)!r}: {error.strerror or error}") from error
    with file:
        try:
            yield file
        finally:
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)


class TapeWriter:
    """
    Args:
        file: where to; each line is there as soon as it was written.
        head: its first line.
        redactor: takes out secrets.
        seconds: gives seconds, from any origin.
    """

    def __init__(
        self, file: IO[bytes], head: Head, redactor: Redactor, seconds: Callable[[], float]
    ) -> None:
        self._file, self._redactor, self._seconds = file, redactor, seconds
        self._began = seconds()
        self.connections = 0
        """Connections that came, refused ones too."""
        self.messages = 0
        self.bytes = 0
        self._put(head.encode())

    def opened(self, path: str, headers: Mapping[str, str], protocol: str | None) -> int:
        """Write that a client was let in; give its connection's number."""
        told = {name: headers[name] for name in _TOLD_HEADERS if name in headers}
        conn = self._next()
        path = self._redactor.path(path)
        self._line(Opened(self._now(), conn, path, protocol, told))
        return conn

    def refused(self, path: str, status: int) -> None:
        """Write that a client was not let in."""
        self._line(Refused(self._now(), self._next(), self._redactor.path(path), status))

    def message(self, conn: int, data: str | bytes, *, inward: bool) -> None:
        """Write what one side said."""
        self.messages += 1
        data = self._redactor.data(data, inward=inward)
        self._line(Message(self._now(), conn, inward, data))

    def closed(self, conn: int, by: str, code: int, reason: str) -> None:
        """Write who ended a connection, and how."""
        reason = self._redactor.text(reason, inward=False)
        self._line(Closed(self._now(), conn, by, code, reason))

    def summary(self) -> str:
        """One line about what was recorded so far."""
        seconds = self._now()
        return (
            f"{self.connections:,} connections, {self.messages:,} messages,"
            f" {self.bytes / 1e6:,.1f} MB in {seconds:,.0f} s"
        )

    def _next(self) -> int:
        self.connections += 1
        return self.connections

    def _now(self) -> float:
        return self._seconds() - self._began

    def _line(self, line: Line) -> None:
        self._put(line.encode())

    def _put(self, raw: bytes) -> None:
        self.bytes += self._file.write(raw)
        self._file.flush()
