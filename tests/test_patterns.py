"""What a long list of symbols costs: it is bounded in work, in steps and in memory, not in time."""

from __future__ import annotations

import orjson
import pytest
from doubles import FaultyTransport

from feeds.admission.limits import Limits
from feeds.dialects import patterns as patterns_module
from feeds.dialects.native import NativeEncoder
from feeds.dialects.patterns import Patterns
from feeds.engine.feed import Feed
from feeds.fanout import paced as lanes_module
from feeds.fanout.hub import Hub
from feeds.fanout.paced import LANE_SLOTS, Lane
from feeds.protocol.gate import Gate
from feeds.protocol.reply import PIECE
from feeds.protocol.session import Session
from ticker.batch import CHANNELS
from ticker.market import Market
from ticker.universe import Universe

MANY = 20_000


def make_session(symbols: int) -> tuple[Feed, Session]:
    universe = Universe.of_size(symbols)
    market = Market(universe, seed=7, rate=1.0, model="gbm")
    encoder = NativeEncoder(universe)
    hub = Hub(len(universe), CHANNELS, encoder)
    feed = Feed(market, encoder, hub, market.epoch, 0)
    member = hub.join(FaultyTransport(), 0.0, lambda _: None)
    return feed, Session(feed, member, Gate(limits=Limits(max_symbols=10**6)))


def ask(session: Session, **request: object) -> list[bytes]:
    return [reply.message for reply in session.handle(orjson.dumps(request), 0.0)]


def test_a_pattern_is_looked_for_once() -> None:
    """The second time it costs what it finds, and no look at the universe."""
    universe = Universe.of_size(1_000)
    patterns = Patterns(universe)
    found = patterns.match("A*")
    assert list(found) == universe.match("A*")
    made = 1_000 + 100 * len("A*")
    assert patterns.work == made + len(found)
    assert list(patterns.match("A*")) == list(found)
    assert patterns.work == made + 2 * len(found)


def test_old_patterns_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many patterns are asked for, a bounded number of ids is kept; the newest is always there."""
    monkeypatch.setattr(patterns_module, "MOST_KEPT", 2_500)
    patterns = Patterns(Universe.of_size(1_000))
    for pattern in ("*", "**", "***"):
        patterns.match(pattern)
    before = patterns.work
    patterns.match("***")
    patterns.match("**")
    assert patterns.work == before + 2_000
    patterns.match("*")
    assert patterns.work == before + 4_000


def test_many_patterns_are_resolved_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of patterns that each look at everything pauses after some work, whatever it is asked for."""
    monkeypatch.setattr(patterns_module, "WORK", 5_000)
    monkeypatch.setattr("feeds.engine.feed.WORK", 5_000)
    feed, session = make_session(1_000)
    names = ["*" * n for n in range(1, 51)]
    for action, more in (
        ("subscribe", {"channels": ["trades"]}),
        ("snapshot", {}),
        ("unsubscribe", {}),
    ):
        before = feed.patterns.work
        messages = ask(session, action=action, symbols=names, **more)
        pauses = messages.count(b"")
        assert pauses >= (feed.patterns.work - before) // 7_000 > 5
        assert len([m for m in messages if m]) == 1_000 // PIECE


def test_what_is_subscribed_in_pieces_costs_by_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the pieces of a long subscription makes the lanes that it adds, and leaves the full ones before it."""
    made: list[int] = []

    class Counted(Lane):
        __slots__ = ()

        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(len(self.slots))

    monkeypatch.setattr(lanes_module, "Lane", Counted)
    feed, session = make_session(MANY)
    pieces = ask(
        session, action="subscribe", symbols=["*"], channels=["trades", "quotes"], mode="latest"
    )
    assert len([piece for piece in pieces if piece]) == MANY // PIECE
    assert sum(made) <= 2 * MANY + len(pieces) * LANE_SLOTS
    lanes = feed.hub.roster.lanes.of(session.subscriber._member)
    assert sum(len(lane.slots) for lane in lanes) == 2 * MANY
    assert sum(len(lane.slots) < LANE_SLOTS for lane in lanes) <= 1


def test_small_additions_fill_up_a_lane() -> None:
    """Symbols that are added one by one don't become a lane, and so a message, each."""
    feed, session = make_session(LANE_SLOTS + 10)
    for symbol in feed.market.universe.symbols:
        ask(session, action="subscribe", symbols=[symbol], channels=["trades"], mode="latest")
    lanes = feed.hub.roster.lanes.of(session.subscriber._member)
    assert sorted(len(lane.slots) for lane in lanes) == [10, LANE_SLOTS]
