"""The answer that opens a connection: 101, and the proof that the key was read.

What everybody is told who agreed on the same within one second differs in the proof alone. So it is
written once for all of them, and that is also what a connection keeps of its answer.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import Final

try:  # CPython's own: for 60 octets OpenSSL takes longer to begin than to do it
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:  # pragma: no cover - other interpreters
    from hashlib import sha1

from .header import Headers
from .knock import knock_of
from .response import Response, add_server_headers

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
# Stands for a proof, as long as one, where it is the same for many; it could be none itself.
PROOF: Final = "-" * 28
_PROOF: Final = PROOF.encode()
_COMMON: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n" % _PROOF
)


def accept_key(key: str) -> str:
    """The Sec-WebSocket-Accept that proves a key was read (RFC 6455 4.2.2, item 5.4)."""
    # Not for security: it only shows that the answer comes from a WebSocket server.
    digest = sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return b64encode(digest).decode()


def agreed_headers(proof: str, subprotocol: str | None, extensions: str | None) -> Headers:
    """The headers of a 101 (RFC 6455 4.2.2, item 5)."""
    headers = Headers()
    headers.add_trusted("Upgrade", "websocket")
    headers.add_trusted("Connection", "Upgrade")
    headers.add_trusted("Sec-WebSocket-Accept", proof)
    if subprotocol is not None:
        headers.add_trusted("Sec-WebSocket-Protocol", subprotocol)
    if extensions is not None:
        headers["Sec-WebSocket-Extensions"] = extensions
    return headers


def whole_answer(answer: bytes, head: bytes) -> bytes:
    """An answer to `head` of which maybe only the common part was kept."""
    knock = knock_of(head) if answer.startswith(_COMMON) else None
    return answer if knock is None else own_answer(answer, knock.key)


@lru_cache(maxsize=16)
def common_answer(
    subprotocol: str | None, extensions: str | None, server_header: str | None, second: int
) -> bytes:
    """The 101 for all who agreed on the same within one second of the wall clock, but for the
    proof that the key was read, in whose place is PROOF."""
    response = Response(101, "Switching Protocols", agreed_headers(PROOF, subprotocol, extensions))
    add_server_headers(response, server_header, second)
    return response.serialize()


def own_answer(common: bytes, key: str) -> bytes:
    """A `common_answer` for one of them."""
    return common.replace(_PROOF, accept_key(key).encode(), 1)
