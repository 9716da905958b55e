"""Feeds for tests, without pytest's help: in a thread of their own, and in the running loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync

from feeds.directing.director import Director
from feeds.directing.facade import AioMethods, Methods
from feeds.directing.loop_thread import LoopThread
from feeds.errors import CommandError, ConfigError, WaitTimeout
from feeds.testing import AsyncTickerFeed, TickerFeed, feed_config

SUBSCRIBE = '{"action":"subscribe","symbols":["AAPL"]}'


def test_a_feed_of_its_own_thread_is_directed_by_plain_code() -> None:
    with TickerFeed(symbols=["AAPL"], market="quiet", seed=9) as feed:
        assert feed.ws_url == f"ws://127.0.0.1:{feed.port}/ws"
        assert feed.url == f"http://127.0.0.1:{feed.port}"
        assert (feed.seed, feed.symbols) == (9, ("AAPL",))
        assert repr(feed) == f"<TickerFeed {feed.url}, seed 9, 1 symbols>"
        with connect_sync(feed.ws_url) as ws:
            ws.recv()
            ws.send(SUBSCRIBE)
            feed.wait_for_subscription("AAPL")
            ws.recv()
            before = feed.now
            feed.trade("AAPL", price=187.43)
            feed.advance("1s")
            assert '"price":187.43' in str(ws.recv())
            assert (feed.now - before).total_seconds() == 1
            feed.assert_subscribed("AAPL")
            feed.assert_no_unknown_messages()
            feed.sync(feed.clients[0])
        assert feed.wait_for_close(feed.clients[0]).close_code == 1000
        assert feed.journal.entries("close")
        assert "client 1" in feed.report()


@pytest.mark.asyncio
async def test_a_feed_of_the_running_loop_is_awaited() -> None:
    async with (
        AsyncTickerFeed(symbols=["AAPL"], market="quiet") as feed,
        connect(feed.ws_url) as ws,
    ):
        await ws.recv()
        await ws.send(SUBSCRIBE)
        await feed.wait_for_subscription("AAPL")
        await ws.recv()
        await feed.trade("AAPL", price=187.43)
        assert '"price":187.43' in str(await ws.recv())


@pytest.mark.asyncio
async def test_a_feed_of_another_loop_is_awaited_too() -> None:
    """Its thread goes on while this loop waits, and so does what this loop does."""
    with TickerFeed(symbols=["AAPL"], market="quiet") as feed:
        waiting = feed.aio.wait_for_client()
        async with connect(feed.ws_url):
            client = await waiting
        await feed.aio.wait_for_close(client)


def test_a_feed_is_awaited_under_trio_too() -> None:
    """What it gives, what it raises, and being given up."""

    async def main(feed: TickerFeed) -> None:
        assert await feed.aio.step(3) >= 3
        with pytest.raises(WaitTimeout, match="no client 1 within 0 s"):
            await feed.aio.wait_for_client(timeout=0)
        with trio.move_on_after(0.01) as scope:
            await feed.aio.wait_for_client(timeout=600)
        assert scope.cancelled_caught
        with connect_sync(feed.ws_url):
            assert (await feed.aio.wait_for_client()).id == 1

    with TickerFeed(symbols=["AAPL"]) as feed:
        trio.run(main, feed)


@pytest.mark.asyncio
async def test_who_blocks_his_own_loop_is_told() -> None:
    with TickerFeed(symbols=1) as feed:
        with pytest.raises(WaitTimeout) as caught:
            feed.wait_for_client(timeout=0)
        assert "await feed.aio" in caught.value.__notes__[0]


def test_whose_loop_runs_but_does_not_wait_is_not_told_to_await() -> None:
    """As the one of Playwright's synchronous API does, whose tests wait in the midst of it."""
    notes: list[object] = []

    def wait() -> None:
        with TickerFeed(symbols=["AAPL"]) as feed, pytest.raises(WaitTimeout) as caught:
            feed.wait_for_client(timeout=0)
        notes.append(getattr(caught.value, "__notes__", None))
        loop.stop()

    loop = asyncio.new_event_loop()
    loop.call_soon(wait)
    loop.run_forever()
    loop.close()
    assert notes == [None]


def test_both_have_every_method_of_the_director() -> None:
    """With its signature's types and its document."""
    methods = {
        name: method
        for name, method in inspect.getmembers(Director, inspect.isfunction)
        if not name.startswith("_") and name not in ("report", "at_us")
    }
    assert methods.keys() == {name for name in vars(Methods) if not name.startswith("_")}
    awaited = {name for name, method in methods.items() if inspect.iscoroutinefunction(method)}
    assert awaited == {name for name in vars(AioMethods) if not name.startswith("_")}
    with TickerFeed(symbols=1) as feed:
        for name, method in methods.items():
            assert getattr(feed, name).__doc__ == getattr(Methods, name).__doc__ == method.__doc__
        for name in awaited:
            assert getattr(feed.aio, name).__doc__ == getattr(AioMethods, name).__doc__


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"port": 0, "clock": "manual", "symbols": "30", "rate": 10.0}),
        ({"symbols": 5}, {"symbols": "5"}),
        ({"symbols": "A,B"}, {"symbols": "A,B"}),
        ({"symbols": ("A", "B")}, {"symbols": "A,B"}),
        ({"symbols": Path("my.csv")}, {"symbols": "my.csv"}),
        ({"market": "quiet"}, {"rate": 0.0}),
        ({"market": "walk", "rate": 3.0}, {"rate": 3.0}),
        ({"clock": "max", "journal": 5}, {"clock": "max", "journal": 5}),
    ],
)
def test_options_are_written_as_one_likes(options: Any, expected: dict[str, Any]) -> None:
    config = feed_config(**options)
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"market": "loud"}, "market 'loud' is not one of walk, quiet"),
        ({"market": "quiet", "rate": 1.0}, "a quiet market has no rate, and 1.0 was given"),
        ({"seed": 2**64}, "seed"),
        ({"clock": "sundial"}, "unknown clock 'sundial'"),
        ({"symbol": "AAPL"}, r"unknown option 'symbol'; did you mean 'symbols'\?"),
        ({"x": 1}, "unknown option 'x'; the options are host, port, symbols, .*, market"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TickerFeed(**options)


def test_it_runs_only_where_it_was_entered() -> None:
    feed = TickerFeed(symbols=1)
    with pytest.raises(CommandError, match="the feed isn't running: enter it, or start"):
        feed.advance("1s")
    feed.start()
    feed.advance("1s")
    feed.stop()
    feed.stop()
    with pytest.raises(CommandError, match="the feed isn't running"):
        feed.advance("1s")


def test_a_port_that_is_taken_is_told_and_nothing_is_left() -> None:
    threads = threading.active_count()
    with (
        TickerFeed(symbols=1) as feed,
        pytest.raises(ConfigError, match="the port is in use"),
        TickerFeed(symbols=1, port=feed.port),
    ):
        pass
    assert threading.active_count() == threads


def test_a_thread_doesnt_wait_for_itself() -> None:
    thread = LoopThread("test")

    async def nothing() -> int:
        return 1

    async def itself() -> int:
        return thread.call(nothing())

    try:
        assert thread.call(nothing()) == 1
        with pytest.raises(CommandError, match="own thread can't wait for itself"):
            thread.call(itself())
    finally:
        thread.end()
    thread.end()
    with pytest.raises(CommandError, match="the feed has stopped"):
        thread.call(nothing())


def test_a_thread_that_doesnt_end_says_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.directing.loop_thread._PATIENCE_S", 0.01)
    thread, go_on = LoopThread("test"), threading.Event()

    async def stuck() -> None:
        go_on.wait()

    async def begin() -> None:
        asyncio.get_running_loop().call_later(0, asyncio.ensure_future, stuck())

    thread.call(begin())
    try:
        with pytest.raises(CommandError, match=r"didn't stop within 0.01 s; still running"):
            thread.end()
    finally:
        go_on.set()


def test_an_interrupted_wait_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a test ends what it waited for."""
    thread, cancelled = LoopThread("test"), threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    class StoppedError(Exception):
        pass

    submit = thread.submit

    def interrupted(coroutine: Any) -> Any:
        future = submit(coroutine)

        def result() -> None:
            raise StoppedError

        future.result = result  # type: ignore[method-assign]
        return future

    monkeypatch.setattr(thread, "submit", interrupted)
    with pytest.raises(StoppedError):
        thread.call(for_ever())
    assert cancelled.wait(60)
    thread.end()


def test_faults_are_commanded_from_any_thread() -> None:
    """As methods whose handles clear themselves; a moment is written as everywhere."""
    with TickerFeed(symbols=["AAPL"], market="quiet") as feed, connect_sync(feed.ws_url) as ws:
        ws.recv()
        ws.send(SUBSCRIBE)
        client = feed.wait_for_subscription("AAPL")
        ws.recv()
        with feed.fault.duplicate(client=client, at="09:45") as fault:
            feed.trade("AAPL", price=187.43)
            assert (str(ws.recv()).count('"seq":1,'), fault.fired) == (1, 0)
            feed.run_until("09:45")
            feed.trade("AAPL", price=187.43)
            assert (str(ws.recv()).count('"seq":2,'), fault.fired) == (2, 1)
        feed.trade("AAPL", price=187.43)
        assert str(ws.recv()).count('"seq":3,') == 1
        feed.fault.close(4001, "as commanded", client=client)
        closed = feed.wait_for_close(client)
        assert (closed.close_code, closed.closed_by) == (4001, "server")
        assert feed.journal.entries("fault")


def test_a_misspelt_fault_is_told_with_the_one_that_was_meant() -> None:
    with TickerFeed(symbols=["AAPL"]) as feed:
        with pytest.raises(AttributeError, match="unknown fault 'stal'; did you mean 'stall'"):
            feed.fault.stal(client=1)  # type: ignore[attr-defined]
        with pytest.raises(CommandError, match="'first'"):
            feed.fault.stall(client="first")
