"""The load generator as a whole."""

import asyncio
import os
import re
import signal
import sys
import threading
from concurrent.futures import Future

import orjson
import pytest
from fake_feed import FakeFeed, Peer, feed_in_thread, plays, trade
from wire import TIMEOUT_S, running

from clients.load import load, run_load
from clients.loadgen.processes import fast_loop, shares, spread
from clients.loadgen.swarm import Plan
from feeds.admission.limits import Limits

LONG_S = 1.0
"""Long enough for something to come, however busy the machine is."""


async def streams(peer: Peer) -> None:
    """Events without end, ten a message."""
    await peer.hello()
    await peer.grant()
    seq = 0
    while True:
        await peer.send(*[trade("AAPL", seq := seq + 1) for _ in range(10)])
        await asyncio.sleep(0)


async def answers(peer: Peer) -> None:
    await peer.hello()
    await peer.serve()


def figures(text: str) -> dict[str, object]:
    (line,) = text.splitlines()
    found: dict[str, object] = orjson.loads(line)
    return found


def test_it_reports_what_its_clients_got(capsys: pytest.CaptureFixture[str]) -> None:
    """As one JSON object for programs. The first connection only asks for the symbols."""
    with feed_in_thread(answers, streams) as feed:
        code = run_load(feed.url, clients=3, duration=LONG_S, ramp=0, json_output=True)
    assert code == 0
    report = figures(capsys.readouterr().out)
    assert (report["clients"], report["connected"], report["failures"]) == (3, 3, {})
    assert report["deliveries"] > 0
    assert report["events_per_frame"] == 10
    assert report["latency_us"] is None, "the times of the scripted feed are not today's"
    assert feed.connections == 4
    assert all(request["snapshot"] is False for request in feed.requests[1:])


def test_it_reports_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """For people."""
    with feed_in_thread(plays()) as feed:
        code = run_load(feed.url, clients=2, symbols_each=None, duration=0.01, ramp=0)
    assert code == 0
    out = capsys.readouterr().out
    assert out.startswith("connections  2 of 2, ")
    assert "latency      n/a" in out


def test_it_can_be_spread_over_processes(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are those of all of them, and each process has its share of the clients."""
    with feed_in_thread(answers, streams) as feed:
        code = run_load(feed.url, clients=3, duration=LONG_S, ramp=0, processes=2, json_output=True)
    assert code == 0
    report = figures(capsys.readouterr().out)
    assert (report["connected"], report["processes"]) == (3, 2)
    assert report["deliveries"] > 0


def test_failed_clients_make_it_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason in the report; without any client there is nothing to wait for."""
    with feed_in_thread(answers, None) as feed:
        code = run_load(feed.url, clients=2, duration=600, ramp=0)
    assert code == 1
    assert "failed       2 x HTTP status 503" in capsys.readouterr().out


def test_a_server_that_cannot_be_reached_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And a hint."""
    assert run_load("ws://127.0.0.1:1/ws") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "error: cannot connect to ws://127.0.0.1:1/ws: Connection refused; "
        "start a feed with: tickerplant serve\n"
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_the_measurement_and_reports(
    capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    """What there is by then."""
    granted = 0

    async def interrupts(peer: Peer) -> None:
        nonlocal granted
        await peer.hello()
        await peer.grant()
        granted += 1
        if granted == 2:
            os.kill(os.getpid(), signal.SIGINT)
        await peer.serve()

    with feed_in_thread(answers, interrupts) as feed:
        run_load(feed.url, clients=2, duration=600, ramp=0, processes=processes, json_output=True)
    report = figures(capsys.readouterr().out)
    assert report["duration_s"] < 60


TOLD = r"^ +\d+ s  1 of 1 connected, 0 failed, [1-9][\d,]* deliveries/s, \d+\.\d MB/s$"


@pytest.mark.asyncio
async def test_a_line_a_second_tells_what_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, so that stdout holds the report and nothing else."""
    monkeypatch.setattr("clients.load.PROGRESS_S", 0.01)
    monkeypatch.setattr("clients.loadgen.processes.TELL_S", 0.01)
    stop, told = asyncio.Event(), ""
    async with FakeFeed(streams) as feed:
        loading = asyncio.create_task(load(plan(feed.url), 600, processes=1, stop=stop))
        async with asyncio.timeout(TIMEOUT_S):
            while not re.search(TOLD, told, re.MULTILINE):
                await asyncio.sleep(0)
                captured = capsys.readouterr()
                assert captured.out == ""
                told += captured.err
        stop.set()
        report = await loading
    assert report.deliveries > 0


def plan(url: str, clients: int = 1) -> Plan:
    return Plan(
        url=url,
        clients=clients,
        universe=("AAPL", "MSFT"),
        symbols_each=1,
        channels=("trades",),
        interval=None,
        ramp=0.0,
        seed=1,
        token=None,
        verify=True,
    )


@pytest.mark.parametrize(
    ("clients", "processes", "expected"),
    [(10, 3, [(4, 0), (3, 4), (3, 7)]), (2, 4, [(1, 0), (1, 1)]), (5, 1, [(5, 0)])],
)
def test_clients_are_divided_evenly_and_keep_their_numbers(
    clients: int, processes: int, expected: list[tuple[int, int]]
) -> None:
    """So that the choice of symbols doesn't depend on the number of processes."""
    plans = shares(plan("ws://x", clients), processes)
    assert [(share.clients, share.first) for share in plans] == expected


def test_uvloop_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not missed elsewhere."""
    pytest.importorskip("uvloop")
    assert fast_loop() is not None
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert fast_loop() is None


@pytest.mark.asyncio
async def test_processes_tell_how_far_they_are() -> None:
    """Each about its own clients."""
    told = [(0, 0, 0, 0)] * 2
    async with FakeFeed(streams) as feed:
        await spread(plan(feed.url, clients=3), 0.1, 2, stop=asyncio.Event(), figures=told)
    assert [figures[:2] for figures in told] == [(2, 0), (1, 0)]


@pytest.mark.asyncio
async def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of waiting for it for ever."""
    from clients.failures import TickerError
    from clients.loadgen import processes as load_processes

    monkeypatch.setattr(load_processes, "_child", _dies)
    with pytest.raises(TickerError, match="a process of the load generator died"):
        await load(plan("ws://x", clients=2), 1.0, processes=2, stop=asyncio.Event())


@pytest.mark.asyncio
async def test_a_process_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed."""
    from clients.failures import TickerError
    from clients.loadgen import processes as load_processes

    monkeypatch.setattr(load_processes, "_child", _hangs)
    monkeypatch.setattr(load_processes, "LAST_S", 0.01)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(TickerError, match="a process of the load generator hangs"):
        await load(plan("ws://x", clients=2), 1.0, processes=2, stop=stop)


def _hangs(*_: object) -> None:
    """What a process does that nobody can talk to."""
    threading.Event().wait()


def _dies(*_: object) -> None:
    """What a process does that runs out of memory, as its parent sees it."""


def test_a_refusal_has_the_servers_words_and_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a real server, which lets four connections of this machine in."""
    ready: Future[tuple[str, asyncio.Event, asyncio.AbstractEventLoop]] = Future()

    async def serve() -> None:
        async with running(limits=Limits(max_per_address=4)) as server:
            over = asyncio.Event()
            ready.set_result((server.ws_url, over, asyncio.get_running_loop()))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, over, loop = ready.result(60)
    try:
        code = run_load(url, clients=9, symbols_each=1_000, duration=0.01, ramp=0)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
    assert code == 1
    out, err = capsys.readouterr()
    said = "4 connections from 127.0.0.1; no more are allowed (tickerplant serve --max-per-address)"
    assert f"x HTTP status 429: {said}" in out
    assert "warning: the server has 5 symbols, not 1,000: each client gets all of them" in err
