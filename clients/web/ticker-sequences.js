/**
 * Where each sequence stands: the protocol's rule, `seq == last_seq + 1 + merged`, for each symbol
 * and channel, and what a new connection asks for so that it goes on where the last one ended.
 *
 * @typedef {{symbol: string, channel: string, interval?: string, from: number, to: number,
 *   reason: string}} Gap  from, to: the first and the last seq. reason: `lost`, `repeated`,
 *   `reconnect`, or the server's own word: `too_old`, `epoch`, `ahead`
 */

const CHANNEL_OF = {
  trade: "trades",
  quote: "quotes",
  bar: "bars",
  status: "status",
  depth: "depth",
};

/** Whether messages of this type are counted by `seq`. */
export const isEvent = (type) => Object.hasOwn(CHANNEL_OF, type);

/** Each bar interval counts for itself: it is a channel of its own here, as it is in snapshots. */
export const keysOf = ({ channels = ["trades"], interval = "1m" }) =>
  channels.map((channel) => (channel === "bars" ? `bars:${interval}` : channel));

/** Whether an unsubscription means this key: no channels means all, no interval likewise. */
export function covers({ channels, interval }, key) {
  const [channel, own] = key.split(":");
  return (!channels || channels.includes(channel)) && (!own || !interval || own === interval);
}

/** A test for the symbols that these symbols and patterns stand for. */
export function matcher(entries) {
  const literal = new Set(entries);
  if (literal.has("*")) return () => true;
  const escaped = (text) => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const patterns = [...literal]
    .filter((entry) => /[*?]/.test(entry))
    .map((entry) => new RegExp(`^${escaped(entry).replace(/\*/g, ".*").replace(/\?/g, ".")}$`));
  return (symbol) => literal.has(symbol) || patterns.some((pattern) => pattern.test(symbol));
}

export class Sequences {
  #last = new Map(); // channel key -> symbol -> its last seq, null until there is one
  #before = new Map(); // likewise, from older connections, until the symbol is heard of again

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

  /** The connection is gone. In the same epoch, the next one goes on from here. */
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
   * The last seq of each symbol that is wanted, on some channels: the `since` of a subscription.
   *
   * @param {string[]} keys
   * @param {(symbol: string) => boolean} wanted
   * @returns {Map<string, Record<string, number>>}
   */
  since(keys, wanted) {
    const since = new Map();
    const note = (key) => (seq, symbol) => {
      if (seq === null || !wanted(symbol)) return;
      if (!since.has(symbol)) since.set(symbol, {});
      since.get(symbol)[key] = seq;
    };
    for (const key of keys) {
      for (const map of [this.#before, this.#last]) map.get(key)?.forEach(note(key));
    }
    return since;
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
      const before = this.#take(key, symbol);
      if (seq > before) gaps.push(this.#gap(symbol, key, before + 1, seq, "reconnect"));
    }
    return gaps;
  }

  /** What the server itself says is missing. @returns {Gap} */
  announced({ symbol, channel, interval, from, to, reason }) {
    const key = channel === "bars" ? `bars:${interval}` : channel;
    const last = this.#of(this.#last, key);
    const parked = this.#take(key, symbol);
    const before = last.get(symbol) ?? parked ?? to;
    last.set(symbol, to);
    return this.#gap(symbol, key, from ?? before + 1, to, reason); // a cursor doesn't count
  }

  /** @returns {Gap | null} */
  event({ type, symbol, seq, merged, interval, snapshot }) {
    // A book as it stands is no event, it says where events go on; one in place of several has `merged`.
    const counts = snapshot && merged === undefined ? 0 : 1 + (merged ?? 0);
    const key = type === "bar" ? `bars:${interval}` : CHANNEL_OF[type];
    const last = this.#of(this.#last, key);
    const known = last.get(symbol);
    const previous = known ?? this.#take(key, symbol); // or as the last connection left it
    last.set(symbol, Math.max(seq, previous ?? 0));
    if (previous === undefined || seq === previous + counts) return null;
    const lost = seq - counts; // the newest that is neither this one nor merged into it
    const reason = known == null ? "reconnect" : "lost";
    if (lost > previous) return this.#gap(symbol, key, previous + 1, lost, reason);
    return this.#gap(symbol, key, lost + 1, Math.min(seq, previous), "repeated");
  }

  #take(key, symbol) {
    const seqs = this.#before.get(key);
    const seq = seqs?.get(symbol);
    seqs?.delete(symbol);
    return seq;
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
