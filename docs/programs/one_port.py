import asyncio
from contextlib import asynccontextmanager, suppress

import longlink
from fastapi import FastAPI

rooms = {}


@asynccontextmanager
async def lifespan(app):
    print("starting", flush=True)
    yield
    print("stopping", flush=True)


app = FastAPI(lifespan=lifespan)


@app.post("/say/{room}")
async def say(room: str, text: str):
    people = rooms.get(room, set())
    longlink.broadcast(people, text)
    return {"heard_by": len(people)}


async def listen(ws):
    room = ws.request.path.rpartition("/")[2]
    people = rooms.setdefault(room, set())
    people.add(ws)
    try:
        async for _ in ws:
            pass  # they only listen
    finally:
        people.discard(ws)
        if not people:
            del rooms[room]  # anybody may ask for any


async def main():
    async with longlink.serve(listen, "127.0.0.1", 8765, http=app) as server:
        await server.serve_forever()


with suppress(KeyboardInterrupt):  # Ctrl-C stops it
    asyncio.run(main())
