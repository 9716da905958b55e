"""Clocks, with the time in our hands: none of these tests waits."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from feeds.awake import PAUSE_S
from feeds.clock import Clock, ManualClock, MaxClock, ScaledClock, parse_clock, parse_speed
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from ticker.market import DEFAULT_START_US

START = 1_000_000_000
S = 1_000_000


class Hands:
    """Seconds that somebody sets."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Notes the sleeps that are asked for, instead of sleeping."""
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return sleeps


# Wall and scaled.


@pytest.mark.parametrize(("speed", "name"), [(1, "wall"), (10, "x10"), (0.5, "x0.5")])
def test_time_goes_on_at_the_speed_chosen(speed: float, name: str) -> None:
    hands = Hands()
    clock = ScaledClock(START, speed=speed, monotonic=hands)
    assert clock.name == name
    assert not clock.drains
    assert clock.now_us() == START
    hands.now += 0.5
    assert clock.now_us() == START + 0.5 * speed * S
    assert clock.seconds() == 100.5, "silence and progress are measured in real seconds"


@pytest.mark.parametrize("make", [ScaledClock, MaxClock])
def test_while_the_process_is_stopped_no_time_passes_for_its_clients(make: Any) -> None:
    """Those of a market go on: its events are made up for."""
    hands = Hands()
    clock = make(START, monotonic=hands)
    began = clock.now_us()
    seconds = [clock.seconds()]
    for passed in (PAUSE_S, 3_600.0, 0.25, PAUSE_S + 0.125, 0.5):
        hands.now += passed
        seconds.append(clock.seconds())
    assert seconds == [100.0, 101.0, 101.0, 101.25, 101.25, 101.75]
    if began is not None:
        assert clock.now_us() == began + (hands.now - 100) * S


def test_where_turns_are_long_a_pause_is_longer() -> None:
    hands = Hands()
    clock = ScaledClock(START, turn_s=1.0, monotonic=hands)
    for passed in (2.5, 3.0, 3.5):
        hands.now += passed
        clock.seconds()
    assert clock.seconds() == 105.5


@pytest.mark.parametrize("speed", [1, 10, 0.5])
def test_without_a_start_the_markets_time_is_the_time_of_day(speed: float) -> None:
    """It starts with the second that has begun, and what has passed of it has passed, so that it is right at once."""
    hands = Hands()
    clock = ScaledClock(None, speed=speed, monotonic=hands, time_of_day=lambda: 1_700_000_000.75)
    assert clock.start_us == 1_700_000_000 * S
    assert clock.now_us() == pytest.approx(clock.start_us + 0.75 * S, abs=1)
    hands.now += 1
    assert clock.now_us() == pytest.approx(clock.start_us + (0.75 + speed) * S, abs=1)


@pytest.mark.asyncio
async def test_turns_keep_their_pace() -> None:
    """A late turn shortens the next wait; but where a whole one was missed, nothing is made up for."""
    hands, slept = Hands(0.0), list[float]()
    clock = ScaledClock(START, turn_s=0.25, monotonic=hands, sleep=noting(slept))
    await clock.turn_over()
    hands.now = 0.25 + 0.0625
    await clock.turn_over()
    hands.now = 2.0
    await clock.turn_over()
    await clock.turn_over()
    assert slept == [0.25, 0.1875, 0.0, 0.25]


def noting(sleeps: list[float], hands: Hands | None = None) -> Callable[[float], Awaitable[None]]:
    """Give what notes the sleeps that are asked for; where there are hands, they go on as if it slept."""

    async def sleep(seconds: float) -> None:
        sleeps.append(round(seconds, 9))
        if hands is not None:
            hands.now += seconds

    return sleep


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("took", "due", "turn_at"),
    [
        (0.0, 0.03, 0.030_002),
        (0.02, 0.03, 0.030_002),
        (0.0, 0.001, 0.01),
        (0.005, 0.001, 0.01),
        (0.05, 0.001, 0.05),
        (0.0, 0.2, 0.1),
        (0.3, 0.001, 0.3),
    ],
    ids=[
        "when it is due",
        "however long the last one took",
        "not within a tenth of the pace",
        "whatever of that was work",
        "at once where that one took longer",
        "no later than the pace, whenever it is due",
        "a late one comes at once",
    ],
)
async def test_a_turn_comes_sooner_for_what_is_due(took: float, due: float, turn_at: float) -> None:
    """Of turns at a pace of 100 ms; due is in seconds from the turn before, which took so long."""
    hands, slept = Hands(0.0), list[float]()
    clock = ScaledClock(START, turn_s=0.1, monotonic=hands, sleep=noting(slept, hands))
    await clock.turn_over()
    began = hands.now
    hands.now += took
    await clock.turn_over(1.0, START + round((began + due) * S))
    assert hands.now - began == pytest.approx(turn_at)
    assert min(slept) >= 0


@pytest.mark.asyncio
async def test_the_pace_goes_on_from_a_turn_that_came_sooner() -> None:
    hands, slept = Hands(0.0), list[float]()
    clock = ScaledClock(START, turn_s=0.1, monotonic=hands, sleep=noting(slept, hands))
    await clock.turn_over(1.0, START + 40_000)
    await clock.turn_over()
    await clock.turn_over(0.25, START)
    await clock.turn_over(0.25)
    assert slept == [0.040_002, 0.1, 0.002_5, 0.025]


@pytest.mark.asyncio
@pytest.mark.parametrize("speed", [10.0, 0.5])
async def test_what_is_due_is_due_in_the_markets_time(speed: float) -> None:
    hands, slept = Hands(0.0), list[float]()
    clock = ScaledClock(START, turn_s=0.1, speed=speed, monotonic=hands, sleep=noting(slept, hands))
    due_us = START + round(40_000 * speed)
    await clock.turn_over(1.0, due_us)
    assert hands.now == pytest.approx(0.04, abs=5e-6)
    assert clock.now_us() > due_us, "a turn gives what is before its time"


# Max.


@pytest.mark.asyncio
async def test_max_has_no_time_of_its_own_and_lets_the_loop_run(slept: list[float]) -> None:
    clock = MaxClock(START, monotonic=Hands(3.0))
    assert (clock.name, clock.drains, clock.start_us) == ("max", True, START)
    assert clock.now_us() is None
    assert clock.seconds() == 3.0
    await clock.turn_over()
    assert slept == [0]


# Manual.


@pytest.mark.asyncio
async def test_manual_time_stands_until_it_is_moved() -> None:
    clock = ManualClock(START)
    assert (clock.name, clock.drains) == ("manual", False)
    assert (clock.now_us(), clock.seconds()) == (START, 0.0)
    clock.advance(1_500_000)
    clock.advance(0)
    assert (clock.now_us(), clock.seconds()) == (START + 1_500_000, 1.5)


@pytest.mark.asyncio
async def test_a_manual_turn_is_over_when_time_was_moved() -> None:
    """Moves that come before anybody waits count, and several of them are one turn."""
    clock = ManualClock(START)
    waiting = asyncio.ensure_future(clock.turn_over())
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1)
    await waiting
    clock.advance(1)
    clock.advance(1)
    await clock.turn_over()
    waiting = asyncio.ensure_future(clock.turn_over())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.asyncio
async def test_manual_time_doesnt_go_back() -> None:
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="doesn't go back") as error:
        clock.advance(-5)
    assert str(error.value) == "time can't be moved by -5 µs: it doesn't go back"
    assert clock.now_us() == START


# By name.


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("wall", ScaledClock, "wall"),
        ("x10", ScaledClock, "x10"),
        ("x0.25", ScaledClock, "x0.25"),
        ("x1", ScaledClock, "wall"),
        ("x100000", ScaledClock, "x100000"),
        ("max", MaxClock, "max"),
        ("manual", ManualClock, "manual"),
    ],
)
async def test_a_clock_is_chosen_by_name(text: str, kind: type[Any], name: str) -> None:
    clock: Clock = parse_clock(text, START, 0.01)
    assert isinstance(clock, kind)
    assert (clock.name, clock.start_us) == (name, START)


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["max", "manual"])
async def test_a_clock_without_a_pace_starts_on_the_same_day_in_every_run(text: str) -> None:
    assert parse_clock(text, None, 0.01).start_us == DEFAULT_START_US


@pytest.mark.parametrize(
    "text", ["", "fast", "x", "x0", "x-1", "x1e3", "10", "x100001", "WALL", "x10 ", "xinf", "x.5"]
)
def test_an_unknown_clock_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_clock(text, START, 0.01)
    assert str(error.value) == (
        f"unknown clock {text!r}; the clocks are wall, manual, max, and xN with N up to 100000, such as x10"
    )


@pytest.mark.parametrize("clock", ["wall", "x60"])
def test_with_a_start_two_runs_are_the_same_market(clock: str) -> None:
    """Without one, a clock with a pace begins now: the moves are the same, the times and the epoch aren't."""
    config = FeedConfig(clock=clock, symbols="2", start_us=1_767_623_400_000_000)
    epochs = {config.market(parse_clock(clock, config.start_us, 0.01).start_us).epoch}
    epochs.add(config.market(parse_clock(clock, config.start_us, 0.01).start_us).epoch)
    assert len(epochs) == 1
    other = replace(config, start_us=1_767_623_401_000_000)
    epochs.add(other.market(parse_clock(clock, other.start_us, 0.01).start_us).epoch)
    assert len(epochs) == 2


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        ("x10", 10.0),
        ("x0.5", 0.5),
        ("x100000", 100_000.0),
        ("x0", None),
        ("x100001", None),
        ("10", None),
    ],
)
def test_a_speed_is_written_with_an_x(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed
