/** The live price wall: puts the parts together. Everything that arrives is drawn once a frame. */
import { Detail } from "./detail.js";
import { percent, price, unescaped, whole } from "./format.js";
import { History, SparkLoader } from "./history.js";
import { MarketMap } from "./map.js";
import { Market } from "./market.js";
import { Play } from "./play.js";
import { sessionText } from "./session.js";
import { Status } from "./status.js";
import { WallTable } from "./table.js";
import { followTheme } from "./theme.js";
import { TickerClient } from "./ticker-client.js";
import { tokenFor } from "./token.js";

const TICK_MS = 1_000;
const COUNT_MS = 250;
const PRICES = ["trades", "quotes"];
const MANY = 1_000; // symbols; of more, each one's newest price comes twice a second: nobody can read more
const MOST = 10_000; // symbols that one connection may have, unless the server is told otherwise
const PACED = { mode: "latest", max_hz: 2 };
const REFRESH_TICKS = 5; // how often the symbols that we are unsure of are asked for

const find = (id) => document.getElementById(id);

const options = new URLSearchParams(location.search);
const feed = new URL(options.get("ws") ?? "/ws", location.href);
if (feed.protocol.startsWith("http")) feed.protocol = feed.protocol.replace("http", "ws");
const token = tokenFor(feed.host);

let scheduled = false;
let revision = -1; // of the market, as it is arranged
let ticks = 0;
let epoch = null; // of the market that is shown
let instruments; // its symbols, or the promise of them
let offered = 0; // how many it has

// Of another host there is no history and no SSE: the page's policy forbids to ask another origin.
const ours = feed.host === location.host;
const client = new TickerClient(feed.href, {
  token,
  transports: ours ? ["websocket", "sse"] : ["websocket"],
  maxDelay: 5_000, // somebody is looking
});
const market = new Market();
const plain = ours ? new URL(feed.search, location.origin) : null; // where the feed answers over HTTP, in its session
const history = new History(plain, token);
const sparks = new SparkLoader(history);
const status = new Status(client, market);
const table = new WallTable(market, { changed: schedule });
const map = new MarketMap({ changed: schedule });
const detail = new Detail({ client, market, history, changed: schedule });
const play = new Play(plain, token, () => detail.symbol);
let mapped = false; // whether the map is shown, and not the list

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(frame);
}

function frame() {
  scheduled = false;
  if (revision !== market.revision) arrange();
  if (mapped) map.draw(table.rows);
  else table.draw();
  detail.draw();
}

function arrange() {
  revision = market.revision;
  table.arrange();
  map.invalidate();
  const total = market.rows.size;
  const filtered = find("filter").value.trim() !== "";
  const few = total && total < offered ? `The first ${whole(total)} of ${whole(offered)}` : "";
  find("shown").textContent = filtered ? `${table.rows.length} of ${total}` : few;
  find("empty").hidden = table.rows.length > 0;
  const waiting = client.state.state === "closed" ? "No prices." : "Waiting for the first prices…";
  find("empty").textContent = filtered ? "No symbol like that." : waiting;
}

function tick() {
  status.tick();
  if (table.restless) table.arrange();
  drawBreadth();
  drawTitle();
  drawSession();
  if (++ticks % REFRESH_TICKS === 0 && market.unsure.size && client.state.state === "live") {
    client.snapshot([...market.unsure].slice(0, 1_000)).catch(() => {});
  }
  schedule();
}

function drawBreadth() {
  let up = 0;
  let down = 0;
  for (const row of market.rows.values()) {
    if (row.change > 0) up++;
    else if (row.change < 0) down++;
  }
  find("advancing").textContent = whole(up);
  find("declining").textContent = whole(down);
  find("bar-up").style.flexGrow = up;
  find("bar-down").style.flexGrow = down;
  find("breadth").setAttribute("aria-label", `${up} up, ${down} down since the previous close`);
}

function drawSession() {
  const text = sessionText(market.session, market.clock);
  find("session").hidden = !text;
  if (find("session").textContent !== text) find("session").textContent = text;
}

function drawTitle() {
  const row = market.rows.get(detail.symbol);
  const parts = row ? [row.symbol, price(row.last, row.decimals), percent(row.percent), "· "] : [];
  document.title = `${parts.join(" ")}tickerplant`;
}

/** Once it is known how many symbols there are; the client does it again on each connection. */
function subscribe({ symbols }) {
  market.paced = symbols > MANY;
  const first = (listed) => listed.slice(0, MOST).map(({ symbol }) => symbol);
  const wanted = symbols > MOST ? client.symbols().then(first) : Promise.resolve("*");
  const ask = (channels, options) =>
    wanted.then((entries) => client.subscribe(entries, { channels, ...options })).catch(refused);
  if (market.paced) {
    ask(PRICES, PACED);
    ask(["status"], { snapshot: false });
    if (detail.symbol) follow(detail.symbol);
  } else {
    ask([...PRICES, "status"]);
  }
  ask(["bars"], { interval: "1d", snapshot: false });
}

/** Has all of a symbol's prices come, or the newest at the pace of the others. */
function follow(symbol, options = {}) {
  client.subscribe([symbol], { channels: PRICES, snapshot: false, ...options }).catch(() => {});
}

async function welcome(hello) {
  detail.welcome(hello);
  if (hello.epoch !== epoch) {
    epoch = hello.epoch;
    market.clear();
    status.restart();
    instruments = client.symbols();
  }
  offered = hello.symbols;
  market.define((await instruments).slice(0, MOST));
  play.offer();
  if (market.rows.has(detail.symbol)) detail.reload();
  else detail.close();
  schedule();
}

function refused(error) {
  if (error.code !== "closed") status.refused(error);
}

client.addEventListener("hello", ({ detail: hello }) => subscribe(hello), { once: true });
client.addEventListener("hello", ({ detail: hello }) => {
  welcome(hello).catch((error) => {
    epoch = null; // the next connection begins anew
    refused(error);
  });
});
client.addEventListener("state", () => {
  revision = -1; // what stands in for no prices depends on it
  schedule();
});
client.addEventListener("gap", ({ detail: { symbol } }) => market.unsure.add(symbol));
client.onbatch = (events) => {
  const before = market.events;
  market.apply(events);
  detail.apply(events);
  if (market.events !== before) status.note();
  schedule();
};

table.onview = (rows) => sparks.view(rows);
table.onselect = map.onselect = (symbol, byKeyboard) => {
  detail.open(symbol);
  // Where the panel covers the table, or a key opened it, the focus belongs into it.
  if (byKeyboard || getComputedStyle(find("detail")).position === "absolute") find("d-close").focus();
};
detail.onchange = (symbol) => {
  const previous = table.selected;
  if (market.paced) {
    if (previous) follow(previous, PACED);
    if (symbol) follow(symbol);
  }
  for (const view of [table, map]) view.select(symbol);
  if (symbol === null && find("detail").contains(document.activeElement)) (mapped ? map : table).focus(previous);
  const address = new URL(location.href);
  address.hash = symbol ?? "";
  window.history.replaceState(null, "", address);
  drawTitle();
  schedule();
};
sparks.onload = schedule;

function show(view) {
  mapped = view === "map";
  find("map").hidden = !mapped;
  find("wall").hidden = mapped;
  find("skip").href = mapped ? "#map" : "#wall";
  for (const button of find("views").children) button.setAttribute("aria-pressed", button.dataset.view === view);
  const address = new URL(location.href);
  if (mapped) address.searchParams.set("view", view);
  else address.searchParams.delete("view");
  window.history.replaceState(null, "", address);
  schedule();
}

find("views").addEventListener("click", ({ target }) => target.dataset.view && show(target.dataset.view));
find("filter").addEventListener("input", ({ target }) => {
  table.filter(target.value);
  arrange();
  schedule();
});
find("filter").addEventListener("keydown", (event) => {
  const first = table.rows[0];
  if (event.key === "Enter" && first && !event.isComposing) detail.open(first.symbol);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target !== find("filter")) detail.close();
  if (event.key !== "/" || event.target.matches("input")) return;
  event.preventDefault();
  find("filter").focus();
});
/** Opens the symbol after the #, if there is such a one. */
function openNamed() {
  const symbol = unescaped(location.hash.slice(1));
  if (symbol && (epoch === null || market.rows.has(symbol))) detail.open(symbol);
  else detail.close();
}

followTheme(() => {
  table.invalidate();
  schedule();
});

if (options.get("view") === "map") show("map");
openNamed();
addEventListener("hashchange", openNamed); // another symbol, typed or from a bookmark; ours makes no event
setInterval(tick, TICK_MS);
setInterval(() => status.countDown(), COUNT_MS);
addEventListener("online", () => client.state.state === "waiting" && client.reconnect());
globalThis.tickerplant = { client, market }; // for the curious, in the console
