// Socket.IO as its documentation shows a broadcast: io.emit, and io.to(room).emit for a symbol.

import { createServer } from "node:http";

import { announce, expected, rate, require, run, runAtRate, turn } from "./common.mjs";

const { Server } = require("socket.io");

const http = createServer();
// The load client speaks WebSocket from the start and answers no pings.
const io = new Server(http, { transports: ["websocket"], pingInterval: 3_600_000 });

// Objects, as the documentation says: "no need to run JSON.stringify()".
const plan = turn.map(({ symbol, text }) => [symbol, JSON.parse(text)]);

let missing = expected;
let everything = false;
const connections = [];
io.on("connection", (socket) => {
  connections.push(socket.conn);
  socket.on("subscribe", (symbols) => {
    if (symbols === "*") everything = true;
    else socket.join(symbols);
    if (--missing === 0) rate ? runAtRate(publish) : run(held, send);
  });
});
http.listen(0, "127.0.0.1", () => announce(http.address().port));

// Socket.IO shows no backlog, only whether a transport is ready for more: what `volatile` asks.
function held() {
  return connections.some((connection) => !connection.transport.writable);
}

function send() {
  for (const [symbol, event] of plan) emit(symbol, event);
}

function publish(number, time) {
  const [symbol, event] = plan[number];
  emit(symbol, { ...event, time: Number(time) });
}

function emit(symbol, event) {
  if (everything) io.emit(event.type, event);
  else io.to(symbol).emit(event.type, event);
}
