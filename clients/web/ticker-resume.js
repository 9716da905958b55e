/** Coming back: what to ask for so that nothing is missing, and whether nothing was. No I/O. */
import { keysOf, matcher } from "./ticker-sequences.js";

const MAX_RESUMED = 2_000; // symbols of one request that say where they stand, or it gets too long
const MAX_ENTRIES = 1_000; // symbols that one request may name

/**
 * The requests that restore some subscriptions, each with the sequences that the client has.
 * Each sequence is told once, for what is told twice would come twice.
 *
 * @yields {{request: object, part: boolean}} part: not a subscription of its own
 */
export function* renewals(requests, sequences, epoch) {
  const told = new Set();
  for (const request of requests) {
    if (request.action !== "subscribe") {
      yield { request, part: false };
      continue;
    }
    const keys = keysOf(request);
    const since = [...sequences.since(keys, matcher(request.symbols))].filter(([symbol, seqs]) => {
      for (const key of keys) if (told.has(`${key} ${symbol}`)) delete seqs[key];
      for (const key of keys) told.add(`${key} ${symbol}`);
      return Object.keys(seqs).length > 0;
    });
    yield* resuming(request, epoch, since);
  }
}

function* resuming(request, epoch, since) {
  if (!since.length) yield { request, part: false };
  else if (since.length <= MAX_RESUMED) {
    yield { request: { ...request, epoch, since: Object.fromEntries(since) }, part: false };
  } else {
    for (let start = 0; start < since.length; start += MAX_ENTRIES) {
      const some = since.slice(start, start + MAX_ENTRIES);
      const symbols = some.map(([symbol]) => symbol);
      const piece = { ...request, symbols, epoch, since: Object.fromEntries(some) };
      yield { request: piece, part: true };
    }
    yield { request: { ...request, snapshot: false }, part: false }; // all of it is there already
  }
}

/** Counts what happened to the events of a client. */
export class Tally {
  reconnects = 0;
  resumed = 0; // events that were missed and came after all
  lost = 0;
  merged = 0;

  /** @returns {() => {events: number, lost: number}} what came of one reconnect */
  begin() {
    this.reconnects++;
    const { resumed, lost } = this;
    return () => ({ events: this.resumed - resumed, lost: this.lost - lost });
  }

  /** How many of a message's events are some that were missed: they come with the subscription. */
  message(events, isEvent) {
    if (!events.some(({ type }) => type === "subscribed")) return;
    for (const { type, snapshot } of events) if (isEvent(type) && !snapshot) this.resumed++;
  }

  gap({ from, to, reason }) {
    if (reason !== "repeated") this.lost += Math.max(0, to - from + 1);
  }
}
