"""aiohttp, on uvloop."""

from __future__ import annotations

import argparse
import asyncio
import ssl

import uvloop
from aiohttp import WSMessage, WSMsgType, web

everybody: set[web.WebSocketResponse] = set()


async def send(ws: web.WebSocketResponse, message: WSMessage) -> None:
    if message.type is WSMsgType.TEXT:
        await ws.send_str(message.data)
    elif message.type is WSMsgType.BINARY:
        await ws.send_bytes(message.data)


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=request.app[COMPRESS])
    await ws.prepare(request)
    async for message in ws:
        await send(ws, message)
    return ws


async def share(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=request.app[COMPRESS])
    await ws.prepare(request)
    everybody.add(ws)
    try:
        async for message in ws:
            for each in list(everybody):
                await send(each, message)
    finally:
        everybody.discard(ws)
    return ws


HANDLERS = {"echo": echo, "fanout": share}
COMPRESS: web.AppKey[bool] = web.AppKey("compress", bool)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=HANDLERS, default="echo")
    parser.add_argument("--tls", metavar="PEM", help="certificate and key")
    parser.add_argument("--deflate", action="store_true")
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    context = None
    if chosen.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.tls)
    app = web.Application()
    app[COMPRESS] = chosen.deflate
    app.router.add_get("/", HANDLERS[chosen.work])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", chosen.port, ssl_context=context, backlog=4096).start()
    print("listening", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
