"""One connection's protocol without a connection: what a client that comes back gets."""

from __future__ import annotations

import orjson
import pytest
from session_rig import Rig
from wire import Follower


@pytest.fixture
def rig() -> Rig:
    return Rig()


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
