/**
 * One connection after the other to the same server, as if it were one that never ends: opened
 * again after a loss, given up when it is silent for too long, and made over Server-Sent Events
 * where no WebSocket gets through, until one does. Knows nothing of what is said.
 *
 * @typedef {"websocket" | "sse"} Transport
 * @typedef {{state: "connecting" | "live" | "waiting" | "closed", attempt: number,
 *   transport: Transport, retryAt?: number, code?: number, reason?: string}} StateDetail
 *   retryAt: as from Date.now()
 */
import { Watchdog } from "./ticker-watchdog.js";

const NEEDS_MENDING = new Set([1002, 1007, 1008, 1009]); // connecting again would repeat the mistake
const OPENING_MS = 10_000; // for the handshake and the server's first message
const STABLE_MS = 10_000; // a connection that lived this long starts the pauses afresh
const CLOSE_MS = 100; // `close` comes after `error` and knows more, but in some Nodes it never comes

/** Whether this is what a feed says first. A proxy's own words are not. */
function isHello(text) {
  try {
    return JSON.parse(text)[0].type === "hello";
  } catch {
    return false;
  }
}

export class Connection {
  /** @type {StateDetail} */
  state = { state: "connecting", attempt: 0 };
  /** @type {Transport} of the newest connection, or the attempt at one */
  transport;

  #url;
  #options;
  #listener;
  #socket = null;
  #watchdog = new Watchdog((reason) => this.#abandon(reason));
  #pause; // until the next attempt
  #liveSince = Infinity;
  #attempt = 0;
  #refused = 0; // WebSockets in a row that never brought a hello
  #cancelProbe = () => {}; // of the WebSocket that is tried beside the event stream
  #probeDelay;

  /**
   * @param {string} url
   * @param {import("./ticker-options.js").Options} options all of them
   * @param {{received: (text: string) => void, changed: (state: StateDetail) => void,
   *   streams: () => object}} listener  streams: makes what stands in for a WebSocket over SSE
   */
  constructor(url, options, listener) {
    this.#url = url;
    this.#options = options;
    this.#probeDelay = this.#options.retryWebSocket;
    this.#listener = listener;
    this.#first();
  }

  /** Connects now; while waiting, instead of after the pause. */
  open() {
    if (!this.#socket) this.#dial();
  }

  /** The server has said hello: from now on a silence may last so long, or for ever if that is 0. */
  live(silenceMs) {
    this.#liveSince = performance.now();
    this.#watchdog.watch(silenceMs);
    if (this.transport === "websocket") {
      this.#refused = 0;
      this.#probeDelay = this.#options.retryWebSocket;
    } else if (this.#options.transports.includes("websocket")) {
      this.#probeLater();
    }
    this.#change("live");
  }

  send(text) {
    this.#socket?.send(text);
  }

  close() {
    if (this.state.state === "closed") return;
    const socket = this.#socket;
    this.#end({ code: 1000, reason: "closed by the client" });
    socket?.close(1000);
  }

  #first() {
    this.transport = this.#options.transports.includes("websocket") ? "websocket" : "sse";
  }

  #dial() {
    clearTimeout(this.#pause);
    const { WebSocket } = this.#options;
    const overSse = this.transport === "sse";
    this.#use(overSse ? this.#listener.streams() : new WebSocket(this.#url));
    this.#change("connecting");
  }

  #use(socket) {
    this.#socket = socket;
    const current = (handler) => (event) => {
      if (socket === this.#socket) handler(event); // nobody listens to one that was given up
    };
    socket.onmessage = current(({ data }) => this.#read(data));
    socket.onclose = current((event) => this.#lost(event));
    const failed = current(() => this.#lost({ code: 1006, reason: "no connection" }));
    socket.onerror = () => setTimeout(failed, CLOSE_MS);
    this.#watchdog.feed();
    this.#watchdog.watch(OPENING_MS);
  }

  /** Ends for good, as the server would: connecting again would come to the same. */
  giveUp(reason) {
    const socket = this.#socket;
    this.#end({ code: 1008, reason });
    socket?.close(1000);
  }

  #change(state, more = {}) {
    this.state = { state, attempt: this.#attempt, transport: this.transport, ...more };
    this.#listener.changed(this.state);
  }

  #read(text) {
    this.#watchdog.feed();
    this.#listener.received(text);
  }

  #abandon(reason) {
    const socket = this.#socket;
    this.#lost({ code: 1006, reason });
    socket.close(); // may take long to end, so nothing waits for it
  }

  #lost({ code, reason }) {
    if (NEEDS_MENDING.has(code)) {
      this.#end({ code, reason });
      return;
    }
    const lived = performance.now() - this.#liveSince; // -Infinity: it never stood
    this.#leave();
    if (lived > STABLE_MS) this.#attempt = 0;
    if (lived < 0 && this.transport === "websocket" && this.#fallsBack()) {
      this.transport = "sse";
      this.#dial(); // within the same attempt: a server that is down is not taken for a bad proxy
      return;
    }
    if (lived < 0) this.#first(); // otherwise the next one begins with what stood the last time
    // Full jitter: many clients that lost one server don't come back all at once.
    const { minDelay, maxDelay, random } = this.#options;
    const delay = random() * Math.min(maxDelay, minDelay * 2 ** this.#attempt++);
    this.#pause = setTimeout(() => this.open(), delay);
    this.#change("waiting", { retryAt: Date.now() + delay, code, reason });
  }

  #fallsBack() {
    const { transports, fallbackAfter } = this.#options;
    return transports.includes("sse") && ++this.#refused >= fallbackAfter;
  }

  #probeLater() {
    this.#cancelProbe();
    this.#cancelProbe = this.#options.later(() => this.#probe(), this.#probeDelay);
  }

  /** Tries a WebSocket, while the event stream goes on. */
  #probe() {
    const { WebSocket, maxRetryWebSocket } = this.#options;
    const socket = new WebSocket(this.#url);
    const release = () => {
      clearTimeout(timer);
      socket.onmessage = socket.onclose = socket.onerror = null;
    };
    const failed = () => {
      release();
      socket.close();
      this.#probeDelay = Math.min(2 * this.#probeDelay, maxRetryWebSocket);
      this.#probeLater();
    };
    const timer = setTimeout(failed, OPENING_MS);
    this.#cancelProbe = () => {
      release();
      socket.close();
    };
    socket.onclose = socket.onerror = failed;
    socket.onmessage = ({ data }) => {
      if (!isHello(data)) return failed();
      release();
      this.#moveTo(socket, data);
    };
  }

  /** The event stream ends here, between two messages, and the WebSocket goes on from there. */
  #moveTo(socket, hello) {
    const old = this.#socket;
    this.#cancelProbe = () => {};
    this.#leave();
    old.close();
    this.transport = "websocket";
    this.#use(socket);
    this.#change("connecting");
    this.#read(hello);
  }

  #leave() {
    this.#watchdog.stop();
    this.#cancelProbe();
    clearTimeout(this.#pause);
    this.#socket = null;
    this.#liveSince = Infinity;
  }

  #end(more) {
    this.#leave();
    this.#change("closed", more);
  }
}
