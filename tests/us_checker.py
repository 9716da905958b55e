"""
A reader of what a market with the rules of the US market publishes, which knows PROTOCOL.md and nothing of the code.

It takes events as clients get them, and says what is wrong with them: times, sequences, prices, statuses, bands, bars.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["Reader"]

NEW_YORK = ZoneInfo("America/New_York")
CONTINUOUS = {"trading", "straddle_state"}
REGULAR = CONTINUOUS | {"limit_state"}
TRADES_IN = REGULAR | {"pre_market", "post_market"}
NOT_LAST = set("CHINRTUVW7PZ4MQ")
NOT_RANGE = set("CHINRTUVW7MQ")
NOT_VOLUME = set("MQ")
INTERVALS = {"1s": 1, "1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400}
SHUT = {"2026-01-19", "2026-04-03", "2026-06-19", "2026-07-03", "2026-11-26", "2026-12-25"}
HALF = {"2026-11-27", "2026-12-24"}

Event = dict[str, Any]


def trades_on(day: date) -> bool:
    return day.weekday() < 5 and day.isoformat() not in SHUT


def hours(day: date) -> list[tuple[float, str]]:
    """Unix time, in milliseconds, at which the sessions of a day begin."""
    half = day.isoformat() in HALF
    clock = [(4, 0), (9, 30), (13 if half else 16, 0), (17 if half else 20, 0)]
    names = ["pre_market", "trading", "post_market", "closed"]
    return [
        (datetime.combine(day, time(*at), NEW_YORK).timestamp() * 1_000, name)
        for at, name in zip(clock, names, strict=True)
    ]


def session_at(ms: float) -> tuple[float, str, float]:
    """The session of a moment: when it began, its status, when it ends."""
    return _session_of(int(ms // 60_000))


@lru_cache(maxsize=4_096)
def _session_of(minute: int) -> tuple[float, str, float]:
    ms = minute * 60_000
    today = datetime.fromtimestamp(ms / 1_000, NEW_YORK).date()
    days = (today + timedelta(days=n) for n in range(-6, 7))
    turns = [turn for day in days if trades_on(day) for turn in hours(day)]
    at = max(i for i, (begin, _) in enumerate(turns) if begin <= ms)
    return *turns[at], turns[at + 1][0]


@dataclass
class Bar:
    start: int
    first: float | None = None
    close: float = 0.0
    high: float = -1.0
    low: float = 1e9
    volume: int = 0
    trades: int = 0


@dataclass
class Symbol:
    """What is known of a symbol."""

    info: Event
    tier: int
    status: str
    bid: float
    ask: float
    last: float
    close: float
    """The last price of the day before: by it the percentage of its bands goes."""
    index_close: float
    """What its price is compared with in the index."""
    open: float | None
    high: float | None
    low: float | None
    volume: int
    time: float = 0.0
    told: float = 0.0
    """When the status changed the last time."""
    reason: str | None = None
    seq: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bars: dict[str, Bar] = field(default_factory=dict)
    made: dict[str, list[Bar]] = field(default_factory=lambda: defaultdict(list))
    reference: float | None = None
    mean: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """The prices that count, by half minute."""
    last_index: float = 0.0
    pending: float | None = None
    """A reference price that holds from the next quote on."""
    looked: int = -1
    """The half minute in which its reference price was looked at the last time."""
    loose: bool = False
    """Whether its reference price is of a quote that nobody saw, after a halt."""
    prints: list[str] = field(default_factory=list)
    """The auctions of this session."""
    asked: tuple[float, bool | None] | None = None
    """When a quote came, and whether it straddles a band; None: it can't be told, so near."""

    @property
    def tick(self) -> float:
        return float(self.info["tick_size"])


class Reader:
    """
    Reads events, and keeps what is wrong with them.

    Args:
        infos: what ``symbols`` says of each symbol.
        snapshots: those at the start.
        tiers: by symbol, of limit up, limit down.
        scripted: trades that somebody scripted, which may be anywhere: symbol and price.
    """

    def __init__(
        self,
        infos: list[Event],
        snapshots: list[Event],
        tiers: list[int],
        scripted: set[tuple[str, float]] | None = None,
    ) -> None:
        self.wrong: list[str] = []
        self.scripted = scripted or set()
        self.halts = 0
        """How often a market-wide circuit breaker has tripped."""
        self.due: dict[str, str] = {}
        """Who is to be halted now, and why."""
        self.crosses = False
        """Whether somebody scripted further auctions."""
        self.halting: str | None = None
        """The reason of halts of the whole market that somebody scripted."""
        self.level = 0
        self.counts: dict[str, int] = defaultdict(int)
        self.symbols = {
            info["symbol"]: Symbol(
                info,
                tier,
                state["status"],
                state["bid"],
                state["ask"],
                state["last"],
                (state["bid"] + state["ask"]) / 2,
                int((state["bid"] + state["ask"]) / 2 / info["tick_size"] + 1e-6)
                * info["tick_size"],
                state["open"],
                state["high"],
                state["low"],
                state["volume"],
                state["time"],
            )
            for info, state, tier in zip(infos, snapshots, tiers, strict=True)
        }
        for one in self.symbols.values():
            one.last_index = one.index_close
            if one.status in REGULAR:
                one.reference = (one.bid + one.ask) / 2

    def read(self, event: Event) -> None:
        """Read one event."""
        one = self.symbols[event["symbol"]]
        key = event["type"] + event.get("interval", "")
        one.seq[key] += 1
        self._must(event["seq"] == one.seq[key], event, f"sequence is not {one.seq[key]}")
        self.counts[key] += 1
        if event["type"] == "bar":
            self._bar(one, event)
            return
        self._must(event["time"] >= one.time, event, f"earlier than {one.time}")
        if one.asked and (event["type"], event["time"]) != ("status", one.asked[0]):
            straddles, one.asked = one.asked[1], None
            if straddles is not None and one.status in CONTINUOUS:
                right = (one.status == "straddle_state") == straddles
                self._must(
                    right, event, f"{one.status}, and the quote before straddles: {straddles}"
                )
        one.time = event["time"]
        self._look(one, one.time)
        getattr(self, "_" + event["type"])(one, event)

    def _must(self, right: bool, event: object, what: str) -> None:
        if not right and len(self.wrong) < 20:
            self.wrong.append(f"{what}: {event}")

    def _grid(self, one: Symbol, price: float, event: Event) -> None:
        tick = one.tick if one.tick >= 0.005 or price < 0.99999 else 0.01
        near = abs(price / tick - round(price / tick)) < 1e-6
        self._must(near, event, f"{price} is not a multiple of {tick}")

    def _quote(self, one: Symbol, event: Event) -> None:
        self._must(one.status in TRADES_IN | {"quoting"}, event, f"a quote while {one.status}")
        self._must(event["bid"] < event["ask"], event, "crossed")
        for side in ("bid", "ask"):
            self._grid(one, event[side], event)
            lots = event[side + "_size"] % one.info["round_lot"]
            self._must(lots == 0 and event[side + "_size"] > 0, event, "not in round lots")
        one.bid, one.ask = event["bid"], event["ask"]
        if one.status in REGULAR:
            low, high = self._bands(one, event["time"], move=True)
            slack = 1.01 * self._slack(one)
            self._must(event["bid"] <= high + slack, event, f"bids above {high}")
            self._must(event["ask"] >= low - slack, event, f"asks below {low}")
            room = min(event["bid"] - low, high - event["ask"])
            one.asked = event["time"], None if abs(room) <= slack else room < 0

    def _trade(self, one: Symbol, event: Event) -> None:
        if (event["symbol"], event["price"]) in self.scripted:
            self._aggregate(one, event)
            return
        codes = set(event.get("conditions", []))
        self._must(one.status in TRADES_IN, event, f"a trade while {one.status}")
        self._must("exchange" in event, event, "no exchange")
        self._grid(one, event["price"], event)
        auction = codes & set("O65")
        odd = event["size"] < one.info["round_lot"]
        self._must(("I" in codes) == odd, event, "odd lot or not")
        late = one.status in ("pre_market", "post_market") and not auction
        self._must(("T" in codes) == late, event, f"T or not while {one.status}")
        if auction:
            one.prints += auction
            self._must(event["exchange"] == one.info["exchange"], event, "an auction elsewhere")
        inside = one.bid <= event["price"] <= one.ask
        self._must(inside, event, f"outside of the quote {one.bid} {one.ask}")
        if auction & set("O5"):
            one.reference, one.pending, one.loose = event["price"], None, False
            one.mean = defaultdict(list)
        if one.status in REGULAR:
            low, high = self._bands(one, event["time"])
            slack = self._slack(one)
            if "6" not in codes:
                within = low - slack <= event["price"] <= high + slack
                self._must(within, event, f"outside of the bands {low} {high}")
            if not odd:
                one.mean[int(event["time"] // 30_000)].append(event["price"])
        self._aggregate(one, event)

    def _aggregate(self, one: Symbol, event: Event) -> None:
        codes = set(event.get("conditions", []))
        price = event["price"]
        for interval, seconds in INTERVALS.items():
            start = int(event["time"] // (1_000 * seconds)) * 1_000 * seconds
            bar = one.bars.get(interval)
            if bar is None or bar.start != start:
                self._finish(one, interval)
                bar = one.bars[interval] = Bar(start)
            if not codes & NOT_LAST:
                bar.first = price if bar.first is None else bar.first
                bar.close = price
            if not codes & NOT_RANGE:
                bar.high, bar.low = max(bar.high, price), min(bar.low, price)
            if not codes & NOT_VOLUME:
                bar.volume += event["size"]
                bar.trades += 1
        if not codes & NOT_LAST:
            one.last = price
            one.open = price if one.open is None else one.open
            if (event["symbol"], price) not in self.scripted and (
                one.status in REGULAR or "6" in codes
            ):
                one.last_index = price
        if not codes & NOT_RANGE:
            one.high = price if one.high is None else max(one.high, price)
            one.low = price if one.low is None else min(one.low, price)
        if not codes & NOT_VOLUME:
            one.volume += event["size"]

    def _finish(self, one: Symbol, interval: str) -> None:
        bar = one.bars.pop(interval, None)
        if bar is not None and bar.first is not None:
            one.made[interval].append(bar)

    def _bar(self, one: Symbol, event: Event) -> None:
        interval = event["interval"]
        bar = one.bars.get(interval)
        if bar is not None and bar.start == event["time"]:
            self._finish(one, interval)
        if not one.made[interval]:
            self._must(False, event, "a bar of no trades")
            return
        bar = one.made[interval].pop(0)
        mine = (bar.start, bar.first, bar.high, bar.low, bar.close, bar.volume, bar.trades)
        theirs = tuple(
            event[name] for name in ("time", "open", "high", "low", "close", "volume", "trades")
        )
        self._must(mine == theirs, event, f"bar is not {mine}")

    def _status(self, one: Symbol, event: Event) -> None:
        old, new, at = one.status, event["status"], event["time"]
        self.counts[new] += 1
        begin, session, _ = session_at(at)
        lasted = at - one.told
        told_anew = new == old == "paused"
        same = new == old and event["reason"] == one.reason and not told_anew
        self._must(not same or event["reason"] == self.halting, event, "no change")
        self._limited(one, event, lasted)
        if new in ("pre_market", "post_market", "closed") and not (
            self.crosses and new == "closed"
        ):
            self._must(new == session, event, f"it is {session}")
            if old not in ("halted", "quoting") and not self.crosses:
                self._must(abs(at - begin) < 1, event, f"{session} began at {begin}")
        if new == "trading":
            self._must(session == "trading", event, f"it is {session}")
        if abs(at - begin) < 1:
            self._turn(one, event, session)
        if (event["reason"] or "").startswith("MWC") and new == "halted":
            wanted = self.due.pop(event["symbol"], self.halting)
            self._must(wanted == event["reason"], event, f"halted, expected {wanted}")
        if new == "trading" and old not in REGULAR:
            one.reference, one.pending, one.mean = None, None, defaultdict(list)
            one.loose = event["reason"] != "LUDP"
        one.status, one.told, one.reason = new, at, event["reason"]

    def _limited(self, one: Symbol, event: Event, lasted: float) -> None:
        """What a change has to do with limit up, limit down."""
        old, new, at = one.status, event["status"], event["time"]
        if new == "paused":
            right = abs(lasted - 300_000) < 0.01 if new == old else abs(lasted - 15_000) < 0.01
            self._must(right, event, f"paused after {lasted} ms of {old}")
        if new == "limit_state":
            low, high = self._bands(one, at)
            slack = self._slack(one)
            at_band = one.bid >= high - slack or one.ask <= low + slack
            self._must(old in CONTINUOUS and at_band, event, f"no limit state at {low} {high}")
        if "straddle_state" in (old, new) and new in CONTINUOUS:
            low, high = self._bands(one, at)
            slack = self._slack(one) * (1 if new == "straddle_state" else -1)
            outside = one.bid < low + slack or one.ask > high - slack
            self._must(outside == (new == "straddle_state"), event, f"straddles {low} {high}?")
        if old == "limit_state" and new in REGULAR:
            self._must(lasted <= 15_000, event, "a limit state that lasts too long")
        if old == "paused" and new == "trading":
            self._must(abs(lasted - 300_000) < 0.01, event, "a pause of another length")

    def _turn(self, one: Symbol, event: Event, session: str) -> None:
        """A session has begun."""
        expected = {"trading": [], "post_market": ["O", "6"]}.get(session)
        if session == "post_market" and one.status not in TRADES_IN:
            expected = None  # its print comes behind
        if expected and one.status in TRADES_IN:
            plain = [code for code in one.prints if code != "5"]
            plain = sorted(set(plain), key=plain.index) if self.crosses else plain
            self._must(plain in (expected, expected[1:]), event, f"auctions {plain}")
        if session == "pre_market":
            one.close = one.last
            one.index_close = one.last_index
            one.open = one.high = one.low = None
            one.volume = 0
            self.level = 0
        if session in ("trading", "pre_market"):
            one.prints = []

    def _slack(self, one: Symbol) -> float:
        """Bands are rounded, inwards to whole cents; and prices are decimals."""
        loose = 0.01 * one.bid if one.loose else 0.0
        return 2 * one.tick + (0.01 if one.tick < 0.005 else 0) + loose + 1e-9

    def _bands(self, one: Symbol, at: float, *, move: bool = False) -> tuple[float, float]:
        """
        The bands: around the mean of five minutes, looked at each half minute, and new with the next quote.

        Args:
            one: of this symbol.
            at: now.
            move: whether this is a quote, with which a new reference holds.
        """
        if one.reference is None:
            one.reference = (one.bid + one.ask) / 2
        if move and one.status in CONTINUOUS and one.pending is not None:
            one.reference, one.pending, one.loose = one.pending, None, False
        _, _, end = session_at(at)
        late = end - at <= 25 * 60_000
        distance = self._distance(one, one.reference)
        if late and (one.tier == 1 or one.close <= 3 + 1e-9):
            distance *= 2
        return one.reference - distance, one.reference + distance

    def _look(self, one: Symbol, at: float) -> None:
        """Look at the reference price at each half minute up to now."""
        slot = int(at // 30_000)
        for now in range(max(one.looked + 1, slot - 20), slot + 1):
            prices = [p for n in range(now - 10, now) for p in one.mean.get(n, [])]
            if one.status in CONTINUOUS and one.reference is not None and prices:
                mean = sum(prices) / len(prices)
                if abs(mean / one.reference - 1) >= 0.01:
                    one.pending = mean
        one.looked = slot

    def _distance(self, one: Symbol, reference: float) -> float:
        if one.close < 0.75 - 1e-9:
            return min(0.15, 0.75 * reference)
        if one.close <= 3.0 + 1e-9:
            return 0.2 * reference
        return (0.05 if one.tier == 1 else 0.10) * reference

    def second(self, ms: float) -> None:
        """A whole second begins: look at the index, and at whether the halt of the one before came."""
        self._must(not self.due, self.due, "not halted")
        self.due = {}
        if session_at(ms)[1] != "trading" or len(self.symbols) < 10:
            return
        every = self.symbols.values()
        fall = 1 - sum(s.last_index / s.index_close for s in every) / len(every)
        left = session_at(ms)[2] - ms
        reached = [
            level
            for level, decline in enumerate((0.07, 0.13, 0.20), 1)
            if fall >= decline and (left >= 35 * 60_000 or level == 3)
        ]
        if reached and reached[-1] > self.level:
            self.level = reached[-1]
            self.halts += 1
            self.due = {
                name: f"MWC{self.level}"
                for name, one in self.symbols.items()
                if one.status not in ("halted", "closed")
            }
