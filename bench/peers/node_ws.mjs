// Node's ws as its README shows a broadcast: clients.forEach(client => client.send(data)).

import { BACKLOG_BYTES, announce, expected, rate, require, run, runAtRate, turn } from "./common.mjs";

const { WebSocket, WebSocketServer } = require("ws");

const bySymbol = new Map(turn.map(({ symbol }) => [symbol, new Set()]));
// The README sends on the Buffer that it received: no text is encoded for each client.
const plan = turn.map(({ symbol, text }) => [Buffer.from(text), bySymbol.get(symbol)]);

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 }, () =>
  announce(server.address().port),
);

let missing = expected;
server.on("connection", (client) => {
  client.on("error", console.error);
  client.on("message", (data) => {
    const { symbols } = JSON.parse(data);
    for (const symbol of symbols === "*" ? bySymbol.keys() : symbols) {
      bySymbol.get(symbol).add(client);
    }
    if (--missing === 0) rate ? runAtRate(publish) : run(held, send);
  });
});

function held() {
  for (const client of server.clients) if (client.bufferedAmount > BACKLOG_BYTES) return true;
  return false;
}

function send() {
  for (const [data, clients] of plan) broadcast(data, clients);
}

const parts = turn.map(({ text }) => /^(.*"time":)[\d.]+(.*)$/.exec(text).slice(1));

function publish(number, time) {
  const [before, after] = parts[number];
  broadcast(Buffer.from(`${before}${time}${after}`), plan[number][1]);
}

function broadcast(data, clients) {
  clients.forEach((client) => {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
  });
}
