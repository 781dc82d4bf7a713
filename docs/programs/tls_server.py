import asyncio
import contextlib
import ssl

import longlink


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("cert.pem", "key.pem")
    async with longlink.serve(echo, "127.0.0.1", 8765, ssl=context) as server:
        await server.serve_forever()


with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C stops it
    asyncio.run(main())
