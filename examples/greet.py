"""A TCP server that greets: says hello, repeats what it hears, ends after five visitors.

    python examples/greet.py            # then, elsewhere: nc 127.0.0.1 7000

Its client is greet_client.py.
"""

import argparse
import asyncio
import itertools
import sys

from longlink import line


async def greet(visitor: line.Line, number: int) -> None:
    host, port = visitor.remote_address[:2]
    print(f"{number}: from {host}:{port}", flush=True)
    await visitor.send("测试成功！")
    async for text in visitor:
        # repr() escapes what could drive this terminal.
        print(f"{number}: said {text!r}", flush=True)
        await visitor.send(f"收到的信息:{text}")
    print(f"{number}: left", flush=True)


async def main(port: int, visitors: int) -> None:
    numbers = itertools.count(1)
    async with line.serve(
        lambda visitor: greet(visitor, next(numbers)), "127.0.0.1", port, max_accepts=visitors
    ) as server:
        print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()  # until the last of them has left


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a TCP server that greets")
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--visitors", type=int, default=5, help="end after so many (5)")
    args = parser.parse_args()
    try:
        asyncio.run(main(args.port, args.visitors))
    except (KeyboardInterrupt, OSError, ValueError) as reason:
        sys.exit(str(reason) or 0)  # Ctrl-C is how it ends; a port that cannot be is one line
