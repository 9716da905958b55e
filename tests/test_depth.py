"""Books beside quotes, without sockets: made from them as they are published, and again for who comes back."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import orjson
import pytest
from doubles import RecordingTransport
from markets import SECOND, UNIVERSES
from order_books import OrderBooks
from tapes import MemoryTape, quote, trade
from touch_reader import TouchReader
from us_markets import us

from feeds.dialects.books import checksums
from feeds.dialects.native import NativeEncoder
from feeds.dialects.raw import RawEncoder
from feeds.fanout.depth import Depth, DepthHistory
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from ticker.batch import CHANNELS, DEPTH, QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.ladder import LEVELS, Ladder
from ticker.market import Market
from ticker.replay import Replay
from ticker.scenarios import scenario_named
from ticker.script import ScriptedQuote
from ticker.staging.scenes import Scene
from ticker.tape import Survey
from ticker.universe import Universe

SYMBOLS = 3
EVERY = range(SYMBOLS)
HOURS = 3


class Rig:
    """A market and a hub, turned by hand."""

    def __init__(
        self,
        *,
        history_bytes: int = 10_000_000,
        encoder: Any = None,
        market: Market | None = None,
    ) -> None:
        universe = Universe(UNIVERSES["penny stocks"])
        self.market = market or Market(universe, seed=3, rate=20)
        self.encoder = encoder or RawEncoder(universe)
        self.hub = Hub(
            len(self.market.universe),
            CHANNELS,
            self.encoder,
            history_bytes=history_bytes,
            depth=Depth(self.market),
        )

    def join(self, symbols: Any = EVERY, channels: Any = (QUOTES, DEPTH)) -> RecordingTransport:
        transport = RecordingTransport()
        member = self.hub.join(transport, 0.0, lambda _: None)
        self.hub.subscribe(member, Interest().add(symbols, channels), 0.0)
        self.member = member
        return transport

    def turn(self, seconds: float = 0.1) -> TickBatch:
        batch = self.market.step(self.market.now_us + round(seconds * SECOND))
        self.hub.publish(batch)
        for _ in self.hub.flush(0.0):
            pass
        return batch

    @property
    def following(self) -> bool:
        assert self.hub.depth is not None
        return self.hub.depth.active

    def slot(self, symbol: int) -> int:
        return DEPTH * SYMBOLS + symbol

    def snapshots(self) -> list[dict[str, Any]]:
        assert self.hub.depth is not None
        states = [self.market.snapshot(i) for i in EVERY]
        return [orjson.loads(book) for book in self.hub.depth.snapshots(states)]


def depth_of(objects: list[dict[str, Any]], symbol: str | None = None) -> list[dict[str, Any]]:
    return [o for o in objects if o["type"] == "depth" and symbol in (None, o["symbol"])]


# Live.


@pytest.mark.parametrize("seconds", [0.02, 3.0])
def test_each_quote_is_followed_by_its_book(seconds: float) -> None:
    """At once, with its sequence and time, in short turns and long ones; what changed makes exactly the book there."""
    rig = Rig()
    client, books = rig.join(), OrderBooks()
    books.feed(rig.snapshots())
    for _ in range(round(6 / seconds)):
        rig.turn(seconds)
        objects = client.objects()
        for at, item in enumerate(objects):
            if item["type"] == "quote":
                after = objects[at + 1]
                assert after["type"] == "depth"
                assert [after[n] for n in ("symbol", "seq", "time")] == [
                    item[n] for n in ("symbol", "seq", "time")
                ]
        books.feed(objects)
        for whole in rig.snapshots():
            book = books.books[whole["symbol"]]
            assert [list(level) for level in book.bids] == whole["bids"]
            assert [list(level) for level in book.asks] == whole["asks"]
            assert (book.seq, book.checksum()) == (whole["seq"], whole["checksum"])
    assert books.checked == books.kinds["change"] > 100


def test_the_length_of_turns_changes_no_byte() -> None:
    """Whether encoded with few others or with many."""
    rigs = [Rig(), Rig()]
    clients = [rig.join(channels=(DEPTH,)) for rig in rigs]
    rigs[0].turn(2.0)
    for _ in range(200):
        rigs[1].turn(0.01)
    assert clients[0].objects() == clients[1].objects()


def test_who_else_is_there_changes_no_byte() -> None:
    """And who is subscribed to the books alone gets them without the quotes."""
    alone, beside = Rig(), Rig(history_bytes=0)
    mine = [alone.join([1], (DEPTH,))]
    other = beside.join(EVERY, (TRADES, QUOTES, DEPTH))
    mine.append(beside.join([1], (DEPTH,)))
    for rig in (alone, beside):
        rig.turn(2.0)
    first, second = (client.objects() for client in mine)
    assert first == second != []
    assert {o["type"] for o in first} == {"depth"}
    assert depth_of(other.objects(), first[0]["symbol"]) == first


def test_nothing_is_made_for_nobody() -> None:
    """Without subscribers nothing happens; when the last one goes, it ends; who comes later begins where things stand."""
    rig = Rig()
    plain = rig.join(channels=(QUOTES,))
    rig.turn(1.0)
    assert not rig.following
    assert "depth" not in {o["type"] for o in plain.objects()}
    client, books = rig.join(), OrderBooks()
    books.feed(rig.snapshots())
    rig.turn(1.0)
    books.feed(client.objects())
    assert rig.following
    rig.hub.leave(rig.member)
    rig.turn(1.0)
    assert not rig.following
    client, books = rig.join(), OrderBooks()
    books.feed(rig.snapshots())
    rig.turn(1.0)
    books.feed(client.objects())
    assert books.checked > 10


def test_only_what_is_wanted_is_made() -> None:
    rig = Rig()
    client = rig.join([2], (DEPTH,))
    batch = rig.turn(1.0)
    told = client.objects()
    mine = (batch.channel == QUOTES) & (batch.symbol == 2)
    assert [o["seq"] for o in told] == batch.seq[mine].tolist()
    assert rig.hub.stats.events == len(told)


def test_deliveries_are_counted_once() -> None:
    """Also of who comes when quotes have been published for long, and of symbols that nobody wanted before."""
    rig = Rig()
    rig.turn(1.0)
    first = rig.join([0], (DEPTH,))
    rig.turn(1.0)
    second = rig.join([0, 1], (DEPTH,))
    rig.turn(1.0)
    told = len(first.objects()) + len(second.objects())
    assert rig.hub.deliveries() == told > 0


# Coming back.


def test_what_was_missed_is_what_was_sent() -> None:
    """Byte for byte, from any event on: the first one, and one that nobody was there for."""
    rig = Rig()
    rig.turn(0.5)  # nobody is there
    client = rig.join(channels=(DEPTH,))
    rig.turn(3.0)
    live = client.take()[0][1:-1] + b","
    newest = rig.hub.seq[rig.slot(1)]
    name = rig.market.universe.symbols[1]
    whole = OrderBooks()
    opening = rig.hub.history.after(rig.slot(1), 0, newest)
    assert opening is not None
    assert len(opening) == newest > 20
    whole.feed([o for o in Rig().snapshots() if o["symbol"] == name])
    whole.feed(orjson.loads(fragment[:-1]) for fragment in opening)
    assert whole.books[name].seq == newest
    first = min(o["seq"] for o in depth_of(orjson.loads(b"[" + live[:-1] + b"]"), name))
    for since in range(newest + 1):
        missed = rig.hub.history.after(rig.slot(1), since, newest)
        assert missed == opening[since:]
        if since + 1 >= first:
            assert all(fragment in live for fragment in missed)


def test_what_is_gone_is_gone() -> None:
    """A history of so many quotes knows of one book less, and never gives a part."""
    rig = Rig(history_bytes=2 * SYMBOLS * 170 * 20)
    rig.turn(3.0)
    history, slot = rig.hub.history, rig.slot(0)
    assert history.length == 20
    assert rig.hub.depth is not None
    rig.hub.depth.align(rig.hub.seq)
    newest = int(rig.hub.seq[slot])
    assert newest > 30
    assert len(history.after(slot, newest - 19, newest) or ()) == 19
    assert history.after(slot, newest - 20, newest) is None
    assert history.after(slot, newest, newest) == []
    assert len(history.last(slot, 5)) == 5
    assert len(history.last(slot, 100)) == 19
    assert history.last(slot, 5) == history.after(slot, newest - 5, newest)


def test_without_a_history_nothing_is_known() -> None:
    rig = Rig(history_bytes=0)
    rig.join()
    rig.turn(1.0)
    newest = int(rig.hub.seq[rig.slot(0)])
    assert rig.hub.history.after(rig.slot(0), newest - 1, newest) is None
    assert rig.hub.history.last(rig.slot(0), 5) == []


def test_the_history_keeps_no_books() -> None:
    rig, other = Rig(), Rig()
    rig.join()
    rig.turn(1.0)
    other.turn(1.0)
    assert isinstance(rig.hub.history, DepthHistory)
    assert rig.hub.history.usage() == other.hub.history.usage()


def test_from_a_quote_that_says_something_else_nothing_is_made() -> None:
    """A raw quote is what a test wants it to be; the book is that of the market's quote, and isn't made from the raw one."""
    rig = Rig()
    client = rig.join()
    at = rig.market.now_us + 1_000
    scripted = ScriptedQuote(0, 3, 100, 6, 200)
    rig.market.schedule(at, scripted)
    rig.encoder.overrule(at, scripted, {"bid": "much"})
    rig.turn(1.0)
    objects = client.objects()
    (raw,) = (o for o in objects if o.get("bid") == "much")
    book = objects[objects.index(raw) + 1]
    assert (book["type"], book["seq"]) == ("depth", raw["seq"])
    newest = int(rig.hub.seq[rig.slot(0)])
    assert rig.hub.history.after(rig.slot(0), raw["seq"] - 1, newest) is None
    assert rig.hub.history.after(rig.slot(0), raw["seq"] + 1, newest) is not None


def test_before_the_first_quote_of_a_tape_books_are_empty() -> None:
    """The first quote then changes all there is; a crossed one, and one without shares, are told as any other."""
    rows = [
        trade(0, 0.0, 10.0),
        quote(0, 1.0, 10.0, 10.02),
        quote(0, 2.0, 10.03, 10.01),
        (0, True, 3.0, 10.0, 0, 10.02, 7),
        quote(0, 4.0, 10.0, 10.02),
    ]
    tape = MemoryTape(["A"], rows)
    market = Replay(tape, Survey(tape))
    hub = Hub(1, CHANNELS, NativeEncoder(market.universe), history_bytes=10**6, depth=Depth(market))
    transport, books = RecordingTransport(), OrderBooks()
    member = hub.join(transport, 0.0, lambda _: None)
    hub.subscribe(member, Interest().add([0], [DEPTH]), 0.0)
    assert hub.depth is not None
    (whole,) = map(orjson.loads, hub.depth.snapshots([market.snapshot(0)]))
    assert (whole["seq"], whole["bids"], whole["asks"], whole["checksum"]) == (0, [], [], 0)
    books.feed([whole])
    for _ in range(6):
        hub.publish(market.step(market.now_us + SECOND))
        for _ in hub.flush(0.0):
            pass
    live = transport.objects()
    assert [len(live[0]["bids"]), len(live[0]["asks"])] == [LEVELS, LEVELS]
    best = []
    for event in live:
        books.feed([event])
        book = books.books["A"]
        best.append((book.bids[0], book.asks[0]))
    assert best[0] == best[3] == ((10.0, 200), (10.02, 200))
    assert best[1] == ((10.03, 200), (10.01, 200))
    assert best[2][0][0] < 10.0
    assert best[2][1] == (10.02, 7)
    again = hub.history.after(DEPTH, 0, 4)
    assert again is not None
    assert [orjson.loads(fragment[:-1]) for fragment in again] == live


# Trades.


SCENES = {
    "a crash": [Scene(scenario_named("flash_crash")), Scene(scenario_named("halt_and_reopen"))],
    "a squeeze into its limits": [Scene(scenario_named("short_squeeze"))],
    "a busy opening and much else": [
        Scene(scenario_named("opening_bell")),
        Scene(scenario_named("volatile"), start_s=600),
        Scene(scenario_named("stale_feed"), start_s=300),
    ],
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model": "gbm"},
        {"rules": "us", "start_us": us("2026-01-05T09:10")},
        {
            "rules": "us",
            "start_us": us("2026-01-05T09:40"),
            "scenes": (Scene(scenario_named("flash_crash", size=-0.2)),),
        },
        *({"scenes": tuple(scenes)} for scenes in SCENES.values()),
    ],
    ids=["a day", "a random walk", "a day with rules", "a crash with rules", *SCENES],
)
def test_trades_take_their_shares_off_the_book(options: dict[str, Any]) -> None:
    """For hours: what a client reads off trades, quotes and books fits, one after the other, by PROTOCOL.md alone."""
    universe = Universe([*UNIVERSES["fine ticks"], *UNIVERSES["well-known names"][::8]])
    market = Market(universe, seed=12, rate=0.06, **options)
    rig = Rig(market=market, encoder=NativeEncoder(universe))
    client = rig.join(range(len(universe)), (TRADES, QUOTES, STATUS, DEPTH))
    assert rig.hub.depth is not None
    states = [market.snapshot(i) for i in range(len(universe))]
    reader = TouchReader({i.symbol: i.round_lot for i in universe})
    reader.feed([orjson.loads(book) for book in rig.hub.depth.snapshots(states)])
    for _ in range(HOURS * 60):
        rig.turn(60)
        reader.feed(client.objects())
    assert reader.books.checked > 1_000
    for what in ("left", "gone", "inside"):
        assert reader.seen[what] > 25, reader.seen


def test_blocks_are_agreed_on_elsewhere() -> None:
    """A few trades are of twenty round lots and more, whatever is shown, and take nothing."""
    universe = Universe.of_size(3)
    market = Market(universe, seed=4, rate=10)
    rig = Rig(market=market, encoder=NativeEncoder(universe))
    client = rig.join(range(3), (TRADES, QUOTES, DEPTH))
    assert rig.hub.depth is not None
    reader = TouchReader({i.symbol: i.round_lot for i in universe})
    reader.feed(
        [orjson.loads(b) for b in rig.hub.depth.snapshots([*map(market.snapshot, range(3))])]
    )
    for _ in range(10):
        rig.turn(60)
        reader.feed(client.objects())
    trades = sum(reader.seen[what] for what in ("left", "gone", "inside", "block"))
    assert reader.seen["block"] > 4
    assert reader.seen["block"] / trades < 0.005


def test_with_rules_books_have_no_prices_between_cents() -> None:
    """From a dollar on, whatever the grid is."""
    universe = Universe([Instrument("FINE", 5.0, tick_size=0.0001, spread=120.0)])
    for rules, alone in (("us", True), ("open", False)):
        market = Market(universe, seed=3, rate=5, rules=rules)
        depth = Depth(market)
        market.step(market.now_us + SECOND)
        (book,) = map(orjson.loads, depth.snapshots([market.snapshot(0)]))
        prices = np.array([price for side in ("bids", "asks") for price, _ in book[side]])
        assert (np.abs(prices * 100 - np.rint(prices * 100)) < 1e-6).all() == alone


# Checksums.


def ladder(*books: list[list[tuple[int, int]]]) -> Ladder:
    price, size = (np.zeros((len(books), 2, LEVELS), dtype=np.int64) for _ in range(2))
    for row, sides in enumerate(books):
        for side, levels in enumerate(sides):
            for at, level in enumerate(levels):
                price[row, side, at], size[row, side, at] = level
    return Ladder(price, size)


def test_a_checksum_is_that_of_ticks_and_sizes() -> None:
    """Bids and then asks, the best first; of whole books, of short ones, and of none."""
    short = [[(18_742, 300), (18_741, 800)], [(18_744, 200)]]
    full = [[(1_000 - i, 7 + i) for i in range(LEVELS)], [(1_001 + i, 9) for i in range(LEVELS)]]
    text = ",".join(f"{tick},{size}" for side in full for tick, size in side)
    assert checksums(ladder(short, full, [[], []])) == [
        crc32(b"18742,300,18741,800,18744,200"),
        crc32(text.encode()),
        0,
    ]
    assert checksums(ladder(full, full)) == [crc32(text.encode())] * 2
    assert checksums(ladder()) == []


def test_a_whole_book_says_all_there_is_to_know() -> None:
    rig = Rig(encoder=NativeEncoder(Universe(UNIVERSES["penny stocks"])))
    (book, *_) = rig.snapshots()
    assert list(book) == [
        *("type", "symbol", "seq", "time", "snapshot", "tick_size", "bids", "asks", "checksum")
    ]
    assert (book["type"], book["symbol"], book["seq"]) == ("depth", "PENNY", 0)
    assert (book["snapshot"], book["tick_size"]) == (True, 0.01)
    assert [price for price, _ in book["bids"]] == [0.04, 0.03, 0.02, 0.01]
    assert len(book["asks"]) == LEVELS
