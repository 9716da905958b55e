"""One connection's protocol without a connection: requests in, replies out, and the events between them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import GeneratorType
from typing import Any

import numpy as np
import orjson
import pytest
from doubles import FaultyTransport
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import Follower

from feeds.dialects import trades as trades_module
from feeds.dialects.native import NativeEncoder
from feeds.engine.feed import Feed
from feeds.errors import CloseCode, Code, RequestError
from feeds.fanout.hub import Hub
from feeds.fanout.roster import PHASES
from feeds.fanout.snapshots import MarketSnapshots
from feeds.protocol import reply as reply_module
from feeds.protocol.reply import PIECE
from feeds.protocol.session import MAX_ERRORS, Session
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.envelope import ArrayInWebSocket
from ticker.batch import CHANNELS
from ticker.market import Market
from ticker.universe import Universe

NAMES = ("AAPL", "AMZN", "GOOGL", "MSFT")


class Rig:
    """A market, a hub and one session; the transport has everything in the order in which a client would get it."""

    def __init__(
        self, symbols: str = ",".join(NAMES), *, soft_limit: int = 10**6, history: int = 10**6
    ) -> None:
        universe = Universe.parse(symbols)
        self.market = Market(universe, seed=7, rate=50.0)
        encoder = NativeEncoder(universe)
        policy = BacklogPolicy(soft_limit=soft_limit, low_water=0, hard_limit=10**9)
        self.hub = Hub(
            len(universe),
            CHANNELS,
            encoder,
            policy=policy,
            history_bytes=history,
            snapshots=MarketSnapshots(self.market, encoder),
        )
        self.feed = Feed(self.market, encoder, self.hub, self.market.epoch, 0)
        self.transport = FaultyTransport()
        self.member = self.hub.join(self.transport, 0.0, lambda _: None)
        self.session = Session(self.feed, self.member)
        self.now = 0.0

    def step(self, milliseconds: int, phase: int | None = None) -> None:
        """Let the market go on, and write what there is to write, to all or to the members of a phase."""
        batch = self.market.step(self.market.now_us + milliseconds * 1000)
        if len(batch):
            self.hub.publish(batch)
        for _ in self.hub.flush(0.0, phase):
            pass
        self.hub.slow.tend(0.0)
        if self.hub.newest.active:
            for _ in self.hub.pace(self.now):
                pass

    def raw(self, data: bytes) -> Iterator[bytes]:
        for reply in self.session.handle(data, 0.0):
            assert reply.close is None
            if reply.message:  # else it is a pause
                yield reply.message

    def pieces(self, **request: Any) -> Iterator[list[dict[str, Any]]]:
        """Ask, and give the answer's messages one by one, written as the server would."""
        for text in self.raw(orjson.dumps(request)):
            self.transport.write(ArrayInWebSocket.seal((b"\x81\x7e\0\0", text)))
            yield orjson.loads(text)

    def ask(self, **request: Any) -> list[dict[str, Any]]:
        """Ask, and give all objects of the answer."""
        return [item for piece in self.pieces(**request) for item in piece]

    def events(self) -> list[dict[str, Any]]:
        return self.transport.objects()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def error(code: Code, message: str, request_id: Any = None) -> dict[str, Any]:
    head = {"type": "error"} if request_id is None else {"type": "error", "id": request_id}
    return head | {"code": code, "message": message}


# Subscribing.


def test_a_subscription_is_answered_with_its_symbols_then_their_snapshots(rig: Rig) -> None:
    rig.step(500)
    head, *snapshots = rig.ask(
        action="subscribe", id=1, symbols=["MSFT", "A*"], channels=["quotes", "trades"]
    )
    assert head == {
        "type": "subscribed",
        "id": 1,
        "symbols": ["MSFT", "AAPL", "AMZN"],
        "channels": ["quotes", "trades"],
    }
    assert [(s["type"], s["symbol"]) for s in snapshots] == [
        ("snapshot", "MSFT"),
        ("snapshot", "AAPL"),
        ("snapshot", "AMZN"),
    ]
    assert all("id" not in s for s in snapshots)


def test_snapshot_and_going_live_are_one_step(rig: Rig) -> None:
    """The next event of each symbol and channel is the one after its snapshot."""
    rig.step(700)
    rig.ask(action="subscribe", symbols="*", channels=["trades", "quotes", "bars"], interval="1s")
    rig.step(2_500)
    follower = Follower()
    follower.feed(rig.events())
    assert follower.events > 100
    assert follower.merged == 0


def test_without_snapshots_there_is_only_the_head(rig: Rig) -> None:
    assert rig.ask(action="subscribe", symbols=["AAPL"], snapshot=False) == [
        {"type": "subscribed", "symbols": ["AAPL"], "channels": ["trades"]}
    ]
    rig.events()
    rig.step(500)
    assert {e["type"] for e in rig.events()} == {"trade"}


def test_the_interval_is_told_with_bars_and_only_then(rig: Rig) -> None:
    (head, *_) = rig.ask(action="subscribe", symbols="AAPL", channels=["bars"], interval="5m")
    assert list(head) == ["type", "symbols", "channels", "interval"]
    assert head["interval"] == "5m"
    (head, snapshot) = rig.ask(action="subscribe", symbols="AAPL")
    assert "interval" not in head
    assert list(snapshot["seq"]) == ["trades", "quotes", "status"]


def test_bars_of_several_intervals_add_up(rig: Rig) -> None:
    for interval in ("1s", "1m"):
        (_, snapshot) = rig.ask(
            action="subscribe", symbols=["AAPL"], channels=["bars"], interval=interval
        )
        assert snapshot["seq"][f"bars:{interval}"] == 0
    rig.events()
    rig.step(60_100)
    bars = rig.events()
    assert {b["type"] for b in bars} == {"bar"}
    assert [b["interval"] for b in bars].count("1m") == 1
    assert len([b for b in bars if b["interval"] == "1s"]) > 50


def test_subscriptions_add_up_and_saying_it_twice_changes_nothing(rig: Rig) -> None:
    rig.ask(action="subscribe", symbols=["AAPL"], channels=["trades"])
    rig.ask(action="subscribe", symbols=["MSFT"], channels=["quotes"])
    rig.ask(action="subscribe", symbols=["AAPL"], channels=["trades"])
    rig.events()
    rig.step(1_000)
    kinds = {(e["symbol"], e["type"]) for e in rig.events()}
    assert kinds == {("AAPL", "trade"), ("MSFT", "quote")}


# Unsubscribing.


def test_unsubscribing_is_answered_and_nothing_comes_after(rig: Rig) -> None:
    rig.ask(action="subscribe", symbols="*", channels=["trades", "quotes"])
    rig.events()
    assert rig.ask(action="unsubscribe", id="u", symbols=["MSFT", "A*"]) == [
        {
            "type": "unsubscribed",
            "id": "u",
            "symbols": ["MSFT", "AAPL", "AMZN"],
            "channels": ["trades", "quotes", "bars", "status", "depth"],
        }
    ]
    rig.events()
    rig.step(1_000)
    assert {e["symbol"] for e in rig.events()} == {"GOOGL"}


def test_one_channel_or_one_interval_can_be_given_up(rig: Rig) -> None:
    for interval in ("1s", "1m"):
        rig.ask(
            action="subscribe", symbols=["AAPL"], channels=["bars", "quotes"], interval=interval
        )
    rig.ask(action="unsubscribe", symbols=["AAPL"], channels=["quotes"])
    rig.ask(action="unsubscribe", symbols=["AAPL"], channels=["bars"], interval="1s")
    rig.events()
    rig.step(60_100)
    assert {(e["type"], e.get("interval")) for e in rig.events()} == {("bar", "1m")}


def test_giving_up_bars_gives_up_all_intervals(rig: Rig) -> None:
    for interval in ("1s", "1m"):
        rig.ask(action="subscribe", symbols=["AAPL"], channels=["bars"], interval=interval)
    rig.ask(action="unsubscribe", symbols=["AAPL"], channels=["bars"])
    rig.events()
    rig.step(60_100)
    assert rig.events() == []
    assert not rig.hub.roster.interested


def test_unsubscribing_from_what_was_not_subscribed_is_no_error(rig: Rig) -> None:
    (answer,) = rig.ask(action="unsubscribe", symbols="*")
    assert answer["type"] == "unsubscribed"


# The other actions.


def test_a_ping_is_answered_with_the_markets_time(rig: Rig) -> None:
    rig.step(1)
    assert rig.ask(action="ping", id=5) == [
        {"type": "pong", "id": 5, "time": rig.market.now_us / 1000}
    ]
    assert rig.ask(action="ping") == [{"type": "pong", "time": rig.market.now_us / 1000}]


def test_a_snapshot_on_request_carries_the_id_and_subscribes_to_nothing(rig: Rig) -> None:
    one, two = rig.ask(action="snapshot", id=4, symbols=["AAPL", "MSFT"])
    assert (one["symbol"], one["id"], one["more"]) == ("AAPL", 4, True)
    assert (two["symbol"], two["id"], "more" in two) == ("MSFT", 4, False)
    rig.events()
    rig.step(500)
    assert rig.events() == []


def test_the_universe_is_listed(rig: Rig) -> None:
    (answer,) = rig.ask(action="symbols", id=3)
    assert list(answer) == ["type", "id", "symbols"]
    assert [i["symbol"] for i in answer["symbols"]] == list(NAMES)
    assert answer["symbols"][0] == {
        "symbol": "AAPL",
        "name": "Apple Inc.",
        "sector": "Technology",
        "tick_size": 0.01,
        "round_lot": 100,
        "exchange": "Q",
        "tape": "C",
    }


def test_authentication_where_there_is_none_is_an_error(rig: Rig) -> None:
    text = "this server was started without a token: no authentication is needed"
    assert rig.ask(action="auth", token="t", id=1) == [error(Code.AUTH_NOT_CONFIGURED, text, 1)]


# Long answers.


def test_long_answers_come_in_pieces_with_more_in_all_but_the_last() -> None:
    rig = Rig("500")
    for action, key in (("symbols", "symbols"), ("unsubscribe", "symbols")):
        request = {"action": action, "id": 1} | (
            {"symbols": "*"} if action == "unsubscribe" else {}
        )
        answer = [piece[0] for piece in rig.pieces(**request)]
        assert [len(a[key]) for a in answer] == [PIECE, PIECE, 100]
        assert [a.get("more") for a in answer] == [True, True, None]
        assert {a["id"] for a in answer} == {1}


def test_a_long_subscription_is_live_piece_by_piece_and_misses_nothing() -> None:
    """Events may come between the pieces, of the symbols that were in one already."""
    rig = Rig("500")
    follower = Follower()
    seen: set[str] = set()
    for number, piece in enumerate(rig.pieces(action="subscribe", symbols="*")):
        head, *snapshots = piece
        assert [s["symbol"] for s in snapshots] == head["symbols"]
        assert head.get("more") is (True if number < 2 else None)
        seen.update(head["symbols"])
        rig.step(20)
        objects = rig.events()
        assert {o["symbol"] for o in objects if o["type"] == "trade"} <= seen
        follower.feed(objects)
    assert len(seen) == 500
    rig.step(50)
    follower.feed(rig.events())
    assert follower.last["AAPL", "trades"] == rig.market.sequences()[0, 0]


def test_long_snapshots_come_in_pieces_each_of_its_moment() -> None:
    rig = Rig("500")
    more = []
    for piece in rig.pieces(action="snapshot", symbols="*", id="s"):
        more += [item.get("more", False) for item in piece]
        rig.step(20)
    assert more == [True] * 499 + [False]


def test_exactly_one_piece_has_no_more() -> None:
    (piece,) = Rig(str(PIECE)).pieces(action="symbols")
    assert "more" not in piece[0]


# Errors.


def test_a_request_that_fails_in_any_part_changes_nothing(rig: Rig) -> None:
    rig.ask(action="subscribe", symbols=["GOOGL"])
    for request in (
        {"action": "subscribe", "symbols": ["AAPL", "APPL"]},
        {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades", "prices"]},
        {"action": "subscribe", "symbols": ["AAPL"], "interval": "3m"},
        {"action": "subscribe", "symbols": ["AAPL"], "interval": "5m"},
        {"action": "subscribe", "symbols": ["AAPL"], "extra": 1},
        {"action": "unsubscribe", "symbols": ["GOOGL", "Z*"]},
    ):
        (answer,) = rig.ask(**request)
        assert answer["type"] == "error"
    rig.events()
    rig.step(500)
    assert {e["symbol"] for e in rig.events()} == {"GOOGL"}


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (
            {"action": "subscribe", "symbols": ["APPL"], "id": 5},
            error(Code.UNKNOWN_SYMBOL, "unknown symbol 'APPL'; did you mean 'AAPL'?", 5),
        ),
        (
            {"action": "snapshot", "symbols": ["Q*"]},
            error(Code.UNKNOWN_SYMBOL, "the pattern 'Q*' matches no symbol"),
        ),
        (
            {"action": "unsubscribe", "symbols": ["nope"], "id": "x"},
            error(
                Code.UNKNOWN_SYMBOL, "unknown symbol 'nope'; ask for the list with 'symbols'", "x"
            ),
        ),
        (
            {"action": "subscribe", "symbols": "*", "channels": ["trade"]},
            error(
                Code.UNKNOWN_CHANNEL,
                "unknown channel 'trade'; the channels are trades, quotes, bars, status, depth",
            ),
        ),
    ],
)
def test_an_error_names_the_value(rig: Rig, request_: dict[str, Any], answer: Any) -> None:
    assert rig.ask(**request_) == [answer]


def test_text_that_isnt_utf8_is_answered_and_then_closed_with_1007(rig: Rig) -> None:
    (reply,) = rig.session.handle(b'{"action":"p\xffng"}', 0.0)
    text = "invalid UTF-8: byte 0xff at position 12"
    assert orjson.loads(reply.message) == [error(Code.INVALID_UTF8, text)]
    assert (reply.close, reply.reason) == (CloseCode.INVALID_UTF8, text)


def test_a_hundred_malformed_requests_in_a_row_are_too_many(rig: Rig) -> None:
    for n in range(1, MAX_ERRORS):
        (reply,) = rig.session.handle(b"{", 0.0)
        assert reply.close is None, n
    (reply,) = rig.session.handle(b"{", 0.0)
    first, second = orjson.loads(reply.message)
    assert first["code"] == Code.INVALID_JSON
    assert second == error(Code.TOO_MANY_ERRORS, "100 malformed requests in a row")
    assert (reply.close, reply.reason) == (
        CloseCode.POLICY_VIOLATION,
        "100 malformed requests in a row",
    )


def test_one_good_request_and_the_counting_begins_anew(rig: Rig) -> None:
    for _ in range(3):
        for _ in range(MAX_ERRORS - 1):
            (reply,) = rig.session.handle(b"{", 0.0)
            assert reply.close is None
        rig.ask(action="ping")


def test_what_the_server_refuses_itself_is_counted_too(rig: Rig) -> None:
    """Such as binary messages: they don't come as text."""
    refused = RequestError(Code.BINARY_FRAME, "a binary message of 3 bytes")
    replies = [rig.session.refuse(refused) for _ in range(MAX_ERRORS)]
    assert orjson.loads(replies[0].message) == [error(Code.BINARY_FRAME, refused.message)]
    assert [r.close for r in replies[-2:]] == [None, CloseCode.POLICY_VIOLATION]


# Resuming.


def test_who_comes_back_gets_exactly_what_it_missed(rig: Rig) -> None:
    """The very events that went out live, in their order, no snapshot, and the next one follows on."""
    rig.ask(action="subscribe", symbols=["AAPL", "MSFT"], channels=["trades", "quotes"])
    rig.step(400)
    before = Follower()
    before.feed(rig.events())
    rig.step(600)
    live = [e for e in rig.events() if e["symbol"] == "AAPL"]
    since = {"trades": before.last["AAPL", "trades"], "quotes": before.last["AAPL", "quotes"]}
    head, *missed = rig.ask(
        action="subscribe",
        id=1,
        symbols=["AAPL"],
        channels=["trades", "quotes"],
        epoch=rig.feed.epoch,
        since={"AAPL": since},
    )
    assert head["type"] == "subscribed"
    assert [m for m in missed if m["type"] == "trade"] == [e for e in live if e["type"] == "trade"]
    assert [m for m in missed if m["type"] == "quote"] == [e for e in live if e["type"] == "quote"]
    assert len(missed) == len(live)


def test_who_missed_nothing_gets_nothing(rig: Rig) -> None:
    rig.step(300)
    seq = int(rig.market.sequences()[0, 0])
    answer = rig.ask(
        action="subscribe",
        symbols=["AAPL"],
        epoch=rig.feed.epoch,
        since={"AAPL": {"trades": seq}},
    )
    assert [a["type"] for a in answer] == ["subscribed"]


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_gap_is_followed_by_a_snapshot_even_without_snapshots(rig: Rig, snapshot: bool) -> None:
    rig.step(300)
    seq = int(rig.market.sequences()[0, 0])
    for epoch, since, reason in (
        (rig.feed.epoch, seq + 5, "ahead"),
        ("another run", 3, "epoch"),
    ):
        _, gap, told = rig.ask(
            action="subscribe",
            symbols=["AAPL"],
            epoch=epoch,
            since={"AAPL": {"trades": since}},
            snapshot=snapshot,
        )
        assert gap == {
            "type": "gap",
            "symbol": "AAPL",
            "channel": "trades",
            "from": since + 1,
            "to": seq,
            "reason": reason,
        }
        assert (told["type"], told["seq"]["trades"]) == ("snapshot", seq)


@pytest.mark.parametrize("name", ["MSFT", "APPL"])
def test_what_it_has_of_a_symbol_that_it_doesnt_ask_for_is_an_error(rig: Rig, name: str) -> None:
    since = {"AAPL": {"trades": 0}, name: {"trades": 0}}
    (answer,) = rig.ask(
        action="subscribe", id=1, symbols=["AAPL"], epoch=rig.feed.epoch, since=since
    )
    assert answer == {
        "type": "error",
        "id": 1,
        "code": "invalid_value",
        "message": f"'since' has {name!r}, which is not among the symbols of the request",
    }
    assert rig.events() == [answer]
    rig.step(300)
    assert rig.events() == []


def test_a_symbol_that_another_run_had_is_passed_over(rig: Rig) -> None:
    """Else a client that is subscribed to a pattern couldn't come back to a market that has changed."""
    since = {"AAPL": {"trades": 3}, "AGONE": {"trades": 3}}
    answer = rig.ask(action="subscribe", symbols="A*", epoch="another run", since=since)
    assert [a["type"] for a in answer][:2] == ["subscribed", "gap"]
    since = {"AAPL": {"trades": 3}, "MSFT": {"trades": 3}}
    (refused,) = rig.ask(action="subscribe", symbols="A*", epoch="another run", since=since)
    assert refused["code"] == "invalid_value"


def test_what_is_no_longer_kept_is_a_gap() -> None:
    rig = Rig(history=10_000)
    rig.step(10_000)
    _, gap, snapshot = rig.ask(
        action="subscribe", symbols=["AAPL"], epoch=rig.feed.epoch, since={"AAPL": {"trades": 1}}
    )
    assert (gap["reason"], gap["from"], gap["to"]) == ("too_old", 2, snapshot["seq"]["trades"])


def test_without_a_history_everything_missed_is_a_gap() -> None:
    rig = Rig(history=0)
    rig.step(300)
    answer = rig.ask(
        action="subscribe", symbols=["AAPL"], epoch=rig.feed.epoch, since={"AAPL": {"trades": 0}}
    )
    assert [a["type"] for a in answer] == ["subscribed", "gap", "snapshot"]


def test_bars_are_resumed_by_their_interval_however_it_is_written(rig: Rig) -> None:
    rig.step(5_500)
    for key in ("bars", "bars:1s"):
        _, *missed = rig.ask(
            action="subscribe",
            symbols=["AAPL"],
            channels=["bars"],
            interval="1s",
            epoch=rig.feed.epoch,
            since={"AAPL": {key: 2}},
        )
        assert [m["seq"] for m in missed] == [3, 4, 5]
        assert {m["interval"] for m in missed} == {"1s"}


def test_a_long_resume_comes_in_pieces_and_stays_under_a_megabyte() -> None:
    """Which common WebSocket libraries refuse to read."""
    rig = Rig("60", history=10**9)
    rig.step(20_000)
    names = list(rig.market.universe.symbols)
    pieces = list(
        rig.raw(
            orjson.dumps(
                {
                    "action": "subscribe",
                    "symbols": "*",
                    "channels": ["trades", "quotes"],
                    "epoch": rig.feed.epoch,
                    "since": {n: {"trades": 0, "quotes": 0} for n in names},
                }
            )
        )
    )
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 1_000_000
    follower = Follower()
    follower.last = {(n, c): 0 for n in names for c in ("trades", "quotes")}
    told: list[str] = []
    for piece in pieces:
        head, *missed = orjson.loads(piece)
        told += head["symbols"]
        follower.feed(missed)
    assert told == names
    assert follower.last["AAPL", "trades"] == rig.market.sequences()[0, 0]


# The latest only.


def test_the_reply_tells_the_terms_where_a_mode_was_given(rig: Rig) -> None:
    ask = {"action": "subscribe", "symbols": "AAPL", "snapshot": False}
    for terms, told in (
        ({}, {}),
        ({"mode": "all"}, {"mode": "all"}),
        ({"mode": "latest"}, {"mode": "latest", "max_hz": 10}),
        ({"mode": "latest", "max_hz": 0.5}, {"mode": "latest", "max_hz": 0.5}),
    ):
        (head,) = rig.ask(**ask, **terms)
        expected = {"type": "subscribed", "symbols": ["AAPL"], "channels": ["trades"]}
        assert head == expected | told


def test_the_latest_follows_its_snapshot_and_a_change_of_mode_leaves_no_hole(rig: Rig) -> None:
    follower = Follower()
    ask = {"action": "subscribe", "symbols": ["AAPL", "MSFT"], "channels": ["trades", "quotes"]}
    for terms in (
        {"mode": "latest", "max_hz": 2},
        {"mode": "all", "snapshot": False},
        {"mode": "latest", "max_hz": 1, "snapshot": False},
        {"mode": "latest", "max_hz": 100},
        {},
    ):
        rig.ask(**ask, **terms)
        for _ in range(30):
            rig.now += 0.1
            rig.step(100)
        follower.feed(rig.events())
    assert follower.merged > 20
    seq = rig.market.sequences()
    for i, name in ((0, "AAPL"), (3, "MSFT")):
        assert [follower.last[name, c] for c in ("trades", "quotes")] == seq[:2, i].tolist()


def test_the_latest_resumes_with_exactly_what_was_missed(rig: Rig) -> None:
    rig.step(500)
    _, *missed = rig.ask(
        action="subscribe",
        symbols=["AAPL"],
        mode="latest",
        epoch=rig.feed.epoch,
        since={"AAPL": {"trades": 0}},
    )
    follower = Follower()
    follower.last["AAPL", "trades"] = 0
    follower.feed(missed)
    assert follower.merged == 0
    assert follower.last["AAPL", "trades"] == rig.market.sequences()[0, 0]
    rig.events()
    rig.step(300)
    rig.now += 1
    rig.step(300)
    follower.feed(rig.events())
    assert follower.last["AAPL", "trades"] == rig.market.sequences()[0, 0]


@pytest.mark.parametrize(
    "again",
    [
        {"action": "snapshot", "symbols": ["AAPL"]},
        {"action": "subscribe", "symbols": ["AAPL"], "mode": "latest", "max_hz": 2},
        {"action": "subscribe", "symbols": ["AAPL"], "channels": ["bars"], "interval": "1s"},
        {
            "action": "subscribe",
            "symbols": ["AAPL"],
            "channels": ["bars"],
            "interval": "1s",
            "snapshot": False,
            "epoch": "of another run",
            "since": {"AAPL": {"bars": 5}},
        },
    ],
)
def test_what_waits_for_its_window_comes_before_a_snapshot_not_in_place_of_it(
    rig: Rig, again: dict[str, Any]
) -> None:
    """So whoever adds up trades has all of them, however often a rate is changed: the sum is the day's volume."""
    ask = {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades", "quotes"]}
    rig.ask(**ask, mode="latest", max_hz=1)
    for _ in range(3):
        rig.now += 0.3
        rig.step(300)
    rig.ask(**again)
    rig.now += 5
    rig.step(300)
    (first, *items, second) = [
        item for item in rig.events() if item["type"] in ("snapshot", "trade", "quote")
    ] + rig.ask(action="snapshot", symbols=["AAPL"])
    follower = Follower()
    follower.feed([first])
    volume = first["volume"]
    for item in (*items, second):
        if item["type"] == "snapshot":
            for channel in ("trades", "quotes"):
                assert item["seq"][channel] == follower.last["AAPL", channel]
        elif item["type"] == "trade":
            volume += item.get("volume", item["size"])
        follower.feed([item])
    assert follower.merged > 5
    assert volume == second["volume"]


def test_what_is_too_much_to_be_summed_up_isnt_told_as_lost_as_well(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update counts it, and the snapshot that must follow says where things stand; a gap would count it again."""
    monkeypatch.setattr(trades_module, "_MOST_TRADES", 16)
    follower = Follower()
    ask = {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades", "quotes"]}
    rig.ask(**ask, mode="latest", max_hz=1)
    rig.step(300)
    rig.now += 0.5
    rig.step(300)
    follower.feed(rig.events())
    rig.step(3_000)
    rig.ask(action="snapshot", symbols=["AAPL"])
    items = rig.events()
    assert [i["type"] for i in items] == ["trade", "quote", "snapshot", "snapshot"]
    assert items[0]["merged"] > 16
    assert "volume" not in items[0]
    follower.feed(items)
    assert follower.last["AAPL", "trades"] == rig.market.sequences()[0, 0]


def test_a_snapshot_after_what_is_too_much_comes_behind_what_is_pending_in_another_phase(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells of quotes that are yet to be written; these can't come after it."""
    monkeypatch.setattr(trades_module, "_MOST_TRADES", 16)
    follower = Follower()
    rig.ask(action="subscribe", symbols=["AAPL"], channels=["quotes"])
    rig.ask(action="subscribe", symbols=["AAPL"], mode="latest", max_hz=1)
    rig.step(300)
    assert rig.member.group is not None
    others = (rig.member.group.phase + 1) % PHASES
    rig.now += 5
    rig.step(3_000, phase=others)
    items = rig.events()
    follower.feed(items)
    assert [i["type"] for i in items if i["type"] != "quote"][-2:] == ["trade", "snapshot"]
    rig.step(300)
    follower.feed(rig.events())
    assert follower.last["AAPL", "quotes"] == rig.market.sequences()[1, 0]


def test_what_waits_stays_where_no_snapshot_comes(rig: Rig) -> None:
    ask = {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades"], "mode": "latest"}
    rig.ask(**ask, max_hz=1)
    rig.step(300)
    rig.step(300)
    rig.events()
    rig.ask(**ask, max_hz=2, snapshot=False)
    rig.ask(action="snapshot", symbols=["MSFT"])
    assert [item["type"] for item in rig.events()] == ["subscribed", "snapshot"]


# While conflated.


def test_a_resume_takes_nothing_from_other_channels_and_symbols_of_a_conflated_client() -> None:
    """Only what was told counts as told."""
    rig = Rig(soft_limit=3_000)
    follower = Follower()
    rig.ask(action="subscribe", symbols=["AAPL", "MSFT"], channels=["trades", "quotes"])
    rig.transport.stalled = True
    rig.step(2_000)
    assert rig.hub.slow.laggards
    follower.feed(rig.events())
    rig.step(500)
    rig.ask(
        action="subscribe",
        symbols=["AAPL", "MSFT"],
        snapshot=False,
        epoch=rig.feed.epoch,
        since={"AAPL": {"trades": follower.last["AAPL", "trades"]}},
    )
    rig.transport.stalled = False
    rig.transport.read()
    rig.step(100)
    follower.feed(rig.events())
    newest = rig.market.sequences()
    assert follower.last["AAPL", "quotes"] == newest[1, 0]
    assert [follower.last["MSFT", c] for c in ("trades", "quotes")] == newest[:2, 3].tolist()


# Whatever a client does.

some_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
some_channels = st.lists(
    st.sampled_from(["trades", "quotes", "bars"]), min_size=1, max_size=3, unique=True
)
actions = st.one_of(
    st.tuples(st.just("step"), st.integers(1, 1_500)),
    st.tuples(st.just("stall"), st.none()),
    st.tuples(st.just("read"), st.none()),
    st.tuples(
        st.just("subscribe"),
        st.fixed_dictionaries({"symbols": some_names, "channels": some_channels}),
    ),
    st.tuples(
        st.just("subscribe"),
        st.fixed_dictionaries(
            {"symbols": some_names, "channels": some_channels, "snapshot": st.just(False)}
        ),
    ),
    st.tuples(
        st.just("resume"),
        st.fixed_dictionaries(
            {"symbols": some_names, "channels": some_channels, "snapshot": st.booleans()}
        ),
    ),
    st.tuples(
        st.just("unsubscribe"),
        st.fixed_dictionaries({"symbols": some_names, "channels": some_channels}),
    ),
    st.tuples(st.just("snapshot"), st.fixed_dictionaries({"symbols": some_names})),
)


class Client:
    """A client that keeps to the document, and checks the server against it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.wants: set[tuple[str, str]] = set()
        self.follower = Follower()

    def keys(self, request: dict[str, Any]) -> set[tuple[str, str]]:
        channels = ["bars:1s" if c == "bars" else c for c in request["channels"]]
        return {(s, c) for s in request["symbols"] for c in channels}

    def do(self, what: str, argument: Any) -> None:
        if what == "step":
            self.rig.step(argument)
        elif what == "stall":
            self.rig.transport.stalled = True
        elif what == "read":
            self.rig.transport.stalled = False
            self.rig.transport.read()
        else:
            self.request(what, argument)
        self.look()

    def request(self, what: str, request: dict[str, Any]) -> None:
        if "bars" in request.get("channels", ()):
            request = request | {"interval": "1s"}
        if what == "resume":
            since: dict[str, dict[str, int]] = {}
            for symbol, channel in self.keys(request):
                if (symbol, channel) in self.follower.last:
                    last = self.follower.last[symbol, channel]
                    since.setdefault(symbol, {})[channel] = last
            request = request | {"epoch": self.rig.feed.epoch, "since": since}
            what = "subscribe"
        if what == "subscribe":
            fresh = self.keys(request) - self.wants
            if "since" not in request:  # what it had is of no use without asking for the rest
                self.forget(fresh)
            self.wants |= fresh
        self.rig.ask(action=what, **request)
        if what == "unsubscribe":
            self.look()
            self.wants -= self.keys(request)

    def forget(self, keys: set[tuple[str, str]]) -> None:
        for key in keys:
            self.follower.last.pop(key, None)

    def look(self) -> None:
        for item in self.rig.events():
            if item["type"] in ("trade", "quote", "bar"):
                channel = {"trade": "trades", "quote": "quotes", "bar": "bars:1s"}[item["type"]]
                key = (item["symbol"], channel)
                assert key in self.wants
                self.follower.last.setdefault(key, item["seq"] - 1 - item.get("merged", 0))
            self.follower.feed([item])


EVERYTHING = {"symbols": list(NAMES), "channels": ["trades", "quotes", "bars"]}
CONFLATED = [("subscribe", EVERYTHING), ("stall", None), ("step", 1_500), ("step", 500)]
"""A beginning after which a client is behind."""


@settings(max_examples=120)
@given(st.sampled_from([[], CONFLATED]), st.lists(actions, max_size=25))
def test_whatever_a_client_does_it_can_account_for_every_event(
    beginning: list[tuple[str, Any]], steps: list[tuple[str, Any]]
) -> None:
    """
    It subscribes with and without snapshots, resumes, gives up, stalls and reads, in any order.

    The rule of the sequences holds for each message, and once it has read everything, it is where the market is.
    """
    rig = Rig("AAPL,AMZN,GOOGL,MSFT", soft_limit=2_000)
    client = Client(rig)
    for what, argument in [*beginning, *steps]:
        client.do(what, argument)
    client.do("read", None)
    for _ in range(10):
        client.do("step", 1_000)
    assert not rig.hub.slow.laggards
    seq = rig.market.sequences()
    rows = {"trades": 0, "quotes": 1, "bars:1s": 3}
    for (symbol, channel), last in client.follower.last.items():
        if (symbol, channel) in client.wants:
            assert last == seq[rows[channel], NAMES.index(symbol)]


def test_the_pieces_of_an_answer_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who hangs up in the middle of a long answer leaves nothing behind."""
    monkeypatch.setattr(reply_module, "PIECE", 1)
    rig = Rig()
    pieces = rig.pieces(action="subscribe", symbols="*")
    next(pieces)
    rig.hub.leave(rig.member)
    pieces.close()
    assert rig.hub.roster.groups == {}
    assert not np.any(rig.hub.roster.wanted)


@pytest.mark.parametrize("action", ["subscribe", "snapshot", "symbols"])
def test_between_two_pieces_nothing_but_the_message_is_kept(action: str) -> None:
    """A client may take its time with a piece; the objects that it was made of are not kept meanwhile."""
    rig = Rig()
    asked: dict[str, Any] = {"action": action}
    if action != "symbols":
        asked["symbols"] = ["*"]
    answers = rig.session.handle(orjson.dumps(asked), 0.0)
    assert next(answers).message == b"", "before a long answer there is a pause"
    assert next(answers).message
    suspended: list[Any] = [answers]
    seen = 0
    while suspended:
        seen += 1
        held = gc.get_referents(suspended.pop())  # its names, and what it iterates over
        suspended += [value for value in held if isinstance(value, GeneratorType)]
        kept = [value for value in held if isinstance(value, list) and value]
        assert not [value for value in kept if isinstance(value[0], bytes | dict)]
    assert seen > 1
