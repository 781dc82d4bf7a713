"""A server that answers a line with the same line backwards, over TCP or UDP.

    python examples/reverse.py          # then: printf '测试 👩‍👩‍👧\\n' | nc 127.0.0.1 7000
    python examples/reverse.py --udp    # then: echo hello | nc -u 127.0.0.1 7000

A line ends at a newline, a tab or a NUL; after one answer the conversation is over.
"""

import argparse
import asyncio
import sys

import regex  # pip install regex, or 'longlink[server]'

from longlink import line


def reversed_text(text: str) -> str:
    """Character by character as people count them: an emoji with all its parts is one."""
    return "".join(reversed(regex.findall(r"\X", text)))


async def reverse(visitor: line.Line) -> None:
    text = await visitor.readline()
    await visitor.send(reversed_text(text.strip()))


async def main(port: int, udp: bool) -> None:
    # One handler for both: over UDP a datagram is a line.
    serve = line.serve_datagrams if udp else line.serve
    async with serve(reverse, "127.0.0.1", port, terminators=b"\n\t\0") as server:
        print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a server that reverses lines")
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--udp", action="store_true", help="datagrams instead of connections")
    args = parser.parse_args()
    try:
        asyncio.run(main(args.port, args.udp))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
