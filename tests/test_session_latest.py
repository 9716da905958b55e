"""One connection's protocol without a connection: subscriptions to the latest only."""

from __future__ import annotations

from typing import Any

import pytest
from session_rig import Rig
from wire import Follower

from feeds.dialects import trades as trades_module
from feeds.fanout.roster import PHASES


@pytest.fixture
def rig() -> Rig:
    return Rig()


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
