// npm's ws, on Node: node ws.js --port 0 --work echo|fanout [--tls PEM] [--deflate]
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { parseArgs } = require("node:util");
const { WebSocketServer } = require("ws");

const { values: chosen } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    work: { type: "string", default: "echo" },
    tls: { type: "string" },
    deflate: { type: "boolean", default: false },
  },
});

const pem = chosen.tls && readFileSync(chosen.tls);
const front = pem ? https.createServer({ cert: pem, key: pem }) : http.createServer();
const server = new WebSocketServer({ server: front, perMessageDeflate: chosen.deflate });

function share(message, binary) {
  for (const each of server.clients) each.send(message, { binary });
}

server.on("connection", (ws) => {
  const echo = (message, binary) => ws.send(message, { binary });
  ws.on("message", chosen.work === "fanout" ? share : echo);
  ws.on("error", () => {});
});
front.listen(
  { host: "127.0.0.1", port: Number(chosen.port), backlog: 4096 },
  () => console.log(`listening ${front.address().port}`),
);
