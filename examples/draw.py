"""Drawing together: everybody sees every stroke, and who comes late gets the picture.

    python examples/draw.py       # open it in several tabs, or on a phone (--host 0.0.0.0)

A stroke is a line of numbers: colour, width, then x y x y ... A message is one line or more.
"""

import argparse
import asyncio
import sys
from collections import deque

import longlink

COLORS, MAX_WIDTH, SIZE = 8, 60, (1600, 1000)
KEPT = 256 * 1024  # characters of strokes that are kept; the oldest are forgotten

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Draw</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40);
    --card: light-dark(#fff, #1b2023); --soft: light-dark(#5a6169, #a0a9b0);
    --ink: light-dark(#1d2125, #e8eaeb); }
  body { max-width: min(72rem, 125vh); margin: 1rem auto; padding: 0 1rem;
    font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: var(--ink); }
  h1 { margin: 0; font-size: 1.4rem; }
  canvas { display: block; box-sizing: border-box; width: 100%; aspect-ratio: 8 / 5;
    border: 1px solid var(--rule); border-radius: .75rem; background: var(--card);
    touch-action: none; cursor: crosshair; }
  form { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; margin: .75rem 0; }
  fieldset { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0; padding: 0; border: 0; }
  [type=radio] { appearance: none; width: 2rem; height: 2rem; margin: 0; border-radius: 50%;
    border: 3px solid var(--card); cursor: pointer; }
  [type=radio]:checked { outline: 3px solid var(--ink); }
  [type=range] { width: 8rem; }
  button { font: inherit; padding: .3rem .9rem; border: 1px solid var(--rule);
    border-radius: .5rem; background: var(--card); color: inherit; }
  #state { color: var(--soft); }
</style>
<h1>Draw together</h1>
<form><fieldset></fieldset><input type="range" min="2" max="60" value="8" aria-label="Width">
<button>Clear for all</button><span id="state" role="status">connecting</span></form>
<canvas width="1600" height="1000"></canvas>
<script>
  // Each can be seen on white and on black, so light and dark pages show the same picture.
  const COLORS = ["#e5484d", "#f76b15", "#c99700", "#30a46c", "#0090ff", "#8e4ec6", "#d6409f",
    "#868e96"];
  const $ = (query) => document.querySelector(query);
  const canvas = $("canvas"), pen = canvas.getContext("2d");
  let ws, color = 4, stroke = [];
  pen.lineCap = pen.lineJoin = "round";
  COLORS.forEach((value, number) => {
    const choice = Object.assign(document.createElement("input"), {
      type: "radio", name: "color", checked: number === color, ariaLabel: `Colour ${number + 1}`,
      onchange: () => { color = number; } });
    choice.style.background = value;
    $("fieldset").append(choice);
  });
  function paint(color, width, points) {
    pen.strokeStyle = COLORS[color];
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(points[0], points[1]);
    for (let i = 0; i < points.length; i += 2) pen.lineTo(points[i], points[i + 1]);
    pen.stroke();
  }
  function heard(line) {
    if (line === "clear") return pen.clearRect(0, 0, canvas.width, canvas.height);
    const [color, width, ...points] = line.split(" ").map(Number);
    paint(color, width, points);
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height];
  }
  function flush() {  // what was drawn since the last time; the next part begins where it ends
    const width = $("[type=range]").value;
    if (stroke.length && ws.readyState === WebSocket.OPEN) {
      ws.send([color, width, ...stroke.map(Math.round)].join(" "));
    }
    stroke = stroke.slice(-2);
  }
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke = place(event);
    flush();
  };
  canvas.onpointermove = (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) stroke.push(...place(each));
    paint(color, $("[type=range]").value, stroke);  // now; everybody else sees it in a moment
    if (stroke.length >= 16) flush();
  };
  canvas.onlostpointercapture = () => { if (stroke.length > 2) flush(); };
  $("form").onsubmit = (event) => { event.preventDefault(); ws.send("clear"); };
  function connect() {
    ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => { $("#state").textContent = ""; };
    ws.onmessage = ({data}) => data.split("\\n").forEach(heard);
    ws.onclose = () => {
      $("#state").textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
</script>
"""


class Picture:
    """The strokes that are kept, oldest first."""

    def __init__(self) -> None:
        self.strokes: deque[str] = deque()
        self.size = 0

    def add(self, stroke: str) -> None:
        self.strokes.append(stroke)
        self.size += len(stroke)
        while self.size > KEPT:
            self.size -= len(self.strokes.popleft())

    def clear(self) -> None:
        self.strokes.clear()
        self.size = 0


def checked(message: longlink.Data) -> str:
    """The stroke in a message, as we write it. Raises ValueError for anything else."""
    color, width, *points = [int(word) for word in message.split()]
    if not (0 <= color < COLORS and 0 < width <= MAX_WIDTH and points and len(points) % 2 == 0):
        raise ValueError(message)
    # A pointer may leave the canvas; what it draws there need not.
    xs = [min(max(x, 0), SIZE[0]) for x in points[::2]]
    ys = [min(max(y, 0), SIZE[1]) for y in points[1::2]]
    return " ".join([f"{color} {width}", *(f"{x} {y}" for x, y in zip(xs, ys, strict=True))])


async def draw(ws: longlink.Connection, picture: Picture, server: longlink.Server) -> None:
    ws.send("\n".join(["clear", *picture.strokes]))
    async for message in ws:
        if message == "clear":
            picture.clear()
            longlink.broadcast(server.connections, message)
            continue
        try:
            stroke = checked(message)
        except ValueError:
            await ws.close(longlink.CloseCode.POLICY_VIOLATION, "not a stroke")
            return
        picture.add(stroke)
        # To the sender, too: so all paint in the same order, and have the same picture.
        longlink.broadcast(server.connections, stroke)


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(host: str, port: int) -> None:
    picture = Picture()
    async with longlink.serve(
        lambda ws: draw(ws, picture, server), host, port, process_request=page, max_size=2048
    ) as server:
        print(f"http://{host}:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="drawing together")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    try:
        asyncio.run(main(args.host, args.port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
