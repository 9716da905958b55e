/** The order book in the panel: the best levels of each side, subscribed to only while they can be seen. */
import { price, whole } from "./format.js";
import { OrderBook } from "./ticker-book.js";

const LEVELS = 10; // of a side; the feed has more
const DEPTH = { channels: ["depth"] };

const find = (id) => document.getElementById(id);

export class Ladder {
  #client;
  #changed;
  #symbol = null;
  #subscribed = null; // the symbol whose book comes
  #seen = false;
  #offered = false; // whether the server has books
  #book = new OrderBook();
  #stale = true; // whether what is drawn isn't the book
  #asks;
  #bids;

  constructor({ client, changed }) {
    this.#client = client;
    this.#changed = changed;
    this.#asks = lines("d-asks").reverse(); // the best are next to the spread
    this.#bids = lines("d-bids");
    const watch = (entries) => this.#see(entries.at(-1).isIntersecting);
    new IntersectionObserver(watch).observe(find("d-book"));
  }

  /** Shows the book of another symbol; null: of none. */
  show(symbol) {
    this.#symbol = symbol;
    this.#forget();
    this.#follow();
  }

  /** On a new connection: of a server without books nothing is shown. */
  welcome({ channels }) {
    this.#offered = channels.includes("depth");
    find("d-book").hidden = !this.#offered;
    this.#follow();
  }

  /** Takes what concerns it from one message of the server. */
  apply(events) {
    for (const event of events) {
      if (event.type !== "depth" || event.symbol !== this.#subscribed) continue;
      // Of an earlier subscription some changes may still come: without the book they are of no use.
      if (this.#book.seq === null && !event.snapshot) continue;
      this.#apply(event);
    }
  }

  draw(row) {
    if (!this.#stale) return;
    this.#stale = false;
    const sides = [this.#asks, this.#bids];
    const levels = [this.#book.asks.slice(0, LEVELS), this.#book.bids.slice(0, LEVELS)];
    const totals = levels.map(running);
    const most = Math.max(1, ...totals.flat());
    const largest = Math.max(1, ...levels.flat().map(([, size]) => size));
    sides.forEach((side, i) =>
      side.forEach((line, j) => drawLine(line, levels[i][j], totals[i][j], { most, largest, row })),
    );
    this.#drawSpread(levels[0][0], levels[1][0], row);
  }

  #drawSpread(ask, bid, { decimals }) {
    const spread = ask && bid ? ask[0] - bid[0] : null;
    setText(find("d-gap"), price(spread, decimals));
    const points = spread === null ? "" : `${((20_000 * spread) / (ask[0] + bid[0])).toFixed(1)} bp`;
    setText(find("d-gap-bp"), points);
  }

  #apply(event) {
    this.#stale = true;
    try {
      this.#book.apply(event);
    } catch {
      if (!event.snapshot) this.#subscribe(); // the answer has the whole of it
    }
  }

  #see(seen) {
    this.#seen = seen;
    this.#follow();
  }

  /** Subscribes to what can be seen, and to nothing else. */
  #follow() {
    const wanted = this.#seen && this.#offered ? this.#symbol : null;
    if (wanted === this.#subscribed) return;
    if (this.#subscribed !== null) this.#client.unsubscribe([this.#subscribed], DEPTH).catch(() => {});
    this.#subscribed = wanted;
    this.#forget();
    if (wanted !== null) this.#subscribe();
  }

  #subscribe() {
    this.#client.subscribe([this.#subscribed], DEPTH).catch(() => {});
  }

  #forget() {
    this.#book = new OrderBook();
    this.#stale = true;
    this.#changed();
  }
}

/** Shares from the best level down to each. */
function running(levels) {
  let sum = 0;
  return levels.map(([, size]) => (sum += size));
}

/** Rows that are always there, so that nothing moves when a book comes, or is short. */
function lines(id) {
  return Array.from({ length: LEVELS }, () => {
    const line = find(id).insertRow();
    for (let i = 0; i < 3; i++) line.insertCell().className = "num";
    const bars = [document.createElement("i"), document.createElement("i")];
    line.cells[2].append("", ...bars);
    return line;
  });
}

function drawLine(line, level, total, { most, largest, row }) {
  const texts = level ? [price(level[0], row.decimals), whole(level[1]), whole(total)] : ["", "", ""];
  texts.forEach((text, i) => {
    const node = line.cells[i].firstChild ?? line.cells[i].appendChild(new Text());
    if (node.data !== text) node.data = text;
  });
  const [sum, own] = line.querySelectorAll("i");
  sum.style.transform = `scaleX(${level ? total / most : 0})`;
  own.style.transform = `scaleX(${level ? level[1] / largest / 2 : 0})`;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
