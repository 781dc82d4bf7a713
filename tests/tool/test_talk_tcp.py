"""`longlink tcp` as people use it: with nc, in pipes, at a terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink.line.flow import spoken
from longlink.tool.talk.answer import Answerer, reverse
from longlink.tool.talk.plan import Serving, octets_of
from tests.server.product import DEADLINE_S, Product

Serve = Callable[..., Any]


@pytest.fixture(autouse=True)
def needs_nc(require: Callable[[str], str]) -> None:
    """What others talk in lines with."""
    require("nc")


def port_of(product: Product) -> str:
    """Where it says that it serves lines."""
    found = re.search(r"serving lines on \w+ 127\.0\.0\.1:(\d+)", product.banner)
    assert found, product.banner
    return found[1]


@pytest.fixture
def serve(python_environment: dict[str, str]) -> Serve:
    """A function: `async with serve("--reverse") as server`."""

    @asynccontextmanager
    async def serve(*arguments: str, protocol: str = "tcp") -> AsyncIterator[Product]:
        product = await Product.start(
            python_environment, protocol, "serve", "--port", "0", *arguments
        )
        try:
            yield await product.ready()
        finally:
            if product.process.returncode is None:
                product.signal(signal.SIGTERM)
            code, _, log = await product.end()
            assert code == 0, log
            assert not any("Traceback" in line for line in log), log

    return serve


async def nc(*arguments: str, given: bytes = b"") -> bytes:
    """What netcat prints that is given this and no more."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("nc", *arguments, stdin=pipe, stdout=pipe)
    async with asyncio.timeout(DEADLINE_S):
        out, _ = await process.communicate(given)
    return out


async def test_the_greeting_server_of_the_tutorial_and_its_client(serve: Serve, tool: Any) -> None:
    """Greets, answers, and stops after five; the client reports each step."""
    words = ("--greet", "测试成功！", "--reply", "收到的信息:{line}", "--max-accepts", "5")
    answer = "测试成功！\n收到的信息:Ho\n收到的信息:first blood\n".encode()
    async with serve(*words) as server:
        port = port_of(server)
        client = await tool("tcp", "connect", "-v", "127.0.0.1", port)
        done = await client.done(b"Ho\r\nfirst blood\r\n")
        assert (done.code, done.out) == (0, answer)
        steps = [line.removeprefix("* ") for line in done.err.splitlines()]
        assert steps[0] == f"connecting to tcp 127.0.0.1:{port}"
        assert re.match(rf"connected to 127\.0\.0\.1:{port} from 127\.0\.0\.1:\d+", steps[1])
        assert {"sent 17 bytes", "end of the input: nothing more is sent"} < set(steps)
        assert steps[-2:] == [
            f"sent 17 bytes, received {len(answer)} bytes",
            "closed by the server",
        ]
        for _ in range(4):
            given = b"Ho\r\nfirst blood\r\n"
            assert await nc("-N", "127.0.0.1", port, given=given) == answer
        code, _, log = await server.end()
    assert code == 0
    assert sum("came" in line for line in log) == 5
    assert any(line.endswith("said: first blood") for line in log)
    assert log[-1].endswith("left after 2 lines")


async def test_the_reverse_server_of_the_tutorial(serve: Serve) -> None:
    """A line ends at newline, tab or NUL, and is answered trimmed, reversed, and once."""
    async with serve("--reverse") as server:
        port = port_of(server)
        for given, answer in (
            ("  测试 👩‍👩‍👧 🇩🇪e\u0301 \r\nmore\n", "e\u0301🇩🇪 👩‍👩‍👧 试测\n"),
            ("one\ttwo", "eno\n"),
            ("one\0two", "eno\n"),
            ("no end", "dne on\n"),
        ):
            assert await nc("-N", "127.0.0.1", port, given=given.encode()) == answer.encode()


async def test_reversed_and_kept_open_with_other_terminators(serve: Serve) -> None:
    async with serve("--reverse", "--keep-open", "--terminators", r";\x21") as server:
        out = await nc("-N", "127.0.0.1", port_of(server), given=b"abc;de\tf!g\n")
    assert out == b"cba\nf\ted\ng\n"


async def test_what_is_said_is_never_a_part_of_the_pattern(serve: Serve) -> None:
    async with serve("--reply", "{line}|{0}|{line!r}|%s") as server:
        given = b"{line} {0.__class__} %(x)s\n"
        out = await nc("-N", "127.0.0.1", port_of(server), given=given)
    said = given.decode().strip()
    assert out.decode() == f"{said}|{{0}}|{{line!r}}|%s\n"


async def test_limits_are_told_and_end_the_connection(serve: Serve) -> None:
    async with serve("--timeout", "0.3", "--max-connections", "1") as server:
        port = port_of(server)
        with socket.create_connection(("127.0.0.1", int(port))) as silent:
            await server.line("came")
            out = await nc("127.0.0.1", port)
            assert out == b"error: too many connections, the limit is 1\n"
            out = await asyncio.to_thread(silent.makefile("rb").read)
            assert out == b"error: no line came for 0.3 s (timeout)\n"
    async with serve("--max-line", "20") as server:
        out = await nc("-N", "127.0.0.1", port_of(server), given=b"x" * 1_000_000)
        assert out == b"error: line longer than 20 bytes (max_line)\n"


async def test_a_log_line_holds_no_control_characters(serve: Serve) -> None:
    async with serve() as server:
        await nc("-N", "127.0.0.1", port_of(server), given=b"a\x1b[31mb\x07\n")
        assert (await server.line("said")).endswith(r"said: a\x1b[31mb\x07")


# -- the client ------------------------------------------------------------------------------------


@asynccontextmanager
async def saying(octets: bytes, *, reset: bool = False) -> AsyncIterator[tuple[str, str]]:
    """A server that says this and closes."""
    done = asyncio.Event()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        if reset:
            await reader.readline()
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        else:
            writer.write_eof()
            await reader.read()
            writer.close()
        done.set()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield host, str(port)
        async with asyncio.timeout(DEADLINE_S):
            await done.wait()


async def test_octets_go_through_a_pipe_as_they_are(tool: Any) -> None:
    octets = bytes(range(256)) * 4000 + b"no end"
    async with saying(octets) as where:
        done = await (await tool("tcp", "connect", *where)).done(b"\0\xff")
    assert done == (0, octets, "")


async def test_a_client_without_input(tool: Any) -> None:
    async with saying(b"hello") as where:
        client = await tool("tcp", "connect", *where, stdin=asyncio.subprocess.DEVNULL)
        assert await client.done() == (0, b"hello", "")


@pytest.mark.parametrize(
    ("host", "words"),
    [("nosuch.invalid", "cannot connect to nosuch.invalid:1: "), ("a..b", "not a host name")],
)
async def test_a_name_of_nobody_is_said_in_one_line(tool: Any, host: str, words: str) -> None:
    done = await (await tool("tcp", "connect", host, "1")).done()
    assert (done.code, done.out, done.err.count("\n")) == (3, b"", 1)
    assert words in done.err


async def test_how_it_ended_shows_in_the_exit_code(tool: Any) -> None:
    async with saying(b"x\n", reset=True) as where:
        done = await (await tool("tcp", "connect", *where)).done(b"y\n")
        assert (done.code, done.err) == (5, "longlink: lost: connection reset by peer\n")
    done = await (await tool("tcp", "connect", *where)).done()
    refused = f"longlink: cannot connect to {spoken(where)}: Connection refused\n"
    assert (done.code, done.err) == (3, refused)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        client = await tool("tcp", "connect", "--timeout", "0.3", "127.0.0.1", port)
        done = await client.done(b"hello\n")
        assert (done.code, done.err) == (4, "longlink: no line came for 0.3 s (timeout)\n")
        client = await tool("tcp", "connect", "-v", "127.0.0.1", port)
        await client.said("connected")
        client.process.send_signal(signal.SIGINT)
        assert (await client.done()).code == 130


async def test_a_reader_that_left_has_all_that_it_wanted(tool: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = ("127.0.0.1", str(silent.getsockname()[1]))
        reading, writing = os.pipe()
        client = await tool("tcp", "connect", "-v", *where, stdout=writing)
        os.close(writing)
        await client.said("connected")
        os.close(reading)
        done = await client.done(b"x\n")
    assert done.code == 0


async def test_somebody_types_and_control_characters_stay_text(
    serve: Serve, terminal: Callable[..., Any]
) -> None:
    async with serve("--greet", "\x1b[31mred\x07\u202e") as server:
        screen = terminal("tcp", "connect", "127.0.0.1", port_of(server))
        await screen.line(r"^< \\x1b\[31mred\\x07\\u202e$")
        await screen.prompt(mark="> ")
        screen.type("hello 测试\r")
        await screen.line("^< hello 测试$")
        await screen.prompt(mark="> ")
        screen.type("\x04")
        assert await screen.end() == 0
    assert "\x1b[31m" not in screen.raw
    assert any("closed by the server" in line for line in screen.screen.lines())


async def test_what_a_line_begins_with_is_shown_when_no_more_comes(
    terminal: Callable[..., Any],
) -> None:
    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"login: ")
        writer.write(b"hello " + await reader.readline())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(ask, "127.0.0.1", 0) as server:
        screen = terminal("tcp", "connect", *map(str, server.sockets[0].getsockname()))
        await screen.line("^< login: *$")
        screen.type("ann\r")
        await screen.line("^< hello ann$")
        screen.type("\x03")
        assert await screen.end() == 130


# -- what a server says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "backwards"),
    [
        ("", ""),
        ("abc", "cba"),
        ("e\u0301a", "ae\u0301"),
        ("🏳️‍🌈🇩🇪", "🇩🇪🏳️‍🌈"),
        ("\r\nx", "x\r\n"),
        ("한국", "국한"),
    ],
)
def test_reversed_by_what_people_see_as_a_character(text: str, backwards: str) -> None:
    assert reverse(text) == backwards
    assert reverse(backwards) == text


@pytest.mark.parametrize(
    ("written", "octets"),
    [(r"\n", b"\n"), (r"\n\t\0", b"\n\t\0"), (r";\\\x00\xFF ", b";\\\0\xff "), (r"\r", b"\r")],
)
def test_terminators_as_they_are_written(written: str, octets: bytes) -> None:
    assert octets_of(written) == octets


@pytest.mark.parametrize("written", ["", "测", r"\q", r"\x1", "\n"])
def test_terminators_that_cannot_be(written: str) -> None:
    with pytest.raises(ValueError, match="terminators must be ASCII characters"):
        Serving(terminators=written)


def test_an_answer_without_anything_said_is_what_was_said() -> None:
    assert Answerer(Serving()).answer("{x} %s") == "{x} %s"


@pytest.mark.parametrize("host", ["192.0.2.1", "nosuch.invalid"])
async def test_a_place_where_nobody_can_listen(run: Any, host: str) -> None:
    code, out, log = await run("tcp", "serve", "--host", host)
    assert (code, out, len(log)) == (2, "", 1)
    assert log[0].startswith(f"longlink: cannot listen on {host}")
