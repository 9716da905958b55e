"""The journal: what came in, what went out, who came and went and why. It keeps the newest entries, for tests that fail."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["Entry", "Journal"]

_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    number: int
    """Counts them, from 1."""
    at: float
    """Real seconds since the journal began."""
    time: float
    """The market's time, Unix time in milliseconds."""
    kind: str
    """``open``, ``in``, ``out``, ``close``, ``command`` or ``fault``."""
    client: int | None
    """The client's id, if it is about one."""
    detail: dict[str, Any]
    """Details, as values of JSON."""

    def __str__(self) -> str:
        who = "" if self.client is None else f" client {self.client}"
        return f"{self.at:9.3f}s{who:10s} {self.kind:7s} {_shown(self.detail)}"

    def as_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        about = {} if self.client is None else {"client": self.client}
        head = {"number": self.number, "at": self.at, "time": self.time, "kind": self.kind}
        return head | about | self.detail


class Journal:
    """
    The newest entries of one plant.

    Args:
        most: how many are kept.
        now_us: gives the market's time, in microseconds.
        seconds: gives real seconds, from any origin.
    """

    def __init__(
        self, most: int, now_us: Callable[[], int], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries: deque[Entry] = deque(maxlen=most)
        self._now_us, self._seconds = now_us, seconds
        self._began = seconds()
        self.count = 0
        """How many there were, with those that are not kept any more."""

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Journal of {self.count}, {len(self)} kept>"

    def note(self, kind: str, client: int | None = None, **detail: Any) -> None:
        """Add an entry."""
        self.count += 1
        at = round(self._seconds() - self._began, 6)
        self._entries.append(Entry(self.count, at, self._now_us() / 1000, kind, client, detail))

    def entries(self, kind: str | None = None, client: int | None = None) -> list[Entry]:
        """Give what is kept, oldest first: all, or that of one kind or one client."""
        return [
            entry
            for entry in tuple(self._entries)
            if kind in (None, entry.kind) and client in (None, entry.client)
        ]

    def tail(self, count: int = 20) -> str:
        """Give the newest entries as text, a line each, for people."""
        entries = tuple(self._entries)[-count:] if count > 0 else ()
        if not entries:
            return "the journal is empty: no client came, and nothing was commanded"
        earlier = self.count - len(entries)
        lines = [f"... {earlier} earlier entries"] if earlier else []
        return "\n".join([*lines, *map(str, entries)])

    def as_json(self) -> list[dict[str, Any]]:
        """Give what is kept as objects for JSON, oldest first."""
        return [entry.as_json() for entry in tuple(self._entries)]


def _shown(detail: dict[str, Any]) -> str:
    parts = []
    for name, value in detail.items():
        text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
        text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
        parts.append(text if name in ("message", "text") else f"{name}={text}")
    return " ".join(parts)
