// Talks to the server whose URI is the first argument and prints what it saw as one line of JSON.
import { once } from "node:events";
import WebSocket from "ws";

const [uri, sizes] = process.argv.slice(2);
const seen = { echoed: 0 };

async function open(options = {}, protocols = []) {
  const ws = new WebSocket(uri, protocols, options);
  await once(ws, "open");
  return ws;
}

async function message(ws) {
  const [data, isBinary] = await once(ws, "message");
  return isBinary ? data : data.toString();
}

async function closed(ws) {
  const [code, reason] = await once(ws, "close");
  return [code, reason.toString()];
}

const ws = await open({ autoPong: false }, ["b", "a"]);
seen.protocol = ws.protocol;
for (const size of JSON.parse(sizes)) {
  const bytes = Buffer.alloc(size, "binary");
  ws.send(bytes);
  if (bytes.equals(await message(ws))) seen.echoed += 1;
  const text = "x".repeat(size);
  ws.send(text);
  if ((await message(ws)) === text) seen.echoed += 1;
}

ws.send("frag", { fin: false });
ws.send("men", { fin: false });
ws.send("ted", { fin: true });
seen.sentFragments = await message(ws);
ws.send("do:fragments");
seen.receivedFragments = await message(ws);

ws.ping(Buffer.from([0, 255]));
seen.pong = (await once(ws, "pong"))[0].toString("hex");
ws.send("do:ping");
const [ping] = await once(ws, "ping");
seen.ping = ping.toString("hex");
ws.pong(ping);
seen.ponged = await message(ws);

ws.send("do:close");
seen.closedByServer = await closed(ws);

const second = await open();
second.close(4002, "my turn");
seen.closedByClient = await closed(second);

const third = await open();
third.close();
seen.closedWithNothing = (await closed(third))[0];

const refused = new WebSocket(uri, { origin: "http://evil.example" });
const [, response] = await once(refused, "unexpected-response");
seen.refused = response.statusCode;
refused.on("error", () => {});
refused.terminate();

console.log(JSON.stringify(seen));
