#!/usr/bin/env node
/**
 * Prints trades as they come.
 *
 *     node watch.mjs AAPL MSFT
 *     node watch.mjs --url ws://localhost:8765/ws --count 10 "A*"
 *
 * Node 22 and newer need nothing else. On older ones it takes the `ws` package if that is there.
 */
import { parseArgs } from "node:util";
import { TickerClient } from "../web/ticker-client.js";

const USAGE = "usage: node watch.mjs [--url URL] [--token TOKEN] [--count N] [SYMBOL ...]";
const NO_WEBSOCKET = `Node ${process.version} has no WebSocket of its own. Any of these helps:
  node --experimental-websocket watch.mjs ...   (Node 20.10 to 21)
  npm install ws
  Node 22 or newer`;

async function findWebSocket() {
  if (globalThis.WebSocket) return globalThis.WebSocket;
  try {
    return (await import("ws")).default;
  } catch {
    return fail(1, NO_WEBSOCKET);
  }
}

function fail(code, message) {
  console.error(message);
  process.exit(code);
}

function readOptions() {
  const url = { type: "string", default: process.env.TICKERPLANT_URL ?? "ws://127.0.0.1:8765/ws" };
  const count = { type: "string", default: "Infinity" };
  const token = { type: "string", default: process.env.TICKERPLANT_TOKEN };
  try {
    const options = { url, token, count };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (!(Number(values.count) > 0)) throw new TypeError(`--count must be above 0: ${values.count}`);
    return { ...values, count: Number(values.count), symbols: positionals };
  } catch (error) {
    return fail(2, `${error.message}\n${USAGE}`);
  }
}

const { url, token, count, symbols } = readOptions();
const client = new TickerClient(url, { token, WebSocket: await findWebSocket() });
let printed = 0;

client.addEventListener("trade", ({ detail: { time, symbol, price, size, merged } }) => {
  if (printed === count) return;
  const clock = new Date(time).toISOString().slice(11, 23);
  const note = merged ? `  (and ${merged} before)` : "";
  console.log(`${clock}  ${symbol.padEnd(6)} ${String(price).padStart(10)} × ${size}${note}`);
  if (++printed === count) client.close();
});
client.addEventListener("gap", ({ detail: { symbol, from, to, reason } }) => {
  console.error(`${symbol}: trades ${from} to ${to}: ${reason}`);
});
client.addEventListener("state", ({ detail: { state, retryAt, reason, code } }) => {
  if (state === "live") console.error(`connected to ${url}`);
  if (state === "waiting") {
    const seconds = ((retryAt - Date.now()) / 1000).toFixed(1);
    console.error(`${reason || `closed with code ${code}`}; trying again in ${seconds} s`);
  }
  if (state === "closed" && code !== 1000) fail(1, `closed by the server: ${reason || code}`);
});
client.subscribe(symbols.length ? symbols : "*").catch((error) => {
  if (error.code !== "closed") fail(1, error.message);
});

process.once("SIGINT", () => client.close());
process.once("SIGTERM", () => client.close());
process.stdout.on("error", () => process.exit(0)); // the reader, such as `head`, has had enough
