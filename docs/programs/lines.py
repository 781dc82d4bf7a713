import asyncio
import contextlib

from longlink import line


async def reverse(person):
    await person.send("hello, type a line")
    async for text in person:
        await person.send(text.strip()[::-1])


async def main():
    async with line.serve(reverse, "127.0.0.1", 8765, max_line=1000) as server:
        await server.serve_forever()


with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C stops it
    asyncio.run(main())
