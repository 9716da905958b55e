#!/usr/bin/env node
/**
 * Prints trades as they come.
 *
 *     node watch.mjs AAPL MSFT
 *     node watch.mjs --url ws://localhost:8765/ws --count 10 "A*"
 *
 * Node 22 and newer need nothing else. Older ones have no WebSocket: it takes the `ws` package if that is there, else
 * Server-Sent Events.
 */
import { parseArgs } from "node:util";
import { TickerClient } from "../web/ticker-client.js";

const USAGE = "usage: node watch.mjs [--url URL] [--token TOKEN] [--count N] [SYMBOL ...]";

/** Node's own, or that of the package `ws`, where there is one. */
async function findWebSocket() {
  if (globalThis.WebSocket) return globalThis.WebSocket;
  return import("ws").then(({ default: WebSocket }) => WebSocket, () => undefined);
}

function fail(code, message) {
  console.error(message);
  process.exit(code);
}

function readOptions() {
  const url = { type: "string", default: process.env.TICKERPLANT_URL ?? "ws://127.0.0.1:8765/ws" };
  const count = { type: "string", default: "Infinity" };
  const token = { type: "string", default: process.env.TICKERPLANT_TOKEN };
  const help = { type: "boolean", short: "h" };
  try {
    const options = { url, token, count, help };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!(Number(values.count) > 0)) throw new TypeError(`--count must be above 0: ${values.count}`);
    return { ...values, count: Number(values.count), symbols: positionals };
  } catch (error) {
    return fail(2, `${error.message}\n${USAGE}`);
  }
}

const { url, token, count, symbols } = readOptions();
const WebSocket = await findWebSocket();
const transports = WebSocket ? ["websocket", "sse"] : ["sse"];
const client = new TickerClient(url, { token, transports, WebSocket });
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
  if (state === "live") console.error(`connected to ${url}${client.transport === "sse" ? ", without WebSocket" : ""}`);
  if (state === "waiting") {
    const seconds = ((retryAt - Date.now()) / 1000).toFixed(1);
    const why = reason || (code === 1006 ? "no connection" : `closed with code ${code}`);
    console.error(`${url}: ${why}; trying again in ${seconds} s`);
  }
  if (state === "closed" && code !== 1000) fail(1, `closed by the server: ${reason || code}`);
});
client.subscribe(symbols.length ? symbols : "*").catch((error) => {
  if (error.code !== "closed") fail(1, error.message);
});

process.once("SIGINT", () => client.close());
process.once("SIGTERM", () => client.close());
process.stdout.on("error", () => process.exit(0)); // the reader, such as `head`, has had enough
