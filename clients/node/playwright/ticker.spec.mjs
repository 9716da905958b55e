/** A page under test, in a real browser; the market does what the test says. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test as base } from "@playwright/test";
import { connectFeed } from "../feed.mjs";

// Stands for your page.
const PAGE = `<!doctype html><output id="price">-</output><output id="state">-</output><script>
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  function connect() {
    const socket = new WebSocket(new URLSearchParams(location.search).get("ws"));
    socket.onopen = () => {
      show("state", "live");
      socket.send(JSON.stringify({ action: "subscribe", symbols: ["AAPL"] }));
    };
    socket.onmessage = ({ data }) => {
      for (const event of JSON.parse(data)) if (event.type === "trade") show("price", event.price.toFixed(2));
    };
    socket.onclose = ({ code }) => { show("state", "lost " + code); setTimeout(connect, 50); };
  }
  connect();
</script>`;

const test = base.extend({
  // Stands for your development server.
  app: [async ({}, use) => {
    const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(PAGE));
    await once(server.listen(0, "127.0.0.1"), "listening");
    await use(`http://127.0.0.1:${server.address().port}/`);
    server.close();
  }, { scope: "worker" }],
  // Each test has a market of its own, so they run at the same time.
  feed: async ({ page, app }, use, { testId }) => {
    const feed = connectFeed(`http://127.0.0.1:${process.env.FEED_PORT}`, testId);
    await feed.reset();
    await page.goto(`${app}?ws=${encodeURIComponent(feed.ws)}`);
    await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "10s" });
    await use(feed);
    await feed.end();
  },
});

test("shows the last price", async ({ page, feed }) => {
  await feed.trade({ symbol: "AAPL", price: 187.43 });
  await expect(page.locator("#price")).toHaveText("187.43");
  await feed.trade({ symbol: "AAPL", price: 188 });
  await expect(page.locator("#price")).toHaveText("188.00");
});

test("comes back when the connection is lost and the server is busy", async ({ page, feed }) => {
  const busy = await feed.fault.status({ code: 503 });
  await feed.fault.abort();
  await expect(page.locator("#state")).toHaveText("lost 1006");
  await busy.clear();
  await expect(page.locator("#state")).toHaveText("live");
});

test("comes back after a restart", async ({ page, feed }) => {
  await feed.reset();
  await expect(page.locator("#state")).toHaveText("live");
  await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "10s" });
  await feed.trade({ symbol: "AAPL", price: 99.5 });
  await expect(page.locator("#price")).toHaveText("99.50");
});
