// Bun's own server: bun bun.js --port 0 --work echo|fanout [--tls PEM] [--deflate]
import { parseArgs } from "node:util";

const { values: chosen } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    port: { type: "string", default: "0" },
    work: { type: "string", default: "echo" },
    tls: { type: "string" },
    deflate: { type: "boolean", default: false },
  },
});

const echo = {
  message(ws, message) {
    ws.send(message);
  },
};

const share = {
  open(ws) {
    ws.subscribe("everybody");
  },
  message(ws, message) {
    server.publish("everybody", message, chosen.deflate);
  },
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(chosen.port),
  tls: chosen.tls && { cert: Bun.file(chosen.tls), key: Bun.file(chosen.tls) },
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    ...(chosen.work === "fanout" ? share : echo),
    perMessageDeflate: chosen.deflate,
    backpressureLimit: 2 ** 26,
  },
});
console.log(`listening ${server.port}`);
