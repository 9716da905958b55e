/** The panel beside the table: one symbol with its chart, its book, its latest trades and its day. */
import { Bars } from "./bars.js";
import { CandleChart } from "./chart.js";
import { clock, direction, percent, price, signed, whole } from "./format.js";
import { Ladder } from "./ladder.js";
import { showBadge } from "./row.js";

const HISTORY = 1_000; // bars
const TAPE = 22; // trades, as high as the book

const find = (id) => document.getElementById(id);

export class Detail {
  /** @type {(symbol: string | null) => void} another symbol is shown, or none */
  onchange = () => {};
  /** @type {string | null} */
  symbol = null;

  #client;
  #market;
  #history;
  #changed;
  #chart;
  #ladder;
  #bars = new Bars("1m");
  #tape = [];
  #loading = 0; // the newest request for history; an older one's answer comes too late
  #hovered = null;

  constructor({ client, market, history, changed }) {
    this.#client = client;
    this.#market = market;
    this.#history = history;
    this.#changed = changed;
    this.#chart = new CandleChart(find("d-chart"), { changed });
    this.#chart.bars = this.#bars; // trades may come before there is a history
    this.#ladder = new Ladder({ client, changed });
    this.#chart.onhover = (bar) => { this.#hovered = bar; };
    find("d-close").addEventListener("click", () => this.close());
    find("d-kinds").addEventListener("click", ({ target }) => this.#setKind(target.dataset.kind));
    find("d-intervals").addEventListener("click", ({ target }) => {
      if (target.dataset.interval) this.#setInterval(target.dataset.interval);
    });
  }

  open(symbol) {
    if (symbol === this.symbol) return;
    this.#leave();
    this.symbol = symbol;
    this.#tape = [];
    this.#chart.follow();
    find("detail").hidden = false;
    this.#enter();
    this.#ladder.show(symbol);
    this.onchange(symbol);
  }

  close() {
    if (this.symbol === null) return;
    this.#leave();
    this.symbol = null;
    find("detail").hidden = true;
    this.#ladder.show(null);
    this.onchange(null);
  }

  /** On a new connection: what the server has. */
  welcome(hello) {
    this.#ladder.welcome(hello);
  }

  /** On a new connection, perhaps to another market: what is on the screen has a hole in it. */
  reload() {
    this.#tape = [];
    this.#load();
  }

  /** Takes what concerns it from one message of the server. */
  apply(events) {
    if (this.symbol === null) return;
    this.#ladder.apply(events);
    for (const event of events) {
      if (event.symbol !== this.symbol) continue;
      if (event.type === "bar" && event.interval === this.#bars.interval) this.#bars.bar(event);
      if (event.type !== "trade") continue;
      this.#bars.trade(event);
      this.#tape.unshift(event);
      if (this.#tape.length > TAPE) this.#tape.pop();
    }
  }

  draw() {
    const row = this.#market.rows.get(this.symbol);
    if (!row) return;
    this.#chart.decimals = row.decimals;
    this.#chart.draw();
    this.#drawHead(row);
    this.#drawLegend();
    this.#ladder.draw(row);
    this.#drawTape(row);
  }

  #enter() {
    this.#subscribe();
    // Before there is a connection there is no telling; afterwards comes a reload.
    if (this.#client.state.state === "live") this.#load();
  }

  #leave() {
    if (this.symbol === null) return;
    const bars = { channels: ["bars"], interval: this.#bars.interval };
    // The wall has the days of all symbols; this panel must not take one away.
    if (bars.interval !== "1d") this.#client.unsubscribe([this.symbol], bars).catch(() => {});
  }

  #subscribe() {
    const bars = { channels: ["bars"], interval: this.#bars.interval, snapshot: false };
    this.#client.subscribe([this.symbol], bars).catch(() => {}); // trades make bars as well
  }

  async #load() {
    const ticket = ++this.#loading;
    const { symbol } = this;
    this.#offerIntervals(this.#client.hello.intervals ?? ["1m"]);
    const bars = new Bars(this.#bars.interval);
    this.#bars = this.#chart.bars = bars;
    find("d-chart").setAttribute("aria-label", `Prices of ${symbol}, bars of ${bars.interval}`);
    const history = await this.#history.bars(symbol, bars.interval, HISTORY);
    if (ticket !== this.#loading) return;
    if (history) bars.load(history);
    this.#changed();
    if (history && this.#tape.length < TAPE) await this.#loadTape(ticket);
  }

  /** Puts the trades from before those that came since the panel was opened under them. */
  async #loadTape(ticket) {
    const trades = await this.#history.trades(this.symbol);
    if (ticket !== this.#loading || !trades) return;
    const oldest = this.#tape.at(-1)?.seq ?? Infinity;
    const before = trades.filter(({ seq }) => seq < oldest).reverse();
    this.#tape = [...this.#tape, ...before].slice(0, TAPE);
    this.#changed();
  }

  #setInterval(interval) {
    this.#leave();
    this.#chart.follow();
    this.#bars = this.#chart.bars = new Bars(interval);
    this.#enter();
  }

  #setKind(kind) {
    if (!kind) return;
    this.#chart.kind = kind;
    press("d-kinds", "kind", kind);
    this.#changed();
  }

  #offerIntervals(intervals) {
    const offered = [...find("d-intervals").children].map(({ dataset }) => dataset.interval);
    if (offered.join() !== intervals.join()) {
      find("d-intervals").replaceChildren(...intervals.map(button));
    }
    press("d-intervals", "interval", this.#bars.interval);
  }

  #drawHead(row) {
    const { decimals } = row;
    write("d-symbol", row.symbol);
    write("d-name", row.name);
    write("d-last", price(row.last, decimals));
    write("d-change", `${signed(row.change, decimals)} (${percent(row.percent)})`);
    find("d-change").parentElement.dataset.way = direction(row.change);
    showBadge(find("d-halt"), row);
    for (const name of ["open", "high", "low"]) write(`d-${name}`, price(row[name], decimals));
    write("d-prev", price(row.prevClose, decimals));
    write("d-bid", `${price(row.bid, decimals)} × ${whole(row.bidSize)}`);
    write("d-ask", `${price(row.ask, decimals)} × ${whole(row.askSize)}`);
    write("d-spread", row.bid === null ? "–" : price(row.ask - row.bid, decimals));
    write("d-volume", whole(row.volume));
  }

  #drawLegend() {
    const bar = this.#hovered ?? this.#bars.list.at(-1);
    const parts = bar ? this.#chart.describe(bar) : [["", "No trades yet"]];
    write("d-legend", parts.map(([name, value]) => `${name} ${value}`.trim()).join("  "));
  }

  #drawTape({ decimals }) {
    const body = find("d-tape");
    while (body.rows.length < this.#tape.length) {
      const line = body.insertRow();
      for (let i = 0; i < 3; i++) line.insertCell().className = i ? "num" : "";
      line.cells[0].append("", document.createElement("small"));
    }
    while (body.rows.length > this.#tape.length) body.deleteRow(-1);
    this.#tape.forEach((trade, i) => {
      const line = body.rows[i];
      const before = this.#tape[i + 1];
      line.dataset.way = direction(before ? trade.price - before.price : 0);
      const [second, millis] = clock(trade.time, { millis: true }).split(".");
      const [first, rest] = line.cells[0].childNodes;
      setText(first, second);
      setText(rest, `.${millis}`);
      setText(line.cells[1], price(trade.price, decimals));
      setText(line.cells[2], whole(trade.size));
    });
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const write = (id, text) => setText(find(id), text);

function press(group, name, value) {
  for (const button of find(group).children) {
    button.setAttribute("aria-pressed", button.dataset[name] === value);
  }
}

function button(interval) {
  const element = document.createElement("button");
  element.type = "button";
  element.dataset.interval = interval;
  element.textContent = interval;
  return element;
}
