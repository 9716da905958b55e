/**
 * What a TickerClient remembers from one connection to the next: where each sequence stands, what
 * is subscribed, what was asked. No sockets and no timers, so that the rules can be tested alone.
 *
 * @typedef {{symbol: string, channel: string, interval?: string, from: number, to: number,
 *   reason: "lost" | "repeated" | "reconnect"}} Gap  from, to: the first and the last seq
 */

const CHANNEL_OF = { trade: "trades", quote: "quotes", bar: "bars", status: "status" };

/** Whether messages of this type are counted by `seq`. */
export const isEvent = (type) => Object.hasOwn(CHANNEL_OF, type);

/** Each bar interval counts for itself: it is a channel of its own here, as it is in snapshots. */
const keysOf = ({ channels = ["trades"], interval = "1m" }) =>
  channels.map((channel) => (channel === "bars" ? `bars:${interval}` : channel));

/** Whether an unsubscription means this key: no channels means all, no interval likewise. */
function covers({ channels, interval }, key) {
  const [channel, own] = key.split(":");
  return (!channels || channels.includes(channel)) && (!own || !interval || own === interval);
}

/** The protocol's rule, `seq == last_seq + 1 + merged`, for each symbol and channel. */
export class Sequences {
  #last = new Map(); // channel key -> symbol -> its last seq, null until there is one
  #before = new Map(); // likewise, as the connections before this one left it

  subscribed(reply) {
    for (const key of keysOf(reply)) {
      const last = this.#of(this.#last, key);
      for (const symbol of reply.symbols) if (!last.has(symbol)) last.set(symbol, null);
    }
  }

  unsubscribed(reply) {
    for (const map of [this.#last, this.#before]) {
      for (const [key, seqs] of map) {
        if (covers(reply, key)) for (const symbol of reply.symbols) seqs.delete(symbol);
      }
    }
  }

  /** The connection is gone. In the same epoch, the next snapshots tell what was missed. */
  park() {
    for (const [key, last] of this.#last) {
      const before = this.#of(this.#before, key);
      for (const [symbol, seq] of last) if (seq !== null) before.set(symbol, seq);
    }
    this.#last.clear();
  }

  /** Another epoch: what was counted before has nothing to do with it. */
  reset() {
    this.#before.clear();
  }

  /**
   * Every snapshot moves the sequences of what is subscribed.
   *
   * @returns {Gap[]} what was missed between the last connection and this snapshot
   */
  snapshot({ symbol, seq: seqs = {} }) {
    const gaps = [];
    for (const [key, seq] of Object.entries(seqs)) {
      const last = this.#last.get(key);
      if (!last?.has(symbol)) continue; // a snapshot also counts what nobody subscribed to
      last.set(symbol, seq);
      const before = this.#before.get(key)?.get(symbol);
      this.#before.get(key)?.delete(symbol);
      if (seq > before) gaps.push(this.#gap(symbol, key, before + 1, seq, "reconnect"));
    }
    return gaps;
  }

  /** @returns {Gap | null} */
  event({ type, symbol, seq, merged = 0, interval }) {
    const key = type === "bar" ? `bars:${interval}` : CHANNEL_OF[type];
    const last = this.#of(this.#last, key);
    const previous = last.get(symbol);
    last.set(symbol, Math.max(seq, previous ?? 0));
    if (previous == null || seq === previous + 1 + merged) return null;
    const lost = seq - merged - 1; // the newest that is neither this one nor merged into it
    if (lost > previous) return this.#gap(symbol, key, previous + 1, lost, "lost");
    return this.#gap(symbol, key, lost + 1, Math.min(seq, previous), "repeated");
  }

  #of(map, key) {
    if (!map.has(key)) map.set(key, new Map());
    return map.get(key);
  }

  #gap(symbol, key, from, to, reason) {
    const [channel, interval] = key.split(":");
    return { symbol, channel, ...(interval && { interval }), from, to, reason };
  }
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
   * @param {boolean} renewal belongs to this connection: isn't made again on the next
   * @returns {{id: number, answer: Promise<object>}}
   */
  add(request, renewal) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { request: { ...request, id }, resolve, reject, items: [], renewal });
    });
    return { id, answer };
  }

  ids() {
    return [...this.#waiting.keys()];
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
