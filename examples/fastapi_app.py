"""FastAPI and WebSockets on one port: what is posted over HTTP is pushed to every page.

    pip install fastapi 'longlink[server]' && python examples/fastapi_app.py
    curl -H 'Content-Type: application/json' -d '{"text": "hello"}' http://127.0.0.1:8000/news

Every WebSocket is longlink's, everything else is FastAPI's; /docs has its forms.
"""

import argparse
import asyncio
import sys
from collections import deque

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

import longlink

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>News</title><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --rule: light-dark(#d9d6cc, #333b40); }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
    background: light-dark(#f4f3ee, #121618); color: light-dark(#1d2125, #e8eaeb); }
  h1 { margin: 0 0 .75rem; font-size: 1.5rem; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; min-width: 0; }
  input, button { font: inherit; padding: .4rem .8rem; border: 1px solid var(--rule);
    border-radius: .5rem; background: light-dark(#fff, #1b2023); color: inherit; }
  ol { padding: 0; list-style: none; overflow-wrap: anywhere; }
  li { padding: .35rem 0; border-bottom: 1px solid var(--rule); }
</style>
<h1>News</h1>
<form><input aria-label="News" placeholder="What happened?" autocomplete="off" maxlength="500">
<button>Post</button></form>
<p id="state" role="status">connecting</p><ol></ol>
<script>
  const $ = (query) => document.querySelector(query);
  $("form").onsubmit = async (event) => {
    event.preventDefault();
    const news = JSON.stringify({ text: $("input").value });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("news", { method: "POST", headers, body: news });
    if (answer.ok) $("input").value = "";
  };
  function connect() {
    const ws = new WebSocket("ws" + location.origin.slice(4));
    ws.onopen = () => { $("#state").textContent = "live"; $("ol").replaceChildren(); };
    ws.onmessage = ({data}) => {
      const line = document.createElement("li");
      line.textContent = data;
      $("ol").prepend(line);
      if ($("ol").children.length > 200) $("ol").lastChild.remove();
    };
    ws.onclose = () => {
      $("#state").textContent = "not connected, trying again";
      setTimeout(connect, 1000 + Math.random() * 2000);
    };
  }
  connect();
</script>
"""

app = FastAPI(title="News")
latest: deque[str] = deque(maxlen=10)


class News(BaseModel):
    text: str = Field(min_length=1, max_length=500)


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE


@app.get("/people")
async def people() -> dict[str, int]:
    """How many pages are open."""
    return {"people": len(app.state.server.connections)}


# `async def`, so that it runs on the loop's thread, where connections live. A plain `def` runs
# in another thread; from there: loop.call_soon_threadsafe(longlink.broadcast, ...).
@app.post("/news", status_code=202)
async def publish(news: News) -> dict[str, int]:
    """Push it to everybody."""
    latest.append(news.text)
    everybody = app.state.server.connections
    longlink.broadcast(everybody, news.text)
    return {"people": len(everybody)}


def welcome(ws: longlink.Connection) -> None:
    for text in latest:
        ws.send(text)


async def main(port: int) -> None:
    async with longlink.serve(host="127.0.0.1", port=port, on_open=welcome, http=app) as server:
        app.state.server = server
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="FastAPI and WebSockets on one port")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(main(parser.parse_args().port))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
