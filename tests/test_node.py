"""The JavaScript client and the sample for Node."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest
from browser_feed import FakeFeed
from node_scripts import CLIENTS, Script, flags, run, watch
from proxy import ProxiedFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["run", "watch"]  # fixtures

pytestmark = pytest.mark.node


@pytest.fixture
def feed() -> Iterator[FakeFeed]:
    with FakeFeed(["AAPL", "AMZN", "MSFT"], heartbeat_ms=60_000) as feed:
        yield feed


# The rules alone.


def test_sequence_rule(run) -> None:
    """`seq == last_seq + 1 + merged`; anything else says exactly what is missing."""
    run("""
    const trade = (seq, merged) => ({ type: "trade", symbol: "A", seq, merged });
    const cases = [
      [[4], null],
      [[6, 2], null],
      [[5], [4, 4, "lost"]],
      [[10], [4, 9, "lost"]],
      [[10, 2], [4, 7, "lost"]],
      [[3], [3, 3, "repeated"]],
      [[1], [1, 1, "repeated"]],
      [[5, 3], [2, 3, "repeated"]],
    ];
    for (const [[seq, merged], expected] of cases) {
      const sequences = new Sequences();
      sequences.subscribed({ symbols: ["A"], channels: ["trades"] });
      sequences.snapshot({ symbol: "A", seq: { trades: 3 } });
      const gap = sequences.event(trade(seq, merged));
      assert.deepEqual(gap && [gap.from, gap.to, gap.reason], expected, `${seq} ${merged}`);
      const next = sequences.event(trade(Math.max(seq, 3) + 1));
      assert.equal(next, null, "one gap is told once");
    }
    """).ends_well()


def test_sequences_are_apart(run) -> None:
    """Symbols, channels and bar intervals count for themselves."""
    run("""
    const sequences = new Sequences();
    const symbols = ["A", "B"];
    sequences.subscribed({ symbols, channels: ["trades", "quotes"] });
    sequences.subscribed({ symbols, channels: ["bars"], interval: "1s" });
    sequences.subscribed({ symbols, channels: ["bars"], interval: "1m" });
    const seq = { trades: 1, quotes: 10, "bars:1s": 100, "bars:1m": 1000 };
    for (const symbol of symbols) assert.deepEqual(sequences.snapshot({ symbol, seq }), []);
    for (const symbol of symbols) {
      assert.equal(sequences.event({ type: "trade", symbol, seq: 2 }), null);
      assert.equal(sequences.event({ type: "quote", symbol, seq: 11 }), null);
      assert.equal(sequences.event({ type: "bar", symbol, interval: "1s", seq: 101 }), null);
      assert.deepEqual(
        sequences.event({ type: "bar", symbol, interval: "1m", seq: 1003 }),
        { symbol, channel: "bars", interval: "1m", from: 1001, to: 1002, reason: "lost" },
      );
    }
    """).ends_well()


def test_sequences_across_connections(run) -> None:
    """In the same epoch a snapshot tells what was missed; in another there is nothing to compare."""
    run("""
    const reply = { symbols: ["A"], channels: ["trades"] };
    const after = (change) => {
      const sequences = new Sequences();
      sequences.subscribed(reply);
      sequences.snapshot({ symbol: "A", seq: { trades: 7, status: 1 } });
      sequences.park();
      change(sequences);
      sequences.subscribed(reply);
      return sequences.snapshot({ symbol: "A", seq: { trades: 9, status: 5 } });
    };
    const missed = { symbol: "A", channel: "trades", from: 8, to: 9, reason: "reconnect" };
    assert.deepEqual(after(() => {}), [missed]);
    assert.deepEqual(after((sequences) => sequences.park()), [missed]);
    assert.deepEqual(after((sequences) => sequences.reset()), []);
    assert.deepEqual(after((sequences) => sequences.unsubscribed(reply)), []);
    """).ends_well()


def test_subscriptions_are_kept_small(run) -> None:
    """Of several requests about the same thing the newest counts, and what takes nothing away goes."""
    run("""
    const subscriptions = new Subscriptions();
    const add = (action, symbols, channels, interval) =>
      subscriptions.add({ action, symbols, channels, interval });
    const kept = () => subscriptions.requests().map(({ action, symbols }) => `${action} ${symbols}`);
    add("subscribe", ["A"], ["trades"]);
    add("unsubscribe", ["A"], ["trades"]);
    assert.deepEqual(kept(), []);
    add("subscribe", ["*"], ["trades"]);
    add("unsubscribe", ["A"], ["trades"]);
    assert.deepEqual(kept(), ["subscribe *", "unsubscribe A"]);
    add("unsubscribe", ["B"], ["bars"], "1m");
    assert.deepEqual(kept(), ["subscribe *", "unsubscribe A"]);
    add("subscribe", ["*"], ["trades"]);
    assert.deepEqual(kept(), ["unsubscribe A", "subscribe *"]);
    """).ends_well()


# Over real sockets.


def test_subscribe_and_batches(run, feed: FakeFeed) -> None:
    """One callback for each message of the server, and one event for each event."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"], channels: ["trades", "quotes"] });
    client.onbatch = (events) => log(["batch", ...events.map(({ type }) => type)]);
    client.addEventListener("trade", ({ detail }) => log(["trade", detail.price]));
    client.addEventListener("quote", ({ detail }) => { log(["quote", detail.bid]); client.close(); });
    """,
        feed,
    )
    assert script.said() == ["batch", "hello"]
    assert script.said() == ["batch", "subscribed", "snapshot"]
    feed.wait_for_request(action="subscribe", symbols=["AAPL"], channels=["trades", "quotes"])
    feed.trade("AAPL", 101.5)
    assert script.said() == ["batch", "trade"]
    assert script.said() == ["trade", 101.5]
    feed.trade("MSFT", 7)  # nobody asked for it
    feed.quote("AAPL", 101.4, 101.6)
    assert script.said() == ["batch", "quote"]
    assert script.said() == ["quote", 101.4]
    script.ends_well()


def test_requests(run, feed: FakeFeed) -> None:
    """Each request is a promise; the server's error is its rejection, and the connection lives on."""
    run(
        """
    const client = new TickerClient(URL);
    const granted = await client.subscribe("A*", { channels: ["bars"], interval: "1m" });
    assert.deepEqual([granted.symbols, granted.interval], [["AAPL", "AMZN"], "1m"]);
    const wrong = client.subscribe(["AAPL", "APPL"]);
    await assert.rejects(wrong, { name: "TickerError", code: "unknown_symbol", message: /'APPL'/ });
    const universe = await client.symbols();
    assert.deepEqual(universe.map(({ symbol }) => symbol), ["AAPL", "AMZN", "MSFT"]);
    const snapshots = await client.snapshot(["MSFT", "AAPL"]);
    assert.deepEqual(snapshots.map(({ symbol }) => symbol), ["MSFT", "AAPL"]);
    await assert.rejects(client.snapshot(["NOPE"]), { code: "unknown_symbol" });
    assert.equal(snapshots.at(-1).more, undefined);
    assert.deepEqual((await client.unsubscribe("AMZN")).symbols, ["AMZN"]);
    client.close();
    await assert.rejects(client.symbols(), { code: "closed" });
    assert.equal(client.state.state, "closed");
    """,
        feed,
    ).ends_well()


def test_long_lists(run) -> None:
    """More symbols than a request may have go in several; a long answer comes in several parts."""
    symbols = [f"S{i}" for i in range(2001)]
    with FakeFeed(symbols) as feed:
        script = run(
            """
        const client = new TickerClient(URL);
        const symbols = Array.from({ length: 2001 }, (_, i) => `S${i}`);
        assert.equal((await client.subscribe(symbols)).symbols.length, 2001);
        assert.equal((await client.snapshot(symbols)).length, 2001);
        const all = await client.subscribe("*", { channels: ["quotes"] });
        assert.deepEqual(all.symbols, symbols);
        log("ready");
        log(await until(client, "gap"));
        client.close();
        """,
            feed,
        )
        assert script.said() == "ready"
        feed.lose("S2000", "quotes", 1)  # one of the last part counts from its snapshot
        feed.quote("S2000", 1, 2)
        gap = {"symbol": "S2000", "channel": "quotes", "from": 1, "to": 1, "reason": "lost"}
        assert script.said() == gap
        script.ends_well()
    sizes = [len(r["symbols"]) for r in feed.requests if "symbols" in r]
    assert sizes == [1000, 1000, 1, 1000, 1000, 1, 1]


def test_reconnects_and_subscribes_again(run, feed: FakeFeed) -> None:
    """After a loss everything that was subscribed is asked for again, and what was missed is told."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST });
    client.addEventListener("trade", ({ detail }) => log(["trade", detail.seq]));
    client.addEventListener("gap", ({ detail }) => log(detail));
    client.addEventListener("state", ({ detail }) => log(detail.state));
    await client.subscribe(["AAPL", "MSFT"], { channels: ["quotes"] });
    await client.unsubscribe(["MSFT"]);
    log("ready");
    await until(client, "trade", ({ seq }) => seq === 5);
    client.close();
    """,
        feed,
    )
    assert [script.said() for _ in range(3)] == ["connecting", "live", "ready"]
    feed.trade("AAPL", 101)
    assert script.said() == ["trade", 1]
    feed.requests.clear()
    feed.refusing = True
    feed.drop()
    assert script.said() == "waiting"
    feed.lose("AAPL", "trades", 3)
    feed.refusing = False
    heard = iter(script.said, "live")
    assert set(heard) <= {"connecting", "waiting"}
    assert script.said() == {
        "symbol": "AAPL", "channel": "trades", "from": 2, "to": 4, "reason": "too_old"
    }  # fmt: skip
    feed.wait_for_request(action="subscribe", symbols=["AAPL"], channels=["trades"])
    feed.wait_for_request(action="subscribe", symbols=["AAPL", "MSFT"], channels=["quotes"])
    feed.wait_for_request(action="unsubscribe", symbols=["MSFT"])
    feed.trade("AAPL", 102)
    assert script.said() == ["trade", 5]
    assert script.said() == "closed"
    script.ends_well()


def test_another_epoch(run, feed: FakeFeed) -> None:
    """A server that came back with another market: no gap, and what it doesn't have is reported."""
    script = run(
        """
    const client = new TickerClient(URL, { ...FAST });
    client.addEventListener("gap", ({ detail }) => log(detail));
    client.addEventListener("error", ({ detail }) => log([detail.code, detail.message]));
    client.addEventListener("snapshot", ({ detail }) => log(detail.symbol));
    await client.subscribe(["AAPL", "MSFT"]);
    await until(client, "hello");
    await until(client, "trade");
    client.close();
    """,
        feed,
    )
    assert [script.said(), script.said()] == ["AAPL", "MSFT"]
    feed.wait_for_request(action="subscribe")
    feed.stop()
    feed.new_market(["AAPL", "NVDA"])
    feed.lose("AAPL", "trades", 50)
    feed.start()
    assert script.said() == ["unknown_symbol", "unknown symbol 'MSFT'"]
    assert script.said() == "AAPL"
    feed.wait_for_request(action="subscribe", symbols=["AAPL"])
    feed.trade("AAPL", 101)
    script.ends_well()


def test_gap(run, feed: FakeFeed) -> None:
    """A hole in a sequence is told once, merged events are none."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: "*" });
    client.addEventListener("gap", ({ detail }) => log(detail));
    client.addEventListener("snapshot", ({ detail }) => log(detail.symbol));
    await until(client, "trade", ({ price }) => price === 999);
    client.close();
    """,
        feed,
    )
    assert [script.said() for _ in range(3)] == ["AAPL", "AMZN", "MSFT"]
    feed.wait_for_request(action="subscribe")
    feed.trade("AAPL", 101)
    feed.trade("AAPL", 102, merged=4)
    feed.lose("AAPL", "trades", 2)
    feed.trade("AAPL", 103)
    feed.trade("AAPL", 104)
    feed.trade("MSFT", 999)
    assert script.said() == {
        "symbol": "AAPL", "channel": "trades", "from": 7, "to": 8, "reason": "lost"
    }  # fmt: skip
    script.ends_well()


def test_silence(run) -> None:
    """A connection on which nothing came for twice the heartbeat is given up."""
    with FakeFeed(["AAPL"], heartbeat_ms=100) as feed:
        script = run(
            """
        const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST });
        log((await until(client, "state", ({ state }) => state === "waiting")).reason);
        await state(client, "live");
        client.close();
        """,
            feed,
        )
        reason = script.said()
        assert isinstance(reason, str)
        assert re.fullmatch(r"nothing was read for \d+ ms", reason)
        feed.wait_for("a second connection", lambda: feed.connections >= 2)
        script.ends_well()


def test_silence_that_means_nothing(run) -> None:
    """A server that promises no heartbeat, since its clock stands still, may be silent."""
    with FakeFeed(["AAPL"], heartbeat_ms=0) as feed:
        script = run(
            """
        const client = new TickerClient(URL, { symbols: ["AAPL"] });
        client.addEventListener("state", ({ detail }) => log(detail.state));
        await until(client, "trade");
        client.close();
        """,
            feed,
        )
        assert [script.said(), script.said()] == ["connecting", "live"]
        feed.wait_for_request(action="subscribe")
        feed.trade("AAPL", 101)
        assert script.said() == "closed"
        assert feed.connections == 1
        script.ends_well()


def test_pauses_grow_and_are_jittered(run) -> None:
    """The n-th pause is a random part of twice the one before, up to a limit."""
    run("""
    const pauses = [];
    class Refused {
      constructor() { queueMicrotask(() => this.onclose({ code: 1006, reason: "" })); }
    }
    Date.now = () => 0; // `retryAt` is then the pause itself
    const options = { WebSocket: Refused, minDelay: 20, maxDelay: 100, random: () => 0.5 };
    const client = new TickerClient("ws://nowhere", options);
    client.addEventListener("state", ({ detail: { state, attempt, retryAt } }) => {
      if (state === "waiting") pauses.push([attempt, retryAt]);
      if (pauses.length === 5) client.close();
    });
    await state(client, "closed");
    assert.deepEqual(pauses, [[1, 10], [2, 20], [3, 40], [4, 50], [5, 50]]);
    """).ends_well()


@pytest.mark.parametrize("code", [1002, 1007, 1008, 1009])
def test_no_reconnect_where_it_cannot_help(run, feed: FakeFeed, code: int) -> None:
    """These say that the client must be mended; `reconnect` still tries when asked to."""
    script = run(
        """
    const client = new TickerClient(URL, FAST);
    await state(client, "live");
    log("live");
    const { code, reason } = await until(client, "state", ({ state }) => state === "closed");
    log([code, reason]);
    client.reconnect();
    await until(client, "state", ({ state }) => state === "live");
    client.close();
    """,
        feed,
    )
    assert script.said() == "live"
    feed.close(code, "too many errors")
    assert script.said() == [code, "too many errors"]
    script.ends_well()


def test_what_is_no_message(run, feed: FakeFeed) -> None:
    """Rubbish and types from the future do no harm."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"] });
    client.addEventListener("error", ({ detail }) => log(detail.code));
    client.addEventListener("novelty", ({ detail }) => log(detail.field));
    await until(client, "trade");
    client.close();
    """,
        feed,
    )
    feed.wait_for_request(action="subscribe")
    feed.raw("{")
    feed.raw("7")
    feed.raw('[{"type":"novelty","field":1}]')
    assert [script.said() for _ in range(3)] == ["bad_message", "bad_message", 1]
    feed.trade("AAPL", 101)
    script.ends_well()


# The sample.


def test_watch(watch: Callable[..., Script], feed: FakeFeed) -> None:
    """It prints trades, says what happens to the connection, and ends after `--count`."""
    script = watch("--url", feed.ws_url, "--count", "2", "AAPL")
    feed.wait_for_request(action="subscribe", symbols=["AAPL"])
    assert script.error_line() == f"connected to {feed.ws_url}"
    feed.trade("AAPL", 101.5, 300)
    assert re.fullmatch(r"[\d:.]{12}  AAPL +101.5 × 300", script.line())
    feed.drop()
    assert "trying again in" in script.error_line()
    feed.wait_for_request(action="subscribe", symbols=["AAPL"])
    feed.trade("AAPL", 102, 5)
    assert re.fullmatch(r"[\d:.]{12}  AAPL +102 × 5", script.line())
    assert script.finish() == (0, "", f"connected to {feed.ws_url}\n")


def test_watch_is_interrupted(watch: Callable[..., Script], feed: FakeFeed) -> None:
    """Ctrl-C is no error."""
    script = watch("--url", feed.ws_url)
    feed.wait_for_request(action="subscribe", symbols=["*"])
    script.process.send_signal(signal.SIGINT)
    assert script.finish()[0] == 0


def test_watch_is_refused(watch: Callable[..., Script], feed: FakeFeed) -> None:
    """The server's words, and exit code 1."""
    code, _, err = watch("--url", feed.ws_url, "APPL").finish()
    assert (code, err.splitlines()[-1]) == (1, "unknown symbol 'APPL'")


def test_watch_usage(watch: Callable[..., Script]) -> None:
    """A wrong command line ends with 2 and says how it should be."""
    code, _, err = watch("--count", "0").finish()
    assert (code, err.splitlines()) == (
        2,
        [
            "--count must be above 0: 0",
            "usage: node watch.mjs [--url URL] [--token TOKEN] [--count N] [SYMBOL ...]",
        ],
    )


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_watch_help(watch: Callable[..., Script], option: str) -> None:
    """Who asks how to use it gets that, and no error."""
    code, out, err = watch(option).finish()
    assert (code, err) == (0, "")
    assert out.startswith("usage: node watch.mjs [--url URL]")


def test_watch_names_the_address_that_doesnt_answer(watch: Callable[..., Script]) -> None:
    """A feed that isn't there, or an address with a slip in it: which one was tried says more than that a fetch failed."""
    script = watch("--url", "ws://127.0.0.1:1/ws")
    assert re.fullmatch(
        r"ws://127\.0\.0\.1:1/ws: .+; trying again in \d+\.\d s", script.error_line()
    )


def test_watch_without_a_websocket() -> None:
    """Where Node has none it reads Server-Sent Events."""
    flags()
    source = (CLIENTS / "node" / "watch.mjs").as_posix()
    hide = "data:text/javascript,delete globalThis.WebSocket"
    with ProxiedFeed(symbols="5") as real:
        script = Script(["--import", hide, source, "--url", real.ws_url, "--count", "2"])
        assert script.error_line() == f"connected to {real.ws_url}, without WebSocket"
        assert " × " in script.line()
        assert " × " in script.line()
        assert script.finish()[0] == 0
