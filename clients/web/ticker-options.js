/**
 * What a TickerClient can be told, and what it does otherwise. Times are in milliseconds.
 *
 * @typedef {object} Options
 * @property {string | string[]} [symbols] what to subscribe to at once
 * @property {string[]} [channels] what subscriptions start from: `["trades"]`
 * @property {string} [interval] likewise, for bars: `1m`
 * @property {string} [token]
 * @property {("websocket" | "sse")[]} [transports] which may be used. A WebSocket is tried first
 * @property {number} [fallbackAfter] after how many WebSockets in a row that never brought a hello
 *   Server-Sent Events are tried
 * @property {number} [retryWebSocket] how long after that a WebSocket is tried again; twice as long
 *   after each failure, up to `maxRetryWebSocket`
 * @property {number} [maxRetryWebSocket]
 * @property {number} [minDelay] bounds of the pauses between two attempts to connect
 * @property {number} [maxDelay]
 * @property {() => number} [random] makes the pauses
 * @property {(work: () => void, ms: number) => () => void} [later] the timer for `retryWebSocket`;
 *   returns what cancels it
 * @property {typeof globalThis.WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 */

const TRANSPORTS = ["websocket", "sse"];

const later = (work, ms) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/** @param {Options} options @returns {Options} */
export function complete(options) {
  const all = {
    channels: ["trades"], transports: TRANSPORTS, fallbackAfter: 2, retryWebSocket: 60_000,
    maxRetryWebSocket: 600_000, minDelay: 500, maxDelay: 30_000, random: Math.random, later,
    WebSocket: globalThis.WebSocket, fetch: globalThis.fetch, ...definedOf(options),
  };
  const wrong = all.transports.find((name) => !TRANSPORTS.includes(name));
  if (wrong !== undefined || !all.transports.length) {
    throw new TypeError(`transports are "websocket" and "sse", not "${wrong ?? ""}"`);
  }
  if (all.transports.includes("websocket") && !all.WebSocket) {
    throw new TypeError("there is no WebSocket here: pass { WebSocket }");
  }
  return all;
}

const definedOf = (options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
