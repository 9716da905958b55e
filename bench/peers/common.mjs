// What the Node peers share: the options, the load file, the modules that npm installed.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { load: { type: "string" }, modules: { type: "string" }, rate: { type: "string" } },
});

// Events a second; 0: no pause between turns.
export const rate = Number(values.rate ?? 0);

// Packages live under bench/out, where `import` wouldn't look for them.
export const require = createRequire(resolve(values.modules, "package.json"));

export const { clients: expected, turn } = JSON.parse(readFileSync(values.load, "utf8"));

// No turn begins while a client has more than this in the server's memory.
export const BACKLOG_BYTES = 256 * 1024;

export function announce(port) {
  console.log(JSON.stringify({ event: "ready", port }));
}

// Call publish(index, time) for each event of the turn, over and over, when it is due: at a steady
// rate, with the time at which it is due. Looked at a thousand times a second.
export function runAtRate(publish) {
  const start = Date.now();
  let done = 0;
  setInterval(() => {
    const until = Math.floor(((Date.now() - start) / 1000) * rate);
    for (; done < until; done++) {
      publish(done % turn.length, (start + (done / rate) * 1000).toFixed(3));
    }
  }, 1);
}

// Call send() turn after turn. setImmediate lets the sockets flush in between; a turn that is
// held waits asleep, so that waiting doesn't look like work.
export function run(held, send) {
  (function next() {
    if (held()) return setTimeout(next, 1);
    send();
    setImmediate(next);
  })();
}
