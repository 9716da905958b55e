/** Bars and trades from before this page was opened, where the server has them. */
import { beside } from "./ticker-plans.js";

const AT_ONCE = 4; // a wall of 40 rows must not ask for 40 histories in one breath
const ENOUGH = 10; // minutes; with fewer, the seconds that come in live say more
const SETTLE_MS = 150; // rows that only fly by in a scroll are not asked for

export class History {
  #base;
  #headers;

  /** @param {URL | null} base the feed's address, beside which `/api` is, or null for nowhere @param {string} [token] */
  constructor(base, token) {
    this.#base = base;
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /** False once the server turned out to have no history: nobody asks again then. */
  get available() {
    return this.#base !== null;
  }

  /** @returns {Promise<object[] | null>} oldest first; null if there is no telling */
  async bars(symbol, interval, limit) {
    if (!this.available) return null;
    const query = new URLSearchParams({ symbol, interval, limit });
    try {
      const response = await fetch(beside(this.#base, `/api/bars?${query}`), { headers: this.#headers });
      if (response.status === 404) await this.#missing(response);
      if (!response.ok) return null;
      return (await response.json()).bars;
    } catch {
      return null; // the server is gone; the connection's state says so already
    }
  }

  /** @returns {Promise<object[] | null>} the newest trades, oldest first; null if there is no telling */
  async trades(symbol) {
    if (!this.available) return null;
    const query = new URLSearchParams({ symbol, channel: "trades" });
    try {
      const response = await fetch(beside(this.#base, `/api/history?${query}`), { headers: this.#headers });
      return response.ok ? (await response.json()).events : null;
    } catch {
      return null;
    }
  }

  /** An unknown symbol is answered in JSON; anything else says that there are no bars here. */
  async #missing(response) {
    const answer = await response.json().catch(() => ({}));
    if (answer.code !== "unknown_symbol") this.#base = null;
  }
}

/** Loads the sparklines of the rows in view, each once. */
export class SparkLoader {
  /** A line has changed. */
  onload = () => {};

  #history;
  #asked = new WeakSet();
  #waiting = [];
  #running = 0;
  #limit = 1; // until it is known that there is a history at all
  #timer;

  constructor(history) {
    this.#history = history;
  }

  view(rows) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#waiting = rows.filter((row) => !this.#asked.has(row));
      this.#pump();
    }, SETTLE_MS);
  }

  #pump() {
    while (this.#running < this.#limit && this.#waiting.length && this.#history.available) {
      this.#load(this.#waiting.shift());
    }
  }

  async #load(row) {
    this.#asked.add(row);
    this.#running++;
    const bars = await this.#history.bars(row.symbol, "1m", 60);
    this.#running--;
    this.#limit = AT_ONCE;
    if (bars?.length >= ENOUGH) row.series.load(bars);
    else if (!bars) this.#asked.delete(row); // perhaps when it is in view the next time
    row.version++;
    this.onload();
    this.#pump();
  }
}
