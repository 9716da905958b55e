"""`tickerplant watch`, against a scripted feed."""

import asyncio
import io
import os
import re
import signal
from typing import Any
from zlib import crc32

import pytest
from fake_feed import (  # fmt: skip
    TIME,
    UNIVERSE,
    FakeFeed,
    Item,
    Peer,
    feed_in_thread,
    plays,
    quote,
    snapshot,
    trade,
)
from rich.console import Console

from clients.terminal import table as module
from clients.watch import run_watch, watch

LINE = "2025-11-22T08:26:40.123Z"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep up at once, rather than every second."""
    monkeypatch.setattr(module, "UPKEEP_S", 0)
    monkeypatch.setattr(module, "REFRESH_S", 0)


def terminal(width: int = 100, height: int = 9) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, height=height, force_terminal=True, color_system=None, _environ={}
    )
    return console, file


async def show(feed: FakeFeed, console: Console, **options: Any) -> int:
    """Run the table until it ends by itself."""
    options = {"symbols": [], "channels": ["trades", "quotes"], "stop": asyncio.Event()} | options
    return await watch(feed.url, console=console, **options)


# In a pipe.


def test_in_a_pipe_there_is_a_line_for_each_trade(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, symbol, price, size; nothing else on stdout."""
    items = [trade("AAPL", 1), quote("AAPL", 1), trade("MSFT", 1, 412.1, size=7), trade("AAPL", 2)]
    with feed_in_thread(plays(items)) as feed:
        assert run_watch(feed.url, count=2) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{LINE} AAPL 187.43 100\n{LINE} MSFT 412.10 7\n"
    assert captured.err == ""
    wish = feed.requests[-1]
    assert (wish["symbols"], wish["channels"], wish["snapshot"]) == (["*"], ["trades"], False)


def test_in_a_pipe_what_happens_to_the_connection_goes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the lines stay what they are."""
    monkeypatch.setattr("clients.core.backoff.Backoff.delay", lambda *_: 0.0)

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1), trade("AAPL", 3))
        peer.abort()

    async def returns(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 8), seq=7)
        await peer.serve()

    with feed_in_thread(breaks, returns) as feed:
        assert run_watch(feed.url, symbols=["AAPL"], count=3) == 0
    captured = capsys.readouterr()
    assert captured.out.count("AAPL 187.43 100\n") == 3
    first, down, up, second = captured.err.splitlines()
    assert first == "gap: 1 trades of AAPL missing (sequence)"
    assert down.startswith("disconnected: the connection broke")
    assert down.endswith("; trying again in 0.0 s")
    assert up == "connected again"
    assert second == "gap: 4 trades of AAPL missing (reconnect)"


def test_a_server_that_cannot_be_reached_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 1."""
    assert run_watch("ws://127.0.0.1:1/ws") == 1
    assert capsys.readouterr().err == (
        "error: cannot connect to ws://127.0.0.1:1/ws: Connection refused; "
        "start a feed with: tickerplant serve\n"
    )


def test_a_symbol_that_does_not_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the server."""

    async def refuses(peer: Peer) -> None:
        await peer.hello()
        await peer.answer(await peer.request("symbols"))
        request = await peer.request("subscribe")
        error = {"type": "error", "id": request["id"], "code": "unknown_symbol"}
        await peer.send(error | {"message": "unknown symbol 'APPL'; did you mean 'AAPL'?"})
        await peer.serve()

    with feed_in_thread(refuses) as feed:
        assert run_watch(feed.url, symbols=["APPL"]) == 1
    assert capsys.readouterr().err == "error: unknown symbol 'APPL'; did you mean 'AAPL'?\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_a_normal_end(number: int) -> None:
    """Exit code 0; and so is being stopped by a supervisor."""

    async def interrupts(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        os.kill(os.getpid(), number)
        await peer.serve()

    with feed_in_thread(interrupts) as feed:
        assert run_watch(feed.url) == 0


# On a terminal.


@pytest.mark.asyncio
async def test_on_a_terminal_there_is_a_table() -> None:
    """On a screen of its own, which is left again; the last of it remains, with a line about what was seen."""
    console, file = terminal()
    items = [trade("AAPL", 1, 188.0), quote("MSFT", 1), trade("AAPL", 2, 188.5)]
    async with FakeFeed(plays(items)) as feed:
        assert await show(feed, console, count=2) == 0
    out = file.getvalue()
    assert out.index("\x1b[?1049h") < out.index("4 of 4 symbols") < out.index("\x1b[?1049l")
    left = out.rpartition("\x1b[?1049l")[2]
    assert "188.50" in left
    assert "4 of 4 symbols" in left
    assert out.index("\x1b[?25l") < out.rindex("\x1b[?25h"), "the cursor is back"
    assert out.endswith("3 events of 4 symbols, 0 missing, 0 merged, 0 reconnects\n")


@pytest.mark.asyncio
async def test_the_table_shows_the_symbols_that_were_asked_for() -> None:
    """And subscribes to nothing else."""
    console, file = terminal()
    async with FakeFeed(plays([trade("AAPL", 1)])) as feed:
        await show(feed, console, symbols=["A*"], channels=["trades"], count=1)
    assert "2 of 2 symbols" in file.getvalue()
    (wish,) = [request for request in feed.requests if request["action"] == "subscribe"]
    assert (wish["symbols"], wish["channels"]) == (["A*"], ["trades"])


@pytest.mark.asyncio
async def test_a_terminal_that_grows_shows_more_symbols() -> None:
    """They are subscribed to when there is a line for them."""
    console, _ = terminal(height=7)

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        console.height = 8
        await peer.grant(trade("AAPL", 1))
        await peer.serve()

    async with FakeFeed(script) as feed:
        await show(feed, console, count=1)
    wishes = [request["symbols"] for request in feed.requests if request["action"] == "subscribe"]
    assert wishes == [list(UNIVERSE[:2]), [UNIVERSE[2]]]


@pytest.mark.asyncio
async def test_volumes_are_mended_when_trades_were_merged() -> None:
    """By asking for the state of just these symbols."""
    console, file = terminal()

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1), trade("AAPL", 9, merged=7))
        request = await peer.request()
        while request["action"] != "snapshot":
            await peer.answer(request)
            request = await peer.request()
        assert request["symbols"] == ["AAPL"]
        await peer.send(snapshot("AAPL", 9, volume=777_777) | {"id": request["id"]})
        await peer.send(trade("AAPL", 10))
        await peer.serve()

    async with FakeFeed(script) as feed:
        await show(feed, console, count=3)
    assert file.getvalue().endswith("3 events of 4 symbols, 0 missing, 7 merged, 0 reconnects\n")


@pytest.mark.asyncio
async def test_what_could_not_be_mended_is_mended_after_the_reconnect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that breaks meanwhile is no reason to stop."""
    monkeypatch.setattr("clients.core.backoff.Backoff.delay", lambda *_: 0.0)
    console, _ = terminal()

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1), trade("AAPL", 9, merged=7))
        while (request := await peer.request())["action"] != "snapshot":
            await peer.answer(request)
        peer.abort()

    async def mends(peer: Peer) -> None:
        await peer.hello()
        request = await peer.request()
        while request["action"] != "snapshot":
            await peer.answer(request)
            request = await peer.request()
        await peer.answer(request)
        await peer.send(trade("AAPL", 10))
        await peer.serve()

    async with FakeFeed(breaks, mends) as feed:
        await show(feed, console, count=3)
    assert feed.connections == 2


# Books.


def book(seq: int, bid: int, *, whole: bool = True, symbol: str = "AAPL", **more: Any) -> Item:
    """A book with one bid of 300 shares at so many ticks of a cent."""
    item = {"type": "depth", "symbol": symbol, "seq": seq, "time": TIME, "asks": []}
    item |= {"bids": [[bid / 100, 300]], "checksum": crc32(b"%d,300" % bid)} | more
    return item | ({"snapshot": True, "tick_size": 0.01} if whole else {})


def test_in_a_pipe_books_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that were asked for, once, and that is all."""
    monkeypatch.setenv("COLUMNS", "80")  # as much as two books beside each other need

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(book(7, 18742), book(3, 41210, symbol="MSFT"))
        await peer.serve()

    with feed_in_thread(script) as feed:
        assert run_watch(feed.url, symbols=["AAPL", "MSFT"], book=True) == 0
    out = capsys.readouterr().out
    assert re.search(r"^187.42 +300 +300 +412.10 +300 +300 *$", out, re.MULTILINE)
    (wish,) = [request for request in feed.requests if request["action"] == "subscribe"]
    assert (wish["symbols"], wish["channels"][-1]) == (["AAPL", "MSFT"], "depth")


@pytest.mark.asyncio
async def test_on_a_terminal_books_change() -> None:
    """As many as fit, where none are asked for; the last of them remains."""
    console, file = terminal(width=50)

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(book(7, 18742))
        gone = [[187.42, 0], [187.41, 300]]
        await peer.send(book(8, 18741, whole=False, bids=gone), trade("AAPL", 1))
        await peer.serve()

    async with FakeFeed(script) as feed:
        assert await show(feed, console, book=True, count=1) == 0
    (wish,) = [request for request in feed.requests if request["action"] == "subscribe"]
    assert (wish["symbols"], wish["channels"]) == (["AAPL"], ["trades", "quotes", "depth"])
    left = file.getvalue().rpartition("\x1b[?1049l")[2]
    assert re.search(r"^187.41 +300 +300 *$", left, re.MULTILINE)
    assert "187.42" not in left


@pytest.mark.asyncio
async def test_a_book_that_is_not_the_servers_is_asked_for() -> None:
    """What still comes of the wrong one changes nothing."""
    console, file = terminal(width=50)

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(book(7, 18742))
        await peer.send(book(8, 18741, whole=False, checksum=1))
        await peer.send(book(9, 18740, whole=False))
        request = await peer.request()
        while request["action"] != "subscribe":
            await peer.answer(request)
            request = await peer.request()
        assert (request["symbols"], request["channels"]) == (["AAPL"], ["depth"])
        await peer.answer(request, book(9, 18739), trade("AAPL", 1))
        await peer.serve()

    async with FakeFeed(script) as feed:
        assert await show(feed, console, symbols=["AAPL"], book=True, count=1) == 0
    left = file.getvalue().rpartition("\x1b[?1049l")[2]
    assert re.search(r"^187.39 +300 +300 *$", left, re.MULTILINE)
