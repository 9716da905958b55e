"""The sample that a newcomer reads first."""

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
