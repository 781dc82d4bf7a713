"""Where lines and WebSockets meet: sensors send lines over TCP, pages see them at once.

    python examples/sensors.py
    python examples/sensor.py 127.0.0.1 7000 kitchen      # or: nc 127.0.0.1 7000

A line is a name and a number.
"""

import argparse
import asyncio
import json
import math
import sys

import longlink
from longlink import line

MAX_SENSORS, MAX_NAME = 100, 32

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sensors</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --soft: light-dark(#5a6169, #a0a9b0); }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.4 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0 0 .75rem; font-size: 1.5rem; }
  #all { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; }
  #all div { padding: .75rem; border-radius: .75rem; background: light-dark(#fff, #1b2023);
    overflow-wrap: anywhere; }
  strong { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
  small, #state { color: var(--soft); }
</style>
<h1>Sensors</h1><p id="state" role="status">connecting</p><div id="all"></div>
<script>
  const all = document.querySelector("#all"), state = document.querySelector("#state");
  const sensors = new Map();
  function make(name) {
    const card = document.createElement("div");
    for (const part of ["span", "strong", "small"]) card.append(document.createElement(part));
    card.children[0].textContent = name;
    all.append(card);
    if (sensors.size === 100) drop(sensors.keys().next().value);
    sensors.set(name, { card, heard: 0 });
    return sensors.get(name);
  }
  function drop(name) {  // as the server does: names are invented by whoever sends them
    sensors.get(name).card.remove();
    sensors.delete(name);
  }
  function age() {
    for (const { card, heard } of sensors.values()) {
      const seconds = Math.round((performance.now() - heard) / 1000);
      card.children[2].textContent = seconds < 3 ? "now" : `${seconds} s ago`;
    }
  }
  function connect() {
    const ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => { state.textContent = "live"; };
    ws.onmessage = ({data}) => {
      for (const [name, value] of Object.entries(JSON.parse(data))) {
        const sensor = sensors.get(name) ?? make(name);
        sensor.card.children[1].textContent = value;
        sensor.heard = performance.now();
      }
      age();
    };
    ws.onclose = () => {
      state.textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  setInterval(age, 1000);
  connect();
</script>
"""


class Sensors:
    """The last value of each, and the server whose pages are told."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.pages: longlink.Server | None = None

    def show(self, ws: longlink.Connection) -> None:
        ws.send(json.dumps(self.values))

    async def listen(self, sensor: line.Line) -> None:
        async for text in sensor:
            try:
                self.take(text)
            except ValueError:
                await sensor.send("error: expected a name and a number")
                return  # a page can make a browser send lines, too, but behind those of HTTP

    def take(self, text: str) -> None:
        """Raises ValueError for what is no name and number."""
        name, _, number = text.strip().rpartition(" ")
        value = float(number)
        if not 0 < len(name) <= MAX_NAME or not math.isfinite(value):
            raise ValueError(text)
        if name not in self.values and len(self.values) == MAX_SENSORS:
            del self.values[next(iter(self.values))]
        self.values[name] = value
        if self.pages is not None:
            longlink.broadcast(self.pages.connections, json.dumps({name: value}))


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int, line_port: int) -> None:
    sensors = Sensors()
    async with (
        longlink.serve(
            host="127.0.0.1", port=port, on_open=sensors.show, process_request=page
        ) as sensors.pages,
        line.serve(sensors.listen, "127.0.0.1", line_port, max_line=100) as lines,
    ):
        print(f"sensors send lines to 127.0.0.1:{lines.sockets[0].getsockname()[1]}", flush=True)
        print(f"http://127.0.0.1:{sensors.pages.sockets[0].getsockname()[1]}/", flush=True)
        await lines.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="lines from sensors, pushed to pages")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--line-port", type=int, default=7000)
    args = parser.parse_args()
    try:
        asyncio.run(main(args.port, args.line_port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
