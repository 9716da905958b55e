/**
 * What a TickerClient remembers from one connection to the next: what is subscribed, what was asked,
 * and, in ticker-sequences.js, where each sequence stands. No sockets and no timers, so that the
 * rules can be tested alone.
 */
import { covers, keysOf } from "./ticker-sequences.js";

export { isEvent, Sequences } from "./ticker-sequences.js";

const MAX_ENTRIES = 1000; // symbols in one request, by the protocol

/** What the server refused, or why the client could not ask. */
export class TickerError extends Error {
  constructor(/** @type {string} */ code, /** @type {string} */ message) {
    super(message);
    this.name = "TickerError";
    this.code = code;
  }
}

/** In parts that fit a request. An empty list stays one: the server says best what is wrong. */
export function partsOf(symbols) {
  const list = typeof symbols === "string" ? [symbols] : [...symbols];
  const count = Math.max(1, Math.ceil(list.length / MAX_ENTRIES));
  return Array.from({ length: count }, (_, i) => list.slice(i * MAX_ENTRIES, (i + 1) * MAX_ENTRIES));
}

/**
 * The requests that the server granted. Made again in this order, they restore all subscriptions.
 * They stay as they were asked for: a pattern means the universe of the day. Of several about
 * the same thing only the newest counts, so this doesn't grow while a page goes to and fro.
 */
export class Subscriptions {
  #granted = new Map();

  add(request) {
    const { action, symbols, channels, interval, mode, max_hz } = request;
    const about = JSON.stringify([symbols, channels, interval]);
    this.#granted.delete(about);
    if (action === "unsubscribe" && !this.#matters(request)) return;
    this.#granted.set(about, { action, symbols, channels, interval, mode, max_hz });
  }

  /** Whether there is anything left that this unsubscription could take away from. */
  #matters(request) {
    return this.requests().some(
      (other) => other.action === "subscribe" && keysOf(other).some((key) => covers(request, key)),
    );
  }

  remove({ symbols, channels, interval }) {
    this.#granted.delete(JSON.stringify([symbols, channels, interval]));
  }

  requests() {
    return [...this.#granted.values()];
  }
}

/** The requests that wait for an answer. Their promises outlive the connection. */
export class Requests {
  #waiting = new Map();
  #lastId = 0;

  /**
   * @param {object} request
   * @param {{renewal?: boolean, part?: boolean}} kind  renewal: belongs to this connection, isn't made
   *   again on the next; part: of a renewal, no subscription of its own
   * @returns {{id: number, answer: Promise<object>}}
   */
  add(request, { renewal = false, part = false } = {}) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => {
      const waiting = { request: { ...request, id }, resolve, reject, items: [], renewal, part };
      this.#waiting.set(id, waiting);
    });
    return { id, answer };
  }

  ids() {
    return [...this.#waiting.keys()];
  }

  /** Whether this is a part of a renewal. */
  isPart(id) {
    return this.#waiting.get(id).part;
  }

  get(id) {
    return this.#waiting.get(id)?.request;
  }

  /** What to send. An answer that the last connection began to give is forgotten. */
  encode(id) {
    const waiting = this.#waiting.get(id);
    waiting.items = [];
    return JSON.stringify(waiting.request);
  }

  /** Keeps a part of a long answer. */
  collect(id, items) {
    this.#waiting.get(id)?.items.push(...items);
  }

  /**
   * @param {number} id
   * @param {Error | ((items: object[]) => object)} result an error, or what to make of the parts
   * @returns {boolean} whether anybody had waited for it
   */
  settle(id, result) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return false;
    this.#waiting.delete(id);
    if (result instanceof Error) waiting.reject(result);
    else waiting.resolve(result(waiting.items));
    return true;
  }

  /** The connection is gone, or (`all`) the client is. */
  fail(error, all) {
    for (const [id, { renewal }] of this.#waiting) if (renewal || all) this.settle(id, error);
  }
}
