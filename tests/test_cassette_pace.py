"""When what is recorded is played."""

import asyncio

import pytest
from wire import eventually

from feeds.cassette.pace import ManualPace, MaxPace, ScaledPace, parse_timing
from feeds.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "kind"),
    [("original", ScaledPace), ("max", MaxPace), ("manual", ManualPace), ("x2.5", ScaledPace)],
)
def test_timings_have_names(text: str, kind: type) -> None:
    assert type(parse_timing(text)) is kind


@pytest.mark.parametrize("text", ["", "fast", "x", "x0", "x-1", "x100001", "x1e3"])
def test_an_unknown_timing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown timing {text!r}; original, max, manual, and"):
        parse_timing(text)


@pytest.mark.asyncio
async def test_a_scaled_pace_counts_so_many_seconds_in_one() -> None:
    """What is due already isn't waited for, and news end a wait."""
    now = 10.0
    pace = ScaledPace(4.0, lambda: now)
    news = asyncio.Event()
    assert pace.now() == 40.0
    await pace.until(40.0, news)
    news.set()
    await pace.until(1e9, news)
    await pace.idle(news)


@pytest.mark.asyncio
async def test_a_scaled_pace_waits() -> None:
    """For real, as there is no other way."""
    pace = ScaledPace(1000.0)
    due = pace.now() + 1.0
    while pace.now() < due:
        await pace.until(due, asyncio.Event())


@pytest.mark.asyncio
async def test_time_that_is_moved_stops_at_each_that_is_due() -> None:
    """In order of time, whoever waits; an advance returns when all of them are done."""
    pace = ManualPace()
    seen: list[tuple[float, str]] = []

    async def player(name: str, *dues: float) -> None:
        pace.enter()
        for due in dues:
            await pace.until(due, asyncio.Event())
            await asyncio.sleep(0)
            seen.append((pace.now(), name))
        pace.leave()

    players = [
        asyncio.create_task(player("a", 0.0, 1.0, 3.0)),
        asyncio.create_task(player("b", 2.0)),
    ]
    await eventually(lambda: seen == [(0.0, "a")], "the first is due at once")
    await pace.advance(2.5)
    assert seen == [(0.0, "a"), (1.0, "a"), (2.0, "b")]
    assert pace.now() == 2.5
    await pace.advance(0.5)
    assert seen[-1] == (3.0, "a")
    await asyncio.gather(*players)
    await pace.advance(1.0)


@pytest.mark.asyncio
async def test_who_has_gone_or_has_news_is_not_waited_for() -> None:
    pace, news, more = ManualPace(), asyncio.Event(), asyncio.Event()
    gone = asyncio.create_task(pace.until(1.0, asyncio.Event()))
    told = asyncio.create_task(pace.until(1.0, news))
    idle = asyncio.create_task(pace.idle(more))
    for task in (gone, told, idle):
        pace.enter()
        assert not task.done()
    await asyncio.sleep(0)
    gone.cancel()
    pace.tell(news)
    pace.tell(more)
    await asyncio.gather(told, idle)
    await asyncio.gather(gone, return_exceptions=True)
    for _ in range(3):
        pace.leave()
    await pace.advance(2.0)
    assert pace.now() == 2.0


@pytest.mark.asyncio
async def test_who_was_told_something_is_waited_for() -> None:
    """What it does about that comes before the time moves on."""
    pace, news = ManualPace(), asyncio.Event()
    seen: list[float] = []

    async def player() -> None:
        pace.enter()
        await pace.idle(news)
        await pace.until(5.0, news)  # there are news still
        seen.append(pace.now())
        pace.leave()

    playing = asyncio.create_task(player())
    await asyncio.sleep(0)
    pace.tell(news)
    pace.tell(news)
    await pace.advance(1.0)
    assert seen == [0.0]
    await playing


@pytest.mark.asyncio
async def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time can't be moved by -1 s"):
        await ManualPace().advance(-1)
