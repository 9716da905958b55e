/** The top of the page: connection, throughput, latency, what was lost; and the banner. */
import { clock, whole } from "./format.js";

const TEXTS = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", closed: "Closed" };
const NOTE_MS = 15_000; // how long it is shown what came of a reconnect
const SSE = "over SSE";
const SSE_TITLE = "No WebSocket gets through: the same feed comes as Server-Sent Events";
const NEAR_MS = 5_000; // events further from now than this are not on the wall clock

const find = (id) => document.getElementById(id);

/** Whether it is a token that somebody who looks at the page can do something about a refusal with. */
const wantsToken = ({ state, reason }) => state === "closed" && /token/.test(reason);

export class Status {
  #client;
  #market;
  #refusal = ""; // what the server refused on this connection
  #noted; // the timer that takes the note away
  #before = { events: 0, at: performance.now() };
  #delays = [];
  #anchor = null; // when the feed's clock and ours were first compared

  constructor(client, market) {
    this.#client = client;
    this.#market = market;
    client.addEventListener("state", ({ detail }) => this.#changed(detail));
    client.addEventListener("error", ({ detail }) => this.refused(detail));
    client.addEventListener("resumed", ({ detail }) => this.#resumed(detail));
    find("retry").addEventListener("click", () => client.reconnect());
    this.#changed(client.state);
  }

  /** Another market: its clock may be another one too. */
  restart() {
    this.#anchor = null;
    this.#delays = [];
  }

  /** For each message: how old its newest event is. */
  note() {
    if (this.#market.time === null) return;
    if (this.#delays.length < 1_000) this.#delays.push(Date.now() - this.#market.time);
    this.#anchor ??= { now: Date.now(), time: this.#market.time };
  }

  /** Once a second. */
  tick() {
    const now = performance.now();
    const { events, merged, rows } = this.#market;
    const rate = ((events - this.#before.events) * 1000) / (now - this.#before.at);
    this.#before = { events, at: now };
    find("rate").textContent = this.#client.state.state === "live" ? whole(rate) : "–";
    if (this.#client.state.state !== "live") find("latency").textContent = "–";
    find("count").textContent = whole(rows.size);
    find("merged").textContent = whole(merged);
    find("merged-box").hidden = merged === 0;
    this.#tellLoss(this.#client.counts);
    this.#tellTime();
  }

  /** The seconds to go, more often than once a second so that none is left out. */
  countDown() {
    const { state, retryAt } = this.#client.state;
    if (state !== "waiting") return;
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    find("banner-text").textContent = `Trying again in ${seconds} s.`;
  }

  #tellTime() {
    const wall = this.#onWallClock();
    find("latency-box").hidden = wall !== true;
    find("clock-box").hidden = wall !== false;
    if (wall === false) find("clock").textContent = clock(this.#market.time);
    if (!this.#delays.length) return;
    const median = this.#delays.sort((a, b) => a - b)[this.#delays.length >> 1];
    find("latency").textContent = `${whole(Math.max(0, median))} ms`;
    this.#delays = [];
  }

  /** A feed may run on a clock of its own; then there is no latency to speak of. */
  #onWallClock() {
    const { time } = this.#market;
    if (time === null) return undefined;
    const far = Math.abs(Date.now() - time) > NEAR_MS;
    // Without news since the last look, an old time only means that the market is quiet.
    if (far && (this.#delays.length || !this.#anchor)) return false;
    if (!this.#anchor) return undefined;
    if (Math.abs(this.#anchor.now - this.#anchor.time) > NEAR_MS) return false;
    const passed = time - this.#anchor.time;
    const real = Date.now() - this.#anchor.now;
    return passed < 1.5 * real + 1_000;
  }

  #tellLoss({ reconnects, lost }) {
    find("reconnects").textContent = whole(reconnects);
    find("reconnects-box").hidden = reconnects === 0;
    find("lost").textContent = whole(lost);
    if (lost) find("lost-box").dataset.some = "true";
  }

  /** What came of a reconnect; it goes away by itself, and the numbers beside it stay. */
  #resumed({ lost }) {
    this.#tellLoss(this.#client.counts);
    this.#note(lost ? `resumed, ${whole(lost)} lost` : "resumed, nothing lost", lost > 0);
    this.#noted = setTimeout(() => this.#noteTransport(), NOTE_MS);
  }

  #noteTransport() {
    const { state, transport } = this.#client.state;
    this.#note(state === "live" && transport === "sse" ? SSE : "");
  }

  #note(text, lost = false) {
    clearTimeout(this.#noted);
    find("note").textContent = text;
    find("note").dataset.way = lost ? "lost" : "";
    find("note").title = this.#client.transport === "sse" ? SSE_TITLE : "";
  }

  refused(error) {
    this.#refusal = `The server refused: ${error.message}`;
    this.#showBanner(this.#client.state);
  }

  #changed(detail) {
    if (detail.state !== "live") this.#refusal = "";
    document.body.dataset.state = detail.state;
    find("state").textContent = TEXTS[detail.state];
    this.#noteTransport();
    this.#showBanner(detail);
    this.countDown();
  }

  #showBanner(detail) {
    const { state, attempt, code, reason } = detail;
    const titles = {
      waiting: this.#client.hello ? "The connection was lost." : "The server doesn't answer.",
      closed: `The server closed the connection: ${reason || `code ${code}`}.`,
      live: this.#refusal,
    };
    // While it connects again the banner stays as it is, or it would flicker at every attempt.
    if (state === "connecting" && attempt > 0) find("banner-text").textContent = "Connecting…";
    else this.#setBanner(titles[state] ?? "", "");
    find("token-form").hidden = !wantsToken(detail);
    find("retry").hidden = state === "live" || state === "connecting" || wantsToken(detail);
  }

  #setBanner(title, text) {
    find("banner").hidden = !title;
    find("banner-text").textContent = text;
    // Said once by a screen reader, and not again for each attempt.
    if (find("banner-title").textContent !== title) find("banner-title").textContent = title;
  }
}
