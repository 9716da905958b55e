"""One connection's protocol without a connection: whatever a client does, it can account for every event."""

from __future__ import annotations

import gc
from types import GeneratorType
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_rig import NAMES, Rig
from wire import Follower

from feeds.protocol import reply as reply_module


@pytest.fixture
def rig() -> Rig:
    return Rig()


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
