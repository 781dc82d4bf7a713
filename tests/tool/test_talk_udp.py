"""`longlink udp` as people use it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .test_talk_tcp import Serve, nc, needs_nc, port_of, serve

__all__ = ["needs_nc", "serve"]


async def test_the_same_server_over_udp_and_its_client(serve: Serve, tool: Any) -> None:
    words = ("--greet", "测试成功！", "--reply", "收到的信息:{line}")
    async with serve(*words, protocol="udp") as server:
        port = port_of(server)
        client = await tool("udp", "connect", "-v", "--timeout", "1", "127.0.0.1", port)
        done = await client.done(b"Ho\r\nfirst blood\n")
        answer = "测试成功！\n收到的信息:Ho\n收到的信息:first blood\n".encode()
        assert (done.code, done.out) == (0, answer)
        assert "* sent 2 bytes\n* sent 11 bytes\n" in done.err
        out = await nc("-u", "-w1", "127.0.0.1", port, given=b"x\n")
        assert out == "测试成功！\n收到的信息:x\n".encode()


async def test_reversed(serve: Serve) -> None:
    async with serve("--reverse", protocol="udp") as server:
        out = await nc("-u", "-w1", "127.0.0.1", port_of(server), given="测试\n".encode())
    assert out.decode() == "试测\n"


async def test_nobody_is_flooded_through_it(serve: Serve) -> None:
    async with serve("--reply", "{line}" * 100, protocol="udp") as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.sendto(b"x" * 30, ("127.0.0.1", int(port_of(server))))
            line = await server.line("no answer")
        assert "WARNING" in line
        assert "no answer of 3001 bytes to 127.0.0.1:" in line
        assert line.endswith("too much for what came from there")


async def test_nobody_listens_nobody_answers_and_what_is_too_long(tool: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = str(silent.getsockname()[1])
        where = ("udp", "connect", "--timeout", "0.2", "127.0.0.1", port)
        done = await (await tool(*where)).done(b"x\n")
        said = f"longlink: no answer from 127.0.0.1:{port} within 0.2 s (--timeout)\n"
        assert (done.code, done.err) == (4, said)
        done = await (await tool(*where)).done(b"x" * 65507)
        said = f"longlink: datagram of 65508 bytes to 127.0.0.1:{port}, the limit is 65507 (UDP)\n"
        assert (done.code, done.err) == (2, said)
        assert await (await tool(*where)).done(b"") == (0, b"", "")
    done = await (await tool(*where)).done(b"x\n")
    said = f"longlink: refused: nothing listens on UDP 127.0.0.1:{port}\n"
    assert (done.code, done.err) == (5, said)


async def test_somebody_types(serve: Serve, terminal: Callable[..., Any]) -> None:
    async with serve("--greet", "\x1b[31mhi", protocol="udp") as server:
        screen = terminal("udp", "connect", "127.0.0.1", port_of(server))
        await screen.prompt(mark="> ")
        screen.type("hello\r")
        await screen.line(r"^< \\x1b\[31mhi$")
        await screen.line("^< hello$")
        await screen.prompt(mark="> ")
        screen.type("\x04")
        assert await screen.end() == 0


async def test_an_address_that_is_taken(run: Any, serve: Serve) -> None:
    async with serve(protocol="udp") as server:
        port = port_of(server)
        code, _, log = await run("udp", "serve", "--port", port)
    assert (code, log) == (
        2,
        [f"longlink: cannot listen on UDP 127.0.0.1:{port}: Address already in use"],
    )
