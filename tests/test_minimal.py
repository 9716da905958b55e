"""The sample that a newcomer reads first."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_feed import FakeFeed, feed_in_thread, plays, quote, trade

from clients import minimal

ITEMS = [trade("AAPL", 1), quote("MSFT", 1), trade("MSFT", 1, 412.1, size=7), trade("AAPL", 2)]
LINES = "AAPL  187.43 x 100\nMSFT  412.10 x 7\n"


@pytest.mark.asyncio
async def test_it_prints_trades_and_stops_after_as_many_as_are_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only trades are printed, and no more than asked for."""
    async with FakeFeed(plays(ITEMS, ITEMS)) as feed:
        await minimal.main(feed.url, "2")
    assert capsys.readouterr().out == LINES
    assert feed.requests == [{"action": "subscribe", "symbols": ["AAPL", "MSFT"]}]


@pytest.mark.asyncio
async def test_it_ends_when_the_server_closes(capsys: pytest.CaptureFixture[str]) -> None:
    """It doesn't connect again: that is what the real client is for."""

    async def stops(peer: object) -> None:
        await peer.hello()  # type: ignore[attr-defined]
        await peer.grant(*ITEMS[:3])  # type: ignore[attr-defined]

    async with FakeFeed(stops) as feed:
        await minimal.main(feed.url)
    assert capsys.readouterr().out == LINES


def test_it_runs_as_a_script() -> None:
    """Pasted into a file, with nothing of ours beside it."""
    with feed_in_thread(plays(ITEMS)) as feed:
        run = subprocess.run(
            [sys.executable, "-I", str(Path(minimal.__file__)), feed.url, "2"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    assert (run.stdout, run.stderr) == (LINES, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_it_ends_quietly_when_its_reader_has_had_enough() -> None:
    """As in ``minimal.py | head -1``."""
    many = [trade("AAPL", n) for n in range(1, 5_000)]
    with feed_in_thread(plays(many)) as feed:
        command = [sys.executable, "-I", str(Path(minimal.__file__)), feed.url]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as script:
            assert script.stdout is not None
            assert script.stderr is not None
            assert script.stdout.readline() == "AAPL  187.43 x 100\n"
            script.stdout.close()
            assert script.stderr.read() == ""
            assert script.wait(30) == -signal.SIGPIPE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_it_ends_quietly_when_it_is_interrupted() -> None:
    """Without a traceback."""
    with feed_in_thread(plays(ITEMS)) as feed:
        command = [sys.executable, "-I", "-u", str(Path(minimal.__file__)), feed.url]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as script:
            assert script.stdout is not None
            assert script.stderr is not None
            assert script.stdout.readline() == "AAPL  187.43 x 100\n"
            script.send_signal(signal.SIGINT)
            assert script.stderr.read() == ""
            assert script.wait(30) == -signal.SIGINT
