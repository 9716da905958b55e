"""
The pytest plugin: fixtures that give a :class:`feeds.testing.TickerFeed`.

It is loaded in every run of pytest where tickerplant is installed, so nothing is imported here before it is used.

An option comes from the first of these that sets it: the command line (``--ticker-feed-seed``), the environment
(``TICKER_FEED_SEED``), the test's marker, the fixture ``ticker_feed_config``, the ini file (``ticker_feed_seed``). The first
two are for one run: to see whether a test passes with another seed, or to repeat one that failed.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from feeds.testing import MakeTickerFeed, TickerFeed

__all__: list[str] = []

_OPTIONS = {
    "seed": ("INT", "Seed of the market; the same one gives the same events."),
    "clock": ("CLOCK", "Clock of the market: manual, wall, max, or xN."),
    "symbols": ("N|A,B|FILE", "Symbols of the market: a number, names, or a file."),
    "market": ("walk|quiet", "Whether anything happens but what a test commands."),
    "rules": ("open|us", "Whether it is always open, or has the rules of the US market."),
}
_DEFAULTS = {"seed": "7", "clock": "manual", "symbols": "30", "market": "walk", "rules": "open"}
_feeds = pytest.StashKey[list["TickerFeed"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ticker_feed", "ticker feed (tickerplant)")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--ticker-feed-{name}", metavar=metavar, help=text)
        parser.addini(f"ticker_feed_{name}", f"{text} Default: {_DEFAULTS[name]}", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "ticker_feed(symbols=..., seed=..., clock=..., market=..., rules=..., ...): the market of the fixture ticker_feed in this test",
    )
    _for_this_run(config)  # a wrong one is told before the first test


def pytest_report_header(config: pytest.Config) -> str:
    said = _DEFAULTS | _from_ini(config) | _for_this_run(config)
    return "ticker feed: " + ", ".join(f"{name} {said[name]}" for name in _OPTIONS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the journal with a failed test; if its error shows one already, what came after that."""
    report = yield
    if report.failed and report.when != "teardown" and call.excinfo is not None:
        told = str(call.excinfo.value).splitlines()
        for feed in item.stash.get(_feeds, []):
            text = _not_yet_told(feed.report(), told)
            report.sections.append((f"ticker feed on port {feed.port}", f"{feed!r}\n{text}"))
    return report


def _not_yet_told(report: str, told: list[str]) -> str:
    """Leave out of a feed's report what an error has shown, if it was about this feed."""
    head, _, journal = report.partition("\njournal:\n")
    entries = journal.splitlines()
    if entries[-1] not in told and entries[0] not in told:
        return report
    since = [entry for entry in entries if entry not in told]
    return (
        "\n".join([head, "journal since the error:", *since])
        if since
        else "nothing since the error"
    )


@pytest.fixture(scope="session")
def ticker_feed_config() -> dict[str, Any]:
    """Options for every feed of this run, of :class:`feeds.notation.options.FeedOptions`; override it in a ``conftest.py``."""
    return {}


@pytest.fixture(scope="session")
def ticker_feed_server(
    pytestconfig: pytest.Config, ticker_feed_config: dict[str, Any]
) -> Iterator[TickerFeed]:
    """The one feed that all tests of this process share, on a free port, in a thread of its own; not reset for each test."""
    from feeds.testing import TickerFeed

    with ExitStack() as stack:
        with _told_plainly():
            feed = TickerFeed(**_options(pytestconfig, ticker_feed_config))
            stack.enter_context(feed)
        yield feed


@pytest.fixture
def ticker_feed(
    request: pytest.FixtureRequest, ticker_feed_server: TickerFeed
) -> Iterator[TickerFeed]:
    """A feed at the start of its market, with no client, that this test directs; the marker ``ticker_feed`` says which market."""
    feed = ticker_feed_server
    with _told_plainly():
        feed.reset(**_of_the_marker(request))
    _remember(request, feed)
    yield feed
    feed.reset()


@pytest.fixture
def make_ticker_feed(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, ticker_feed_config: dict[str, Any]
) -> Iterator[MakeTickerFeed]:
    """Makes further feeds for one test, each a server of its own: ``make_ticker_feed(symbols=["AAPL"], seed=8)``."""
    from feeds.errors import plainly
    from feeds.testing import TickerFeed

    with ExitStack() as stack:

        def make(**options: Any) -> TickerFeed:
            __tracebackhide__ = True
            base = _options(pytestconfig, ticker_feed_config)
            feed = stack.enter_context(plainly(lambda: TickerFeed(**(base | options))))
            _remember(request, feed)
            return feed

        yield make


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Tell a wrong option in one line: the test didn't come to any of its own."""
    from feeds.errors import ConfigError

    try:
        yield
    except (ConfigError, pytest.UsageError) as error:
        raise pytest.fail.Exception(f"ticker feed: {error}", pytrace=False) from None


def _remember(request: pytest.FixtureRequest, feed: TickerFeed) -> None:
    request.node.stash.setdefault(_feeds, []).append(feed)


def _options(config: pytest.Config, fixture: dict[str, Any]) -> dict[str, Any]:
    """Give the options of a server, without what a marker says."""
    return _from_ini(config) | fixture | _for_this_run(config)


def _of_the_marker(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Give what a test's markers say, the nearest first, where it isn't said for the whole run."""
    said: dict[str, Any] = {}
    for marker in request.node.iter_markers("ticker_feed"):
        if marker.args:
            raise pytest.UsageError(
                f"the marker ticker_feed takes names, as in symbols=['AAPL'], and {marker.args!r} was given"
            )
        said = marker.kwargs | said
    return said | _for_this_run(request.config)


def _from_ini(config: pytest.Config) -> dict[str, Any]:
    found = {name: config.getini(f"ticker_feed_{name}") for name in _OPTIONS}
    return {name: _value(name, text, "ini file") for name, text in found.items() if text}


def _for_this_run(config: pytest.Config) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in _OPTIONS:
        if text := os.environ.get(f"TICKER_FEED_{name.upper()}"):
            said[name] = _value(name, text, "environment")
        if (text := config.getoption(f"--ticker-feed-{name}")) is not None:
            said[name] = _value(name, text, "command line")
    return said


def _value(name: str, text: str, source: str) -> Any:
    if name != "seed":
        return text
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(
            f"the seed of the ticker feed, {text!r} from the {source}, is no whole number"
        ) from None
