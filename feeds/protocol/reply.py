"""What a session replies: messages, one after the other, and whether to close. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from feeds.errors import CloseCode

__all__ = ["PIECE", "PIECE_EVENTS", "Reply", "pieces"]

PIECE = 200
"""The most symbols of one message of an answer: some 60 KB, which is what a client costs that stops reading in the middle."""

PIECE_EVENTS = 1_000
"""Missed events after which a message of an answer is long enough."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send now."""

    message: bytes
    """Empty: nothing yet, others may go on."""
    close: CloseCode | None = None
    """Close the connection after the message."""
    reason: str = ""


def pieces(
    items: Sequence[T], weigh: Callable[[T], int] = lambda _: 0
) -> Iterator[tuple[Sequence[T], dict[str, bool]]]:
    """
    Cut a long answer, and give with each piece the field that tells whether there is more.

    Args:
        items: what the answer is about, cut after :data:`PIECE` of them at the latest.
        weigh: gives how many events an item adds; after :data:`PIECE_EVENTS` of them, there is a cut too.
    """
    start = 0
    while start < len(items):
        end, weight = start, 0
        while end < len(items) and end - start < PIECE and weight < PIECE_EVENTS:
            weight += weigh(items[end])
            end += 1
        yield items[start:end], {"more": True} if end < len(items) else {}
        start = end
