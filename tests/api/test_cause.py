"""A connection that was failed for a broken rule says which one, and whose fault it was."""

from __future__ import annotations

import pytest

from longlink import Connection, ConnectionClosedError, PayloadTooBig, RemoteProtocolError, serve
from tests.api.raw import BINARY, FIN, Raw, until


@pytest.mark.parametrize(
    ("sent", "kind", "code", "section"),
    [
        ((FIN | 3, b""), RemoteProtocolError, 1002, "5.2"),
        ((FIN | 1, b"\xff"), RemoteProtocolError, 1007, "8.1"),
        ((FIN | BINARY, b"x" * 11), PayloadTooBig, 1009, "7.4.1"),
    ],
)
async def test_the_cause_of_a_failure_is_the_rule_that_was_broken(
    sent: tuple[int, bytes], kind: type[RemoteProtocolError], code: int, section: str
) -> None:
    ends: list[ConnectionClosedError] = []

    async def listen(ws: Connection) -> None:
        try:
            await ws.recv()
        except ConnectionClosedError as end:
            ends.append(end)

    async with serve(listen, "127.0.0.1", 0, max_size=10) as server:
        async with Raw.open(server) as raw:
            raw.frame(*sent)
            assert (await raw.recv_close())[0] == code
            await until(lambda: ends)
    cause = ends[0].__cause__
    assert isinstance(cause, RemoteProtocolError)
    assert (type(cause), cause.close_code, cause.section) == (kind, code, section)


async def test_a_peer_that_just_left_broke_no_rule() -> None:
    ends: list[ConnectionClosedError] = []

    async def listen(ws: Connection) -> None:
        try:
            await ws.recv()
        except ConnectionClosedError as end:
            ends.append(end)

    async with serve(listen, "127.0.0.1", 0) as server:
        async with Raw.open(server) as raw:
            raw.reset()
            await until(lambda: ends)
    assert ends[0].__cause__ is None
