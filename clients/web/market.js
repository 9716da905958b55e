/** What the page knows of the market: values for each symbol, changed by the feed's events. */
import { moves } from "./conditions.js";
import { decimalsOf } from "./format.js";
import { Series } from "./sparkline.js";

const SESSIONS = { closed: "Closed", pre_market: "Pre", post_market: "Post" };
const BADGES = { trading: "", limit_state: "Limit", straddle_state: "Straddle", ...SESSIONS };

export class Row {
  name = "";
  sector = "";
  decimals = 2;
  last = null;
  bid = null;
  bidSize = null;
  ask = null;
  askSize = null;
  open = null;
  high = null;
  low = null;
  prevClose = null;
  volume = null;
  time = 0; // of the newest trade or quote
  badge = ""; // what its status is, where it isn't simply trading
  calm = false; // whether that is only the session of all
  version = 0; // goes up with every change, so that a view knows whether to draw
  series = new Series();

  constructor(symbol) {
    this.symbol = symbol;
  }

  get change() {
    if (this.last === null || !this.prevClose) return null;
    return this.last - this.prevClose;
  }

  get percent() {
    return this.change === null ? null : (100 * this.change) / this.prevClose;
  }
}

export class Market {
  /** @type {Map<string, Row>} */
  rows = new Map();
  revision = 0; // goes up when rows come or go, or get a name
  events = 0;
  merged = 0;
  paced = false; // whether prices come at a pace that was asked for, so that merging is no sign of being slow
  time = null; // of the newest event
  session = null; // outside of regular hours: its status, and when the next regular session opens
  clock = null; // the feed's time, as it was told the last time: at night by heartbeats alone
  /** Symbols of which something was merged or lost, so that the day's volume is off. */
  unsure = new Set();

  clear() {
    this.rows.clear();
    this.unsure.clear();
    this.time = this.session = this.clock = null;
    this.revision++;
  }

  define(instruments) {
    for (const { symbol, name, sector, tick_size: tickSize } of instruments) {
      const row = this.#row(symbol);
      row.name = name ?? "";
      row.sector = sector ?? "";
      row.decimals = decimalsOf(tickSize ?? 0.01);
      row.version++;
    }
    this.revision++;
  }

  /** Applies one message of the server. */
  apply(events) {
    for (const event of events) {
      if (event.type === "heartbeat") this.clock = event.time;
      if (event.symbol === undefined) continue;
      const row = this.#row(event.symbol);
      row.version++;
      switch (event.type) {
        case "trade":
          row.time = event.time;
          this.#trade(row, event);
          break;
        case "quote":
          row.time = event.time;
          this.#quote(row, event);
          break;
        case "status":
          this.#status(row, event);
          break;
        case "bar":
          // A day is over: the next one's open and previous close come with a snapshot.
          if (event.interval === "1d") this.unsure.add(event.symbol);
          break;
        case "snapshot":
          this.#snapshot(row, event);
          continue;
        default:
          continue;
      }
      this.events++;
      this.time = this.clock = event.time;
      if (event.merged) this.#noteMerged(event);
    }
  }

  /** The sessions of a market are those of all of its symbols, but for those that are halted. */
  #status(row, { status, opens }) {
    row.badge = BADGES[status] ?? "Halt";
    row.calm = status in SESSIONS;
    if (opens !== undefined) this.session = { status, opens };
    else if (status === "trading") this.session = null;
  }

  #noteMerged({ type, symbol, merged, volume }) {
    if (!this.paced) this.merged += merged;
    if (type === "trade" && volume === undefined) this.unsure.add(symbol);
  }

  #row(symbol) {
    let row = this.rows.get(symbol);
    if (!row) {
      row = new Row(symbol);
      this.rows.set(symbol, row);
      this.revision++;
    }
    return row;
  }

  #trade(row, trade) {
    const { open, high, low, close, volume } = moves(trade);
    row.volume += volume;
    row.open ??= open;
    if (high !== null) {
      row.high = Math.max(row.high ?? high, high);
      row.low = Math.min(row.low ?? low, low);
    }
    if (close === null) return;
    row.last = close;
    row.series.push(trade.time, close);
  }

  #quote(row, event) {
    row.bid = event.bid;
    row.bidSize = event.bid_size;
    row.ask = event.ask;
    row.askSize = event.ask_size;
  }

  #snapshot(row, event) {
    if (event.time < row.time) return; // of several streams of events, one may be behind another
    this.#quote(row, event);
    row.last = event.last;
    row.open = event.open;
    row.high = event.high;
    row.low = event.low;
    row.prevClose = event.prev_close;
    row.volume = event.volume;
    this.#status(row, event);
    if (event.last !== null) row.series.push(event.time, event.last);
    this.time ??= event.time;
    this.unsure.delete(row.symbol);
    row.version++;
  }
}
