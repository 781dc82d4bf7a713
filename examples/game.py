"""A game at 30 Hz: the server alone moves things, and sends everybody the same picture of them.

    python examples/game.py       # arrow keys, WASD or a finger; several tabs play together

A client says where it wants to go, as "dx dy", each -1, 0 or 1. Nothing else is believed.
"""

import argparse
import asyncio
import itertools
import json
import random
import socket
import sys
from dataclasses import dataclass

import longlink

STEP_S = 1 / 30
SPEED = 260 * STEP_S  # a step of a player
WIDTH, HEIGHT = 800, 500
RADIUS, REACH = 20, 28  # of a player, with its ring; how far it is from a coin it takes
MAX_PLAYERS = 64

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Game</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; }
  body { max-width: min(60rem, 130vh); margin: 1rem auto; padding: 0 1rem;
    font: 16px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0; font-size: 1.4rem; }
  canvas { display: block; box-sizing: border-box; width: 100%; aspect-ratio: 8 / 5;
    border: 1px solid light-dark(#d9d6cc, #333b40); border-radius: .75rem;
    background: light-dark(#fff, #1b2023); touch-action: none; }
  p { margin: .4rem 0; color: light-dark(#5a6169, #a0a9b0); }
  ol { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: 0; list-style: none; }
  li::before { content: "●"; margin-right: .3rem; color: var(--color); }
  .you { font-weight: bold; }
</style>
<h1>Catch the coin</h1>
<p id="state" role="status">connecting</p>
<canvas width="1600" height="1000"></canvas>
<ol></ol>
<script>
  const $ = (query) => document.querySelector(query);
  const canvas = $("canvas"), pen = canvas.getContext("2d"), keys = new Set();
  const color = (id) => `hsl(${(id * 137) % 360} 65% 52%)`;
  let ws, you = 0, before = null, now = null, came = 0, wish = "0 0", scores = "";
  pen.scale(2, 2);
  function steer(x, y) {
    const next = `${Math.sign(x)} ${Math.sign(y)}`;
    if (next !== wish && ws.readyState === WebSocket.OPEN) ws.send(wish = next);
  }
  function press(event) {
    const key = { w: "arrowup", a: "arrowleft", s: "arrowdown", d: "arrowright" };
    const name = event.key.toLowerCase(), arrow = key[name] ?? name;
    if (!arrow.startsWith("arrow")) return;
    event.preventDefault();
    if (event.type === "keydown") keys.add(arrow); else keys.delete(arrow);
    const down = (side) => keys.has(`arrow${side}`);
    steer(down("right") - down("left"), down("down") - down("up"));
  }
  function point(event) {  // towards the finger
    const me = now?.players.find(([id]) => id === you), box = canvas.getBoundingClientRect();
    if (!me || !event.buttons) return;
    const x = ((event.clientX - box.left) * 800) / box.width - me[1];
    const y = ((event.clientY - box.top) * 500) / box.height - me[2];
    steer(Math.abs(x) > 15 ? x : 0, Math.abs(y) > 15 ? y : 0);
  }
  onkeydown = onkeyup = press;
  onblur = () => { keys.clear(); steer(0, 0); };
  canvas.onpointerdown = canvas.onpointermove = point;
  onpointerup = onpointercancel = () => steer(0, 0);
  function disc(x, y, radius, style) {
    pen.fillStyle = style;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.fill();
  }
  function frame(time) {  // between the last two snapshots, one step behind: smooth at any rate
    requestAnimationFrame(frame);
    if (!now) return;
    const part = Math.min((time - came) * 0.03, 1);
    const old = new Map(before.players.map((player) => [player[0], player]));
    pen.clearRect(0, 0, 800, 500);
    disc(...now.coin, 11, "#c98a00");
    disc(...now.coin, 7, "#ffd75e");
    for (const player of now.players) {
      const [id, x, y] = player, from = old.get(id) ?? player;
      const at = [from[1] + (x - from[1]) * part, from[2] + (y - from[2]) * part];
      if (id === you) disc(...at, 19, getComputedStyle(canvas).color);
      disc(...at, 15, color(id));
    }
  }
  function list(players) {
    const text = JSON.stringify(players.map(([id, , , score]) => [id, score]));
    if (text === scores) return;
    scores = text;
    $("ol").replaceChildren(...players.map(([id, , , score]) => {
      const line = document.createElement("li");
      line.textContent = `${id === you ? "you" : `player ${id}`}: ${score}`;
      line.style.setProperty("--color", color(id));
      if (id === you) line.className = "you";
      return line;
    }));
  }
  function connect() {
    ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onmessage = ({data}) => {
      const news = JSON.parse(data);
      if (news.you) { you = news.you; wish = "0 0"; return; }
      [before, now, came] = [now ?? news, news, performance.now()];
      list(news.players);
    };
    ws.onopen = () => { $("#state").textContent = "Arrow keys, WASD, or hold and pull."; };
    ws.onclose = () => {
      $("#state").textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
  requestAnimationFrame(frame);
</script>
"""


def somewhere() -> tuple[int, int]:
    return random.randint(40, WIDTH - 40), random.randint(40, HEIGHT - 40)


@dataclass
class Player:
    id: int
    x: float
    y: float
    dx: int = 0
    dy: int = 0
    score: int = 0


class Game:
    """The world, in which time goes on in steps of the same length."""

    def __init__(self) -> None:
        self.players: dict[longlink.Connection, Player] = {}
        self.numbers = itertools.count(1)
        self.tick = 0
        self.coin = somewhere()

    def enter(self, ws: longlink.Connection) -> None:
        player = self.players[ws] = Player(next(self.numbers), *somewhere())
        ws.send(json.dumps({"you": player.id}))

    def leave(self, ws: longlink.Connection) -> None:
        del self.players[ws]

    def steer(self, ws: longlink.Connection, message: longlink.Data) -> None:
        words = message.split() if isinstance(message, str) else []
        if len(words) != 2 or not {"-1", "0", "1"}.issuperset(words):
            ws.close(longlink.CloseCode.POLICY_VIOLATION, "not a direction")
            return
        player = self.players[ws]
        player.dx, player.dy = int(words[0]), int(words[1])

    def step(self) -> None:
        self.tick += 1
        for player in self.players.values():
            pace = SPEED / (2**0.5 if player.dx and player.dy else 1)
            player.x = min(max(player.x + player.dx * pace, RADIUS), WIDTH - RADIUS)
            player.y = min(max(player.y + player.dy * pace, RADIUS), HEIGHT - RADIUS)
            if (player.x - self.coin[0]) ** 2 + (player.y - self.coin[1]) ** 2 < REACH**2:
                player.score += 1
                self.coin = somewhere()

    def snapshot(self) -> str:
        players = [(p.id, round(p.x), round(p.y), p.score) for p in self.players.values()]
        return json.dumps({"tick": self.tick, "coin": self.coin, "players": players})


async def play(game: Game, server: longlink.Server) -> None:
    """One step after the other, each at its time: lateness of one does not add to the next."""
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        game.step()
        longlink.broadcast(server.connections, game.snapshot())
        due = max(due + STEP_S, clock() - STEP_S)  # a machine that slept does not hurry afterwards
        await asyncio.sleep(due - clock())


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int) -> None:
    game = Game()
    async with longlink.serve(
        host="127.0.0.1",
        port=port,
        on_open=game.enter,
        on_message=game.steer,
        on_close=game.leave,
        process_request=page,
        overflow="drop",  # a slow reader misses pictures; the next one has everything
        max_backlog=8 * 1024,
        compression=None,
        max_size=64,
        max_connections=MAX_PLAYERS,
    ) as server:
        (sock,) = server.sockets
        # Little room in the kernel: what waits there for a slow reader is old when it arrives.
        # Connections inherit it from the socket that accepts them.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        print(f"http://127.0.0.1:{sock.getsockname()[1]}/", flush=True)
        await play(game, server)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a game at 30 Hz")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
