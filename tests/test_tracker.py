"""Subscriptions and sequences, without a socket."""

from typing import Any

import pytest
from fake_feed import bar, quote, snapshot, status, trade
from hypothesis import given
from hypothesis import strategies as st

from clients.core.tracker import Tracker, chunks
from clients.events import Gap

Item = dict[str, Any]


def subscribe(
    tracker: Tracker, symbols: list[str], channels: list[str], asked: list[str] | None = None
) -> None:
    """Have *channels*, with bars as `bars:1s`, granted for *symbols*."""
    for channel in channels:
        name, _, interval = channel.partition(":")
        reply: Item = {"type": "subscribed", "symbols": symbols, "channels": [name]}
        reply |= {"interval": interval} if interval else {}
        tracker.subscribed(reply, {"action": "subscribe", "symbols": asked or symbols})


def book(seq: int, **more: Any) -> Item:
    return {"type": "depth", "symbol": "AAPL", "seq": seq, **more}


def wishes(tracker: Tracker) -> list[Item]:
    return [
        {key: value for key, value in request.items() if key != "action"}
        for request in tracker.requests()
    ]


@pytest.fixture
def tracker() -> Tracker:
    """Subscribed to the trades, quotes, status changes and bars of AAPL and MSFT."""
    tracker = Tracker()
    tracker.hello("e1")
    subscribe(tracker, ["AAPL", "MSFT"], ["trades", "quotes", "status", "bars:1s", "bars:1m"])
    return tracker


@pytest.mark.parametrize(
    ("items", "gaps"),
    [
        ([trade("AAPL", 7), trade("AAPL", 8)], []),
        ([trade("AAPL", 1), quote("AAPL", 1), status("AAPL", 1), trade("AAPL", 2)], []),
        ([trade("AAPL", 1), trade("MSFT", 9), trade("AAPL", 2), trade("MSFT", 10)], []),
        ([bar("AAPL", 5, "1s"), bar("AAPL", 2, "1m"), bar("AAPL", 6, "1s")], []),
        ([trade("AAPL", 1), trade("AAPL", 5, merged=3), trade("AAPL", 6)], []),
        ([trade("AAPL", 1), trade("AAPL", 2, merged=0)], []),
        ([trade("AAPL", 1), trade("AAPL", 4)], [Gap("AAPL", "trades", 2, 3, "sequence")]),
        ([quote("AAPL", 1), quote("AAPL", 9, merged=2)], [Gap("AAPL", "quotes", 2, 6, "sequence")]),
        ([bar("MSFT", 1), bar("MSFT", 3)], [Gap("MSFT", "bars:1m", 2, 2, "sequence")]),
        ([status("MSFT", 1), status("MSFT", 3)], [Gap("MSFT", "status", 2, 2, "sequence")]),
        ([trade("AAPL", 4), trade("AAPL", 4)], [Gap("AAPL", "trades", 5, 3, "out_of_order")]),
        ([trade("AAPL", 4), trade("AAPL", 6, merged=2)], [Gap("AAPL", "trades", 5, 3, "out_of_order")]),
        ([trade("AAPL", 4), trade("AAPL", 1)], [Gap("AAPL", "trades", 5, 0, "out_of_order")]),
        ([trade("AAPL", 1), trade("AAPL", 3), trade("AAPL", 4)], [Gap("AAPL", "trades", 2, 2, "sequence")]),
        ([book(4, snapshot=True), book(5), book(6), quote("AAPL", 6)], []),
        ([book(4, snapshot=True), book(9, snapshot=True, merged=4), book(10)], []),
        ([book(4), book(5), book(5, snapshot=True), book(6)], []),
        ([book(4), book(6, snapshot=True)], [Gap("AAPL", "depth", 5, 6, "sequence")]),
        ([book(4), book(6)], [Gap("AAPL", "depth", 5, 5, "sequence")]),
        ([book(4), book(9, snapshot=True, merged=3)], [Gap("AAPL", "depth", 5, 5, "sequence")]),
    ],
)  # fmt: skip
def test_what_does_not_follow_from_the_last_sequence_is_a_gap(
    tracker: Tracker, items: list[Item], gaps: list[Gap]
) -> None:
    """The rule is seq == last_seq + 1 + merged, for each symbol, channel and interval by itself."""
    assert [gap for item in items if (gap := tracker.event(item))] == gaps


def test_a_gap_counts_what_is_missing() -> None:
    """Going backwards misses nothing."""
    assert Gap("AAPL", "trades", 2, 6, "sequence").missing == 5
    assert Gap("AAPL", "trades", 5, 3, "out_of_order").missing == 0


def test_the_event_after_a_snapshot_follows_its_sequence(tracker: Tracker) -> None:
    """A snapshot says where each channel stands."""
    assert tracker.snapshot(snapshot("AAPL", 41)) == []
    assert tracker.event(trade("AAPL", 42)) is None
    assert tracker.event(quote("AAPL", 1)) is None
    tracker.snapshot(snapshot("AAPL", 41))
    assert tracker.event(trade("AAPL", 43)) == Gap("AAPL", "trades", 42, 42, "sequence")


def test_a_gap_that_the_server_announces_is_not_found_again(tracker: Tracker) -> None:
    """The next event follows the end of the announced gap."""
    tracker.event(trade("AAPL", 1))
    announced = {"type": "gap", "symbol": "AAPL", "from": 2, "to": 8, "reason": "too_old"}
    gap = tracker.gap(announced | {"channel": "trades"})
    assert gap == Gap("AAPL", "trades", 2, 8, "too_old")
    assert tracker.event(trade("AAPL", 9)) is None
    gap = tracker.gap(announced | {"channel": "bars", "interval": "1s"})
    assert gap == Gap("AAPL", "bars:1s", 2, 8, "too_old")


def test_what_happened_while_the_connection_was_down_is_a_gap(tracker: Tracker) -> None:
    """The snapshots of the same epoch show how far the market went on."""
    for item in (trade("AAPL", 5), trade("MSFT", 7), quote("AAPL", 3)):
        tracker.event(item)
    tracker.hello("e1")
    subscribe(tracker, ["AAPL", "MSFT"], ["trades", "quotes"])
    seq = {"trades": 9, "quotes": 3, "status": 0}
    assert tracker.snapshot(snapshot("AAPL", seq=seq)) == [
        Gap("AAPL", "trades", 6, 9, "reconnect"),
    ]
    assert tracker.snapshot(snapshot("MSFT", 7)) == []
    assert tracker.event(trade("AAPL", 10)) is None


def test_without_a_snapshot_the_first_event_shows_what_the_reconnect_lost(tracker: Tracker) -> None:
    """Channels that the snapshot doesn't mention are checked as well, once."""
    tracker.event(bar("AAPL", 5))
    tracker.event(bar("MSFT", 5))
    tracker.hello("e1")
    assert tracker.event(bar("AAPL", 8)) == Gap("AAPL", "bars:1m", 6, 7, "reconnect")
    assert tracker.event(bar("AAPL", 9)) is None
    assert tracker.event(bar("MSFT", 6)) is None


def test_sequences_survive_two_reconnects_without_news_between(tracker: Tracker) -> None:
    """A connection that broke before it brought anything doesn't hide the loss."""
    tracker.event(trade("AAPL", 5))
    tracker.hello("e1")
    tracker.hello("e1")
    assert tracker.event(trade("AAPL", 7)) == Gap("AAPL", "trades", 6, 6, "reconnect")


def test_another_epoch_starts_afresh(tracker: Tracker) -> None:
    """Sequences of different epochs have nothing to do with each other."""
    tracker.event(trade("AAPL", 500))
    tracker.hello("e1")
    tracker.hello("e2")
    assert tracker.snapshot(snapshot("AAPL", 3)) == []
    assert tracker.event(trade("AAPL", 4)) is None


def test_a_symbol_that_is_subscribed_to_again_starts_afresh(tracker: Tracker) -> None:
    """What happened while nobody was subscribed is no gap."""
    tracker.event(trade("AAPL", 5))
    tracker.unsubscribed({"symbols": ["AAPL"], "channels": ["trades"]}, {})
    subscribe(tracker, ["AAPL"], ["trades"])
    assert tracker.event(trade("AAPL", 50)) is None


def test_subscribing_again_to_what_is_subscribed_keeps_the_sequence(tracker: Tracker) -> None:
    """A loss across the second subscription is still found."""
    tracker.event(trade("AAPL", 5))
    subscribe(tracker, ["AAPL"], ["trades"])
    assert tracker.event(trade("AAPL", 7)) == Gap("AAPL", "trades", 6, 6, "sequence")


def test_a_snapshot_of_a_channel_without_subscription_leaves_no_trace() -> None:
    """A later subscription without snapshots must not compare with it."""
    tracker = Tracker()
    tracker.hello("e1")
    tracker.snapshot(snapshot("AAPL", 5))
    subscribe(tracker, ["AAPL"], ["trades"])
    assert tracker.event(trade("AAPL", 50)) is None


def test_nothing_is_asked_for_without_subscriptions() -> None:
    """A connection without subscriptions resumes as one."""
    assert wishes(Tracker()) == []


def test_channels_of_the_same_symbols_are_asked_for_together(tracker: Tracker) -> None:
    """One request for the plain channels, one for each bar interval."""
    both = ["AAPL", "MSFT"]
    assert wishes(tracker) == [
        {"symbols": both, "channels": ["trades", "quotes", "status"]},
        {"symbols": both, "channels": ["bars"], "interval": "1s"},
        {"symbols": both, "channels": ["bars"], "interval": "1m"},
    ]


def test_everything_is_asked_for_as_everything() -> None:
    """A restarted server may have other symbols; `*` still means all of them."""
    tracker = Tracker()
    subscribe(tracker, ["AAPL", "MSFT"], ["trades"], asked=["*"])
    assert wishes(tracker) == [{"symbols": ["*"], "channels": ["trades"]}]
    tracker.unsubscribed({"symbols": ["AAPL"], "channels": ["trades"]}, {})
    assert wishes(tracker) == [{"symbols": ["MSFT"], "channels": ["trades"]}]


def test_each_pace_is_asked_for_again() -> None:
    """The server says at which it granted the subscription; a later one counts."""
    tracker = Tracker()
    tracker.hello("e1")
    subscribe(tracker, ["AAPL", "MSFT", "IBM"], ["trades"])
    for symbols, hz in ((["MSFT", "IBM"], 10), (["IBM"], 0.5)):
        reply = {"symbols": symbols, "channels": ["trades"], "mode": "latest", "max_hz": hz}
        tracker.subscribed(reply, {})
    assert wishes(tracker) == [
        {"symbols": ["AAPL"], "channels": ["trades"]},
        {"symbols": ["MSFT"], "channels": ["trades"], "mode": "latest", "max_hz": 10},
        {"symbols": ["IBM"], "channels": ["trades"], "mode": "latest", "max_hz": 0.5},
    ]


def test_what_was_missed_is_asked_for_once_where_a_part_of_everything_has_another_pace() -> None:
    tracker = Tracker()
    tracker.hello("e1")
    subscribe(tracker, ["AAPL", "MSFT"], ["trades"], asked=["*"])
    paced = {"mode": "latest", "max_hz": 10}
    tracker.subscribed({"symbols": ["MSFT"], "channels": ["trades"], **paced}, {})
    tracker.snapshot(snapshot("MSFT", 5))
    tracker.hello("e1")
    everything, part = tracker.requests()
    assert everything["since"] == {"MSFT": {"trades": 5}}
    asked = {"action": "subscribe", "symbols": ["MSFT"], "channels": ["trades"]}
    assert part == asked | paced | {"snapshot": False}


@pytest.mark.parametrize(
    ("channels", "interval", "left"),
    [
        (["trades", "quotes", "bars", "status"], None, []),
        (["bars"], None, ["trades", "quotes", "status"]),
        (["bars"], "1s", ["trades", "quotes", "status", "bars:1m"]),
        (["trades", "status"], None, ["quotes", "bars:1s", "bars:1m"]),
    ],
)
def test_unsubscribing_takes_away_channels_and_intervals(
    tracker: Tracker, channels: list[str], interval: str | None, left: list[str]
) -> None:
    """Without an interval, the bars of all intervals go."""
    request = {"interval": interval} if interval else {}
    tracker.unsubscribed({"symbols": ["AAPL", "MSFT"], "channels": channels}, request)
    now = [
        f"{channel}:{wish['interval']}" if channel == "bars" else channel
        for wish in wishes(tracker)
        for channel in wish["channels"]
    ]
    assert now == left


def test_long_lists_are_cut_into_requests_that_the_protocol_allows() -> None:
    """At most 1,000 symbols a request."""
    symbols = [f"S{n}" for n in range(2500)]
    assert [len(some) for some in chunks(symbols)] == [1000, 1000, 500]
    tracker = Tracker()
    subscribe(tracker, symbols, ["trades"])
    assert [symbol for wish in wishes(tracker) for symbol in wish["symbols"]] == symbols


@given(st.lists(st.sampled_from(["send", "merge", "lose"]), max_size=60))
def test_every_lost_event_is_in_exactly_one_gap(fates: list[str]) -> None:
    """Whatever is sent, merged or lost, the gaps name what was lost and nothing else."""
    tracker = Tracker()
    tracker.hello("e1")
    subscribe(tracker, ["AAPL"], ["trades"])
    tracker.snapshot(snapshot("AAPL", 0))
    lost, found, merged = [], [], 0
    for seq, fate in enumerate([*fates, "send"], start=1):
        if fate == "merge":
            merged += 1
            continue
        if fate == "lose":
            # A loss takes with it what was merged into the lost event.
            lost += range(seq - merged, seq + 1)
        elif gap := tracker.event(trade("AAPL", seq, **({"merged": merged} if merged else {}))):
            found += range(gap.first, gap.last + 1)
        merged = 0
    assert found == lost


def test_many_symbols_resume_in_pieces() -> None:
    """Nothing is left out because one request would be too long."""
    tracker = Tracker()
    tracker.hello("e1")
    names = [f"S{i}" for i in range(2500)]
    reply = {"type": "subscribed", "symbols": names, "channels": ["trades"]}
    tracker.subscribed(reply, {"symbols": ["*"]})
    for name in names:
        tracker.snapshot({"symbol": name, "seq": {"trades": 7}})
    tracker.hello("e1")
    requests = list(tracker.requests())
    assert [(len(r["symbols"]), len(r.get("since", ()))) for r in requests] == [
        (1000, 1000),
        (1000, 1000),
        (500, 500),
        (1, 0),
    ]
    assert requests[-1]["symbols"] == ["*"]
    assert requests[-1]["snapshot"] is False
    assert {s for r in requests for s in r.get("since", ())} == set(names)
    assert tracker.since(["trades"], ["S1?"])["S12"] == {"trades": 7}


def test_a_gap_after_a_cursor_begins_where_the_client_was() -> None:
    """The server can't say it: a cursor tells no sequences."""
    tracker = Tracker()
    tracker.hello("e1")
    tracker.subscribed({"symbols": ["A"], "channels": ["trades"]}, {})
    tracker.snapshot({"symbol": "A", "seq": {"trades": 7}})
    tracker.hello("e1")
    item = {"type": "gap", "symbol": "A", "channel": "trades", "to": 20, "reason": "too_old"}
    assert tracker.gap(item) == Gap("A", "trades", 8, 20, "too_old")
