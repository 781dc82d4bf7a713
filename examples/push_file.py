"""A file pushed to everybody: to those who come, and to all again whenever it has changed.

    python examples/push_file.py photo.jpg

Each time comes a line of JSON (name, size, type), then the file as one binary message.
"""

import argparse
import asyncio
import json
import mimetypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import longlink

LOOK_S = 0.25
PART = 256 * 1024

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Files</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40); }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0 0 .75rem; font-size: 1.5rem; }
  ol { list-style: none; padding: 0; overflow-wrap: anywhere; }
  li { padding: .75rem 0; border-top: 1px solid var(--rule); }
  a { color: light-dark(#0c6b5d, #4fcfb2); }
  img { display: block; max-width: 100%; max-height: 50vh; margin-top: .5rem; }
</style>
<h1>Files</h1><p id="state" role="status">connecting</p><ol></ol>
<script>
  const $ = (query) => document.querySelector(query);
  let file = null;
  function show(bytes) {
    // As plain octets, unless it is a picture without scripts: no page from a file may run as ours.
    const image = /^image\\/(avif|bmp|gif|jpeg|png|webp)$/.test(file.type);
    const line = document.createElement("li");
    const type = image ? file.type : "application/octet-stream";
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    const link = Object.assign(document.createElement("a"), { href: url, download: file.name });
    link.textContent = file.name;
    line.append(link, ` ${bytes.byteLength} bytes, ${new Date().toLocaleTimeString()}`);
    if (image) line.append(Object.assign(document.createElement("img"), { src: url, alt: "" }));
    $("ol").prepend(line);
    if ($("ol").children.length > 10) {
      URL.revokeObjectURL($("li:last-child a").href);
      $("li:last-child").remove();
    }
  }
  function connect() {
    const ws = new WebSocket("ws" + location.origin.slice(4));
    ws.binaryType = "arraybuffer";
    ws.onopen = () => { $("#state").textContent = "connected"; };
    ws.onmessage = ({data}) => {
      if (typeof data === "string") file = JSON.parse(data);
      else show(data);
    };
    ws.onclose = () => {
      $("#state").textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
</script>
"""


class Watched:
    """A file, and a future that is done when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = self.look()
        self.change = asyncio.get_running_loop().create_future()

    def look(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None  # it may come back
        return found.st_mtime_ns, found.st_size, found.st_ino

    async def watch(self) -> None:
        last = self.state
        while True:
            await asyncio.sleep(LOOK_S)
            now = self.look()
            if now == last != self.state:  # changed, and nobody is writing any more
                self.state = now
                self.change.set_result(None)
                self.change = asyncio.get_running_loop().create_future()
            last = now


def parts(file: BinaryIO) -> Iterator[bytes]:
    yield file.read(PART)  # an empty file is a message, too
    while part := file.read(PART):
        yield part


async def send_file(ws: longlink.Connection, path: Path) -> None:
    with path.open("rb") as file:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        size = os.fstat(file.fileno()).st_size
        ws.send(json.dumps({"name": path.name, "size": size, "type": kind}))
        # Part by part, as fast as this reader takes them: no file is too large for our memory.
        await ws.send(parts(file), compress=False)


async def push(ws: longlink.Connection, watched: Watched) -> None:
    gone = asyncio.ensure_future(ws.wait_closed())
    while not gone.done():
        change = watched.change
        if watched.state is not None:
            await send_file(ws, watched.path)
        await asyncio.wait((gone, change), return_when=asyncio.FIRST_COMPLETED)


def page(ws: longlink.Connection, request: longlink.Request) -> longlink.Response | None:
    """The page for everybody who does not ask for WebSocket."""
    if "Upgrade" in request.headers:
        return None
    html = longlink.Headers({"Content-Type": "text/html; charset=utf-8"})
    return longlink.Response(200, "OK", html, PAGE.encode())


async def main(path: Path, port: int) -> None:
    watched = Watched(path)
    async with longlink.serve(
        lambda ws: push(ws, watched), "127.0.0.1", port, process_request=page
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await watched.watch()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a file, pushed to everybody")
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    if not args.file.is_file():
        parser.error(f"{args.file} is no file")
    try:
        asyncio.run(main(args.file, args.port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
