/**
 * Which event streams carry some subscriptions, and their addresses. No I/O.
 *
 * @typedef {{symbols: string[], keys: string[], path: string}} Plan  of one stream
 */
import { matcher } from "./ticker-sequences.js";

const MAX_URL = 7_500; // characters; servers commonly refuse more than 8,190
const MAX_SYMBOLS_TEXT = 4_000; // of them, so that there is room for what to resume after

/**
 * Which streams carry these subscriptions.
 *
 * @param {Map<string, Set<string>>} wanted by channel key
 * @param {Map<string, number | undefined>} paces by channel key, the most updates a second
 */
export function plansFor(wanted, paces = new Map()) {
  const groups = new Map(); // by pace and symbols
  for (const [key, entries] of wanted) {
    const pace = paces.get(key) ?? "";
    for (const symbols of partsOf([...entries])) {
      const group = groups.get(`${pace} ${symbols}`) ?? { pace, symbols, keys: [] };
      group.keys.push(key);
      groups.set(`${pace} ${symbols}`, group);
    }
  }
  const plans = new Map();
  for (const { pace, symbols, keys } of groups.values()) {
    const bars = keys.filter((key) => key.startsWith("bars:"));
    const plain = keys.filter((key) => !bars.includes(key));
    const first = [...plain, ...bars.slice(0, 1)];
    for (const own of [first, ...bars.slice(1).map((key) => [key])]) {
      const path = pathOf(symbols, own) + (pace && `&mode=latest&max_hz=${pace}`);
      plans.set(path, { symbols: symbols.split(","), keys: own, path });
    }
  }
  return plans;
}

/** As one list, or as several where that would be too long. */
function partsOf(entries) {
  const whole = entries.join(",");
  if (whole.length <= MAX_SYMBOLS_TEXT) return [whole];
  const isPattern = (entry) => /[*?]/.test(entry);
  const covered = matcher(entries.filter(isPattern)); // or they would come over two streams
  return cut(entries.filter((entry) => isPattern(entry) || !covered(entry)));
}

function cut(entries) {
  const parts = [];
  for (const entry of entries) {
    const last = parts.at(-1);
    if (last !== undefined && last.length + entry.length < MAX_SYMBOLS_TEXT) {
      parts[parts.length - 1] = `${last},${entry}`;
    } else parts.push(entry);
  }
  return parts;
}

export function pathOf(symbols, keys) {
  const channels = keys.map((key) => key.split(":")[0]).join(",");
  const interval = keys.map((key) => key.split(":")[1]).find(Boolean);
  const list = symbols.split(",").map(encodeURIComponent).join(",");
  return `sse?symbols=${list}&channels=${channels}${interval ? `&interval=${interval}` : ""}`;
}

/** As much of `since` as the address has room for; what is left out comes as a snapshot. */
function sinceIn(room, since) {
  const entries = [];
  let length = 0;
  for (const entry of since) {
    length += encodeURIComponent(JSON.stringify(entry)).length;
    if (length > room) break;
    entries.push(entry);
  }
  return entries.length ? encodeURIComponent(JSON.stringify(Object.fromEntries(entries))) : "";
}

/** The address of a stream that goes on after what the client has, as far as there is room for it. */
export function resumed(address, epoch, since) {
  const head = `${address}&epoch=${encodeURIComponent(epoch)}&since=`;
  const told = sinceIn(MAX_URL - head.length, since);
  return told ? head + told : address;
}

/** What of an object is this stream's to tell, since another one may be behind or ahead of it. */
export function ownOf({ keys }, object) {
  if (object.type === "hello" || object.type === "heartbeat") return object;
  if (!keys.length) return null;
  if (object.type !== "snapshot") return object;
  const all = Object.entries(object.seq);
  const seqs = all.filter(([key]) => keys.includes(key));
  return seqs.length === all.length ? object : { ...object, seq: Object.fromEntries(seqs) };
}

/** Where a path is on the server of another address, and in the session that this one names, if it does. */
export function beside(base, path) {
  const url = new URL(path, base);
  const session = base.searchParams.get("session");
  if (session !== null) url.search += `${url.search && "&"}session=${encodeURIComponent(session)}`;
  return url;
}
