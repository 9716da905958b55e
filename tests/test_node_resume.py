"""The JavaScript client under Node where connections break, fall silent, or are no WebSockets: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browser_feed import FakeFeed
from node_scripts import run
from proxy import ProxiedFeed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["run"]  # a fixture

pytestmark = pytest.mark.node

# Follows every sequence by itself: whatever does not follow on is a failure, whatever the client thinks of it.
FOLLOW = """
const follow = (client) => {
  const last = new Map();
  const seen = { events: 0 };
  client.onbatch = (events) => {
    for (const { type, symbol, seq, merged = 0 } of events) {
      const channel = { trade: "trades", quote: "quotes" }[type];
      if (type === "snapshot") {
        for (const [channel, count] of Object.entries(seq)) last.set(`${symbol} ${channel}`, count);
      } else if (channel) {
        const key = `${symbol} ${channel}`;
        assert.equal(seq, last.get(key) + 1 + merged, `${key} after ${last.get(key)}`);
        last.set(key, seq);
        seen.events++;
      }
    }
  };
  client.addEventListener("gap", ({ detail }) => { throw new Error(JSON.stringify(detail)); });
  return seen;
};
const reach = (seen, more) => new Promise((resolve) => {
  const goal = seen.events + more;
  const timer = setInterval(() => seen.events >= goal && resolve(clearInterval(timer)), 1);
});
"""
SUBSCRIBE = """
const client = new TickerClient(URL, { ...FAST, retryWebSocket: 600_000 });
const seen = follow(client);
await client.subscribe("*", { channels: ["trades", "quotes"] });
await client.subscribe(["AAPL"], { channels: ["bars"], interval: "1s" });
"""


@pytest.fixture
def feed() -> Iterator[FakeFeed]:
    with FakeFeed(["AAPL", "AMZN", "MSFT"], heartbeat_ms=60_000) as feed:
        yield feed


# Against the real server, through a proxy.


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_cut_again_and_again(run, transport: str) -> None:
    """Connections that are reset in the middle cost no event: each sequence comes once, and the client says so."""
    with ProxiedFeed(symbols="10", websockets=transport == "websocket") as feed:
        script = run(
            FOLLOW
            + SUBSCRIBE
            + """
        for (let i = 0; i < 5; i++) {
          await reach(seen, 20);
          const resumed = until(client, "resumed");
          log("cut");
          const { events, lost } = await resumed;
          log({ events, lost, transport: client.transport });
        }
        await reach(seen, 20);
        const { reconnects, lost, merged, resumed } = client.counts;
        log({ reconnects, lost, merged, some: resumed > 0 });
        client.close();
        """,
            feed.ws_url,
        )
        for _ in range(5):
            assert script.said() == "cut"
            feed.cut()
            said: Any = script.said()
            assert (said["lost"], said["transport"]) == (0, transport)
        assert script.said() == {"reconnects": 5, "lost": 0, "merged": 0, "some": True}
        script.ends_well()


@pytest.mark.parametrize("blocked", [False, "cut"])
def test_falls_back_and_returns(run, blocked: bool | str) -> None:
    """Where WebSockets are refused or cut it goes on over SSE, and back when they pass: no event lost, none twice."""
    with ProxiedFeed(symbols="10") as feed:
        script = run(
            FOLLOW
            + """
        const client = new TickerClient(URL, { ...FAST, retryWebSocket: 5, maxRetryWebSocket: 20 });
        const seen = follow(client);
        await client.subscribe("*", { channels: ["trades", "quotes"] });
        for (const transport of ["sse", "websocket", "sse", "websocket"]) {
          await reach(seen, 20);
          log(client.transport);
          await until(client, "resumed", () => client.transport === transport);
        }
        await client.unsubscribe("A*");
        await reach(seen, 20);
        log([client.transport, client.counts.lost]);
        client.close();
        """,
            feed.ws_url,
        )
        for _ in range(2):
            assert script.said() == "websocket"
            feed.websockets = blocked
            feed.cut()
            assert script.said() == "sse"
            feed.websockets = True
        assert script.said() == ["websocket", 0]
        script.ends_well()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_half_open(run, transport: str) -> None:
    """A connection that carries nothing any more, and isn't closed, is found by its silence."""
    with ProxiedFeed(symbols="10", heartbeat_s=0.5, websockets=transport == "websocket") as feed:
        script = run(
            FOLLOW
            + SUBSCRIBE
            + """
        await reach(seen, 20);
        const down = until(client, "state", ({ state }) => state === "waiting");
        const resumed = until(client, "resumed");
        log("stall");
        log((await down).reason.replace(/\\d+/, "n"));
        log((await resumed).lost);
        await reach(seen, 20);
        process.exit(0); // Node would wait for the half-open socket, which never ends
        """,
            feed.ws_url,
        )
        assert script.said() == "stall"
        feed.stall()
        assert script.said() == "nothing was read for n ms"
        assert script.said() == 0
        script.ends_well()


# Against the fake one, where everything that is asked can be seen.


def test_asks_for_what_was_missed(run, feed: FakeFeed) -> None:
    """Each sequence is told once, whatever covers it, and what is missed comes without a gap or a snapshot."""
    script = run(
        """
    const client = new TickerClient(URL, { channels: ["trades", "quotes"], ...FAST });
    await client.subscribe("A*");
    await client.subscribe(["AAPL", "MSFT"]);
    for (const type of ["trade", "gap", "snapshot", "resumed"]) {
      client.addEventListener(type, ({ detail }) => log([type, detail.symbol ?? detail, detail.seq]));
    }
    log("ready");
    await until(client, "trade", ({ seq }) => seq === 4);
    client.close();
    """,
        feed,
    )
    assert script.said() == "ready"
    feed.trade("AAPL", 101)
    assert script.said() == ["trade", "AAPL", 1]
    feed.requests.clear()
    feed.refusing = True
    feed.drop()
    feed.trade("AAPL", 102)
    feed.trade("AAPL", 103)
    feed.quote("MSFT", 7, 8)
    feed.refusing = False
    first = feed.wait_for_request(action="subscribe", symbols=["A*"])
    zero = {"trades": 0, "quotes": 0}
    assert first["since"] == {"AAPL": {"trades": 1, "quotes": 0}, "AMZN": zero}
    second = feed.wait_for_request(action="subscribe", symbols=["AAPL", "MSFT"])
    assert (second["since"], second["epoch"]) == ({"MSFT": zero}, "epoch-1")
    said: list[Any] = [script.said() for _ in range(4)]
    assert said == [
        ["trade", "AAPL", 2],
        ["trade", "AAPL", 3],
        ["snapshot", "AAPL", {"trades": 3, "quotes": 0, "status": 0}],  # of the second request
        ["resumed", {"events": 3, "lost": 0}, None],
    ]
    feed.trade("AAPL", 104)
    assert script.said() == ["trade", "AAPL", 4]
    script.ends_well()


def test_resumes_many_symbols_in_pieces(run) -> None:
    """What would be too long for one request goes in several; all of it is resumed."""
    with FakeFeed([f"S{i}" for i in range(2500)], heartbeat_ms=60_000) as feed:
        script = run(
            """
        const client = new TickerClient(URL, FAST);
        client.addEventListener("gap", ({ detail }) => log(detail));
        const { symbols } = await client.subscribe("*");
        log(symbols.length);
        log(await until(client, "resumed"));
        log((await client.unsubscribe("*")).symbols.length);
        client.close();
        """,
            feed,
        )
        assert script.said() == 2500
        feed.requests.clear()
        feed.refusing = True
        feed.drop()
        for i in (0, 1700, 2499):
            feed.trade(f"S{i}", 5)
        feed.refusing = False
        assert script.said() == {"events": 3, "lost": 0}
        assert script.said() == 2500
        script.ends_well()
    asked = [(len(r["symbols"]), len(r.get("since", ())), r.get("snapshot")) for r in feed.requests]
    assert asked == [(1000, 1000, None), (1000, 1000, None), (500, 500, None), (1, 0, False), (1, 0, None)]  # fmt: skip


def test_tells_what_is_lost(run, feed: FakeFeed) -> None:
    """What the server no longer has is a gap, counted, and a snapshot comes after it."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST });
    await until(client, "snapshot");
    for (const type of ["gap", "snapshot", "resumed"]) {
      client.addEventListener(type, ({ detail }) => log([type, detail.from ?? detail.seq ?? detail]));
    }
    log("ready");
    await until(client, "resumed");
    log(client.counts);
    client.close();
    """,
        feed,
    )
    assert script.said() == "ready"
    feed.refusing = True
    feed.drop()
    feed.lose("AAPL", "trades", 5)
    feed.trade("AAPL", 102)
    feed.refusing = False
    assert script.said() == ["gap", 1]
    assert script.said() == ["snapshot", {"trades": 6, "quotes": 0, "status": 0}]
    assert script.said() == ["resumed", {"events": 0, "lost": 6}]
    assert script.said() == {"reconnects": 1, "resumed": 0, "lost": 6, "merged": 0}
    script.ends_well()


def test_requests_over_sse(run, feed: FakeFeed) -> None:
    """The same requests with the same answers; a refused one changes nothing."""
    feed.websockets = False
    script = run(
        """
    const client = new TickerClient(URL, { ...FAST, retryWebSocket: 600_000 });
    const granted = await client.subscribe("A*", { channels: ["bars"], interval: "1m" });
    assert.deepEqual([granted.symbols, granted.interval], [["AAPL", "AMZN"], "1m"]);
    await client.subscribe("A*", { channels: ["trades", "quotes"] });
    await client.subscribe("MSFT");
    const wrong = client.subscribe(["AAPL", "APPL"]);
    await assert.rejects(wrong, { name: "TickerError", code: "unknown_symbol", message: /'APPL'/ });
    assert.equal((await client.symbols()).length, 3);
    const snapshots = await client.snapshot(["MSFT", "AAPL"]);
    assert.deepEqual(snapshots.map(({ symbol }) => symbol), ["MSFT", "AAPL"]);
    assert.deepEqual((await client.unsubscribe("AMZN")).symbols, ["AMZN"]);
    client.addEventListener("gap", ({ detail }) => log(detail));
    client.addEventListener("trade", ({ detail }) => log([detail.symbol, detail.price]));
    log([client.transport, client.state.transport]);
    await until(client, "trade", ({ symbol }) => symbol === "MSFT");
    client.close();
    await assert.rejects(client.symbols(), { code: "closed" });
    """,
        feed,
    )
    assert script.said() == ["sse", "sse"]
    assert feed.tried == 2
    feed.trade("AMZN", 1)  # unsubscribed
    feed.trade("AAPL", 2)
    feed.trade("MSFT", 3)
    assert [script.said(), script.said()] == [["AAPL", 2], ["MSFT", 3]]
    script.ends_well()
    streams = [r["query"] for r in feed.requests if r["action"] == "sse"]
    assert streams[0] == {"symbols": "*", "channels": "status", "snapshot": "false"}
    assert streams[1] == {"symbols": "A*", "channels": "bars", "interval": "1m"}
    assert streams[2]["channels"] == "trades,quotes,bars"  # one stream for the same symbols


def test_keeps_its_pace_over_sse(run, feed: FakeFeed) -> None:
    """A channel has one: the fastest of all that is wanted of it, or what two streams carry would come twice."""
    feed.websockets = False
    run(
        """
    const client = new TickerClient(URL, { ...FAST, retryWebSocket: 600_000 });
    const latest = { mode: "latest", max_hz: 5 };
    const granted = await client.subscribe("A*", latest);
    assert.deepEqual([granted.mode, granted.max_hz], ["latest", 5]);
    assert.equal((await client.subscribe("MSFT", { mode: "latest" })).max_hz, 10);
    await client.subscribe("*", { ...latest, max_hz: 2 });
    assert.equal((await client.subscribe("MSFT")).mode, undefined);
    client.close();
    """,
        feed,
    ).ends_well()
    streams = [r["query"] for r in feed.requests if r["action"] == "sse"][1:]
    assert [q.get("max_hz") for q in streams] == ["5", "10", "2", None]
    assert [q.get("mode") for q in streams] == ["latest", "latest", "latest", None]


def test_resumes_by_cursor(run, feed: FakeFeed) -> None:
    """A stream that breaks goes on where it ended, with the id of its last message."""
    feed.websockets = False
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST, retryWebSocket: 600_000 });
    client.addEventListener("gap", ({ detail }) => log(detail));
    client.addEventListener("trade", ({ detail }) => log(detail.seq));
    await until(client, "snapshot");
    log("ready");
    log(await until(client, "resumed"));
    await until(client, "trade", ({ seq }) => seq === 4);
    client.close();
    """,
        feed,
    )
    assert script.said() == "ready"
    feed.trade("AAPL", 1)
    assert script.said() == 1
    feed.requests.clear()
    feed.refusing = True
    feed.drop()
    feed.trade("AAPL", 2)
    feed.trade("AAPL", 3)
    feed.refusing = False
    assert [script.said() for _ in range(3)] == [2, 3, {"events": 2, "lost": 0}]
    query = feed.wait_for_request(action="sse", symbols=["AAPL"])["query"]
    assert "since" not in query
    assert query["last_event_id"].startswith("epoch-1/")
    feed.trade("AAPL", 4)
    assert script.said() == 4
    script.ends_well()


def test_a_server_that_is_down_is_no_bad_proxy(run, feed: FakeFeed) -> None:
    """While nothing answers, every attempt begins with a WebSocket."""
    script = run(
        """
    const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST });
    client.addEventListener("gap", ({ detail }) => log(detail));
    await until(client, "snapshot");
    const tried = [];
    client.addEventListener("state", ({ detail: { state, transport } }) => {
      if (state === "connecting" && tried.push(transport) === 7) log(tried);
    });
    log("ready");
    await until(client, "resumed");
    client.close();
    """,
        feed,
    )
    assert script.said() == "ready"
    feed.stop()
    w, s = "websocket", "sse"
    assert script.said() == [w, w, s, w, s, w, s]
    feed.start()
    script.ends_well()


def test_the_time_until_a_websocket_is_tried_again_grows(run, feed: FakeFeed) -> None:
    """Twice as long after each failure, up to a limit; and after a success it starts afresh."""
    feed.websockets = False
    script = run(
        """
    const delays = [];
    let run;
    const later = (work, ms) => { delays.push(ms); run = work; return () => {}; };
    const client = new TickerClient(URL, { symbols: ["AAPL"], ...FAST, later, maxRetryWebSocket: 200_000 });
    await until(client, "snapshot");
    for (let n = 2; n <= 4; n++) {
      run();
      while (delays.length < n) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(client.transport, "sse");
    }
    log(delays);
    await until(client, "trade");
    run();
    await until(client, "resumed");
    assert.equal(client.transport, "websocket");
    client.close();
    """,
        feed,
    )
    assert script.said() == [60_000, 120_000, 200_000, 200_000]
    feed.websockets = True
    feed.trade("AAPL", 1)
    script.ends_well()


def test_transports(run) -> None:
    """Only what is asked for is used, and what isn't known is refused at once."""
    run("""
    assert.throws(() => new TickerClient("ws://x", { transports: ["smoke"] }), /not "smoke"/);
    assert.throws(() => new TickerClient("ws://x", { transports: [] }), TypeError);
    class Refused {
      constructor() { queueMicrotask(() => this.onclose({ code: 1006, reason: "" })); }
    }
    const fetch = () => assert.fail("no SSE");
    const client = new TickerClient("ws://x", { ...FAST, WebSocket: Refused, fetch, transports: ["websocket"] });
    await until(client, "state", ({ attempt }) => attempt === 5);
    client.close();
    """).ends_well()


def test_event_parser(run) -> None:
    """However the text is cut into chunks, and whatever ends the lines."""
    run(r"""
    const { EventParser } = await import(`${WEB}/ticker-stream.js`);
    const text = 'retry: 5\n: note\ndata: [1]\n\nid: a\ndata: [2,\ndata:3]\n\nid: b\n\ndata: 4\n\ndata: 5';
    const expected = [["[1]", ""], ["[2,\n3]", "a"], ["4", ""]];
    for (const end of ["\n", "\r\n", "\r"]) {
      for (let size = 1; size < 9; size++) {
        const parser = new EventParser();
        const found = [];
        const all = text.replaceAll("\n", end);
        for (let i = 0; i < all.length; i += size) found.push(...parser.push(all.slice(i, i + size)));
        assert.deepEqual(found.map(({ data, id }) => [data, id]), expected, `${JSON.stringify(end)} ${size}`);
      }
    }
    """).ends_well()


def test_plans(run) -> None:
    """One stream for the symbols that share channels, one more for each further interval, none too long."""
    run("""
    const { plansFor, resumed } = await import(`${WEB}/ticker-plans.js`);
    const paths = (wanted) => [...plansFor(new Map(Object.entries(wanted)
      .map(([key, entries]) => [key, new Set(entries)]))).keys()];
    assert.deepEqual(paths({ trades: ["*"], quotes: ["*"], "bars:1d": ["*"], "bars:1m": ["A", "B?"] }), [
      "sse?symbols=*&channels=trades,quotes,bars&interval=1d",
      "sse?symbols=A,B%3F&channels=bars&interval=1m",
    ]);
    assert.deepEqual(paths({ "bars:1s": ["A*"], "bars:1m": ["A*"] }), [
      "sse?symbols=A*&channels=bars&interval=1s", "sse?symbols=A*&channels=bars&interval=1m",
    ]);
    const everything = new Map(["trades", "quotes", "status"].map((key) => [key, new Set(["*"])]));
    assert.deepEqual([...plansFor(everything, new Map([["trades", 2.5], ["quotes", 2.5]])).keys()], [
      "sse?symbols=*&channels=trades,quotes&mode=latest&max_hz=2.5", "sse?symbols=*&channels=status",
    ]);
    const many = Array.from({ length: 2000 }, (_, i) => `S${i}`);
    const cut = paths({ trades: many });
    assert.ok(cut.length > 1 && cut.every((path) => path.length < 4_100));
    assert.deepEqual(cut.flatMap((path) => path.match(/=(.*?)&/)[1].split(",")), many);
    const since = new Map(many.map((symbol) => [symbol, { trades: 1 }]));
    const address = new globalThis.URL(resumed("http://x/sse?symbols=*", "e", since));
    assert.ok(address.href.length < 7_600);
    const told = Object.keys(JSON.parse(address.searchParams.get("since")));
    assert.ok(told.length > 100 && told.every((symbol, i) => symbol === many[i]));
    """).ends_well()
