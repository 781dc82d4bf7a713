"""longlink: real-time push for Python. See `serve`, `connect`, `broadcast`."""

from .api.client import connect
from .api.connection import Connection, broadcast
from .api.server import Server, serve, unix_serve
from .api.version import __version__
