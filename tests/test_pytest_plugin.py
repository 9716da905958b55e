"""The plugin of pytest, in runs of pytest of its own: fixtures, marker, options, and what a failing test shows."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import aiohttp  # noqa: F401
import anyio  # noqa: F401
import pytest
import trio  # noqa: F401
import websockets.sync.client  # noqa: F401

import feeds.testing  # noqa: F401

# All that the runs in this process need is loaded before them: a run puts sys.modules back, and numpy can't be loaded twice.
pytest_plugins = "pytester"

INI = """[pytest]
filterwarnings = error
asyncio_default_fixture_loop_scope = function
addopts = --strict-markers -p no:cacheprovider -p feeds.pytest_plugin -p pytest_asyncio.plugin -p anyio.pytest_plugin"""

CONNECT = """
    import aiohttp
    import pytest

    async def subscribed(feed, session):
        ws = await session.ws_connect(feed.ws_url)
        await ws.receive()
        await ws.send_json({"action": "subscribe", "symbols": ["AAPL"]})
        await ws.receive()
        return ws
"""


@pytest.fixture(autouse=True)
def own_settings(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are errors there too; nothing of the run around it counts, and no plugins but those that it is about."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("SEED", "CLOCK", "SYMBOLS", "MARKET", "RULES"):
        monkeypatch.delenv(f"TICKER_FEED_{name}", raising=False)
    for name in (
        "CI",
        "BUILD_NUMBER",
        "PYTEST_ADDOPTS",
        "FORCE_COLOR",
    ):  # With CI, its summary shows errors in full.
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(INI)


def passes(pytester: pytest.Pytester, code: str, *arguments: str, passed: int = 1) -> None:
    """Run tests, all of which pass."""
    pytester.makepyfile(dedent(code))
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=passed)


def test_loading_it_loads_nothing_else() -> None:
    """Who has it installed and doesn't use it doesn't wait for numpy and aiohttp."""
    code = (
        "import sys, pytest; before = set(sys.modules); import feeds.pytest_plugin;"
        "print(*sorted(m for m in set(sys.modules) - before if '.' not in m))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["feeds"]


def test_it_is_installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to name it: its marker is known."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    result = pytester.runpytest_inprocess("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.ticker_feed(symbols=*"])


def test_a_plain_test_directs_the_market(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import pytest
        from websockets.sync.client import connect

        @pytest.mark.ticker_feed(symbols=["AAPL"], market="quiet")
        def test(ticker_feed):
            with connect(ticker_feed.ws_url) as ws:
                ws.recv()
                ws.send('{"action":"subscribe","symbols":["AAPL"]}')
                client = ticker_feed.wait_for_subscription("AAPL")
                ws.recv()
                ticker_feed.trade("AAPL", price=187.43)
                assert '"price":187.43' in ws.recv()
                assert client.sent == [{"action": "subscribe", "symbols": ["AAPL"]}]
        """,
    )


def test_a_test_of_pytest_asyncio_directs_it(pytester: pytest.Pytester) -> None:
    """The same fixture; what the test's own loop has to do is awaited."""
    passes(
        pytester,
        CONNECT
        + """
    @pytest.mark.asyncio
    @pytest.mark.ticker_feed(symbols=["AAPL"], market="quiet")
    async def test(ticker_feed):
        async with aiohttp.ClientSession() as session:
            ws = await subscribed(ticker_feed, session)
            await ticker_feed.aio.wait_for_subscription("AAPL")
            ticker_feed.trade("AAPL", price=187.43)
            assert (await ws.receive()).json()[0]["price"] == 187.43
            await ws.close()
            assert (await ticker_feed.aio.wait_for_close(ticker_feed.clients[0])).close_code == 1000
    """,
    )


def test_a_test_of_anyio_directs_it_on_both_of_its_loops(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import anyio
        import pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param

        async def test(ticker_feed):
            stream = await anyio.connect_tcp("127.0.0.1", ticker_feed.port)
            async with stream:
                await stream.send(b"GET /stream?symbols=AAPL HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                await ticker_feed.aio.wait_for_subscription("AAPL")
                ticker_feed.trade("AAPL", price=187.43)
                text = b""
                while b'"price":187.43' not in text:
                    text += await stream.receive()
        """,
        passed=2,
    )


def test_each_test_begins_anew(pytester: pytest.Pytester) -> None:
    """One server for all; nothing of a test is left for the next one, and its marker holds for it alone."""
    passes(
        pytester,
        """
        import pytest

        seen = {}

        @pytest.mark.parametrize("n", [1, 2])
        def test_twice(ticker_feed, n):
            assert ticker_feed.clients == [] and len(ticker_feed.journal) == 0
            seen["port"] = seen.get("port", ticker_feed.port)
            seen["now"] = seen.get("now", ticker_feed.now)
            assert (ticker_feed.port, ticker_feed.now) == (seen["port"], seen["now"])
            ticker_feed.advance("1s")

        @pytest.mark.ticker_feed(symbols=2, seed=9)
        class TestMarked:
            @pytest.mark.ticker_feed(seed=8)
            def test_the_nearest_marker_counts(self, ticker_feed):
                assert (ticker_feed.seed, ticker_feed.symbols) == (8, ("AAPL", "MSFT"))

        def test_not_marked(ticker_feed, ticker_feed_server):
            assert (ticker_feed.seed, len(ticker_feed.symbols)) == (7, 30)
            assert ticker_feed is ticker_feed_server
        """,
        passed=4,
    )


def test_there_can_be_several(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        def test(make_ticker_feed):
            one, other = make_ticker_feed(seed=1), make_ticker_feed(symbols="TSLA", market="quiet")
            assert one.port != other.port
            assert (one.seed, other.seed, other.symbols) == (1, 7, ("TSLA",))
            other.trade("TSLA", price=250.0)
        """,
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((), 7),
        (("ini",), 1),
        (("ini", "fixture"), 2),
        (("ini", "fixture", "marker"), 3),
        (("ini", "fixture", "marker", "environment"), 4),
        (("ini", "fixture", "marker", "environment", "command line"), 5),
    ],
)
def test_what_is_nearer_to_this_run_counts(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    layers: tuple[str, ...],
    expected: int,
) -> None:
    """Command line, environment, marker, fixture, ini file, in this order."""
    if "ini" in layers:
        pytester.makeini(f"{INI}\nticker_feed_seed = 1")
    if "fixture" in layers:
        pytester.makeconftest(
            "import pytest\n@pytest.fixture(scope='session')\ndef ticker_feed_config(): return {'seed': 2}"
        )
    if "environment" in layers:
        monkeypatch.setenv("TICKER_FEED_SEED", "4")
    marker = "@pytest.mark.ticker_feed(seed=3)" if "marker" in layers else ""
    code = f"import pytest\n{marker}\ndef test(ticker_feed): assert ticker_feed.seed == {expected}"
    arguments = ["--ticker-feed-seed=5"] if "command line" in layers else []
    passes(pytester, code, *arguments)


@pytest.mark.parametrize("where", ["ini", "environment", "command line", "marker"])
def test_a_whole_project_may_have_the_rules_of_the_us_market(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Wherever that is said."""
    if where == "ini":
        pytester.makeini(f"{INI}\nticker_feed_rules = us")
    if where == "environment":
        monkeypatch.setenv("TICKER_FEED_RULES", "us")
    marker = "@pytest.mark.ticker_feed(rules='us')" if where == "marker" else ""
    code = f"""
        import pytest

        import json
        from websockets.sync.client import connect

        {marker}
        def test(ticker_feed):
            with connect(ticker_feed.ws_url) as ws:
                assert json.loads(ws.recv())[0]["rules"] == "us"
    """
    passes(pytester, code, *["--ticker-feed-rules=us"][: where == "command line"])


def test_the_header_names_the_seed(pytester: pytest.Pytester) -> None:
    """And the help says how to choose it."""
    result = pytester.runpytest_inprocess("--ticker-feed-seed=11", "--ticker-feed-market=quiet")
    result.stdout.fnmatch_lines(
        ["ticker feed: seed 11, clock manual, symbols 30, market quiet, rules open"]
    )
    result = pytester.runpytest_inprocess("--help")
    result.stdout.fnmatch_lines(["*--ticker-feed-seed=INT*"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--ticker-feed-seed=x",
            "*seed of the ticker feed, 'x' from the command line, is no whole number*",
        ),
        ("--ticker-feed-clock=sundial", "*unknown clock 'sundial'; the clocks are*"),
        ("--ticker-feed-market=loud", "*market 'loud' is not one of walk, quiet*"),
        ("--ticker-feed-rules=uk", "*rules 'uk' is not one of open, us*"),
    ],
)
def test_a_wrong_option_is_told(pytester: pytest.Pytester, argument: str, message: str) -> None:
    pytester.makepyfile("def test(ticker_feed): pass")
    result = pytester.runpytest_inprocess(argument)
    assert result.ret != 0
    output = result.stdout.str() + result.stderr.str()
    assert pytest.LineMatcher(output.splitlines()).fnmatch_lines([message]) is None


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("port=1", "ticker feed: 'port' can't differ between sessions*"),
        ("symbol=['AAPL']", "ticker feed: unknown option 'symbol'; did you mean 'symbols'[?]"),
        ("['AAPL']", "*takes names, as in symbols=*"),
        ("market='quiet', rate=5.0", "*a quiet market has no rate, and 5.0 was given*"),
    ],
)
def test_a_wrong_marker_is_told(pytester: pytest.Pytester, marker: str, message: str) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.ticker_feed({marker})\ndef test(ticker_feed): pass"
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*During handling of*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_failing_test_shows_its_journal(pytester: pytest.Pytester) -> None:
    """Of each feed that it had; a passing one shows nothing."""
    pytester.makepyfile(
        dedent(
            """
            def test_fails(ticker_feed, make_ticker_feed):
                make_ticker_feed()
                ticker_feed.trade("AAPL", price=187.43)
                ticker_feed.trade("AAPL", price=187.435)

            def test_passes(ticker_feed):
                pass
            """
        )
    )
    result = pytester.runpytest_inprocess("-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*feeds/*.py:*")  # where it was found out isn't the test's
    result.stdout.fnmatch_lines(
        [
            "E*CommandError: price 187.435 of AAPL*",
            "*- ticker feed on port * -*",
            "<TickerFeed http://127.0.0.1:*, seed 7, 30 symbols>",
            "journal:",
            "*command*trade*187.43*",
            "*- ticker feed on port * -*",
        ]
    )
    assert result.stdout.str().count("ticker feed on port") == 2


def test_what_an_error_shows_isnt_shown_again(pytester: pytest.Pytester) -> None:
    """A wait in vain has the journal in its message: beside it there is what came since."""
    pytester.makepyfile(
        dedent(
            """
            import websockets.sync.client

            def test_nothing_since(ticker_feed):
                ticker_feed.trade("AAPL", price=187.43)
                ticker_feed.assert_subscribed("AAPL")

            def test_something_since(ticker_feed):
                with websockets.sync.client.connect(ticker_feed.ws_url):
                    try:
                        ticker_feed.wait_for_client(2, timeout="10ms")
                    except TimeoutError:
                        ticker_feed.trade("AAPL", price=187.44)
                        raise
            """
        )
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*command*trade*187.43*",
            "*- ticker feed on port * -*",
            "nothing since the error",
            "E*WaitTimeout: no client 2 within 0.01 s",
            "E*open*path=/ws*",
            "*- ticker feed on port * -*",
            "  <Client 1, *",
            "journal since the error:",
            "*command*trade*187.44*",
        ]
    )
    shown = result.stdout.str()
    assert shown.count("command command=trade") == 2
    assert shown.count("path=/ws") == 1


@pytest.mark.parametrize(
    "command",
    [
        "feed.trade('AAPL', price=187.435)",
        "feed.wait_for_subscription('AAPL', 'trade')",
        "feed.play([{'type': 'trade', 'symbol': 'APPL', 'price': 1}])",
        "feed.fault.gap(symbol='APPL')",
        "feed.assert_subscribed('AAPL')",
        "await feed.aio.load('nowhere.ndjson')",
    ],
)
def test_what_was_wrong_is_shown_in_the_tests_own_line(
    pytester: pytest.Pytester, command: str
) -> None:
    """Of a mistake there is the line that made it and one that says what is allowed, and nothing of the insides."""
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.asyncio\nasync def test(ticker_feed):\n"
        f"    feed = ticker_feed\n    {command}"
    )
    result = pytester.runpytest_inprocess("--tb=short")
    result.assert_outcomes(failed=1)
    shown = [line for line in result.stdout.lines if line.startswith(("test_", "/", "..", "feeds"))]
    assert [line.split(":")[1] for line in shown if ": in " in line] == ["5"]
    result.stdout.no_fnmatch_line("*direct cause*")


def test_workers_of_xdist_have_a_server_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        dedent(
            """
            import pytest

            @pytest.mark.parametrize("n", range(8))
            def test(ticker_feed, n, worker_id):
                assert worker_id in ("gw0", "gw1")
                ticker_feed.advance("1s")
                assert ticker_feed.now.second == 1
            """
        )
    )
    pytester.runpytest_subprocess("-p", "xdist", "-n", "2", "--dist", "load").assert_outcomes(
        passed=8
    )


def test_a_test_that_blocks_its_own_loop_is_told(pytester: pytest.Pytester) -> None:
    """A coroutine that waits without await for what its own loop has to do would wait in vain."""
    pytester.makepyfile(
        dedent(
            """
            import pytest

            @pytest.mark.asyncio
            async def test(ticker_feed):
                ticker_feed.wait_for_client(timeout="10ms")
            """
        )
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*the event loop of the test stood still meanwhile: *await feed.aio*"]
    )
