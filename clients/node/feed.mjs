/**
 * Starts a feed for tests and drives it, in 60 lines to copy: all of it is HTTP.
 *
 *     const feed = await startFeed("--symbols", "AAPL,MSFT", "--rate", "0", "--clock", "manual");
 *     await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "5s" });
 *     await feed.trade({ symbol: "AAPL", price: 187.43 });
 *     await feed.stop();
 *
 * Each operation of /control/openapi.json is a method.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const READS = new Set(["state", "clients", "journal"]);

/** Starts `tickerplant serve` with more options; it stops when this process is gone, however it goes. */
export async function startFeed(...options) {
  const command = process.env.TICKERPLANT ?? "tickerplant";
  const own = ["serve", "--control", "--port", "0", "--ready-json", "--exit-with-parent"];
  const server = spawn(command, [...own, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await Promise.race([
    once(createInterface({ input: server.stdout }), "line"),
    once(server, "exit").then(([code]) => { throw new Error(`${command} ended with ${code}`); }),
  ]);
  const stop = async () => {
    server.stdin.end();
    if (server.exitCode === null) await once(server, "exit");
  };
  return connectFeed(JSON.parse(line[0]).url, "", stop);
}

/** Drives one session of a feed that runs: a market, a clock and clients of its own. */
export function connectFeed(url, session = "", stop = () => {}) {
  const query = session ? `?session=${session}` : "";
  const feed = {
    url,
    /** Where clients of this session connect. */
    ws: `${url.replace("http", "ws")}/ws${query}`,
    stop,
    /** Another session of the same server: one for each test. */
    session: (key) => connectFeed(url, key),
    async call(method, name, fields) {
      const address = new URL(`${url}/control/${name}${query}`);
      const read = method !== "POST";
      if (read) for (const [key, value] of Object.entries(fields)) address.searchParams.set(key, value);
      const body = read ? undefined : JSON.stringify(fields);
      const answer = await fetch(address, { method, body });
      const result = await answer.json();
      if (answer.ok) return result;
      const journal = (result.journal ?? []).map((entry) => `\n  ${JSON.stringify(entry)}`);
      throw Object.assign(new Error(result.message + journal.join("")), { status: answer.status, ...result });
    },
  };
  return new Proxy(feed, {
    get: (target, name) => {
      if (name in target || typeof name === "symbol" || name === "then") return target[name];
      return (fields = {}) => target.call(READS.has(name) ? "GET" : "POST", name, fields);
    },
  });
}
