"""Turns server messages into the events that a client sees. No I/O."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from clients.core.decode import BUILDERS, Item, build_snapshot, parse_message
from clients.core.replies import Replies
from clients.core.tracker import Tracker
from clients.events import Event
from clients.failures import MalformedMessageError

__all__ = ["Intake"]

log = logging.getLogger("clients")


@dataclass(frozen=True, slots=True)
class Intake:
    """Sorts the objects of messages: events to *events*, replies to *replies*, sequences to *tracker*.

    Object types that it doesn't know are ignored, as the protocol asks.
    """

    events: deque[Event]
    tracker: Tracker
    replies: Replies
    on_message: Callable[[str, list[Item]], object] | None = None

    def take(self, text: str) -> None:
        """Take one message; MalformedMessageError when it isn't what the protocol says."""
        items = parse_message(text)
        try:
            self._take(items)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise MalformedMessageError(f"malformed message: {error!r}: {text[:80]!r}") from None
        if self.on_message is not None:
            self.on_message(text, items)

    def _take(self, items: list[Item]) -> None:
        """Linear in *items*; what an event costs is spent here."""
        builders, check, append = BUILDERS, self.tracker.event, self.events.append
        for item in items:
            build = builders.get(item["type"])
            if build is None:
                self._take_other(item)
                continue
            event = build(item)
            gap = check(item)
            if gap is not None:
                append(gap)
            append(event)

    def _take_other(self, item: Item) -> None:
        kind = item["type"]
        if kind == "snapshot":
            if "id" not in item or self.replies.in_order:
                self.events.extend(self.tracker.snapshot(item))
            if "id" in item:
                self.replies.take(item)
            else:
                self.events.append(build_snapshot(item))
        elif kind == "gap":
            self.events.append(self.tracker.gap(item))
        elif kind == "subscribed":  # without an id: by a stream, which nobody asked on
            self.tracker.subscribed(item, self.replies.take(item) or {})
        elif "id" in item:
            request = self.replies.take(item) or {}
            if kind == "unsubscribed":
                self.tracker.unsubscribed(item, request)
        elif kind == "error":
            log.warning("the server reports %s: %s", item["code"], item["message"])
