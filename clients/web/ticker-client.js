/**
 * A client for the tickerplant feed, protocol 1. Copy the files ticker-*.js: they need nothing else,
 * in pages and in Node (which has no WebSocket before 22: pass one).
 *
 *     const client = new TickerClient("ws://localhost:8765/ws", { symbols: ["AAPL"] });
 *     client.onbatch = (events) => draw(events);               // once for each server message
 *     client.addEventListener("trade", ({ detail }) => ...);   // or once for each event
 *     client.addEventListener("gap", ({ detail }) => ...);     // what was lost, exactly
 *
 * A lost or silent connection is made again after growing, jittered pauses, and goes on where the last
 * one ended. Where no WebSocket gets through, Server-Sent Events do the same.
 *
 * @typedef {{channels?: string[], interval?: string, snapshot?: boolean, mode?: "all" | "latest",
 *   max_hz?: number}} SubscribeOptions  "latest": only the newest event, max_hz times a second
 * @typedef {{type: string, symbol?: string, seq?: number, time?: number, merged?: number}} FeedEvent
 * @typedef {import("./ticker-connection.js").StateDetail} StateDetail
 * @typedef {import("./ticker-sequences.js").Gap} Gap
 */
import { Connection } from "./ticker-connection.js";
import { complete } from "./ticker-options.js";
import { renewals, Tally } from "./ticker-resume.js";
import { SseSocket } from "./ticker-sse.js";
import { isEvent, partsOf, Requests, Sequences, Subscriptions, TickerError } from "./ticker-state.js";

export { TickerError };

/**
 * Events: `state` (StateDetail), `gap` (Gap), `resumed` ({events, lost}: what came of a reconnect),
 * `error` (TickerError), and every type of message that the server sends: `hello`, `snapshot`,
 * `trade`, `quote`, `bar`, `status`, `depth`, `heartbeat`, ...
 */
export class TickerClient extends EventTarget {
  /** @type {((events: FeedEvent[]) => void) | null} */
  onbatch = null;
  /** The server's greeting on the newest connection. */
  hello = null;
  /** How many `reconnects`, and how many events were `resumed`, `lost` and `merged`, since the start. */
  counts = new Tally();

  #options;
  #connection;
  #requests = new Requests();
  #subscriptions = new Subscriptions();
  #sequences = new Sequences();
  #listened = new Set();
  #stream = null; // the newest connection over Server-Sent Events, if no WebSocket came after it

  /** @param {string} url @param {import("./ticker-options.js").Options} options */
  constructor(url, options = {}) {
    super();
    this.#options = complete(options);
    this.#connection = new Connection(url, this.#options, {
      received: (text) => this.#receive(text),
      changed: (detail) => this.#changed(detail),
      streams: () => this.#openStreams(url),
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

  /** Over what it is connected, or tries to be: "websocket" | "sse". */
  get transport() {
    return this.#connection.transport;
  }

  /** @param {string | string[]} symbols @param {SubscribeOptions} options */
  subscribe(symbols, options = {}) {
    const { channels, interval } = this.#options;
    return this.#change("subscribe", symbols, { channels, interval, ...options });
  }

  /** @param {string | string[]} symbols @param {{channels?: string[], interval?: string}} options */
  unsubscribe(symbols, options = {}) {
    return this.#change("unsubscribe", symbols, options);
  }

  /** The current state of some symbols; no subscription. */
  async snapshot(/** @type {string | string[]} */ symbols) {
    const ask = (part) => this.#ask({ action: "snapshot", symbols: part });
    return (await Promise.all(partsOf(symbols).map(ask))).flat();
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
    if (detail.state !== "live") {
      this.#sequences.park();
      const closed = detail.state === "closed";
      const why = detail.reason || `close code ${detail.code}`;
      this.#requests.fail(new TickerError(closed ? "closed" : "connection_lost", why), closed);
    }
    this.#emit("state", detail);
  }

  /** @param {string} action @param {string | string[]} symbols @param {SubscribeOptions} options */
  async #change(action, symbols, { channels, interval, ...terms }) {
    if (channels && !channels.includes("bars")) interval = undefined;
    const ask = (part) => this.#ask({ action, symbols: part, channels, interval, ...terms });
    const replies = await Promise.all(partsOf(symbols).map(ask));
    return { ...replies[0], symbols: replies.flatMap((reply) => reply.symbols) };
  }

  #ask(request, kind = {}) {
    const asked = this.#requests.add(request, kind);
    const { state } = this.state;
    if (state === "live") this.#send(asked.id);
    if (state === "closed") this.#requests.fail(new TickerError("closed", "it is closed"), true);
    return asked.answer;
  }

  /** Goes on where the streams before ended, unless a WebSocket was read since. */
  #openStreams(url) {
    const { token, fetch } = this.#options;
    const since = (keys, wanted) => this.#sequences.since(keys, wanted);
    const cursors = this.#stream?.cursors ?? new Map();
    return (this.#stream = new SseSocket(url, { token, fetch, since, cursors }));
  }

  #send(id) {
    // A listener may have closed the client since this was asked.
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
    this.counts.message(events, isEvent);
    this.onbatch?.(events);
    for (const event of events) {
      if (event.type !== "error" && event.type !== "gap") this.#emit(event.type, event);
    }
  }

  #handle(message) {
    if (isEvent(message.type)) {
      const gap = this.#sequences.event(message);
      if (gap) this.#gap(gap);
      if (message.merged) this.counts.merged += message.merged;
    } else if (message.type === "gap") {
      this.#gap(this.#sequences.announced(message));
    } else if (message.type === "hello") {
      this.#welcome(message);
    } else if (message.type === "error") {
      const error = new TickerError(message.code, message.message);
      if (!this.#requests.settle(message.id, error)) this.#report(error);
    } else {
      // Beside an event stream an answer comes at any time: it may be ahead of the events.
      const inOrder = this.transport === "websocket" || message.id === undefined;
      if (message.type === "snapshot" && inOrder) this.#sequences.snapshot(message).forEach(this.#gap);
      if (message.type === "subscribed") this.#sequences.subscribed(message);
      this.#answer(message);
    }
  }

  #gap = (gap) => {
    this.counts.gap(gap);
    this.#emit("gap", gap);
  };

  /** An answer, or a part of one: what is long comes in several messages. */
  #answer(reply) {
    const { type, id, more } = reply;
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.collect(id, type === "snapshot" ? [reply] : (reply.symbols ?? []));
    if (type === "unsubscribed") this.#sequences.unsubscribed(reply);
    if (more) return;
    const change = type === "subscribed" || type === "unsubscribed";
    if (change && !this.#requests.isPart(id)) this.#subscriptions.add(request);
    this.#requests.settle(id, (symbols) => (change ? { ...reply, symbols } : symbols));
  }

  #welcome(hello) {
    const again = hello.epoch === this.hello?.epoch;
    if (!again) this.#sequences.reset();
    const outcome = this.hello ? this.counts.begin() : null;
    this.hello = hello;
    if (this.transport === "websocket") this.#stream = null;
    const { token } = this.#options;
    if (hello.auth && !token) {
      this.#connection.giveUp("the server wants a token");
      return;
    }
    const unanswered = this.#requests.ids();
    this.#connection.live(2 * hello.heartbeat_ms);
    if (hello.auth) this.#renew({ action: "auth", token });
    const renewed = [...renewals(this.#subscriptions.requests(), this.#sequences, hello.epoch)];
    const granted = Promise.all(renewed.map(({ request, part }) => this.#renew(request, part)));
    for (const id of unanswered) this.#send(id);
    const tell = (each) => each.every(Boolean) && this.#emit("resumed", outcome());
    if (again && renewed.length) granted.then(tell);
  }

  /** @returns {Promise<boolean>} whether the server granted it */
  async #renew(request, part = false) {
    try {
      await this.#ask(request, { renewal: true, part });
      return true;
    } catch (error) {
      if (error.code === "connection_lost") return false; // there will be another hello
      this.#report(error);
      if (error.code === "unknown_symbol") this.#rescue(request).catch((e) => this.#report(e));
      return false;
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
