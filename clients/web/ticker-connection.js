/**
 * One WebSocket after the other to the same address, as if it were one that never ends: opened
 * again after a loss, and given up when it is silent for too long. Knows nothing of what is said.
 *
 * @typedef {{state: "connecting" | "live" | "waiting" | "closed", attempt: number,
 *   retryAt?: number, code?: number, reason?: string}} StateDetail  retryAt: as from Date.now()
 */

const NEEDS_MENDING = new Set([1007, 1008, 1009]); // connecting again would repeat the mistake
const OPENING_MS = 10_000; // for the handshake and the server's first message
const STABLE_MS = 10_000; // a connection that lived this long starts the pauses afresh
const CLOSE_MS = 100; // `close` comes after `error` and knows more, but in some Nodes it never comes
const LATE_MS = 1_000; // a timer later than this says that we were asleep, not the server

export class Connection {
  /** @type {StateDetail} */
  state = { state: "connecting", attempt: 0 };

  #url;
  #options;
  #listener;
  #socket = null;
  #timer; // of the next attempt while waiting, of the watchdog while there is a socket
  #lastRead = 0;
  #liveSince = Infinity;
  #attempt = 0;

  /**
   * @param {string} url
   * @param {{minDelay?: number, maxDelay?: number, random?: () => number,
   *   WebSocket?: typeof globalThis.WebSocket}} options
   * @param {{received: (text: string) => void, changed: (state: StateDetail) => void}} listener
   */
  constructor(url, options, listener) {
    const { minDelay = 500, maxDelay = 30_000, random = Math.random } = options;
    const { WebSocket = globalThis.WebSocket } = options;
    if (!WebSocket) throw new TypeError("there is no WebSocket here: pass { WebSocket }");
    this.#url = url;
    this.#options = { minDelay, maxDelay, random, WebSocket };
    this.#listener = listener;
  }

  /** Connects now; while waiting, instead of after the pause. */
  open() {
    if (this.#socket) return;
    const socket = new this.#options.WebSocket(this.#url);
    this.#socket = socket;
    const current = (handler) => (event) => {
      if (socket === this.#socket) handler(event); // nobody listens to one that was given up
    };
    socket.onmessage = current(({ data }) => this.#read(data));
    socket.onclose = current((event) => this.#lost(event));
    const failed = current(() => this.#lost({ code: 1006, reason: "no connection" }));
    socket.onerror = () => setTimeout(failed, CLOSE_MS);
    this.#lastRead = performance.now();
    this.#watch(OPENING_MS);
    this.#change("connecting");
  }

  /** The server has said hello: from now on a silence may last so long, or for ever if that is 0. */
  live(silenceMs) {
    this.#liveSince = performance.now();
    if (silenceMs) this.#watch(silenceMs);
    else clearTimeout(this.#timer);
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

  #change(state, more = {}) {
    this.state = { state, attempt: this.#attempt, ...more };
    this.#listener.changed(this.state);
  }

  #read(text) {
    this.#lastRead = performance.now();
    this.#listener.received(text);
  }

  /** Looks at the clock when the silence could be too long, not at every message. */
  #watch(limit, delay = limit) {
    const due = performance.now() + delay;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const now = performance.now();
      const idle = now - this.#lastRead;
      if (idle < limit) this.#watch(limit, limit - idle);
      // The machine or the page slept: messages may be waiting behind this timer.
      else if (now - due > LATE_MS) this.#watch(limit, LATE_MS);
      else this.#abandon(`nothing was read for ${Math.round(idle)} ms`);
    }, delay);
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
    clearTimeout(this.#timer);
    this.#socket = null;
    if (performance.now() - this.#liveSince > STABLE_MS) this.#attempt = 0;
    this.#liveSince = Infinity;
    // Full jitter: many clients that lost one server don't come back all at once.
    const { minDelay, maxDelay, random } = this.#options;
    const delay = random() * Math.min(maxDelay, minDelay * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.open(), delay);
    this.#change("waiting", { retryAt: Date.now() + delay, code, reason });
  }

  #end(more) {
    clearTimeout(this.#timer);
    this.#socket = null;
    this.#change("closed", more);
  }
}
