/**
 * One stream of Server-Sent Events, read with fetch: unlike EventSource it can show a token, say why
 * the server refused, and it is in every Node.
 */
import { Watchdog } from "./ticker-watchdog.js";

const HEADERS_MS = 10_000; // for the server to answer

/** Cuts text that comes in chunks into events, as the HTML standard says; an id is its event's only. */
export class EventParser {
  #rest = "";
  #data = [];
  #id = "";

  /** @returns {{data: string, id: string}[]} the events that end in this chunk */
  push(chunk) {
    const text = this.#rest + chunk;
    const half = text.endsWith("\r") ? 1 : 0; // the other half of the line's end may follow
    const lines = text.slice(0, text.length - half).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + text.slice(text.length - half);
    const events = [];
    for (const line of lines) {
      if (line === "") this.#dispatch(events);
      else this.#field(line);
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch(events) {
    if (this.#data.length) events.push({ data: this.#data.join("\n"), id: this.#id });
    this.#data = [];
    this.#id = "";
  }
}

/** A message's objects; none where it is no message, which the client finds out by itself. */
export function parsed(text) {
  try {
    return [...JSON.parse(text)];
  } catch {
    return [];
  }
}

export class EventStream {
  #abort = new AbortController();
  #watchdog = new Watchdog((reason) => this.#end({ reason }));
  #listener;

  /**
   * @param {string} url
   * @param {{fetch: typeof globalThis.fetch, headers: object}} how
   * @param {{message: (text: string, id: string) => void,
   *   ended: (end: {reason: string, status?: number, code?: string}) => void}} listener
   *   ended: not when it was closed; `status` and `code` where the server refused
   */
  constructor(url, { fetch, headers }, listener) {
    this.#listener = listener;
    this.#watchdog.feed();
    this.#watchdog.watch(HEADERS_MS);
    this.#run(fetch, url, headers).then(
      (end) => this.#end(end),
      (error) => this.#end({ reason: error.message || "no connection" }),
    );
  }

  /** From now on a silence may last so long, or for ever if that is 0. */
  watch(silenceMs) {
    this.#watchdog.watch(silenceMs);
  }

  close() {
    this.#listener = null;
    this.#watchdog.stop();
    this.#abort.abort();
  }

  #end(end) {
    const listener = this.#listener;
    this.close();
    listener?.ended(end);
  }

  async #run(fetch, url, headers) {
    const { signal } = this.#abort;
    const accept = { Accept: "text/event-stream", ...headers };
    const response = await fetch(url, { headers: accept, signal, cache: "no-store" });
    if (!response.ok) return this.#refusal(response);
    const type = response.headers.get("Content-Type") ?? "";
    if (!type.startsWith("text/event-stream")) return { reason: `no event stream: ${type}` };
    const decoder = new TextDecoder();
    const parser = new EventParser();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || !this.#listener) return { reason: "the event stream ended" };
      this.#watchdog.feed();
      for (const { data, id } of parser.push(decoder.decode(value, { stream: true }))) {
        this.#tell(data, id);
      }
    }
  }

  /** As with a WebSocket, a listener's error is its own, and the connection lives on. */
  #tell(data, id) {
    try {
      this.#listener?.message(data, id);
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  }

  async #refusal(response) {
    const { status } = response;
    const { code, message } = await response.json().catch(() => ({}));
    return { status, code, reason: message ?? `HTTP status ${status}` };
  }
}
