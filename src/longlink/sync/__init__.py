"""A blocking client, for scripts and notebooks: the same code on a loop in the background."""

from .client import connect, reconnect, unix_connect
from .connection import ClientConnection

__all__ = ["ClientConnection", "connect", "reconnect", "unix_connect"]
