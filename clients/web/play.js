/** A menu of scenarios, where the server may be commanded: it was started with `--control`. */
import { beside } from "./ticker-plans.js";

const SHORT = { microburst: "1s", stale_feed: "10s" }; // somebody is looking: the rest takes a minute
const TOLD_MS = 10_000;

const find = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");

export class Play {
  #base;
  #headers;
  #symbol;
  #timer;

  /**
   * @param {URL | null} base the feed's address, beside which `/control` is, or null for nowhere
   * @param {string | undefined} token
   * @param {() => string | null} symbol the one that is looked at
   */
  constructor(base, token, symbol) {
    this.#base = base;
    this.#headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    this.#symbol = symbol;
    find("scenario").addEventListener("change", ({ target }) => {
      const name = target.value;
      target.value = "";
      if (name) this.#begin(name);
    });
  }

  /** On a new connection: whether there is something to command, and what. */
  async offer() {
    const health = this.#base === null ? {} : await this.#ask("/health");
    const control = health.control ? await this.#ask("/control/openapi.json") : {};
    const body = control.paths?.["/control/scenario"]?.post.requestBody.content["application/json"].schema;
    const names = body?.properties.name.enum ?? [];
    find("scenario").replaceChildren(
      new Option("Play a scenario…", ""),
      ...names.map((name) => new Option(words(name), name)),
    );
    find("play").hidden = names.length === 0;
  }

  async #begin(name) {
    const symbol = this.#symbol();
    const body = JSON.stringify({ name, duration: SHORT[name] ?? "60s", ...(symbol && { symbol }) });
    const answer = await this.#ask("/control/scenario", { method: "POST", body });
    this.#tell(answer.type === "error" ? answer.message : `${words(name)}${symbol ? ` of ${symbol}` : ""}`);
  }

  async #ask(path, options = {}) {
    try {
      return await (await fetch(beside(this.#base, path), { headers: this.#headers, ...options })).json();
    } catch {
      return { type: "error", message: "The server doesn't answer." };
    }
  }

  #tell(text) {
    clearTimeout(this.#timer);
    find("played").textContent = find("played").title = text;
    this.#timer = setTimeout(() => { find("played").textContent = ""; }, TOLD_MS);
  }
}
