"""`tail -f` for a browser: the new lines of a log, to everybody who looks.

    python examples/tail.py /var/log/syslog

The file may be rotated or truncated meanwhile, or not be there yet.
"""

import argparse
import asyncio
import os
import sys
from io import FileIO

import longlink

LOOK_S = 0.2
CHUNK = 64 * 1024
MAX_LINE = 16 * 1024  # a longer line is cut

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40);
    --soft: light-dark(#5a6169, #a0a9b0); }
  body { display: flex; flex-direction: column; height: 100dvh; box-sizing: border-box; margin: 0;
    padding: 1rem; font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; }
  h1 { margin: 0; font-size: 1.4rem; }
  input { flex: 1; min-width: 8rem; font: inherit; padding: .3rem .8rem; border-radius: .5rem;
    border: 1px solid var(--rule); background: light-dark(#fff, #1b2023); color: inherit; }
  #state { color: var(--soft); }
  #log { flex: 1; overflow: auto; margin-top: .75rem; padding: .75rem; border-radius: .75rem;
    border: 1px solid var(--rule); background: light-dark(#fff, #0c0f11);
    font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<header><h1>Log</h1><input placeholder="Only lines with …" aria-label="Filter">
<span id="state" role="status">connecting</span></header>
<div id="log" role="log" tabindex="0"></div>
<script>
  const $ = (query) => document.querySelector(query);
  const log = $("#log"), filter = $("input");
  let count = 0;
  const judge = (line) => { line.hidden = !line.textContent.includes(filter.value); };
  function show(text) {
    const line = document.createElement("div");
    line.textContent = text || " ";
    judge(line);
    log.append(line);
    if (log.children.length > 2000) log.firstChild.remove();
  }
  filter.oninput = () => [...log.children].forEach(judge);
  function connect() {
    const ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => { $("#state").textContent = "waiting for lines"; };
    ws.onmessage = ({data}) => {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      const lines = data.split("\\n");
      lines.forEach(show);
      $("#state").textContent = `${count += lines.length} lines`;
      if (atEnd) log.scrollTop = log.scrollHeight;  // who scrolled up stays there
    };
    ws.onclose = ({reason}) => {
      $("#state").textContent = `not connected ${reason}`;
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
</script>
"""


class Tail:
    """What is written to a file from now on."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rest = b""  # a line whose end has not been written yet
        self.file = self._open()
        if self.file is not None:
            self.file.seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        """The next whole lines; none when nothing is new."""
        chunk = self.file.read(CHUNK) if self.file is not None else b""
        *lines, self.rest = (self.rest + (chunk or self._turn())).split(b"\n")
        if len(self.rest) > MAX_LINE:
            lines.append(self.rest)
            self.rest = b""
        return [line[:MAX_LINE].rstrip(b"\r").decode(errors="replace") for line in lines]

    def _open(self) -> FileIO | None:
        try:
            return FileIO(self.path)
        except FileNotFoundError:
            return None

    def _turn(self) -> bytes:
        """At the end of the file: go to what comes next, if anything; the end of a line then."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return b""  # between two rotations
        if self.file is not None:
            if os.path.samestat(now, os.fstat(self.file.fileno())):
                if now.st_size >= self.file.tell():
                    return b""
                self.file.seek(0)  # truncated
                return b"\n" if self.rest else b""
            self.file.close()  # only now: as long as it was open, no other file was the same
        self.file = self._open()
        return b"\n" if self.rest else b""


async def follow(tail: Tail, server: longlink.Server) -> None:
    while True:
        while lines := tail.lines():
            longlink.broadcast(server.connections, "\n".join(lines))
            await asyncio.sleep(0)  # let the others have their turn
        await asyncio.sleep(LOOK_S)


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(path: str, port: int) -> None:
    tail = Tail(path)
    async with longlink.serve(
        host="127.0.0.1",
        port=port,
        process_request=page,
        # A log has no lines to spare: who cannot keep up is closed with 1013, and may come back.
        max_backlog=256 * 1024,
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await follow(tail, server)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="tail -f for a browser")
    parser.add_argument("file")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    try:
        asyncio.run(main(args.file, args.port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
