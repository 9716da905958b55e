"""One connection's protocol without a connection: requests in, replies out, and the events between them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from session_rig import NAMES, Rig
from wire import Follower

from feeds.errors import CloseCode, Code, RequestError
from feeds.protocol.reply import PIECE
from feeds.protocol.session import MAX_ERRORS


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
