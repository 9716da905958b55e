"""The JavaScript client's book, alone and with a real feed."""

from __future__ import annotations

import json
from zlib import crc32

import pytest
from node_scripts import run

from feeds.testing import TickerFeed
from feeds.wire.backlog import BacklogPolicy

__all__ = ["run"]  # a fixture

pytestmark = pytest.mark.node

PATIENT = BacklogPolicy(soft_limit=50_000_000, hard_limit=50_000_000)
"""Nobody is conflated, however slow the machine is."""

BOOK = "const { OrderBook, crc32 } = await import(`${WEB}/ticker-book.js`);\n"


def test_a_book_is_a_snapshot_and_what_has_changed(run) -> None:
    """And it notices what isn't right: then it is empty until a snapshot comes."""
    texts = [
        "",
        "18742,300,18741,800,18744,200",
        "18743,500,18741,800,18744,100",
        "123456789",
    ]
    sums = json.dumps([crc32(text.encode()) for text in texts])
    run(
        BOOK
        + f"const texts = {json.dumps(texts)}, sums = {sums};"
        + """
    assert.deepEqual(texts.map(crc32), sums);
    const whole = {
      symbol: "A", seq: 4, snapshot: true, tick_size: 0.01, checksum: sums[1],
      bids: [[187.42, 300], [187.41, 800]], asks: [[187.44, 200]],
    };
    const next = {
      symbol: "A", seq: 5, checksum: sums[2], bids: [[187.42, 0], [187.43, 500]], asks: [[187.44, 100]],
    };
    const book = new OrderBook();
    assert.deepEqual([book.seq, book.bids, book.asks, book.checksum()], [null, [], [], 0]);
    book.apply(whole);
    book.apply(next);
    assert.deepEqual([book.seq, book.bids], [5, [[187.43, 500], [187.41, 800]]]);
    assert.deepEqual(book.asks, [[187.44, 100]]);
    for (const [event, words] of [
      [{ ...next, seq: 6 }, /event 6 doesn't follow on 4/],
      [{ ...next, bids: [] }, /A: the checksum at event 5 is \\d+, not/],
    ]) {
      book.apply(whole);
      assert.throws(() => book.apply(event), words);
      assert.deepEqual([book.seq, book.bids], [null, []]);
      assert.throws(() => book.apply(next), /doesn't follow on null/);
    }
    """
    ).ends_well()


def test_where_books_stand_is_no_event(run) -> None:
    """A book as it stands has the sequence of the last event; one in place of several counts them."""
    run("""
    const book = (seq, more) => ({ type: "depth", symbol: "A", seq, ...more });
    const sequences = new Sequences();
    sequences.subscribed({ symbols: ["A"], channels: ["depth"] });
    sequences.snapshot({ symbol: "A", seq: { depth: 3 } });
    const whole = { snapshot: true };
    for (const event of [
      book(3, whole), book(4), book(4, whole), book(5), book(9, { ...whole, merged: 3 }), book(10),
    ]) assert.equal(sequences.event(event), null);
    const gap = sequences.event(book(12));
    assert.deepEqual([gap.channel, gap.from, gap.to], ["depth", 11, 11]);
    """).ends_well()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_books_of_a_real_feed_stay_right_across_a_reconnect(run, transport: str) -> None:
    """Each checksum, and each best level against the quote of the same sequence; nothing is lost or repeated."""
    with TickerFeed(symbols=["AAPL", "MSFT", "NVDA"], rate=50, backlog=PATIENT) as feed:
        script = run(
            BOOK
            + f'const transports = ["{transport}"];'
            + """
    const client = new TickerClient(URL, { ...FAST, transports, channels: ["quotes", "depth"] });
    const books = {}, quotes = {};
    let checked = 0;
    client.addEventListener("gap", ({ detail }) => log(["gap", detail]));
    client.addEventListener("error", ({ detail }) => log(["error", detail.message]));
    client.addEventListener("quote", ({ detail }) => (quotes[detail.symbol] = detail));
    client.addEventListener("resumed", ({ detail }) => log(["resumed", detail.lost]));
    client.addEventListener("depth", ({ detail }) => {
      const book = (books[detail.symbol] ??= new OrderBook());
      book.apply(detail);
      const quote = quotes[detail.symbol];
      if (quote?.seq !== book.seq) return;
      assert.deepEqual(book.bids[0], [quote.bid, quote.bid_size]);
      assert.deepEqual(book.asks[0], [quote.ask, quote.ask_size]);
      if (++checked % 300 === 0) log(["checked", checked]);
    });
    await client.subscribe("*");
    log("subscribed");
    """,
            feed.ws_url,
        )
        assert script.said() == "subscribed"
        feed.advance("4s")
        assert script.said() == ["checked", 300]
        seen: list[list[object]] = []

        def wait_for(word: str, number: int) -> None:
            while [word, number] not in seen:
                seen.append(script.said())
                assert seen[-1][0] in ("checked", "resumed"), seen

        if transport == "websocket":
            (one,) = (c for c in feed.clients if c.is_open)
            feed.fault.abort(client=one)
            feed.advance("4s")
            wait_for("resumed", 0)  # who comes back later is told of fewer changes
        feed.advance("4s")
        wait_for("checked", 600)
