"""A push server: everybody who is connected is in one pool, and an operator types to them.

    python examples/push.py       # open the page in two tabs, then type here

A line typed here goes to everybody, `@2 hello` to number 2 alone.
"""

import argparse
import asyncio
import itertools
import sys
import threading

import longlink

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Push</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40); }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0 0 .75rem; font-size: 1.5rem; }
  ol { list-style: none; padding: 0; overflow-wrap: anywhere; }
  li { padding: .35rem 0; border-bottom: 1px solid var(--rule); white-space: pre-wrap; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; min-width: 0; }
  input, button { font: inherit; padding: .4rem .8rem; border: 1px solid var(--rule);
    border-radius: .5rem; background: light-dark(#fff, #1b2023); color: inherit; }
</style>
<h1>Push</h1>
<form><input aria-label="Message" placeholder="To everybody" autocomplete="off" maxlength="500">
<button>Send</button></form>
<ol aria-live="polite"></ol>
<script>
  const list = document.querySelector("ol"), input = document.querySelector("input");
  let ws;
  function show(text) {
    const line = document.createElement("li");
    line.textContent = text;  // never innerHTML: others wrote it
    list.prepend(line);
    if (list.children.length > 200) list.lastChild.remove();
  }
  function connect() {
    ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onmessage = (event) => show(event.data);
    ws.onclose = () => { show("not connected, trying again"); setTimeout(connect, 2000); };
  }
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    if (input.value && ws.readyState === WebSocket.OPEN) { ws.send(input.value); input.value = ""; }
  };
  connect();
</script>
"""


class Pool:
    """Those who are connected, with the numbers they were given."""

    def __init__(self) -> None:
        self.people: dict[longlink.Connection, int] = {}
        self.numbers = itertools.count(1)

    def added(self, ws: longlink.Connection) -> None:
        number = self.people[ws] = next(self.numbers)
        print(f"added: {number} from {ws.remote_address[0]}, now {len(self.people)}", flush=True)
        ws.send(f"You are number {number}.")

    def sent(self, ws: longlink.Connection, message: longlink.Data) -> None:
        number = self.people[ws]
        # repr() escapes what could drive the operator's terminal.
        print(f"sent: {number} {message!r}", flush=True)
        if isinstance(message, str):
            longlink.broadcast(self.people, f"{number}: {message}")

    def left(self, ws: longlink.Connection) -> None:
        number = self.people.pop(ws)
        print(f"left: {number} with {ws.close_code}, now {len(self.people)}", flush=True)

    def typed(self, line: str) -> None:
        """What the operator typed: for everybody, or `@number` and the text."""
        to, _, text = line.partition(" ")
        if not to.startswith("@"):
            longlink.broadcast(self.people, f"operator: {line}")
            return
        found = [ws for ws, number in self.people.items() if to == f"@{number}"]
        longlink.broadcast(found, f"operator, to you: {text}")
        if not found:
            print(f"nobody is {to}", flush=True)


def read_console(pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
    """Runs in a thread, because reading a line blocks; the pool is the loop's alone."""
    with open(sys.stdin.fileno(), closefd=False, errors="replace") as console:
        for line in console:
            if line.strip():
                loop.call_soon_threadsafe(pool.typed, line.strip())


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(port: int) -> None:
    pool = Pool()
    async with longlink.serve(
        host="127.0.0.1",
        port=port,
        on_open=pool.added,
        on_message=pool.sent,
        on_close=pool.left,
        process_request=page,
        max_size=4096,
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        if sys.stdin is not None:  # as under some service managers
            reader = (pool, asyncio.get_running_loop())
            threading.Thread(target=read_console, args=reader, daemon=True).start()
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a push server with an operator")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
