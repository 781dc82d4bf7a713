"""A TCP client, step by step: connect, send two lines, read until the server closes.

    python examples/greet_client.py --port 7000

Its server is greet.py; any other that speaks in lines will do.
"""

import argparse
import asyncio
import sys

from longlink import line

LINES = ["Ho", "first blood"]


async def main(host: str, port: int) -> None:
    print(f"connecting to {host}:{port}", flush=True)
    async with line.connect(host, port, newline=b"\r\n", timeout=10) as server:
        print("connected", flush=True)
        for text in LINES:
            await server.send(text)
            print(f"sent {text!r}", flush=True)
        server.finish()  # the server learns that no more will come, and may still answer
        async for text in server:
            print(f"received {text!r}", flush=True)
    print("the server closed", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a TCP client, step by step")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7000)
    args = parser.parse_args()
    try:
        asyncio.run(main(args.host, args.port))
    except KeyboardInterrupt:
        sys.exit("given up")
    except (OSError, ValueError, line.LineClosed) as reason:
        sys.exit(f"failed: {reason or 'no answer in time'}")
