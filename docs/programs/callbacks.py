import asyncio
import contextlib
import longlink


def sent(ws, message):
    longlink.broadcast(server.connections, message)


async def main():
    global server
    async with longlink.serve(
        host="127.0.0.1",
        port=8765,
        on_open=lambda ws: print("added", ws.remote_address, flush=True),
        on_message=sent,
        on_close=lambda ws: print("closed", ws.close_code, flush=True),
    ) as server:
        print("listening", flush=True)
        await server.serve_forever()


with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C stops it
    asyncio.run(main())
