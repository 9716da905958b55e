"""The Python client's book: what it takes, and that it notices whatever isn't right."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import pytest

from clients.core.decode import BUILDERS
from clients.events import Depth
from clients.failures import BookError, TickerError
from clients.order_book import OrderBook


def checksum(text: str) -> int:
    return crc32(text.encode())


WHOLE = Depth(
    "AAPL",
    456,
    1.0,
    bids=((187.42, 300), (187.41, 800), (187.4, 100)),
    asks=((187.44, 200), (187.45, 1_100)),
    checksum=checksum("18742,300,18741,800,18740,100,18744,200,18745,1100"),
    snapshot=True,
    tick_size=0.01,
)
NEXT = Depth(
    "AAPL",
    457,
    2.0,
    bids=((187.4, 0), (187.43, 500), (187.42, 700)),
    asks=((187.44, 100),),
    checksum=checksum("18743,500,18742,700,18741,800,18744,100,18745,1100"),
)


def test_a_book_is_a_snapshot_and_what_has_changed() -> None:
    book = OrderBook("AAPL")
    assert (book.seq, book.bids, book.asks, book.checksum()) == (None, [], [], 0)
    book.apply(WHOLE)
    assert (book.seq, book.bids, book.asks) == (456, list(WHOLE.bids), list(WHOLE.asks))
    book.apply(NEXT)
    assert book.bids == [(187.43, 500), (187.42, 700), (187.41, 800)]
    assert book.asks == [(187.44, 100), (187.45, 1_100)]
    assert (book.seq, book.time) == (457, 2.0)
    assert repr(book) == "<OrderBook AAPL, seq 457, (187.43, 500) (187.44, 100)>"
    book.apply(replace(WHOLE, seq=900, merged=442))
    assert (book.seq, book.bids) == (900, list(WHOLE.bids))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (replace(NEXT, seq=458), "AAPL: event 458 doesn't follow on 456"),
        (replace(NEXT, seq=456), "event 456 doesn't follow on 456"),
        (replace(NEXT, bids=()), f"the checksum at event 457 is .*, not {NEXT.checksum}"),
        (replace(NEXT, checksum=1), f"is {NEXT.checksum}, not 1"),
        (replace(WHOLE, asks=()), "the checksum at event 456"),
    ],
)
def test_what_is_wrong_is_told_and_the_book_is_empty_until_a_snapshot(
    event: Depth, words: str
) -> None:
    book = OrderBook("AAPL")
    book.apply(WHOLE)
    with pytest.raises(BookError, match=words) as failure:
        book.apply(event)
    assert isinstance(failure.value, TickerError)
    assert (book.seq, book.bids, book.asks) == (None, [], [])
    with pytest.raises(BookError, match="event 457 doesn't follow on None"):
        book.apply(NEXT)
    book.apply(WHOLE)
    book.apply(NEXT)
    assert book.seq == 457


def test_another_symbols_event_is_refused() -> None:
    book = OrderBook("MSFT")
    with pytest.raises(ValueError, match="an event of 'AAPL' for the book of 'MSFT'"):
        book.apply(WHOLE)


def test_floats_of_one_price_are_one_level() -> None:
    """However a price came to be: 0.1 + 0.2 is the third tick of 0.1."""
    book = OrderBook("A")
    text = checksum("3,5,4,6")
    book.apply(Depth("A", 1, 0.0, ((0.3, 5),), ((0.4, 6),), text, snapshot=True, tick_size=0.1))
    event = Depth("A", 2, 0.0, ((0.1 + 0.2, 7),), (), checksum("3,7,4,6"))
    book.apply(event)
    assert len(book.bids) == 1


def test_a_book_is_read_from_the_wire() -> None:
    item = {"type": "depth", "symbol": "AAPL", "seq": 457, "time": 2.0}
    item |= {"bids": [[187.4, 0]], "asks": [], "checksum": 5, "unknown": "field"}
    assert BUILDERS["depth"](item) == Depth("AAPL", 457, 2.0, ((187.4, 0),), (), 5)
    item |= {"snapshot": True, "tick_size": 0.01, "merged": 3}
    assert BUILDERS["depth"](item) == Depth(
        "AAPL", 457, 2.0, ((187.4, 0),), (), 5, snapshot=True, tick_size=0.01, merged=3
    )
