/**
 * Starts a feed for tests and drives it, in 75 lines to copy: all of it is HTTP.
 *
 *     const feed = await startFeed("--symbols", "AAPL,MSFT", "--rate", "0", "--clock", "manual");
 *     await feed.wait({ for: "subscription", symbol: "AAPL", timeout: "5s" });
 *     await feed.trade({ symbol: "AAPL", price: 187.43 });
 *     const stalled = await feed.fault.stall({ client: 1 });
 *     await stalled.clear();
 *     await feed.stop();
 *
 * Each operation of /control/openapi.json is a method, and each fault is one of `fault`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const READS = new Set(["state", "clients", "journal", "faults"]);

/** Starts `tickerplant serve` with more options; it stops when this process is gone, however it goes. */
export async function startFeed(...options) {
  const command = process.env.TICKERPLANT ?? "tickerplant";
  const own = ["serve", "--control", "--port", "0", "--ready-json", "--exit-with-parent"];
  const server = spawn(command, [...own, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await Promise.race([
    once(createInterface({ input: server.stdout }), "line"),
    once(server, "exit").then(
      ([code]) => { throw new Error(`${command} ended with ${code}`); },
      ({ code }) => { throw new Error(`can't start ${command} (${code}): put it on the PATH, or its path into TICKERPLANT`); },
    ),
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
    /** Ends this session, and closes its connections; a server has 256 at the most. */
    end: () => feed.call("DELETE", "session"),
    /** `fault.abort({ client: 1 })` puts a fault in force; what it gives has `clear()`, and `fault.clear()` clears all. */
    fault: methods({ clear: () => feed.call("DELETE", "faults") }, (name) => async (fields) => {
      const put = await feed.call("PUT", "faults", { name, ...fields });
      return { ...put, clear: () => feed.call("DELETE", "faults", { id: put.id }) };
    }),
    async call(method, name, fields = {}) {
      const address = new URL(`${url}/control/${name}${query}`);
      const inBody = method === "POST" || method === "PUT";
      if (!inBody) for (const [key, value] of Object.entries(fields)) address.searchParams.set(key, value);
      const answer = await fetch(address, { method, body: inBody ? JSON.stringify(fields) : undefined });
      const result = await answer.json();
      if (answer.ok) return result;
      const journal = (result.journal ?? []).map((entry) => `\n  ${JSON.stringify(entry)}`);
      throw Object.assign(new Error(result.message + journal.join("")), { status: answer.status, ...result });
    },
  };
  return methods(feed, (name) => (fields) => feed.call(READS.has(name) ? "GET" : "POST", name, fields));
}

/** An object that has, beside its own properties, a method of every name. */
function methods(own, method) {
  return new Proxy(own, {
    get: (target, name) => (name in target || typeof name === "symbol" || name === "then" ? target[name] : method(name)),
  });
}
