/** The market as a map: a tile for each symbol, as large as its turnover of the day, coloured by its change. */
import { compact, percent, price } from "./format.js";
import { treemap } from "./treemap.js";

const MOST = 500; // tiles; of more symbols, those with the largest turnover
const FULL = 3; // per cent of change at which a colour is at its strongest
const PACE_MS = 250; // between two drawings
const PLACING_MS = 30_000; // between two arrangements: tiles that move all the time can't be found again
const SOON_MS = 1_000; // likewise, as long as there are symbols of which nothing is known yet
const HEAD = 20; // the height of a sector's name
const STEPS = 20; // shades, so that a tile is touched when it looks different, not at each trade

const find = (id) => document.getElementById(id);
const turnover = (row) => (row.volume && row.last ? row.volume * row.last : 1);

export class MarketMap {
  /** @type {(symbol: string, byKeyboard: boolean) => void} */
  onselect = () => {};

  #element = find("map");
  #tiles = new Map(); // by row
  #drawn = 0; // when
  #placed = -Infinity; // when
  #selected = null;

  constructor({ changed }) {
    new ResizeObserver(() => {
      this.invalidate();
      changed();
    }).observe(this.#element);
    this.#element.addEventListener("click", (event) => {
      const symbol = event.target.closest("button")?.dataset.symbol;
      if (symbol) this.onselect(symbol, event.detail === 0);
    });
    this.#element.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** The rows are others, or their places have to be found anew. */
  invalidate() {
    this.#placed = -Infinity;
  }

  select(symbol) {
    this.#selected = symbol;
    for (const [row, { button }] of this.#tiles) mark(button, row.symbol === symbol);
  }

  focus(symbol) {
    for (const [row, { button }] of this.#tiles) if (row.symbol === symbol) button.focus();
  }

  /** @param {import("./market.js").Row[]} rows those that the filter lets through */
  draw(rows) {
    const now = performance.now();
    if (now - this.#placed > PLACING_MS) this.#place(rows, now);
    else if (now - this.#drawn < PACE_MS) return;
    this.#drawn = now;
    for (const [row, tile] of this.#tiles) paint(row, tile);
  }

  #place(rows, now) {
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (!width || !height) return;
    this.#placed = rows.some((row) => row.volume === null) ? now - PLACING_MS + SOON_MS : now;
    const shown = rows.length > MOST ? [...rows].sort((a, b) => turnover(b) - turnover(a)).slice(0, MOST) : rows;
    const focused = document.activeElement?.dataset.symbol;
    const old = this.#tiles;
    this.#tiles = new Map();
    const sectors = [...Map.groupBy(shown, (row) => row.sector)];
    const sum = ([, members]) => members.reduce((total, row) => total + turnover(row), 0);
    const parts = [];
    for (const { item: [name, members], ...box } of treemap(sectors, sum, { x: 0, y: 0, width, height })) {
      parts.push(this.#sector(name, members, box, old, sectors.length > 1));
    }
    this.#element.replaceChildren(...parts);
    if (this.#element.querySelector("button") && focused) this.focus(focused);
  }

  #sector(name, members, box, old, titled) {
    const section = document.createElement("section");
    section.setAttribute("aria-label", name || "Symbols");
    const head = titled && box.height > 3 * HEAD ? HEAD : 0;
    if (head) {
      const title = document.createElement("h3");
      title.textContent = name || "Others";
      section.append(title);
    }
    put(section, box);
    const room = { x: 0, y: head, width: box.width, height: box.height - head };
    for (const { item: row, ...place } of treemap(members, turnover, room)) {
      const tile = old.get(row) ?? makeTile(row);
      put(tile.button, place);
      tile.button.dataset.size = sizeOf(place);
      mark(tile.button, row.symbol === this.#selected);
      tile.version = -1;
      this.#tiles.set(row, tile);
      section.append(tile.button);
    }
    return section;
  }

  /** The arrow keys go to the next tile over there. */
  #pressed(event) {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    const from = event.target.closest("button");
    if (!step || !from) return;
    event.preventDefault();
    const [x, y] = centre(from);
    let [best, nearest] = [null, Infinity];
    for (const { button } of this.#tiles.values()) {
      const [dx, dy] = [centre(button)[0] - x, centre(button)[1] - y];
      const ahead = dx * step[0] + dy * step[1];
      const aside = Math.abs(dx * step[1]) + Math.abs(dy * step[0]);
      if (ahead > 1 && ahead + 2 * aside < nearest) [best, nearest] = [button, ahead + 2 * aside];
    }
    best?.focus();
  }
}

function makeTile(row) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.symbol = row.symbol;
  const symbol = document.createElement("b");
  const change = document.createElement("span");
  symbol.textContent = row.symbol;
  button.append(symbol, change);
  return { button, change, version: -1 };
}

function paint(row, tile) {
  if (tile.version === row.version) return;
  tile.version = row.version;
  const { button, change } = tile;
  const shade = Math.round(STEPS * Math.max(-1, Math.min(1, (row.percent ?? 0) / FULL)));
  write(change, percent(row.percent));
  if (tile.shade !== shade) {
    tile.shade = shade;
    button.dataset.way = shade > 0 ? "up" : shade < 0 ? "down" : "flat";
    button.style.setProperty("--heat", `${Math.round((100 * Math.abs(shade)) / STEPS)}%`);
  }
  if ((button.dataset.badge ?? "") !== row.badge) button.dataset.badge = row.badge;
  button.classList.toggle("stopped", row.badge !== "" && !row.calm);
  const title = `${row.symbol} ${row.name}\n${price(row.last, row.decimals)}  ${percent(row.percent)}\nVolume ${compact(row.volume)}${row.badge && `\n${row.badge}`}`;
  if (button.title !== title) button.title = title;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function put(element, { x, y, width, height }) {
  Object.assign(element.style, {
    left: `${x.toFixed(1)}px`, top: `${y.toFixed(1)}px`, width: `${width.toFixed(1)}px`, height: `${height.toFixed(1)}px`,
  });
}

function mark(button, selected) {
  if (selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

/** How much there is room for: symbol and change, large or small, the symbol, or nothing. */
function sizeOf({ width, height }) {
  if (width > 110 && height > 70) return "large";
  if (width > 62 && height > 36) return "small";
  return width > 34 && height > 16 ? "tiny" : "bare";
}

function centre(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
