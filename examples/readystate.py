"""A page that shows what a browser's WebSocket goes through: readyState, send, receive, close.

python examples/readystate.py       # answers whatever it is sent
"""

import argparse
import asyncio
import sys

import longlink

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>readyState</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40);
    --soft: light-dark(#5a6169, #a0a9b0); --accent: light-dark(#0c6b5d, #4fcfb2); }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0 0 .75rem; font-size: 1.5rem; }
  #states { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none; }
  #states li { flex: 1; padding: .5rem; border: 2px solid var(--rule); border-radius: .5rem;
    color: var(--soft); font: .8rem/1.4 ui-monospace, monospace; text-align: center; }
  #states [aria-current] { border-color: var(--accent); color: var(--accent); font-weight: bold; }
  form, p { display: flex; gap: .5rem; margin: 1rem 0; }
  input { flex: 1; min-width: 0; }
  input, button { font: inherit; padding: .4rem .8rem; border: 1px solid var(--rule);
    border-radius: .5rem; background: light-dark(#fff, #1b2023); color: inherit; }
  button:disabled { opacity: .5; }
  #log { font: .85rem/1.6 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<h1>readyState</h1>
<ol id="states"><li>0 CONNECTING<li>1 OPEN<li>2 CLOSING<li>3 CLOSED</ol>
<p><button id="open">new WebSocket()</button><button id="close">close()</button></p>
<form><input id="text" aria-label="Message" value="Hello" autocomplete="off">
<button id="send">send()</button></form>
<div id="log" role="log"></div>
<script>
  const $ = (id) => document.getElementById(id);
  let ws = null;
  function note(text) {
    const line = document.createElement("div");
    line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
    $("log").prepend(line);
    show();
  }
  function show() {
    const state = ws ? ws.readyState : WebSocket.CLOSED;
    [...$("states").children].forEach((step, number) => {
      if (number === state) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    $("open").disabled = state !== WebSocket.CLOSED;
    $("close").disabled = state > WebSocket.OPEN;
    $("send").disabled = state !== WebSocket.OPEN;
  }
  $("open").onclick = () => {
    ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => note("open");
    ws.onmessage = (event) => note(`message  ${event.data}`);
    ws.onerror = () => note("error  (a page is not told more)");
    ws.onclose = (event) => note(`close  ${event.code} ${event.reason}`);
    note(`new WebSocket("${ws.url}")`);
  };
  $("close").onclick = () => { ws.close(1000, "enough"); note("close()"); };
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    ws.send($("text").value);
    note(`send  ${$("text").value}`);
  };
  $("open").click();
</script>
"""


async def echo(ws: longlink.Connection) -> None:
    async for message in ws:
        await ws.send(message)


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int) -> None:
    async with longlink.serve(echo, "127.0.0.1", port, process_request=page) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a page that shows readyState, and an echo")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
