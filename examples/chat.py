"""A chat with names: who is here, what was said before you came, and one line of JSON for each.

    python examples/chat.py

The first message of a client is its name, every other one is what it says.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import deque

import longlink

MAX_NAME, MAX_TEXT, KEPT = 24, 500, 50

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Chat</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40);
    --soft: light-dark(#5a6169, #a0a9b0); --card: light-dark(#fff, #1b2023);
    --accent: light-dark(#0c6b5d, #4fcfb2); --own: light-dark(#d5ece3, #16392f); }
  * { box-sizing: border-box; }
  body { display: flex; flex-direction: column; height: 100dvh; max-width: 44rem; margin: auto;
    padding: 1rem; font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0; font-size: 1.4rem; }
  #here { margin: .2rem 0 .8rem; color: var(--soft); }
  #log { flex: 1; overflow-y: auto; display: flex; flex-direction: column; gap: .4rem; }
  #log > :first-child { margin-top: auto; }
  .said { align-self: start; max-width: 85%; padding: .4rem .8rem; border-radius: .9rem;
    background: var(--card); white-space: pre-wrap; }
  .said b { display: block; font-size: .8rem; color: var(--accent); }
  .own { align-self: end; background: var(--own); }
  .own b { display: none; }
  .note { align-self: center; color: var(--soft); font-size: .85rem; }
  form { display: flex; gap: .5rem; margin-top: .8rem; }
  input { flex: 1; min-width: 0; }
  input, button { font: inherit; padding: .5rem .9rem; border: 1px solid var(--rule);
    border-radius: .6rem; background: var(--card); color: inherit; }
</style>
<h1>Chat</h1><p id="here">&nbsp;</p>
<div id="log" role="log"></div>
<form><input autocomplete="off"><button>Join</button></form>
<script>
  const $ = (query) => document.querySelector(query);
  const log = $("#log"), input = $("input");
  let ws = null, name = "";
  function add(kind, text, by) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    const line = document.createElement("div");
    line.className = kind;
    if (by) line.appendChild(document.createElement("b")).textContent = by;
    line.append(text);  // append() makes text of a string, never elements
    log.append(line);
    if (log.children.length > 300) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
  const shows = {
    welcome(event) { name = event.name; log.replaceChildren(); event.said.forEach(shows.said); },
    people({names}) { $("#here").textContent = `${names.length} here: ${names.join(", ")}`; },
    said(event) { add(event.name === name ? "said own" : "said", event.text, event.name); },
    note(event) { add("note", event.text); },
  };
  function connect() {
    ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => ws.send(name);
    ws.onmessage = ({data}) => { const event = JSON.parse(data); shows[event.type](event); };
    ws.onclose = ({code, reason}) => {
      $("#here").textContent = `not connected (${reason || code}), trying again`;
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  function ask() {
    $("button").textContent = name ? "Send" : "Join";
    input.placeholder = input.ariaLabel = name ? "Message" : "Your name";
    input.maxLength = name ? 500 : 24;
    input.focus();
  }
  $("form").onsubmit = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || (ws && ws.readyState !== WebSocket.OPEN)) return;
    if (ws) ws.send(text);
    else { name = text; connect(); }
    input.value = "";
    ask();
  };
  ask();
</script>
"""


class Room:
    """Who is here, and the last things that were said."""

    def __init__(self) -> None:
        self.names: dict[longlink.Connection, str] = {}
        self.said: deque[dict[str, object]] = deque(maxlen=KEPT)

    def tell(self, kind: str, **fields: object) -> None:
        """One event to everybody; it is encoded once."""
        longlink.broadcast(self.names, json.dumps({"type": kind, **fields}))

    def enter(self, ws: longlink.Connection, wish: str) -> None:
        name, number = wish, 1
        while name in self.names.values():
            number += 1
            name = f"{wish} {number}"
        self.names[ws] = name
        ws.send(json.dumps({"type": "welcome", "name": name, "said": list(self.said)}))
        self.tell("note", text=f"{name} joined")
        self.tell("people", names=sorted(self.names.values()))

    def say(self, ws: longlink.Connection, text: str) -> None:
        event = {"name": self.names[ws], "text": text, "time": round(time.time())}
        self.said.append(event)
        self.tell("said", **event)

    def leave(self, ws: longlink.Connection) -> None:
        name = self.names.pop(ws)
        self.tell("note", text=f"{name} left")
        self.tell("people", names=sorted(self.names.values()))


def cleaned(message: longlink.Data, most: int) -> str:
    """The text of a message. Raises ValueError for one that is binary, empty or too long."""
    text = message.strip() if isinstance(message, str) else ""
    if not 0 < len(text) <= most:
        raise ValueError(f"text of 1 to {most} characters, please")
    return text


async def talk(ws: longlink.Connection, room: Room) -> None:
    try:
        room.enter(ws, cleaned(await ws.recv(), MAX_NAME))
        async for message in ws:
            room.say(ws, cleaned(message, MAX_TEXT))
    except ValueError as problem:
        await ws.close(longlink.CloseCode.POLICY_VIOLATION, str(problem))
    finally:
        if ws in room.names:
            room.leave(ws)


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int) -> None:
    room = Room()
    async with longlink.serve(
        lambda ws: talk(ws, room), "127.0.0.1", port, process_request=page, max_size=4096
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a chat with names")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
