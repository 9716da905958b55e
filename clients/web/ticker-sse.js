/**
 * What stands in for a WebSocket where none gets through: it takes the same requests, gives the same
 * messages, and does it with Server-Sent Events for the feed and plain HTTP for the rest.
 *
 * A stream has one set of symbols, channels, an interval and a pace, so there is one for each set of symbols
 * (and for each further bar interval or pace). When a subscription changes, the streams that it concerns are
 * opened anew, with `since`: nothing is lost and nothing comes twice.
 */
import { beside, ownOf, pathOf, plansFor, resumed } from "./ticker-plans.js";
import { covers, isEvent, keysOf, matcher } from "./ticker-sequences.js";
import { EventStream, parsed } from "./ticker-stream.js";

const CHANNELS = ["trades", "quotes", "bars", "status", "depth"];
const DEFAULT_HZ = 10;
const REFUSALS = new Set([400, 401, 403, 404]); // trying again would not help

/** The most updates a second; undefined: all events. */
const paceOf = ({ mode, max_hz }) => (mode === "latest" ? (max_hz ?? DEFAULT_HZ) : undefined);

export class SseSocket {
  onmessage = null;
  onclose = null;
  onerror = null; // only for the sake of the interface: `onclose` tells all

  #base;
  #options;
  #wanted = new Map(); // channel key -> the symbols and patterns that were asked for
  #paces = new Map(); // channel key -> the most updates a second, of all that is wanted; undefined: all events
  #streams = new Map(); // path -> its plan, stream and the symbols it came to
  #cursors;
  #asked = [];
  #busy = false;
  #hello = null;
  #closed = false;

  /**
   * @param {string} url of the WebSocket
   * @param {{token?: string, fetch: typeof globalThis.fetch, cursors: Map<string, string>,
   *   since: (keys: string[], wanted: (symbol: string) => boolean) => Map<string, object>}} options
   *   cursors: where the streams before this ended; since: the sequences that the client has
   */
  constructor(url, options) {
    this.#base = new URL(url, globalThis.location?.href);
    this.#base.protocol = this.#base.protocol.replace("ws", "http");
    const token = options.token ?? this.#base.searchParams.get("token");
    this.#options = { ...options, token };
    this.#cursors = options.cursors;
    this.#idle();
  }

  send(text) {
    const request = JSON.parse(text);
    const { action, id } = request;
    if (action === "subscribe" || action === "unsubscribe") {
      this.#asked.push(request);
      queueMicrotask(() => this.#work()); // what is asked for in one breath is one change
    } else if (action === "snapshot") {
      const path = `api/snapshot?symbols=${request.symbols.map(encodeURIComponent).join(",")}`;
      this.#get(request, path, ({ snapshots }) =>
        snapshots.map((one, i) => ({ ...one, id, ...(i + 1 < snapshots.length && { more: true }) })),
      );
    } else if (action === "symbols") {
      this.#get(request, "api/symbols", ({ symbols }) => [{ type: "symbols", id, symbols }]);
    } else if (action === "ping") {
      this.#get(request, "health", ({ time }) => [{ type: "pong", id, time }]);
    } else {
      queueMicrotask(() => this.#say([{ type: "authenticated", id }])); // each request has the token
    }
  }

  close() {
    this.#closed = true;
    for (const { stream } of this.#streams.values()) stream.close();
  }

  /** Where each stream stands, for the one that comes after this. */
  get cursors() {
    const streams = [...this.#streams.values()].filter(({ plan, done }) => plan.keys.length && done);
    const unused = [...this.#cursors].filter(([path]) => !this.#streams.has(path));
    return new Map([...unused, ...streams.map(({ plan, cursor }) => [plan.path, cursor])]);
  }

  #say(objects) {
    if (!this.#closed) this.onmessage?.({ data: JSON.stringify(objects) });
  }

  #fail(reason, code = 1006) {
    if (this.#closed) return;
    this.close();
    this.onclose?.({ code, reason });
  }

  get #how() {
    const { token, fetch } = this.#options;
    return { fetch, headers: token ? { Authorization: `Bearer ${token}` } : {} };
  }

  async #get({ id }, path, read) {
    const { fetch, headers } = this.#how;
    try {
      const response = await fetch(beside(this.#base, path), { headers });
      const answer = await response.json();
      if (response.ok) this.#say(read(answer));
      else this.#say([{ type: "error", id, code: answer.code, message: answer.message }]);
    } catch (error) {
      this.#fail(error.message || "no connection");
    }
  }

  /** One change of the subscriptions after the other. */
  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#asked.length && !this.#closed) {
      const [{ action }] = this.#asked; // what goes is known when what came is there
      const end = this.#asked.findIndex((other) => other.action !== action);
      await this.#apply(this.#asked.splice(0, end < 0 ? Infinity : end));
    }
    this.#busy = false;
  }

  async #apply(requests) {
    const before = new Map([...this.#wanted].map(([key, entries]) => [key, new Set(entries)]));
    const paces = new Map(this.#paces);
    for (const request of requests) {
      if (request.action === "unsubscribe") request.names = this.#namesFor(request);
      this.#change(request);
    }
    const refusal = await this.#arrange();
    if (!refusal) {
      for (const request of requests) this.#confirm(request);
      return;
    }
    [this.#wanted, this.#paces] = [before, paces]; // nothing of what was refused is kept
    if (requests.length > 1) {
      for (const request of requests) await this.#apply([request]);
      return;
    }
    await this.#arrange();
    this.#say([{ type: "error", id: requests[0].id, code: refusal.code, message: refusal.reason }]);
  }

  #change(request) {
    const { action, symbols, channels, interval } = request;
    if (action === "subscribe") {
      for (const key of keysOf({ channels, interval })) this.#add(key, symbols, paceOf(request));
      return;
    }
    const gone = matcher(symbols);
    for (const [key, entries] of this.#wanted) {
      if (!covers({ channels, interval }, key)) continue;
      const stays = [...entries].filter((entry) => !gone(entry));
      const names = this.#symbolsOf(key);
      // Something that a pattern stands for goes: from now on the others are named.
      const cutOut = names.some((name) => gone(name) && matcher(stays)(name));
      const left = cutOut ? names.filter((name) => !gone(name)) : stays;
      if (left.length) this.#wanted.set(key, new Set(left));
      else this.#wanted.delete(key);
    }
  }

  /** A channel has one pace, or what two streams carry would come twice: the fastest that was asked for. */
  #add(key, symbols, pace) {
    const entries = [...(this.#wanted.get(key) ?? [])];
    const every = symbols.includes("*") || entries.every((entry) => symbols.includes(entry));
    const other = every ? pace : this.#paces.get(key);
    this.#paces.set(key, pace && other && Math.max(pace, other));
    this.#wanted.set(key, new Set([...entries, ...symbols]));
  }

  #symbolsOf(key) {
    const streams = [...this.#streams.values()].filter(({ plan }) => plan.keys.includes(key));
    return [...new Set(streams.flatMap(({ symbols }) => symbols))];
  }

  /** Closes and opens streams until they are those that are wanted. @returns the first refusal */
  async #arrange() {
    const plans = plansFor(this.#wanted, this.#paces);
    for (const [path, { stream }] of this.#streams) {
      if (plans.has(path) || (plans.size === 0 && path === "")) continue;
      stream.close();
      this.#streams.delete(path);
    }
    if (plans.size === 0) return this.#streams.size ? null : this.#idle();
    const missing = [...plans.values()].filter(({ path }) => !this.#streams.has(path));
    const ends = await Promise.all(missing.map((plan) => this.#open(plan)));
    this.#cursors = new Map();
    return ends.find(Boolean) ?? null;
  }

  /** Without subscriptions one stream still says that the server is there. */
  async #idle() {
    const path = `${pathOf("*", ["status"])}&snapshot=false`;
    const refusal = await this.#open({ symbols: ["*"], keys: [], path }, "");
    if (refusal) this.#fail(refusal.reason, [401, 403].includes(refusal.status) ? 1008 : 1006);
  }

  /** @returns {Promise<object | undefined>} when its answer is there, or what the server refused */
  #open(plan, name = plan.path) {
    return new Promise((resolve) => {
      const entry = { plan, symbols: [], done: false, cursor: "" };
      entry.settle = (refusal) => {
        entry.done = !refusal;
        resolve(refusal);
      };
      entry.stream = new EventStream(this.#address(plan), this.#how, {
        message: (text, id) => this.#read(entry, text, id),
        ended: (end) => {
          if (REFUSALS.has(end.status) && end.code) {
            this.#streams.delete(name);
            entry.settle(end);
          } else this.#fail(end.reason);
        },
      });
      this.#streams.set(name, entry);
    });
  }

  #address(plan) {
    const path = beside(this.#base, plan.path).href;
    const cursor = this.#cursors.get(plan.path);
    if (cursor) return `${path}&last_event_id=${encodeURIComponent(cursor)}`;
    const since = this.#options.since(plan.keys, matcher(plan.symbols));
    return this.#hello ? resumed(path, this.#hello.epoch, since) : path;
  }

  #read(entry, text, id) {
    const objects = parsed(text);
    // An older cursor would bring again what came since.
    if (id || objects.some(({ type }) => isEvent(type))) entry.cursor = id;
    const passed = [];
    for (const object of objects) {
      if (object.type === "hello" && !this.#greet(entry, object)) continue;
      if (this.#closed) return;
      if (object.type === "subscribed") entry.symbols.push(...object.symbols);
      const own = ownOf(entry.plan, object);
      if (own) passed.push(own);
    }
    const same = passed.length === objects.length && passed.every((own, i) => own === objects[i]);
    if (passed.length || !objects.length) this.onmessage?.({ data: same ? text : JSON.stringify(passed) });
    const whole = objects.some(({ type, more }) => type === "subscribed" && !more);
    if (whole && !this.#closed) entry.settle();
  }

  /** Each stream has its own hello; the first one stands for all. */
  #greet(entry, hello) {
    entry.stream.watch(2 * hello.heartbeat_ms);
    this.#hello ??= hello;
    if (hello.epoch !== this.#hello.epoch) this.#fail("the server began another run meanwhile");
    return hello === this.#hello;
  }

  #namesFor({ symbols, channels, interval }) {
    const keys = [...this.#wanted.keys()].filter((key) => covers({ channels, interval }, key));
    return [...new Set(keys.flatMap((key) => this.#symbolsOf(key)))].filter(matcher(symbols));
  }

  #confirm(request) {
    const { id, action, channels = CHANNELS, interval, mode, names } = request;
    const symbols = names ?? this.#namesFor(request);
    const max_hz = paceOf(request);
    this.#say([{ type: `${action}d`, id, symbols, channels, interval, mode, max_hz }]);
  }
}
