/**
 * The wall of prices. Only the rows in view exist as elements: two empty rows as high as the rest
 * stand for the others, so 10,000 symbols cost what 40 do.
 */
import { RowView } from "./row.js";

const OVERSCAN = 4; // rows beyond the edges, so that a fast scroll doesn't show a blank
const TEXT = new Set(["symbol", "name"]);

export class WallTable {
  /** @type {(symbol: string, byKeyboard: boolean) => void} */
  onselect = () => {};
  /** @type {(rows: import("./market.js").Row[]) => void} */
  onview = () => {};

  #market;
  #scroller = document.querySelector("#wall");
  #table = document.querySelector("#table");
  #body = document.querySelector("#rows");
  #template = document.querySelector("#row");
  #above = spacer();
  #below = spacer();
  /** @type {RowView[]} */
  #views = [];
  /** @type {import("./market.js").Row[]} */
  #order = [];
  #sort = { key: "symbol", sign: 1 };
  #terms = [];
  #selected = null;
  #moved = true; // the view must be laid out again
  #size = { width: 0, height: 0 };

  constructor(market, { changed }) {
    this.#market = market;
    this.#body.append(this.#above, this.#below);
    const move = () => {
      this.#moved = true;
      changed();
    };
    this.#scroller.addEventListener("scroll", move, { passive: true });
    new ResizeObserver(() => {
      this.invalidate();
      move();
    }).observe(this.#scroller);
    this.#table.tHead.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.sort;
      if (key) this.sortBy(key);
      move();
    });
    this.#body.addEventListener("click", (event) => this.#clicked(event));
    this.#body.addEventListener("keydown", (event) => this.#pressed(event));
  }

  get selected() {
    return this.#selected;
  }

  /** Those that the filter lets through. */
  get rows() {
    return this.#order;
  }

  filter(text) {
    this.#terms = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.#scroller.scrollTop = 0;
    this.arrange();
  }

  /** Numbers start with the largest, names with A; the second time it is the other way round. */
  sortBy(key) {
    const first = TEXT.has(key) ? 1 : -1;
    this.#sort = { key, sign: this.#sort.key === key ? -this.#sort.sign : first };
    for (const button of this.#table.tHead.querySelectorAll("button")) {
      const active = button.dataset.sort === key;
      const order = this.#sort.sign > 0 ? "ascending" : "descending";
      button.closest("th").setAttribute("aria-sort", active ? order : "none");
    }
    this.arrange();
  }

  /** Whether the order depends on prices, so that it must be made again now and then. */
  get restless() {
    return !TEXT.has(this.#sort.key);
  }

  /** Decides again which rows there are, and in which order. */
  arrange() {
    const rows = [...this.#market.rows.values()];
    this.#order = this.#terms.length ? rows.filter((row) => this.#matches(row)) : rows;
    const { key, sign } = this.#sort;
    const byKey = TEXT.has(key) ? byText(key, sign) : byNumber(key, sign);
    this.#order.sort((a, b) => byKey(a, b) || (a.symbol < b.symbol ? -1 : 1));
    this.#table.setAttribute("aria-rowcount", this.#order.length + 1);
    this.#moved = true;
  }

  select(symbol) {
    this.#selected = symbol;
    this.#moved = true;
  }

  focus(symbol) {
    const view = this.#views.find(({ row }) => row?.symbol === symbol);
    (view?.button ?? this.#scroller).focus();
  }

  invalidate() {
    for (const view of this.#views) view.invalidate();
    this.#moved = true;
  }

  /** Touches what is in view, and of that only what changed. */
  draw() {
    if (this.#moved) this.#layOut();
    for (const view of this.#views) view.draw(this.#size);
  }

  #matches({ symbol, name }) {
    const text = `${symbol} ${name}`.toLowerCase();
    return this.#terms.every((term) => text.includes(term));
  }

  #layOut() {
    this.#moved = false;
    const height = parseFloat(getComputedStyle(this.#table).getPropertyValue("--row"));
    const total = this.#order.length;
    const room = Math.ceil(this.#scroller.clientHeight / height) + 2 * OVERSCAN;
    const count = Math.min(total, room);
    const top = Math.floor(this.#scroller.scrollTop / height) - OVERSCAN;
    const first = Math.max(0, Math.min(top, total - count));
    this.#above.style.height = `${first * height}px`;
    this.#below.style.height = `${(total - first - count) * height}px`;
    const rows = this.#order.slice(first, first + count);
    this.#place(rows, first);
    const canvas = this.#views[0]?.canvas;
    if (canvas) this.#size = { width: canvas.clientWidth, height: canvas.clientHeight };
    this.onview(rows);
  }

  /** A row that stays in view keeps its element, and with it its flash and the pointer on it. */
  #place(rows, first) {
    const wanted = new Set(rows);
    const focused = this.#views.find(({ button }) => button === document.activeElement);
    const kept = new Map();
    const free = [];
    for (const view of this.#views) {
      if (wanted.has(view.row)) kept.set(view.row, view);
      else free.push(view);
    }
    for (const { element } of free) element.remove();
    this.#views = rows.map((row, i) => {
      const view = kept.get(row) ?? free.pop() ?? new RowView(this.#template);
      view.show(row, first + i, row.symbol === this.#selected);
      return view;
    });
    let at = this.#above;
    for (const view of this.#views) {
      if (at.nextSibling !== view.element) {
        at.after(view.element);
        view.calm();
      }
      at = view.element;
    }
    // An element that is moved loses the focus.
    if (kept.has(focused?.row)) focused.button.focus({ preventScroll: true });
  }

  #clicked(event) {
    const symbol = event.target.closest("tr")?.dataset.symbol;
    // A click that a key made has no detail: the focus should then follow.
    if (symbol) this.onselect(symbol, event.detail === 0);
  }

  /** The arrow keys walk through the symbols, also beyond the rows that exist. */
  #pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = this.#views.findIndex(({ button }) => button === event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = this.#order[this.#order.indexOf(this.#views[at].row) + step];
    if (!next) return;
    const { element } = this.#views[at];
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    const head = this.#table.tHead.offsetHeight;
    const over = step > 0 ? box.bottom + box.height - bottom : box.top - box.height - head - top;
    if (over * step > 0) this.#scroller.scrollTop += over;
    this.#layOut();
    this.draw();
    this.focus(next.symbol);
  }
}

function spacer() {
  const row = document.createElement("tr");
  row.className = "spacer";
  row.setAttribute("aria-hidden", "true");
  row.append(document.createElement("td")); // a colspan would make columns of those that are hidden
  return row;
}

const byText = (key, sign) => (a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);

/** What has no value yet comes last, whichever way it goes. */
const byNumber = (key, sign) => (a, b) => {
  const [left, right] = [a[key], b[key]];
  if (left === null || right === null) return (left === null) - (right === null);
  return sign * (left - right);
};
