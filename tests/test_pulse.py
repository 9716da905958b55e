"""The pulse of the event loop: what is counted, and when there is a word in the log."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from wire import eventually

from feeds.counters import pulse as pulse_module
from feeds.counters.pulse import QUIET_S, Pulse
from feeds.counters.timing import Timing


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged since the last time."""
    found = [f"{r.levelname} {r.getMessage()}" for r in caplog.records]
    caplog.clear()
    return found


def test_a_slow_turn_and_a_late_loop_are_told_with_their_figures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    timing = Timing(1.0)
    pulse = Pulse(timing, slow_s=0.25)
    timing.longest = 0.2504
    pulse.look(lag=0.1, now=0.0)
    assert texts(caplog) == [
        "WARNING slow: the longest turn took 250 ms, and the event loop was up to 100 ms late"
    ]
    assert timing.longest == 0, "the next look is at the turns after this one"


def test_who_cant_keep_up_is_told_how_far_behind_the_market_is_and_what_would_help(
    caplog: pytest.LogCaptureFixture,
) -> None:
    behind = 0.9
    pulse = Pulse(Timing(1.0), slow_s=0.25, behind=lambda: behind)
    pulse.look(lag=0.3, now=0.0)
    (hiccup,) = texts(caplog)
    assert hiccup.endswith("up to 300 ms late")
    behind = 24.26
    pulse.look(lag=0.3, now=100.0)
    (told,) = texts(caplog)
    assert told.endswith(
        "; the market is 24.3 s behind its clock, as it makes more events than there is CPU time for: "
        "lower --rate or --symbols, or slow --clock down"
    )


def test_a_pause_is_no_reason_to_have_fewer_events(caplog: pytest.LogCaptureFixture) -> None:
    """After a laptop's sleep, or a container's pause, the market is behind by as much as the loop was late."""
    pulse = Pulse(Timing(1.0), slow_s=0.25, behind=lambda: 121.4)
    pulse.look(lag=133.0, now=0.0)
    (told,) = texts(caplog)
    assert told.endswith(
        "up to 133000 ms late; the market is 121.4 s behind its clock, "
        "which it makes up for: this process stood still, or others had its CPU time"
    )
    pulse.look(lag=0.1, now=QUIET_S)
    assert "lower --rate" in texts(caplog)[0], "the pause is over, and it is still as far behind"


def test_a_market_that_is_far_behind_is_told_of_though_turns_are_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pulse = Pulse(Timing(1.0), slow_s=0.25, behind=lambda: 3.0)
    pulse.look(lag=0.0, now=0.0)
    (told,) = texts(caplog)
    assert "the market is 3.0 s behind its clock" in told


def test_at_most_one_warning_in_some_seconds_and_it_tells_the_worst(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pulse = Pulse(Timing(1.0), slow_s=0.25)
    pulse.look(lag=0.3, now=100.0)
    assert len(texts(caplog)) == 1
    for n, lag in enumerate((0.4, 0.9, 0.5, 0.0)):
        pulse.look(lag, now=101.0 + n)
    assert texts(caplog) == []
    pulse.look(lag=0.0, now=100.0 + QUIET_S)
    assert texts(caplog) == [
        "WARNING slow: the longest turn took 0 ms, and the event loop was up to 900 ms late"
    ]
    pulse.look(lag=0.0, now=200.0)
    assert texts(caplog) == [], "what was told isn't told again"


@pytest.mark.parametrize(("slow_s", "speed"), [(0.25, 1.0), (0.0, 1.0), (0.25, 0.0)])
def test_what_isnt_slow_isnt_told(
    slow_s: float, speed: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Below the limit; with no limit; a long turn of a clock without a pace, which was asked for."""
    timing = Timing(speed)
    pulse = Pulse(timing, slow_s)
    timing.longest = 0.25 if slow_s and speed else 9.0
    pulse.look(lag=0.25 if slow_s else 9.0, now=0.0)
    assert texts(caplog) == []


def test_every_look_counts_and_has_ages_counted_up() -> None:
    timing = Timing(1.0)
    pulse = Pulse(timing, slow_s=0)
    timing.ages.observe(np.array([0, 1], dtype=np.int64), 1)
    for lag in (0.0, 0.003, 7.0):
        pulse.look(lag, now=0.0)
    assert pulse.lag.sum == pytest.approx(7.003)
    assert pulse.lag.cumulative()[-2:] == [2, 3]
    assert timing.ages._aside == []


@pytest.mark.asyncio
async def test_lateness_is_measured_against_when_it_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop takes no time here but what this clock says: 1 s where 0.01 s was asked for."""
    monkeypatch.setattr(pulse_module, "LOOK_S", 0.01)
    now = iter(float(n) for n in range(10**6))
    pulse = Pulse(Timing(0.0), slow_s=0)
    running = asyncio.create_task(pulse.run(timer=lambda: next(now)))
    await eventually(lambda: pulse.lag.cumulative()[-1] >= 2, "two looks")
    running.cancel()
    looks = pulse.lag.cumulative()[-1]
    assert pulse.lag.sum == pytest.approx(0.99 * looks)
