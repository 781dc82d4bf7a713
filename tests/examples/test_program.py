"""The examples as programs see them: clients of other libraries, deaf ones, and those that lie."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from websockets.asyncio.client import connect

import longlink.sync
from tests.examples.conftest import Example, Start, run
from tests.server.product import DEADLINE_S, closed, soon

REQUEST = (
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def deaf(example: Example) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asked for WebSocket, has little room, and reads nothing of its own accord."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(example.address)
    sock.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    writer.write(REQUEST.encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


# -- the pool ------------------------------------------------------------------------------------


async def test_a_pool_of_people_and_an_operator(start: Start) -> None:
    async with start("push") as push, connect(push.ws) as first:
        assert await push.line() == "added: 1 from 127.0.0.1, now 1"
        assert await soon(first) == "You are number 1."
        async with connect(push.ws) as second:
            assert await push.line() == "added: 2 from 127.0.0.1, now 2"
            await second.recv()
            await first.send("hi \x1b[31m测试")
            assert await push.line() == "sent: 1 'hi \\x1b[31m测试'"
            assert await soon(first) == await soon(second) == "1: hi \x1b[31m测试"
            push.type("hello")
            assert await soon(first) == await soon(second) == "operator: hello"
            push.type("@2 only you")
            push.type("@7 nobody")
            assert await push.line() == "nobody is @7"
            push.type("all")
            assert await soon(first) == "operator: all"
            assert await soon(second) == "operator, to you: only you"
        assert await push.line() == "left: 2 with 1000, now 1"


async def test_the_operator_may_leave(start: Start) -> None:
    async with start("push") as push:
        assert push.process.stdin is not None
        push.process.stdin.write_eof()
        async with connect(push.ws) as ws:
            assert await soon(ws) == "You are number 1."


async def test_a_port_that_is_taken_is_said_in_one_line(
    python_environment: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
        code, out, problems = await run(python_environment, "push", "--port", port)
    assert (code, out) == (1, "")
    assert "Address already in use" in problems
    assert problems.count("\n") == 1


# -- the file ------------------------------------------------------------------------------------


async def received(ws: longlink.Connection) -> tuple[dict[str, object], bytes]:
    async with asyncio.timeout(DEADLINE_S):
        head = json.loads(await ws.recv())
        return head, b"".join([part async for part in ws.recv_streaming()])


async def test_a_file_comes_at_once_and_again_when_it_changes(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "照片.png"
    file.write_bytes(bytes(range(256)) * 8192)
    async with (
        start("push_file", str(file)) as push,
        longlink.connect(push.ws, max_size=None) as ws,
    ):
        head, data = await received(ws)
        assert head == {"name": "照片.png", "size": 2 << 20, "type": "image/png"}
        assert data == file.read_bytes()
        file.write_bytes(b"")
        assert await received(ws) == ({**head, "size": 0}, b"")
        file.unlink()
        fresh = tmp_path / "fresh"
        fresh.write_bytes(b"other")
        fresh.rename(file)
        assert await received(ws) == ({**head, "size": 5}, b"other")


async def test_a_file_that_is_none(python_environment: dict[str, str], tmp_path: Path) -> None:
    code, _, problems = await run(python_environment, "push_file", str(tmp_path))
    assert code == 2
    assert problems.endswith(f"{tmp_path} is no file\n")


# -- the log -------------------------------------------------------------------------------------


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


async def test_new_lines_of_a_log_whatever_happens_to_it(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log, "old\nunfin")
    async with start("tail", str(log)) as tail, connect(tail.ws) as ws:
        write(log, "ished\r\nwhole\npart")
        assert await soon(ws) == "ished\nwhole"
        write(log, "ial\n<b>\x1b测试</b>\n")
        assert await soon(ws) == "partial\n<b>\x1b测试</b>"
        write(log, "last words")
        log.rename(tmp_path / "log.1")
        write(log, "after the rotation\n")
        assert await soon(ws) == "last words"
        assert await soon(ws) == "after the rotation"
        log.write_text("cut\n")
        assert await soon(ws) == "cut"
        log.unlink()
        write(log, "again\n")
        assert await soon(ws) == "again"


async def test_a_log_that_is_not_there_yet(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "later"
    async with start("tail", str(log)) as tail, connect(tail.ws) as ws:
        log.write_bytes(b"first\n" + b"\xff" * 40_000)
        assert await soon(ws) == "first\n" + "\ufffd" * 16_384


async def test_who_reads_a_log_too_slowly_is_dropped_and_nobody_else_notices(
    start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with start("tail", str(log)) as tail, connect(tail.ws, compression=None) as ws:
        reader, writer = await deaf(tail)
        lines = [f"{number:06} {'x' * 93}" for number in range(80_000)]
        log.write_text("\n".join(lines) + "\n")
        heard: list[str] = []
        while len(heard) < len(lines):
            heard += str(await soon(ws)).split("\n")
        assert heard == lines
        end = b""
        async with asyncio.timeout(DEADLINE_S):
            while data := await reader.read(1 << 16):
                end = (end + data)[-200:]
        assert (1013).to_bytes(2, "big") in end
        writer.close()


# -- prices --------------------------------------------------------------------------------------


async def test_prices_for_a_program_that_blocks(start: Start) -> None:
    async with start("prices") as prices:

        def read() -> tuple[dict[str, list[float]], list[dict[str, float]]]:
            with longlink.sync.connect(prices.ws) as ws:
                known = json.loads(ws.recv(DEADLINE_S))["prices"]
                return known, [json.loads(ws.recv(DEADLINE_S))["prices"] for _ in range(2)]

        known, news = await asyncio.to_thread(read)
        assert {len(past) for past in known.values()} == {120}
        for each in news:
            assert each.keys() == known.keys()
            assert all(abs(each[name] / past[-1] - 1) < 0.1 for name, past in known.items())


# -- the game ------------------------------------------------------------------------------------


WISHES = [("-1 0", 1, -1, 20), ("1 0", 1, 1, 780), ("0 1", 2, 1, 480), ("0 -1", 2, -1, 20)]


async def test_the_server_moves_players_by_equal_steps_thirty_times_a_second(start: Start) -> None:
    clock = asyncio.get_running_loop().time
    async with start("game") as game:
        begun = clock()
        async with connect(game.ws) as ws, asyncio.timeout(DEADLINE_S):
            you = json.loads(await soon(ws))["you"]

            async def where() -> tuple[int, ...]:
                """The tick, and our place."""
                news = json.loads(await soon(ws))
                (me,) = [player for player in news["players"] if player[0] == you]
                return (news["tick"], *me[1:3])

            now = await where()
            first = now[0]
            for wish, axis, sign, wall in WISHES:
                await ws.send(wish)
                moved = 0
                while moved < 5 and now[axis] != wall:
                    before, now = now, await where()
                    assert now[0] == before[0] + 1
                    assert abs(now[axis] - before[axis]) <= 10  # 260 / 30, rounded
                    moved += (now[axis] - before[axis]) * sign > 0
            assert now[0] - first >= 10
            assert clock() - begun > (now[0] - first - 2) / 30  # one step may come late, no more
            await ws.send("100 0")
            assert await closed(ws) == (1008, "not a direction")


async def test_who_reads_a_game_too_slowly_skips_pictures(start: Start) -> None:
    async with start("game") as game:
        reader, writer = await deaf(game)
        async with asyncio.timeout(DEADLINE_S):
            others = await asyncio.gather(*(connect(game.ws) for _ in range(50)))
            ticks: list[int] = []
            while len(ticks) < 60:
                ticks += filter(None, [json.loads(await others[0].recv()).get("tick")])
            assert ticks == list(range(ticks[0], ticks[0] + 60))
            seen: list[int] = []
            data = b""
            while not seen or seen[-1] <= ticks[-1]:
                news = await reader.read(4096)
                assert news, "closed"
                data += news
                *parts, data = data.split(b'{"tick": ')
                seen += [int(part.partition(b",")[0]) for part in parts if part[:1].isdigit()]
        missed = [n for n in range(seen[0], seen[-1]) if n not in seen]
        assert missed
        writer.close()
        for other in others:
            other.transport.close()


# -- chat and drawing ----------------------------------------------------------------------------


async def test_chat_tells_a_program_what_it_may_say(start: Start) -> None:
    async with start("chat") as example:
        bad: list[str | bytes] = [b"binary", "", "x" * 25]
        for name in bad:
            async with connect(example.ws) as ws:
                await ws.send(name)
                assert await closed(ws) == (1008, "text of 1 to 24 characters, please")
        async with connect(example.ws):
            pass  # who leaves without a name was never here
        async with connect(example.ws) as ws:
            await ws.send("Bob")
            for number in range(60):
                await ws.send(f"line {number}")
            while json.loads(await soon(ws)).get("text") != "line 59":
                pass
            async with connect(example.ws) as late:
                await late.send("Late")
                welcome = json.loads(await soon(late))
                said = [event["text"] for event in welcome["said"]]
                assert said == [f"line {number}" for number in range(10, 60)]
            await ws.send("x" * 501)
            assert (await closed(ws))[0] == 1008


async def test_a_picture_takes_bounded_memory_and_no_nonsense(start: Start) -> None:
    async with start("draw") as example:
        async with connect(example.ws) as ws:
            assert await soon(ws) == "clear"
            for number in range(200):
                await ws.send(f"1 {1 + number % 60}" + " 1600 1000" * 180)
            await ws.send("7 60 -5 2000 10 10")
            while await soon(ws) != "7 60 0 1000 10 10":
                pass
            async with connect(example.ws) as late:
                picture = str(await soon(late))
                assert 250_000 < len(picture) <= 256 * 1024 + 200
                assert picture.endswith("\n7 60 0 1000 10 10")
        bad: list[str | bytes] = [
            "8 5 1 1",
            "0 0 1 1",
            "0 61 1 1",
            "0 5 1",
            "0 5",
            "",
            "a",
            "0 5 1 1e9",
            b"\xff",
        ]
        for stroke in bad:
            async with connect(example.ws) as ws:
                await ws.send(stroke)
                assert await closed(ws) == (1008, "not a stroke")
