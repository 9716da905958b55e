"""Which streams carry some subscriptions, and what is left of them, without a socket."""

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from clients.core.plans import IDLE, Plan, address, matcher, plans_for
from clients.core.wanted import Wanted


def test_one_stream_for_the_symbols_that_share_channels() -> None:
    """And one more for each further bar interval."""
    wanted = {"trades": ["*"], "quotes": ["*"], "bars:1d": ["*"], "bars:1m": ["A", "B?"]}
    assert list(plans_for(wanted)) == [
        "sse?symbols=*&channels=trades,quotes,bars&interval=1d",
        "sse?symbols=A,B%3F&channels=bars&interval=1m",
    ]
    assert [plan.channels for plan in plans_for({"bars:1s": ["A"], "bars:1m": ["A"]}).values()] == [
        ("bars:1s",),
        ("bars:1m",),
    ]
    assert plans_for({}) == {}


def test_one_stream_more_for_each_pace() -> None:
    wanted = {"trades": ["*"], "quotes": ["*"], "status": ["*"]}
    assert list(plans_for(wanted, {"trades": 2.5, "quotes": 2.5, "status": None})) == [
        "sse?symbols=*&channels=trades,quotes&mode=latest&max_hz=2.5",
        "sse?symbols=*&channels=status",
    ]


def test_a_channel_has_the_fastest_pace_of_all_that_is_wanted_of_it() -> None:
    """What two streams of different paces carry would come twice."""
    wanted = Wanted()

    def ask(symbols: list[str], **terms: object) -> float | None:
        wanted.subscribe({"action": "subscribe", "symbols": symbols, **terms})
        return wanted.paces["trades"]

    assert ask(["A", "B"], mode="latest", max_hz=2) == 2
    assert ask(["A", "B", "C"], mode="latest") == 10
    assert ask(["A"], mode="latest", max_hz=3) == 10
    assert ask(["D"], mode="latest", max_hz=20) == 20
    assert ask(["*"], mode="latest", max_hz=1) == 1
    kept = wanted.copy()
    assert ask(["A"]) is None
    assert ask(["B"], mode="latest", max_hz=1) is None
    wanted.unsubscribe({"symbols": ["*"]}, {})
    assert not wanted.paces
    assert ask(["A"], mode="latest", max_hz=4) == 4
    assert kept.paces == {"trades": 1}


def test_a_reply_tells_the_terms_that_were_asked_for() -> None:
    """So that they are asked for again on the next connection."""
    ask = {"action": "subscribe", "id": 1, "symbols": ["A"], "mode": "latest"}
    reply = Wanted().reply(ask, ["A"])
    assert (reply["mode"], reply["max_hz"]) == ("latest", 10)
    reply = Wanted().reply(ask | {"max_hz": 0.5}, ["A"])
    assert reply["max_hz"] == 0.5
    reply = Wanted().reply(ask | {"mode": "all"}, ["A"])
    assert reply["mode"] == "all"
    assert "max_hz" not in reply


def test_no_address_is_too_long() -> None:
    """Long lists are cut; of what to resume after, as much is told as there is room for."""
    many = [f"S{i}" for i in range(2000)]
    plans = plans_for({"trades": [*many, "X*", "XY"]})
    assert len(plans) > 1
    assert all(len(path) < 4_100 for path in plans)
    # What a pattern stands for already would otherwise come over two streams.
    assert [s for plan in plans.values() for s in plan.symbols] == [*many, "X*"]
    plan = Plan(("*",), ("trades",), "sse?symbols=*&channels=trades")
    url = address("http://x/", plan, "", "e1", {symbol: {"trades": 7} for symbol in many})
    assert len(url) < 7_600
    query = parse_qs(urlsplit(url).query)
    assert query["epoch"] == ["e1"]
    told = orjson.loads(query["since"][0])
    assert list(told) == many[: len(told)]
    assert len(told) > 100


def test_a_cursor_says_it_all() -> None:
    """Sequences would say it twice."""
    assert address("http://x/", IDLE, "e/1", "e", {"A": {"trades": 1}}).endswith(
        "&last_event_id=e%2F1"
    )
    assert address("http://x/", IDLE, "", "e", {}) == f"http://x/{IDLE.path}"


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["*"], ["A", "AB", "B.C"]),
        (["A?"], ["AB"]),
        (["A*", "B.C"], ["A", "AB", "B.C"]),
        (["B?C"], ["B.C"]),
        (["."], []),
    ],
)
def test_patterns(entries: list[str], found: list[str]) -> None:
    """As in the protocol: `*` and `?`, and nothing else means anything but itself."""
    assert list(filter(matcher(entries), ["A", "AB", "B.C"])) == found


def test_what_is_left_after_an_unsubscription() -> None:
    """A pattern stays one until something that it stands for goes."""
    wanted = Wanted()
    both = {"action": "subscribe", "symbols": ["A*", "B"], "channels": ["trades", "bars"]}
    wanted.subscribe(both)
    symbols = {"trades": ["A1", "A2", "B"], "bars:1m": ["A1", "A2", "B"]}
    wanted.unsubscribe({"symbols": ["B"], "channels": ["trades"]}, symbols)
    assert {c: list(e) for c, e in wanted.entries.items()} == {
        "trades": ["A*"],
        "bars:1m": ["A*", "B"],
    }
    kept = wanted.copy()
    wanted.unsubscribe({"symbols": ["A1"], "interval": "1s"}, symbols)
    assert {c: list(e) for c, e in wanted.entries.items()} == {
        "trades": ["A2", "B"],
        "bars:1m": ["A*", "B"],
    }
    wanted.unsubscribe({"symbols": ["*"], "channels": ["bars"]}, symbols)
    assert list(wanted.entries) == ["trades"]
    assert list(kept.entries["trades"]) == ["A*"]
    reply = kept.reply(both | {"id": 7}, ["A1"])
    assert reply["interval"] == "1m"
