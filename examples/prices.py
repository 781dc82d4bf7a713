"""A dashboard: prices that the server pushes four times a second, drawn as they come.

    python examples/prices.py

The prices are invented. Put yours in `Market.step`.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import deque

import longlink

STEP_S = 0.25
KEPT = 120  # prices of each name: half a minute
START = {"ACME": 120.0, "BOLT": 42.0, "CRUX": 310.0, "DUNE": 8.5}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Prices</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40);
    --soft: light-dark(#5a6169, #a0a9b0); --card: light-dark(#fff, #1b2023);
    --line: light-dark(#3556b5, #93abff); --up: light-dark(#0a6b42, #5fd3a0);
    --down: light-dark(#b3261e, #ff9186); }
  body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem;
    font: 16px/1.4 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb);
    font-variant-numeric: tabular-nums; }
  header { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
  h1 { margin: 0 0 1rem; font-size: 1.5rem; }
  #state { color: var(--soft); }
  #cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; }
  #cards button { padding: .75rem; border: 2px solid transparent; border-radius: .75rem;
    background: var(--card); color: inherit; font: inherit; text-align: left; cursor: pointer; }
  #cards [aria-pressed=true] { border-color: var(--line); }
  strong { display: block; font-size: 1.4rem; }
  .up { color: var(--up); } .down { color: var(--down); }
  svg { display: block; width: 100%; overflow: visible; }
  #cards svg { height: 1.6rem; margin-top: .4rem; }
  polyline { fill: none; stroke: var(--line); stroke-width: 2; vector-effect: non-scaling-stroke;
    stroke-linejoin: round; }
  figure { margin: .75rem 0; padding: 1rem; border-radius: .75rem; background: var(--card); }
  figcaption { display: flex; justify-content: space-between; margin-bottom: .75rem; }
  #plot { display: flex; gap: .5rem; height: 40vh; min-height: 9rem; }
  #plot svg { flex: 1; min-width: 0; height: 100%; border-block: 1px solid var(--rule); }
  #axis { display: flex; flex-direction: column; justify-content: space-between;
    color: var(--soft); font-size: .8rem; text-align: right; }
  figcaption span { color: var(--soft); }
</style>
<header><h1>Prices</h1><span id="state" role="status">connecting</span></header>
<div id="cards"></div>
<figure><figcaption><b id="name"></b><span>the last 30 seconds</span></figcaption>
<div id="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none"><polyline></polyline></svg>
<div id="axis"><span></span><span></span><span></span></div></div></figure>
<template><button><span></span><strong></strong><small></small><svg viewBox="0 0 100 100"
 preserveAspectRatio="none"><polyline></polyline></svg></button></template>
<script>
  const $ = (query) => document.querySelector(query);
  let prices = {}, cards = {}, chosen = null, kept = 0;
  function draw(line, values) {
    const low = Math.min(...values), span = Math.max(...values) - low || 1;
    const place = (value, i) => [
      (100 * (i + kept - values.length)) / (kept - 1), 100 - (100 * (value - low)) / span];
    line.setAttribute("points", values.map(place).join(" "));
    return [low + span, low + span / 2, low];
  }
  function card(name) {
    const button = $("template").content.firstChild.cloneNode(true);
    button.querySelector("span").textContent = name;
    button.onclick = () => { chosen = name; show(); };
    $("#cards").append(button);
    return button;
  }
  function show() {
    for (const [name, values] of Object.entries(prices)) {
      const button = (cards[name] ??= card(name)), last = values.at(-1);
      const change = (100 * (last - values[0])) / values[0], less = change < 0;
      button.ariaPressed = name === chosen;
      button.querySelector("strong").textContent = last.toFixed(2);
      const small = button.querySelector("small");
      small.className = less ? "down" : "up";
      small.textContent = `${less ? "▼" : "▲"} ${Math.abs(change).toFixed(2)} %`;
      draw(button.querySelector("polyline"), values);
    }
    $("#name").textContent = `${chosen} ${prices[chosen].at(-1).toFixed(2)}`;
    const levels = draw($("#plot polyline"), prices[chosen]);
    [...$("#axis").children].forEach((mark, i) => { mark.textContent = levels[i].toFixed(2); });
  }
  function connect() {
    const ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => { $("#state").textContent = "live"; };
    ws.onmessage = ({data}) => {
      const news = JSON.parse(data);
      if (news.kept) {  // the first message: all that is known
        prices = news.prices;
        kept = news.kept;
        chosen ??= Object.keys(prices)[0];
      } else {
        for (const [name, price] of Object.entries(news.prices)) {
          prices[name] = [...prices[name], price].slice(-kept);
        }
      }
      show();
    };
    ws.onclose = () => {
      $("#state").textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
</script>
"""


class Market:
    """What was paid lately for each name."""

    def __init__(self) -> None:
        self.prices = {name: deque([price], KEPT) for name, price in START.items()}
        for _ in range(KEPT):
            self.step()

    def step(self) -> str:
        """The next prices, as a message."""
        for past in self.prices.values():
            past.append(max(0.01, round(past[-1] * random.gauss(1, 0.003), 2)))
        return json.dumps({"prices": {name: past[-1] for name, past in self.prices.items()}})

    def known(self) -> str:
        """All that is kept, as a message for those who come."""
        return json.dumps({"kept": KEPT, "prices": {n: list(p) for n, p in self.prices.items()}})


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int) -> None:
    market = Market()
    async with longlink.serve(
        host="127.0.0.1",
        port=port,
        on_open=lambda ws: ws.send(market.known()),
        process_request=page,
        # Nobody needs old prices: who reads too slowly misses some, and the next ones are right.
        overflow="drop",
        max_backlog=16 * 1024,
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        while True:
            await asyncio.sleep(STEP_S)
            longlink.broadcast(server.connections, market.step())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a dashboard of live prices")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
