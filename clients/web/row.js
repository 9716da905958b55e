/** One line of the table: an element that shows now this row of the market, now that. */
import { compact, direction, percent, price, signed, whole } from "./format.js";
import { drawSparkline } from "./sparkline.js";
import { colours } from "./theme.js";

const SPARK_MS = 250; // between two drawings of a line: the last price moves it by a pixel or two

/** Says why a symbol doesn't simply trade; quietly, where it is only the session of all. */
export function showBadge(element, { badge, calm }) {
  element.hidden = !badge;
  element.classList.toggle("calm", calm);
  if (element.textContent !== badge) element.textContent = badge;
}

export class RowView {
  /** @type {import("./market.js").Row | null} */
  row = null;

  #version = -1;
  #spark = { version: -1, at: 0 }; // what of the line was drawn, and when
  #last = null; // the price on the screen, to know which way the next one goes
  #beat = 0;
  #parts;

  constructor(template) {
    this.element = template.content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    this.button = find(".open");
    this.canvas = find("canvas");
    this.#parts = {
      sub: find(".sub"),
      halt: find(".halt"),
      name: find(".c-name"),
      last: find(".c-last"),
      change: find(".c-change"),
      percent: find(".c-percent span"),
      bid: find(".c-bid span"),
      bidSize: find(".c-bid small"),
      ask: find(".c-ask span"),
      askSize: find(".c-ask small"),
      volume: find(".c-volume"),
    };
  }

  show(row, index, selected) {
    if (row !== this.row) {
      this.row = row;
      this.invalidate();
      this.#last = null;
      delete this.#parts.last.dataset.tick;
      this.button.textContent = row.symbol;
      this.element.dataset.symbol = row.symbol;
    }
    this.element.setAttribute("aria-rowindex", index + 2); // the first is the header
    if (selected) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
  }

  /** Ends the flash: in an element that is moved it would start again. */
  calm() {
    delete this.#parts.last.dataset.beat;
  }

  /** Draws it again, even if nothing changed: the colours or the size did. */
  invalidate() {
    this.#version = -1;
    this.#spark = { version: -1, at: 0 };
  }

  draw(size) {
    const { row } = this;
    if (this.#version !== row.version) {
      this.#version = row.version;
      this.#drawText(row);
      this.#flash(row.last);
    }
    this.#drawLine(row.series, size);
  }

  #drawLine(series, size) {
    const now = performance.now();
    if (this.#spark.version === series.version || now - this.#spark.at < SPARK_MS) return;
    this.#spark = { version: series.version, at: now };
    drawSparkline(this.canvas, size, series, colours[direction(series.change)]);
  }

  #drawText(row) {
    const { decimals } = row;
    const way = /[1-9]/.test(percent(row.percent)) ? direction(row.change) : "flat"; // no red 0.00%
    if (this.element.dataset.way !== way) this.element.dataset.way = way;
    showBadge(this.#parts.halt, row);
    this.#write("name", row.name);
    this.#write("sub", row.name);
    this.#write("last", price(row.last, decimals));
    this.#write("change", signed(row.change, decimals));
    this.#write("percent", percent(row.percent));
    this.#write("bid", price(row.bid, decimals));
    this.#write("bidSize", row.bidSize === null ? "" : `× ${whole(row.bidSize)}`);
    this.#write("ask", price(row.ask, decimals));
    this.#write("askSize", row.askSize === null ? "" : `× ${whole(row.askSize)}`);
    this.#write("volume", compact(row.volume));
  }

  #write(part, text) {
    const element = this.#parts[part];
    if (element.textContent !== text) element.textContent = text;
  }

  #flash(last) {
    const before = this.#last;
    this.#last = last;
    if (before === null || last === before) return;
    const { dataset } = this.#parts.last;
    dataset.tick = last > before ? "up" : "down";
    // Two names for one animation: changing the name starts it again, without a forced layout.
    this.#beat = 1 - this.#beat;
    dataset.beat = this.#beat;
  }
}
