"""The witness: proves, before the clock starts, that a row sends what it's counted for.

It reads the beginning of the first client's stream and parses every frame and every event.
"""

import socket
import time
from dataclasses import dataclass

from bench.clients import Dialect
from bench.load import MARKER

__all__ = ["Testimony", "WitnessError", "examine"]

_ENOUGH_EVENTS = 50
_TIMEOUT_S = 10.0
_TEXT, _CLOSE = 1, 8


class WitnessError(RuntimeError):
    """A row's stream isn't what it should be."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What was seen of the first client's stream."""

    events: int
    messages: int
    bytes_per_event: float
    """With WebSocket headers and whatever else the row wraps an event in."""


def examine(client: socket.socket, dialect: Dialect, wanted: frozenset[str] | None) -> Testimony:
    """Read some events of a freshly subscribed client; `wanted` is its symbols, None for all."""
    stream = _Stream(client)
    events = messages = size = 0
    while events < _ENOUGH_EVENTS:
        opcode, payload, whole = stream.frame()
        if opcode == _CLOSE:
            raise WitnessError("the server closed the connection")
        if opcode != _TEXT:
            continue
        found = dialect.events(payload.decode())
        ticks = [event for event in found if event.get("type") in ("trade", "quote")]
        if len(ticks) < len(found):  # the beginning: hello, subscribed
            continue
        if payload.count(MARKER) != len(ticks):
            raise WitnessError("the marker doesn't count the events")
        strange = wanted and next((e for e in ticks if e["symbol"] not in wanted), None)
        if strange:
            raise WitnessError(f"got {strange['symbol']!r}, which was not subscribed")
        events += len(ticks)
        messages += bool(ticks)
        size += whole if ticks else 0
    return Testimony(events, messages, size / events)


class _Stream:
    """Frames out of a blocking socket."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._buffer = b""
        self._deadline = time.monotonic() + _TIMEOUT_S

    def frame(self) -> tuple[int, bytes, int]:
        """Return opcode, payload and size of the next frame, which must be whole and unmasked."""
        head = self._take(2)
        if head[0] & 0xF0 != 0x80 or head[1] & 0x80:
            raise WitnessError(f"not a whole unmasked frame: {head.hex()}")
        extra = {126: 2, 127: 8}.get(head[1], 0)
        size = int.from_bytes(self._take(extra), "big") if extra else head[1]
        return head[0] & 0x0F, self._take(size), 2 + extra + size

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if time.monotonic() > self._deadline:
                raise WitnessError("no events in time")
            chunk = self._client.recv(65_536)
            if not chunk:
                raise WitnessError("the server closed the connection")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
