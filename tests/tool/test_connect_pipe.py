"""`longlink connect` in pipes, as a process of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from longlink import Limits
from longlink.tool.connect import talk
from longlink.tool.connect.ending import Code, Ending
from longlink.tool.connect.plan import Plan
from longlink.tool.connect.talk import Talk
from tests.peers.test_ws import node
from tests.server.product import DEADLINE_S
from tests.tool.peer import deaf, echo, serving

Start = Callable[..., Any]
QUICK = ("--wait", "0.05")  # seconds of silence; what was asked for is there before


async def test_each_line_is_a_message_and_each_message_a_line(tool: Start) -> None:
    lines = [f"line {number} 测试" for number in range(5000)]
    async with serving(echo) as url:
        piped = await tool("connect", *QUICK, url)
        done = await piped.done("\n".join([*lines, "", "without an end"]).encode())
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().split("\n") == [*lines, "", "without an end", ""]


async def test_binary_passes_octet_for_octet(tool: Start) -> None:
    data = os.urandom(300_000)
    got: list[str | bytes] = []

    async def answer(ws: ServerConnection) -> None:
        got.append(await ws.recv())
        await ws.send(got[0])

    async with serving(answer) as url:
        done = await (await tool("connect", "--binary", "--count", "1", url)).done(data)
    assert (done.code, done.out, got) == (0, data, [data])


async def test_whole_text_is_one_message(tool: Start) -> None:
    text = "{\n" + "测\n" * 50_000 + "}\n"  # cut within characters by every read
    async with serving(echo) as url:
        done = await (await tool("connect", "--whole", "-c", "1", url)).done(text.encode())
    assert (done.code, done.out.decode()) == (0, text + "\n")


async def test_a_slow_server_gets_everything(tool: Start) -> None:
    go = asyncio.Event()
    got: list[str | bytes] = []

    async def read_late(ws: ServerConnection) -> None:
        await go.wait()
        got.extend([message async for message in ws])

    async with serving(read_late, max_queue=1) as url:
        piped = await tool("connect", "--wait", "0", url)
        lines = [f"{number:01000}" for number in range(20_000)]
        piped.process.stdin.write("\n".join(lines).encode())
        piped.process.stdin.close()
        # It cannot have taken everything: the server does not read.
        assert piped.process.stdin.transport.get_write_buffer_size() > 0
        go.set()
        assert (await piped.done()).code == 0
    assert got == lines


async def test_json_tells_time_type_and_size(tool: Start, tmp_path: Path) -> None:
    async def say(ws: ServerConnection) -> None:
        await ws.send("测\x1b[2J\u202e\x9b")
        await ws.send(b"\x00\xff")
        await ws.recv()
        await ws.send(b"later")

    before = time.time()
    async with serving(say) as url:
        done = await (await tool("connect", "--json", "-c", "2", url)).done()
        saved = await tool("connect", "--json", "-c", "3", "--save", f"{tmp_path}/new/", url)
        later = (await saved.done(b"go")).out.decode()
    assert (done.code, done.err) == (0, "")
    text, binary = (json.loads(line) for line in done.out.decode().splitlines())
    assert before <= text.pop("time") <= binary.pop("time") <= time.time()
    assert text == {"type": "text", "size": 12, "text": "测\x1b[2J\u202e\x9b"}
    assert binary == {"type": "binary", "size": 2, "base64": base64.b64encode(b"\x00\xff").decode()}
    assert not {"\x1b", "\u202e", "\x9b"} & set(done.out.decode())
    assert "测" in done.out.decode()
    files = [json.loads(line).get("file") for line in later.splitlines()]
    assert files == [None, f"{tmp_path}/new/0001.bin", f"{tmp_path}/new/0002.bin"]
    assert Path(files[2]).read_bytes() == b"later"


async def test_messages_of_options_and_what_the_server_is_told(tool: Start) -> None:
    asked: list[Request] = []

    async def answer(ws: ServerConnection) -> None:
        assert ws.request is not None
        asked.append(ws.request)
        await ws.send(f"{await ws.recv(decode=True)}, {await ws.recv(decode=True)}")

    async with serving(answer, subprotocols=["b", "a"]) as url:
        piped = await tool(
            *("connect", "-x", "one", "-x", "two", "--wait", "none", "-v", "-u", "ann:s3cret"),
            *("-H", "X-Token: t0ken", "-H", "X-Plain:yes", "-s", "a", "-s", "b"),
            *("-o", "https://page.example", url.replace("ws://", "http://") + "?q=1"),
        )
        done = await piped.done(b"not read\n")
    assert (done.code, done.out) == (0, b"one, two\n")
    headers = asked[0].headers
    assert asked[0].path == "/?q=1"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"ann:s3cret").decode()
    assert (headers["X-Token"], headers["X-Plain"]) == ("t0ken", "yes")
    assert headers["Origin"] == "https://page.example"
    assert "subprotocol" in done.err
    assert "* > X-Plain: yes" in done.err
    assert "* < HTTP/1.1 101 Switching Protocols" in done.err
    assert "closed by the peer with 1000 (OK)" in done.err
    for secret in ("t0ken", "s3cret", headers["Authorization"]):
        assert secret not in done.err


async def test_exit_codes_say_how_it_ended(tool: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def behave(ws: ServerConnection) -> None:
        match await ws.recv():
            case "large":
                await ws.send("x" * 5000)
                await ws.recv()
            case "lost":
                ws.transport.abort()
            case code:
                await ws.close(int(code), "so \x1b[31mit is")

    async def refuse(ws: ServerConnection, request: Request) -> Response | None:
        return ws.respond(403, "not \x1b you\n") if request.path == "/no" else None

    async with (
        serving(behave, process_request=refuse) as url,
        serving(behave, ssl=context) as secure,
        asyncio.TaskGroup() as group,
    ):
        with socket.create_server(("127.0.0.1", 0)) as free:
            unused = f"127.0.0.1:{free.getsockname()[1]}"
        cases = {
            ("-x", "1000", url): (0, ""),
            ("-x", "1008", url): (1, r"1008 (policy violation) so \x1b[31mit is"),
            ("-x", "large", "--max-size", "4999", url): (1, "limit of 4999 bytes"),
            ("-x", "lost", url): (5, "connection lost"),
            (f"{url}no",): (4, r"403 'Forbidden' instead of 101: 'not \x1b you'"),
            (unused,): (3, f"cannot connect to ws://{unused}/: Connection refused"),
            ("--proxy", f"http://u:hidden@{unused}", url): (3, f" through http://{unused}: "),
            (url.replace("ws:", "https:"),): (3, "cannot connect to wss://"),
            (secure,): (3, "certificate is not trusted"),
            ("-x", "1000", "--insecure", secure): (0, ""),
            ("-x", "1000", "--cacert", str(tmp_path / "ca.pem"), secure): (0, ""),
        }

        async def check(arguments: tuple[str, ...], code: int, words: str) -> None:
            done = await (await tool("connect", "--wait", "none", *arguments)).done()
            assert (done.code, done.out) == (code, b""), (arguments, done)
            assert words in done.err
            assert "hidden" not in done.err
            assert "\x1b" not in done.err
            assert done.err.count("\n") == (1 if code else 0)

        for arguments, (code, words) in cases.items():
            group.create_task(check(arguments, code, words))


async def test_input_that_is_no_text_is_named(tool: Start) -> None:
    got: list[str | bytes] = []

    async def collect(ws: ServerConnection) -> None:
        got.extend([message async for message in ws])

    async with serving(collect) as url:
        lines = await (await tool("connect", url)).done(b"good\nb\xffd\nlost\n")
        whole = await (await tool("connect", "--whole", url)).done(b"b\xffd")
    assert (lines.code, whole.code) == (2, 2)
    assert lines.err == "longlink: line 2 of the input is not UTF-8: octet 0xff at 1\n"
    assert whole.err.startswith("longlink: the input is not UTF-8")
    assert got == ["good"]


@pytest.mark.parametrize("said", ["flood", "silence"])
async def test_a_reader_who_leaves_ends_it_quietly(tool: Start, said: str) -> None:
    opened = asyncio.Event()
    codes: list[int | None] = []

    async def feed(ws: ServerConnection) -> None:
        await ws.recv()
        opened.set()
        if said == "flood":
            await ws.send("0")
        with contextlib.suppress(ConnectionClosed):
            while said == "flood":
                await ws.send("and more" * 10_000)
        await ws.wait_closed()
        codes.append(ws.close_code)

    async with serving(feed, compression=None) as url:
        reading, writing = os.pipe()
        piped = await tool("connect", "--wait", "none", "-x", said, url, stdout=writing)
        os.close(writing)
        await opened.wait()
        if said == "flood":
            assert await asyncio.to_thread(os.read, reading, 2) == b"0\n"
        os.close(reading)
        assert await piped.done() == (0, b"", "")
    # Our Close waits behind a flood for a moment only.
    assert codes in ([[1000], [1006]] if said == "flood" else [[1000]])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
async def test_a_signal_says_goodbye(tool: Start, number: signal.Signals, code: int) -> None:
    codes: list[int | None] = []

    async def listen(ws: ServerConnection) -> None:
        await ws.send("here")
        await ws.wait_closed()
        codes.append(ws.close_code)

    async with serving(listen) as url:
        piped = await tool("connect", url)
        assert await piped.line() == b"here\n"
        piped.process.send_signal(number)
        assert (await piped.done()).code == code
    assert codes == [1000]


async def test_a_second_signal_does_not_wait_for_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "HURRY_S", 1e6)
    monkeypatch.setattr(sys, "stdin", None)
    interrupted = Ending(Code.INTERRUPTED)
    async with deaf() as (url, spoken), asyncio.timeout(DEADLINE_S):
        conversation = Talk(url, Plan(execute=("x",)), Limits(close_timeout=1e6))
        running = asyncio.create_task(conversation.run())
        await spoken.wait()
        conversation.end(interrupted)
        conversation.end(Ending(Code.OK))  # nobody reads its output any more: no reason to hurry
        await asyncio.sleep(0)
        assert not running.done()
        conversation.end(interrupted)
        assert await running == interrupted


async def test_a_peer_that_says_no_goodbye_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talk, "HURRY_S", 0.01)
    monkeypatch.setattr(sys, "stdin", None)
    async with deaf() as (url, spoken), asyncio.timeout(DEADLINE_S):
        conversation = Talk(url, Plan(execute=("x",)), Limits(close_timeout=1e6))
        running = asyncio.create_task(conversation.run())
        await spoken.wait()
        conversation.end(Ending(Code.TERMINATED))
        assert await running == Ending(Code.TERMINATED)


async def test_a_signal_while_connecting(tool: Start) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server:
        piped = await tool("connect", str(server.sockets[0].getsockname()[1]))
        await asked.wait()
        piped.process.send_signal(signal.SIGINT)
        assert await piped.done() == (130, b"", "")


async def test_it_connects_again(tool: Start) -> None:
    count = 0

    async def drop(ws: ServerConnection) -> None:
        nonlocal count
        count += 1
        await ws.send(f"{await ws.recv(decode=True)} {count}")
        if count == 1:
            ws.transport.abort()
        else:
            await ws.wait_closed()

    async with serving(drop) as url:
        piped = await tool("connect", "--reconnect", "-v", "-x", "hello", "-c", "2", url)
        done = await piped.done()
    assert (done.code, done.out) == (0, b"hello 1\nhello 2\n")
    assert "connection lost: no close frame in either direction; connecting again" in done.err


async def test_files_are_never_overwritten(tool: Start, tmp_path: Path) -> None:
    async def send(ws: ServerConnection) -> None:
        for data in (b"one", b"two", b"three"):
            await ws.send(data)
        await ws.wait_closed()

    (tmp_path / "cat-2.png").write_bytes(b"mine")
    async with serving(send) as url:
        save = ("connect", "-c", "3", "--save")
        done = await (await tool(*save, str(tmp_path / "cat.png"), url)).done()
        failed = await (await tool(*save, str(tmp_path / "no" / "cat.png"), url)).done()
    assert (done.code, done.out) == (0, b"")
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {
        "cat.png": b"one",
        "cat-2.png": b"mine",
        "cat-3.png": b"two",
        "cat-4.png": b"three",
    }
    assert f"binary, 3 bytes, saved as {tmp_path}/cat-3.png" in done.err
    assert failed.code == 6
    assert failed.err.startswith("longlink: cannot save to ")


async def test_no_input_and_no_room_for_output(tool: Start) -> None:
    async with serving(echo) as url:
        quiet = await tool("connect", *QUICK, url, stdin=asyncio.subprocess.DEVNULL)
        assert await quiet.done() == (0, b"", "")
        closed = await tool("connect", *QUICK, url, stdin=None, preexec_fn=lambda: os.close(0))
        assert await closed.done() == (0, b"", "")
        with open("/dev/full", "wb") as full:
            done = await (await tool("connect", "-x", "hi", url, stdout=full)).done()
        assert done[::2] == (6, "longlink: cannot write the output: No space left on device\n")


async def test_round_trips_are_shown(tool: Start) -> None:
    async def talk(ws: ServerConnection) -> None:
        await ws.recv()
        await ws.close()

    async with serving(talk) as url:
        shown = await tool("connect", "--ping", "0.001", "--wait", "none", "--json", url)
        first = json.loads(await shown.line())
        assert first.keys() == {"time", "type", "seconds"}
        assert first["type"] == "pong"
        assert 0 < first["seconds"] < DEADLINE_S
        assert (await shown.done(b"enough")).code == 0


async def test_with_npms_ws(tool: Start, node_modules: Path) -> None:
    async with node(node_modules, "server.js") as server:
        assert server.stdout is not None
        port = int(await server.stdout.readline())
        lines = "\n".join(["one", "测试", "do:fragments", "do:close"])
        piped = await tool("connect", "-s", "a", "--wait", "none", str(port))
        done = await piped.done(lines.encode())
        assert (done.code, done.out.decode()) == (1, "one\n测试\nfragmented\n")
        assert "4001 (private use) enough" in done.err


async def test_over_a_unix_socket(tool: Start, tmp_path: Path) -> None:
    from websockets.asyncio.server import unix_serve

    path = str(tmp_path / "socket")
    async with unix_serve(echo, path):
        done = await (await tool("connect", "--uds", path, "-x", "hi", "-c", "1")).done()
    assert done == (0, b"hi\n", "")
    gone = await (await tool("connect", "--uds", f"{path}-none", "-x", "hi")).done()
    assert gone.code == 3
    assert gone.err.endswith(f"at {path}-none: No such file or directory\n")
