// Prints its port, then the code and reason of each connection that ended. Ends with its stdin.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  handleProtocols: (offered) => (offered.has("a") ? "a" : false),
});

server.on("listening", () => console.log(server.address().port));
server.on("connection", (ws) => {
  ws.on("message", (data, isBinary) => {
    const text = isBinary ? null : data.toString();
    if (text === "do:fragments") {
      ws.send("frag", { fin: false });
      ws.send("men", { fin: false });
      ws.send("ted", { fin: true });
    } else if (text === "do:ping") {
      ws.once("pong", () => ws.send("ponged"));
      ws.ping("now");
    } else if (text === "do:close") {
      ws.close(4001, "enough");
    } else {
      ws.send(data, { binary: isBinary });
    }
  });
  ws.on("close", (code, reason) => console.log(JSON.stringify([code, reason.toString()])));
});

process.stdin.resume();
process.stdin.on("end", () => process.exit());
