/**
 * A test of a client, with node:test: the market does what the test says, when it says so.
 *
 *     node --test clients/node/feed.test.mjs
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { TickerClient } from "../web/ticker-client.js"; // stands for yours
import { startFeed } from "./feed.mjs";

let server;
let feed;
let tests = 0;

before(async () => {
  server = await startFeed("--symbols", "AAPL,MSFT", "--rate", "0", "--clock", "manual");
});
after(() => server.stop());
beforeEach(() => { feed = server.session(`test-${++tests}`); return feed.reset(); });
afterEach(() => feed.end());

/** The next event of a client that passes. */
const next = (client, type, passes = () => true) => new Promise((resolve) => {
  client.addEventListener(type, ({ detail }) => passes(detail) && resolve(detail));
});

test("a trade reaches whoever is subscribed", async () => {
  const client = new TickerClient(feed.ws);
  client.subscribe(["AAPL"]);
  await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "10s" });
  const trade = next(client, "trade");
  await feed.trade({ symbol: "AAPL", price: 187.43, size: 7 });
  const { price, size, time } = await trade;
  assert.deepEqual([price, size, new Date(time).toISOString()], [187.43, 7, "2026-01-05T14:30:00.000Z"]);
  client.close();
});

test("after a restart it connects again, and subscribes again", async () => {
  const client = new TickerClient(feed.ws, { minDelay: 1, maxDelay: 5 });
  client.subscribe(["MSFT"]);
  await feed.wait({ for: "subscription", symbol: "MSFT", timeout: "10s" });
  await feed.reset({ seed: 8 });
  const { client: seen } = await feed.wait({ for: "subscription", symbol: "MSFT", timeout: "10s" });
  assert.deepEqual(seen.subscriptions, { MSFT: ["trades"] });
  client.close();
  const { client: gone } = await feed.wait({ for: "close", client: seen.id, timeout: "10s" });
  assert.deepEqual([gone.closed_by, gone.close_code], ["client", 1000]);
});

test("a connection that is lost without a word, and a server that is busy, don't stop it", async () => {
  const client = new TickerClient(feed.ws, { minDelay: 1, maxDelay: 5 });
  client.subscribe(["AAPL"]);
  await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "10s" });
  const busy = await feed.fault.status({ code: 503 });
  await feed.fault.abort({ client: 1 });
  const { client: lost } = await feed.wait({ for: "close", client: 1, timeout: "10s" });
  assert.equal(lost.close_code, 1006);
  const trade = next(client, "trade");
  await feed.trade({ symbol: "AAPL", price: 187.43 });
  await busy.clear();
  assert.equal((await trade).price, 187.43); // which it missed, and asked for when it came back
  assert.deepEqual((await feed.faults()).faults, []);
  client.close();
});

test("what is not so, and what can't be, says why", async () => {
  await assert.rejects(feed.assert_subscribed({ symbol: "AAPL" }), { status: 409, code: "assertion_failed" });
  await assert.rejects(feed.trade({ symbol: "AAPL", price: 187.435 }), /not on its grid of 0.01/);
  await assert.rejects(feed.wait({ for: "client", timeout: "1ms" }), { status: 408, message: "no client 1 within 0.001 s" });
});
