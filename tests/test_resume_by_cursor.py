"""
Coming back with a cursor, without sockets: whatever a client got before it was cut off, and whatever it asks for when it
is back, all of it together is the market's own tape: nothing twice, nothing missing.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import pytest
from doubles import RecordingTransport, StalledTransport
from markets import SECOND, START
from streaming import Message, messages_in

from feeds.clock import ManualClock
from feeds.dialects.native import NativeEncoder
from feeds.dialects.requests import Subscribe, parse_request
from feeds.engine import pump as pump_module
from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.fanout.cursor import WHOLE, Cursor
from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.protocol.session import Session
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.bodies import EventStream
from ticker.batch import CHANNELS
from ticker.market import Market
from ticker.universe import Universe

SYMBOLS = 6
RATE = 60.0
CHANNEL_OF = {"trade": "trades", "quote": "quotes", "bar": "bars"}


def market() -> Market:
    return Market(Universe.of_size(SYMBOLS), seed=11, rate=RATE)


def tape(seconds: float) -> list[dict[str, Any]]:
    """Everything that the market gives, as objects."""
    own = market()
    batch = own.step(own.now_us + round(seconds * SECOND))
    return [orjson.loads(f[:-1]) for f in NativeEncoder(own.universe).encode(batch)]


class Rig:
    """A feed on a manual clock, turned by hand."""

    def __init__(self, *, history_mb: float = 64.0, policy: BacklogPolicy | None = None) -> None:
        self.market = market()
        encoder = NativeEncoder(self.market.universe)
        self.hub = Hub(
            SYMBOLS, CHANNELS, encoder, policy=policy, history_bytes=round(history_mb * 1e6)
        )
        self.clock = ManualClock(START)
        self.feed = Feed(self.market, encoder, self.hub, self.market.epoch, 0)
        self.pump = Pump(self.market, self.hub, self.clock, heartbeat_s=0)
        self.silent = EventStream(chunked=False)
        self.telling = EventStream(
            chunked=False, cursor=lambda: str(Cursor(self.feed.epoch, self.hub.place)).encode()
        )

    async def turn(self, microseconds: int) -> None:
        self.clock.advance(microseconds)
        await self.pump.turn()

    def connect(
        self, transport: RecordingTransport, cursor: str | None = None, **request: Any
    ) -> Member:
        """Do what the server does for one connection."""
        now = self.clock.seconds()
        member = self.hub.join(transport, now, lambda _: None, self.silent)
        self.hub.reply(member, self.feed.hello(), now)
        asked: dict[str, Any] = {
            "action": "subscribe",
            "symbols": ["*"],
            "channels": ["trades", "quotes", "bars"],
        }
        asked |= request
        asked |= {"interval": "1s"} if "bars" in asked["channels"] else {}
        subscribe = parse_request(orjson.dumps(asked))
        assert isinstance(subscribe, Subscribe)
        place = None if cursor is None else Cursor.parse(cursor)
        for answer, more in Session(self.feed, member).subscriber.subscribe(subscribe, now, place):
            if not more:
                self.hub.repack(member, self.telling, now)
            self.hub.reply(member, answer, now)
        return member


def taken(transport: RecordingTransport) -> list[Message]:
    data, transport.writes = b"".join(transport.writes), []
    return messages_in(data)


def key(item: dict[str, Any]) -> tuple[str, str, str, int]:
    return item["symbol"], item["type"], item.get("interval", ""), item["seq"]


def events_of(messages: list[Message]) -> list[dict[str, Any]]:
    return [i for m in messages for i in m.objects if i["type"] in CHANNEL_OF]


def assert_is_the_tape(got: list[dict[str, Any]], seconds: float, **only: Any) -> None:
    expected = [
        item
        for item in tape(seconds)
        if item.get("interval", "1s") == "1s" and only.items() <= item.items()
    ]
    assert sorted(map(key, got)) == sorted(map(key, expected)), "not everything, or not once"
    assert sorted(got, key=key) == sorted(expected, key=key)


async def come_and_go(rig: Rig, rng: random.Random, seconds: float) -> list[dict[str, Any]]:
    """Connect, read some messages, be cut off after any of them, come back later with the last id."""
    got: list[dict[str, Any]] = []
    last: str | None = f"{rig.feed.epoch}-{START}"
    end = START + round(seconds * SECOND)
    while True:
        transport = RecordingTransport()
        member = rig.connect(transport, last)
        for _ in range(rng.randint(0, 5)):
            await rig.turn(min(rng.choice([500, 20_000, 300_000]), end - rig.clock.now_us()))
        rig.hub.leave(member)
        messages = taken(transport)
        assert messages[0].last_event_id == ""
        finished = rig.clock.now_us() == end
        read = messages if finished else messages[: rng.randint(1, len(messages))]
        got += events_of(read)
        last = read[-1].last_event_id or last
        assert not any(i["type"] in ("gap", "snapshot") for m in read for i in m.objects)
        if finished:
            return got
        if rng.random() < 0.3:
            await rig.turn(min(150_000, end - rig.clock.now_us()))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [7, 4_000])
def test_all_that_a_client_got_is_the_tape(
    seed: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where turns are cut into many messages, within the bars of one second too."""
    monkeypatch.setattr(pump_module, "MAX_TURN_EVENTS", most)
    rig = Rig()
    got = asyncio.run(come_and_go(rig, random.Random(seed), 4.0))
    assert_is_the_tape(got, 4.0)


def test_turns_are_cut_within_the_bars_of_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test before this one would prove less than it says: and every such place is good to come back to."""
    monkeypatch.setattr(pump_module, "MAX_TURN_EVENTS", 2)
    rig = Rig()
    transport = RecordingTransport()
    rig.connect(transport, f"{rig.feed.epoch}-{START}")
    asyncio.run(rig.turn(SECOND + 5_000))
    messages = taken(transport)
    cursors = [Cursor.parse(m.last_event_id) for m in messages[1:]]
    within = [n for n, c in enumerate(cursors, 1) if c is not None and c.place.slot != WHOLE]
    assert within
    for n in within:
        other = RecordingTransport()
        rig.hub.leave(rig.connect(other, messages[n].last_event_id))
        assert_is_the_tape(events_of(messages[: n + 1]) + events_of(taken(other)), 1.005)


def test_a_client_of_one_symbol_on_one_channel() -> None:
    """What it isn't subscribed to moves its cursor no further than it can come back to."""
    rig = Rig()
    got: list[dict[str, Any]] = []
    last = f"{rig.feed.epoch}-{START}"
    name = rig.market.universe.symbols[3]

    async def run() -> None:
        nonlocal last
        for _ in range(40):
            transport = RecordingTransport()
            member = rig.connect(transport, last, symbols=[name], channels=["trades"])
            await rig.turn(30_000)
            await rig.turn(20_000)
            rig.hub.leave(member)
            messages = taken(transport)
            got.extend(events_of(messages))
            last = messages[-1].last_event_id

    asyncio.run(run())
    assert len(got) > 10
    assert_is_the_tape(got, 2.0, symbol=name, type="trade")


def test_long_answers_come_in_pieces_of_which_only_the_last_has_an_id() -> None:
    """An id in between would claim what is yet to come. What was live already tells none either, until all is."""
    rig = Rig()
    asyncio.run(rig.turn(6 * SECOND))
    transport = RecordingTransport()
    rig.connect(transport, f"{rig.feed.epoch}-{START}")
    messages = taken(transport)
    assert len(messages) > 3
    assert [bool(m.last_event_id) for m in messages] == [m is messages[-1] for m in messages]
    more = [m.objects[0].get("more", False) for m in messages[1:]]
    assert more == [m is not messages[-1] for m in messages[1:]]
    assert_is_the_tape(events_of(messages), 6.0)


def test_a_crowd_that_comes_back_is_looked_up_once() -> None:
    """And only a few crowds are remembered."""
    rig = Rig()
    asyncio.run(rig.turn(SECOND))
    for n in range(20):
        transport = RecordingTransport()
        rig.hub.leave(rig.connect(transport, f"{rig.feed.epoch}-{START + n // 2 * 1000}"))
        got = events_of(taken(transport))
        assert all(i["type"] == "bar" or i["time"] * 1000 >= START + n // 2 * 1000 for i in got)
        assert len(rig.feed.looked_up) <= 4
    assert all(len(found) == 3 * SYMBOLS for found in rig.feed.looked_up.values())


# What can't be resumed.


def told(rig: Rig, cursor: str, **request: Any) -> list[dict[str, Any]]:
    transport = RecordingTransport()
    rig.hub.leave(rig.connect(transport, cursor, **request))
    return [i for m in taken(transport)[1:] for i in m.objects]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [("{epoch}-{after}", "ahead"), ("0123456789abcdef-{now}", "epoch"), ("x-0", "epoch")],
)
def test_all_or_a_gap_and_a_snapshot(cursor: str, reason: str) -> None:
    rig = Rig()
    asyncio.run(rig.turn(SECOND))
    now = rig.hub.place.us
    text = cursor.format(epoch=rig.feed.epoch, now=now, after=now + 1)
    items = told(rig, text, channels=["trades"], snapshot=False)
    names = list(rig.market.universe.symbols)
    newest = rig.market.sequences()[0].tolist()
    gaps = [i for i in items if i["type"] == "gap"]
    assert gaps == [
        {"type": "gap", "symbol": name, "channel": "trades", "to": seq, "reason": reason}
        for name, seq in zip(names, newest, strict=True)
    ]
    assert [i["symbol"] for i in items if i["type"] == "snapshot"] == names
    assert not [i for i in items if i["type"] == "trade"]


def test_too_old_is_told_by_channel_and_nothing_is_told_in_part() -> None:
    rig = Rig(history_mb=0.02)
    assert 5 <= rig.hub.history.length <= 20
    asyncio.run(rig.turn(2 * SECOND))
    items = told(rig, f"{rig.feed.epoch}-{START + SECOND}", channels=["quotes", "bars"])
    kinds = {(i["type"], i.get("channel")) for i in items}
    assert kinds == {
        ("subscribed", None),
        ("gap", "quotes"),
        ("bar", None),
        ("snapshot", None),
    }
    assert all(i["reason"] == "too_old" for i in items if i["type"] == "gap")


# Slow consumers.

POLICY = BacklogPolicy(soft_limit=600, low_water=300, hard_limit=1_000_000, no_progress_s=1e6)


def test_while_it_is_behind_no_message_claims_what_was_not_delivered() -> None:
    """And what it gets then is conflated and says so; with the id of the last message it goes on where it was."""
    rig = Rig(policy=POLICY)
    transport = StalledTransport(stalled=False)
    member = rig.connect(transport)
    last: dict[tuple[str, ...], int] = {}
    merged = silent = caught_up = 0

    async def run() -> None:
        nonlocal merged, silent, caught_up
        rng = random.Random(5)
        for n in range(150):
            transport.stalled = n % 10 in (1, 2, 3, 4, 5)
            transport.read(rng.choice([0, 100, 600, None]) if transport.stalled else None)
            await rig.turn(20_000)
            for message in taken(transport):
                for item in message.objects:
                    if item["type"] == "snapshot":
                        for channel, seq in item["seq"].items():
                            last[item["symbol"], channel] = seq
                    if item["type"] not in CHANNEL_OF:
                        continue
                    channel = CHANNEL_OF[item["type"]]
                    channel += ":1s" if channel == "bars" else ""
                    where = item["symbol"], channel
                    assert item["seq"] == last[where] + 1 + item.get("merged", 0)
                    last[where] = item["seq"]
                    merged += item.get("merged", 0)
                if message.objects[0]["type"] == "hello":
                    continue
                cursor = rig.telling._cursor().decode()  # type: ignore[misc]
                behind = [
                    where
                    for where, seq in last.items()
                    if where[1] in ("trades", "quotes") and seq != newest(rig, *where)
                ]
                whole = message.last_event_id == cursor
                silent += not whole
                caught_up += whole and any("merged" in i for i in message.objects)
                assert not (whole and behind), "claims more than was delivered"

    asyncio.run(run())
    assert merged > 50
    assert silent > 5
    assert caught_up > 0
    assert member.group is not None


def newest(rig: Rig, name: str, channel: str) -> int:
    number = {"trades": 0, "quotes": 1}[channel]
    symbol = rig.market.universe.find(name)
    assert symbol is not None
    return int(rig.hub.seq[number * SYMBOLS + symbol])


def test_an_answer_to_who_is_behind_claims_nothing() -> None:
    rig = Rig(policy=POLICY)
    transport = StalledTransport(stalled=False)
    member = rig.connect(transport)
    taken(transport)
    rig.hub.reply(member, b'[{"type":"pong"}]', 0.0)
    transport.stalled = True
    asyncio.run(rig.turn(200_000))
    assert member in rig.hub.slow.laggards
    before, *_ = taken(transport)
    assert before.last_event_id
    rig.hub.reply(member, b'[{"type":"pong"}]', 0.0)
    assert [m.last_event_id for m in taken(transport)] == [""]
