"""Line servers and clients over TCP and UDP: the socket underneath a WebSocket.

async def handler(line):
    async for text in line:
        await line.send(text[::-1])

async with line.serve(handler, "127.0.0.1", 7000) as server:
    await server.serve_forever()
"""

from ..errors import DatagramTooLong, LineClosed, LineFailed, LineTimeout, LineTooLong
from .line import Line, broadcast
from .server import Server
from .tcp import connect, serve
from .udp import connect_datagrams, serve_datagrams

__all__ = [
    "DatagramTooLong",
    "Line",
    "LineClosed",
    "LineFailed",
    "LineTimeout",
    "LineTooLong",
    "Server",
    "broadcast",
    "connect",
    "connect_datagrams",
    "serve",
    "serve_datagrams",
]
