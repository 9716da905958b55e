"""
What a test costs that has a feed: starting a server, beginning anew, and 500 tests.

    python -m bench.fixture [--tests 500]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

__all__ = ["main"]

_CODE = """
import pytest
from websockets.sync.client import connect

@pytest.mark.parametrize("n", range({tests}))
@pytest.mark.ticker_feed(symbols=["AAPL", "MSFT"])
def test(ticker_feed, n):
    with connect(ticker_feed.ws_url) as ws:
        ws.recv()
        ws.send('{{"action":"subscribe","symbols":["AAPL"]}}')
        client = ticker_feed.wait_for_subscription("AAPL")
        ticker_feed.trade("AAPL", price=187.43)
        ticker_feed.advance("1s")
        ticker_feed.sync(client)
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.fixture", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tests", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--quick", action="store_true", help="few: does it work?")
    options = parser.parse_args(argv)
    tests = 10 if options.quick else options.tests
    began = time.perf_counter()
    from feeds.testing import TickerFeed

    print(f"import of feeds.testing                  {ms(time.perf_counter() - began)}")

    def start() -> None:
        with TickerFeed():
            starts.append(time.perf_counter() - since)

    starts: list[float] = []
    since = time.perf_counter()
    start()
    print(f"first start, 30 symbols, after import    {ms(starts[-1])}")
    for _ in range(20):
        since = time.perf_counter()
        start()
    print(f"further starts, median of 20             {ms(median(starts[1:]))}")
    with TickerFeed() as feed:
        print(f"reset, no clients, median of 100         {ms(timed(feed.reset, 100))}")
        feed.advance("10m")
        print(f"reset after ten minutes of market        {ms(timed(feed.reset, 1))}")
        print(
            f"trade, no clients, median of 100         {ms(timed(lambda: feed.trade('AAPL', price=187.43), 100))}"
        )
    for workers in ("0", "2"):
        took, cpu = suite(tests, workers)
        print(
            f"{tests} tests, each with a client, -n {workers}    {took:7.2f} s, {cpu:.2f} s of CPU"
        )


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:7.1f} ms"


def timed(function: Callable[[], object], times: int) -> float:
    """Give the median of how long some calls took, in seconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        took.append(time.perf_counter() - began)
    return median(took)


def suite(tests: int, workers: str) -> tuple[float, float]:
    """Run the tests; give how long pytest took from begin to end, and its time of CPU, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_many.py").write_text(_CODE.format(tests=tests))
        command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider"]
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        took, after = time.perf_counter() - began, os.times()
    children = (after.children_user, after.children_system)
    return took, sum(children) - before.children_user - before.children_system


if __name__ == "__main__":
    main()
