import asyncio
import contextlib
import json

import longlink

users = {}  # name -> connection, as bindUid


def on_open(ws):  # onConnect
    ws.name = None


def on_message(ws, message):  # onMessage
    said = json.loads(message)
    if said["type"] == "login":
        on_close(ws)  # the name before, if any
        ws.name = said["name"]
        users[ws.name] = ws
    elif said["type"] == "to" and said["name"] in users:  # sendToUid
        users[said["name"]].send(json.dumps({"from": ws.name, "text": said["text"]}))
    elif said["type"] == "all":  # sendToAll
        longlink.broadcast(server.connections, said["text"])


def on_close(ws):  # onClose
    if users.get(ws.name) is ws:  # nobody else has logged in with it since
        del users[ws.name]


async def main():
    global server
    async with longlink.serve(
        host="0.0.0.0",
        port=8765,
        on_open=on_open,
        on_message=on_message,
        on_close=on_close,
    ) as server:
        await server.serve_forever()


with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C stops it
    asyncio.run(main())
