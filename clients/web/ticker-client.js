/**
 * A client for the tickerplant feed, protocol 1. Copy the three files ticker-*.js: they need nothing
 * else, in pages and in Node (which has no WebSocket before 22: pass one).
 *
 *     const client = new TickerClient("ws://localhost:8765/ws", { symbols: ["AAPL"] });
 *     client.onbatch = (events) => draw(events);               // once for each server message
 *     client.addEventListener("trade", ({ detail }) => ...);   // or once for each event
 *     client.addEventListener("gap", ({ detail }) => ...);     // what was lost, exactly
 *
 * A lost or silent connection is opened again after growing, jittered pauses, and what was
 * subscribed is subscribed again.
 *
 * @typedef {{channels?: string[], interval?: string, snapshot?: boolean, mode?: "all" | "latest",
 *   max_hz?: number}} SubscribeOptions  "latest": only the newest event, max_hz times a second
 * @typedef {{type: string, symbol?: string, seq?: number, time?: number, merged?: number}} FeedEvent
 * @typedef {import("./ticker-connection.js").StateDetail} StateDetail
 * @typedef {import("./ticker-state.js").Gap} Gap
 */
import { Connection } from "./ticker-connection.js";
import { isEvent, Requests, Sequences, Subscriptions } from "./ticker-state.js";

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
function partsOf(symbols) {
  const list = typeof symbols === "string" ? [symbols] : [...symbols];
  const count = Math.max(1, Math.ceil(list.length / MAX_ENTRIES));
  return Array.from({ length: count }, (_, i) => list.slice(i * MAX_ENTRIES, (i + 1) * MAX_ENTRIES));
}

/**
 * Events: `state` (StateDetail), `gap` (Gap), `error` (TickerError), and every type of message that
 * the server sends: `hello`, `snapshot`, `trade`, `quote`, `bar`, `status`, `heartbeat`, ...
 */
export class TickerClient extends EventTarget {
  /** @type {((events: FeedEvent[]) => void) | null} */
  onbatch = null;
  /** The server's greeting on the newest connection. */
  hello = null;

  #options;
  #connection;
  #requests = new Requests();
  #subscriptions = new Subscriptions();
  #sequences = new Sequences();
  #listened = new Set();

  /**
   * @param {string} url
   * @param {SubscribeOptions & {symbols?: string | string[], token?: string, minDelay?: number,
   *   maxDelay?: number, random?: () => number, WebSocket?: typeof globalThis.WebSocket}} options
   *   `channels` and `interval` are also what later subscriptions start from; `minDelay` and
   *   `maxDelay` bound the pauses, in milliseconds
   */
  constructor(url, options = {}) {
    super();
    this.#options = options;
    this.#connection = new Connection(url, options, {
      received: (text) => this.#receive(text),
      changed: (detail) => this.#changed(detail),
    });
    this.#connection.open();
    const first = this.state;
    queueMicrotask(() => this.state === first && this.#emit("state", first)); // now they can listen
    if (options.symbols) this.subscribe(options.symbols).catch((error) => this.#report(error));
  }

  /** @returns {StateDetail} */
  get state() {
    return this.#connection.state;
  }

  /** @param {string | string[]} symbols @param {SubscribeOptions} options */
  subscribe(symbols, options = {}) {
    const { channels = ["trades"], interval } = this.#options;
    return this.#change("subscribe", symbols, { channels, interval, ...options });
  }

  /** @param {string | string[]} symbols @param {{channels?: string[], interval?: string}} options */
  unsubscribe(symbols, options = {}) {
    return this.#change("unsubscribe", symbols, options);
  }

  /** The current state of some symbols; no subscription. */
  async snapshot(/** @type {string | string[]} */ symbols) {
    const answers = partsOf(symbols).map((part) => this.#ask({ action: "snapshot", symbols: part }));
    return (await Promise.all(answers)).flat();
  }

  /** The universe: symbol, name, tick size and so on. */
  symbols() {
    return this.#ask({ action: "symbols" });
  }

  /** Connects now, instead of after the pause. */
  reconnect() {
    this.#connection.open();
  }

  close() {
    this.#connection.close();
  }

  addEventListener(type, listener, options) {
    this.#listened.add(type); // 10,000 event objects a second only where somebody wants them
    super.addEventListener(type, listener, options);
  }

  #emit(type, detail) {
    if (this.#listened.has(type)) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #report(error) {
    if (error.code !== "closed") this.#emit("error", error);
  }

  #changed(detail) {
    if (detail.state === "waiting" || detail.state === "closed") {
      this.#sequences.park();
      const closed = detail.state === "closed";
      const code = closed ? "closed" : "connection_lost";
      const error = new TickerError(code, detail.reason || `close code ${detail.code}`);
      this.#requests.fail(error, closed);
    }
    this.#emit("state", detail);
  }

  /** @param {string} action @param {string | string[]} symbols @param {SubscribeOptions} options */
  async #change(action, symbols, { channels, interval, ...terms }) {
    if (channels && !channels.includes("bars")) interval = undefined;
    const replies = await Promise.all(
      partsOf(symbols).map((part) =>
        this.#ask({ action, symbols: part, channels, interval, ...terms }),
      ),
    );
    return { ...replies[0], symbols: replies.flatMap((reply) => reply.symbols) };
  }

  /** Sends now, or when the server has said hello. */
  #ask(request, renewal = false) {
    const asked = this.#requests.add(request, renewal);
    const { state } = this.state;
    if (state === "live") this.#send(asked.id);
    if (state === "closed") this.#requests.fail(new TickerError("closed", "it is closed"), true);
    return asked.answer;
  }

  #send(id) {
    // A listener may have closed the client since this request was made.
    if (this.#requests.get(id)) this.#connection.send(this.#requests.encode(id));
  }

  #receive(data) {
    let events;
    try {
      events = JSON.parse(data);
      for (const event of events) this.#handle(event);
    } catch (error) {
      this.#report(new TickerError("bad_message", `cannot read a message: ${error.message}`));
      return;
    }
    this.onbatch?.(events);
    for (const event of events) if (event.type !== "error") this.#emit(event.type, event);
  }

  #handle(message) {
    if (isEvent(message.type)) {
      const gap = this.#sequences.event(message);
      if (gap) this.#emit("gap", gap);
    } else if (message.type === "hello") {
      this.#welcome(message);
    } else if (message.type === "error") {
      const error = new TickerError(message.code, message.message);
      if (!this.#requests.settle(message.id, error)) this.#report(error);
    } else {
      if (message.type === "snapshot") this.#resume(message);
      this.#answer(message);
    }
  }

  #resume(snapshot) {
    for (const gap of this.#sequences.snapshot(snapshot)) this.#emit("gap", gap);
  }

  /** An answer, or a part of one: what is long comes in several messages. */
  #answer(reply) {
    const { type, id, more } = reply;
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.collect(id, type === "snapshot" ? [reply] : (reply.symbols ?? []));
    if (type === "subscribed") this.#sequences.subscribed(reply);
    if (type === "unsubscribed") this.#sequences.unsubscribed(reply);
    if (more) return;
    const change = type === "subscribed" || type === "unsubscribed";
    if (change) this.#subscriptions.add(request);
    this.#requests.settle(id, (symbols) => (change ? { ...reply, symbols } : symbols));
  }

  #welcome(hello) {
    if (hello.epoch !== this.hello?.epoch) this.#sequences.reset();
    this.hello = hello;
    const unanswered = this.#requests.ids();
    this.#connection.live(2 * hello.heartbeat_ms);
    const { token } = this.#options;
    if (hello.auth && token) this.#renew({ action: "auth", token });
    for (const request of this.#subscriptions.requests()) this.#renew(request);
    for (const id of unanswered) this.#send(id);
  }

  async #renew(request) {
    try {
      await this.#ask(request, true);
    } catch (error) {
      if (error.code === "connection_lost") return; // there will be another hello
      this.#report(error);
      if (error.code === "unknown_symbol") this.#rescue(request).catch((e) => this.#report(e));
    }
  }

  /** The server came back with another universe: keep what it still has. */
  async #rescue(request) {
    this.#subscriptions.remove(request);
    const universe = new Set((await this.symbols()).map(({ symbol }) => symbol));
    const known = request.symbols.filter((entry) => universe.has(entry) || /[*?]/.test(entry));
    const fewer = known.length > 0 && known.length < request.symbols.length;
    if (fewer) await this.#renew({ ...request, symbols: known });
  }
}
