"""
Clients that want everything and clients that want the latest, in one hub, against a tape of all events.

Nothing here waits: time is a number, transports stall and read as told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from doubles import FaultyTransport
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from market_tape import CHANNEL_NUMBERS, SYMBOLS, MarketTape, Reader, Tick
from markets import marks

from feeds.dialects import trades as trades_module
from feeds.fanout import hub as hub_module
from feeds.fanout import paced as lanes_module
from feeds.fanout.hub import Hub
from feeds.fanout.subscription import Subscription
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.batch import BARS, CHANNELS

Key = tuple[int, int]


class Client:
    """A member, what it wants in which window (None: everything), and what it was told."""

    def __init__(self, hub: Hub, tape: MarketTape, now: float, room: int) -> None:
        self.transport = FaultyTransport(room)
        self.member = hub.join(self.transport, now, lambda _: None)
        self.reader = Reader(tape)
        self.subscription = Subscription()
        self.windows: dict[Key, int | None] = {}
        self.sent: dict[int, list[float]] = {}
        """By window, when there were updates since the subscription was changed, and the last one before."""
        self.here = True


symbol_sets = st.one_of(st.just(set(range(SYMBOLS))), st.sets(st.integers(0, SYMBOLS - 1)))
channel_sets = st.sets(st.sampled_from(CHANNEL_NUMBERS), min_size=1)
windows = st.sampled_from([None, 100_000, 1_000_000, 7])
ticks = st.builds(
    Tick,
    st.integers(0, SYMBOLS - 1),
    st.sampled_from(CHANNEL_NUMBERS),
    st.integers(1, 1_000),
    st.integers(1, 9),
    marks,
)


class PacedAgainstTape(RuleBasedStateMachine):
    """
    Connections come, go, subscribe in either mode, change it live, stall, read and break; leave within turns, too.

    Of each symbol and channel, every client is told of every event exactly once: sent, counted in ``merged`` with what it
    adds to shares and extremes, or in a gap. Nobody's updates are closer together than its window allows, and what is
    dirty goes out when the window ends.
    """

    clients: Bundle[Client] = Bundle("clients")

    @initialize(
        target=clients,
        slow=st.sampled_from([Slow.CONFLATE, Slow.CONFLATE, Slow.DROP, None]),
        history=st.booleans(),
        trades=st.sampled_from([2, 1_024]),
        lane=st.sampled_from([2, 256]),
    )
    def begin(self, slow: Slow | None, history: bool, trades: int, lane: int) -> Any:
        self.before = (hub_module.FLUSH_SLICE, trades_module._MOST_TRADES, lanes_module.LANE_SLOTS)
        hub_module.FLUSH_SLICE = 2
        trades_module._MOST_TRADES = trades
        lanes_module.LANE_SLOTS = lane
        self.tape, self.slow, self.now, self.history = MarketTape(), slow, 0.0, history
        self.hub = Hub(
            SYMBOLS,
            CHANNELS,
            self.tape.encoder,
            policy=BacklogPolicy(400, 50, 20_000, 50.0),
            history_bytes=100_000 if history else 0,
            slow=slow,
            snapshots=self.tape,
        )
        self.all: list[Client] = []
        return multiple(
            *(self.join({0, 1}, set(CHANNEL_NUMBERS), window, room=0) for window in (None, 100_000))
        )

    def teardown(self) -> None:
        if hasattr(self, "before"):
            slice_, trades, lane = self.before
            hub_module.FLUSH_SLICE, lanes_module.LANE_SLOTS = slice_, lane
            trades_module._MOST_TRADES = trades

    # Between turns.

    @rule(
        target=clients,
        symbols=symbol_sets,
        channels=channel_sets,
        window=windows,
        room=st.sampled_from([0, 25]),
    )
    def join(self, symbols: set[int], channels: set[int], window: int | None, room: int) -> Client:
        client = Client(self.hub, self.tape, self.now, room)
        self.all.append(client)
        self.subscribe(client, symbols, channels, window)
        return client

    @rule(who=clients, symbols=symbol_sets, channels=channel_sets, window=windows)
    def subscribe(
        self, who: Client, symbols: set[int], channels: set[int], window: int | None
    ) -> None:
        keys = {(s, c) for s in symbols for c in channels}
        if keys:
            self.change(
                who,
                who.subscription.add(symbols, channels, window),
                who.windows | dict.fromkeys(keys, window),
            )

    @rule(who=clients, symbols=symbol_sets, channels=channel_sets)
    def unsubscribe(self, who: Client, symbols: set[int], channels: set[int]) -> None:
        gone = {(s, c) for s in symbols for c in channels}
        left = {key: window for key, window in who.windows.items() if key not in gone}
        self.change(who, who.subscription.remove(symbols, channels), left)

    @rule(who=clients, symbol=st.integers(0, SYMBOLS - 1))
    def snapshot(self, who: Client, symbol: int) -> None:
        if who.here:
            slots = np.array([c * SYMBOLS + symbol for c in CHANNEL_NUMBERS])
            self.hub.snapshotted(who.member, slots, self.now)
            told = {(symbol, c): self.tape.seq(symbol, c) for c in CHANNEL_NUMBERS}
            who.reader.last |= {key: seq for key, seq in told.items() if key in who.windows}

    @rule(who=clients, size=st.integers(0, 500) | st.none(), goes_on=st.booleans())
    def read(self, who: Client, size: int | None, goes_on: bool) -> None:
        who.transport.read(size)
        who.transport.stalled = not goes_on

    # Turns.

    @rule(
        events=st.lists(ticks, max_size=25),
        by=st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.100001, 0.9, 1.0, 30.0]),
    )
    def turn(self, events: list[Tick], by: float) -> None:
        self.turned(events, by)

    @rule(who=consumes(clients), breaks=st.booleans(), pauses=st.integers(0, 3))
    def end(self, who: Client, breaks: bool, pauses: int) -> None:
        """Break, to be found out by the next turn; or leave in the middle of this one."""
        if breaks:
            who.transport.snap()
            return
        self.turned([Tick(s, c) for s in range(SYMBOLS) for c in CHANNEL_NUMBERS], 1.0, who, pauses)

    def turned(
        self, events: list[Tick], by: float, leaver: Client | None = None, pauses: int = 0
    ) -> None:
        self.now = round(self.now + by, 6)
        before = {c: (c.member.laggard, dict(c.reader.last)) for c in self.all}
        self.hub.publish(self.tape.add(events))
        pause = 0
        for part in (self.hub.flush(self.now), None, self.hub.pace(self.now)):
            if part is None:
                self.hub.slow.tend(self.now)
                continue
            for _ in part:
                if leaver is not None and pause == pauses:
                    self.gone(leaver)
                    leaver = None
                pause += 1
        if leaver is not None:
            self.gone(leaver)
        for client in self.all:
            if client.member.group is None:
                client.here = False
            if client.here:
                self.check(client, *before[client])
        self.all = [client for client in self.all if client.here]

    def check(self, who: Client, behind: Any, last: dict[Key, int]) -> None:
        merged = dict(who.reader.merged)
        seen = who.reader.feed(who.transport.objects())
        assert seen <= who.windows.keys()
        for key, window in who.windows.items():
            if window is None and behind is None:
                assert who.reader.merged[key] == merged.get(key, 0), "everything, where it reads"
            if key[1] >= BARS and self.history and window is None:
                few = self.tape.seq(*key) - last[key] <= 10
                assert not few or who.reader.merged[key] == merged.get(key, 0), "all of a few bars"
        self.check_pace(who, {w for key in seen if (w := who.windows[key]) is not None})
        if who.member.laggard is not None:
            return
        for key, window in who.windows.items():
            newest = who.reader.last[key] == self.tape.seq(*key)
            if window is None:
                assert newest, "all there is"
            elif not newest:
                assert self.slow is not None, "an update a turn, where time doesn't count"
                assert who.sent.get(window), "the first one goes out at once"
                assert self.now - who.sent[window][-1] < window / 1e6, "and the last one, too"

    def check_pace(self, who: Client, updated: set[int]) -> None:
        for window in updated:
            sent = who.sent.setdefault(window, [])
            if sent and sent[-1] == self.now:
                assert lanes_module.LANE_SLOTS == 2 or self.slow is None
                continue
            sent.append(self.now)
            if self.slow is None or lanes_module.LANE_SLOTS == 2:
                continue
            for i, earlier in enumerate(sent[:-1]):
                between = len(sent) - i - 2  # whole windows
                assert round((self.now - earlier) * 1e6) > between * window

    # Helpers.

    def change(self, who: Client, wanted: Subscription, windows: dict[Key, int | None]) -> None:
        if not who.here or who.member.group is None:
            return
        self.hub.subscribe(who.member, wanted.full, self.now, wanted.paced)
        who.reader.feed(who.transport.objects())  # what goes over to full goes on where it stood
        before = who.windows
        who.subscription, who.windows = wanted, windows
        who.reader.want(set(windows))
        old, who.sent = who.sent, {}
        for (
            key,
            window,
        ) in windows.items():  # what comes together waits for the one that was sent last
            last = old.get(before.get(key) or 0, [])[-1:]
            if window is not None:
                who.sent[window] = max(who.sent.get(window, []), last)

    def gone(self, who: Client) -> None:
        self.hub.leave(who.member)
        who.here = False
        who.transport.closed = True

    # What always holds.

    @invariant()
    def what_is_wanted_is_what_the_clients_imply(self) -> None:
        if not hasattr(self, "all"):
            return
        here = [c for c in self.all if c.here and c.member.group is not None]
        groups = {c.subscription.full for c in here}
        lanes = [interest for c in here for _, interest in c.subscription.paced]
        wanted = np.zeros(SYMBOLS * CHANNELS, dtype=int)
        for interest in (*groups, *lanes):
            wanted[interest.slots(SYMBOLS)] += 1
        assert self.hub.roster.wanted.tolist() == wanted.tolist()
        assert bool(self.hub.roster.lanes) == bool(lanes)
        assert all(c.transport.late == 0 for c in self.all)

    @invariant()
    def nothing_is_kept_where_nobody_needs_it(self) -> None:
        if hasattr(self, "all") and not self.hub.newest.active:
            assert not self.hub.newest.events
            assert not self.hub.slow.laggards
            assert not self.hub.roster.lanes


TestPacedAgainstTape = PacedAgainstTape.TestCase
TestPacedAgainstTape.settings = settings(max_examples=150, stateful_step_count=40)
