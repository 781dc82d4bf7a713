"""Lines over TCP, on the reactor and on transports, with peers that know nothing of longlink."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from longlink import ConcurrencyError, line
from longlink.line.line import LINES_PER_TURN
from longlink.line.tcp import TURNED_AWAY

from .conftest import Peer, in_time, meeting, serving

pytestmark = pytest.mark.usefixtures("carrier")


async def echo(talk: line.Line) -> None:
    async for text in talk:
        await talk.send(f"got {text}")


async def test_who_speaks_is_answered_line_by_line() -> None:
    async with serving(echo) as where, meeting(where) as peer:
        peer.say(b"one\r\ntwo\nth")
        assert (await peer.line(), await peer.line()) == (b"got one\n", b"got two\n")
        peer.say(b"ree\n\n")
        assert (await peer.line(), await peer.line()) == (b"got three\n", b"got \n")


async def test_the_server_may_speak_first() -> None:
    async def greet(talk: line.Line) -> None:
        await talk.send("测试成功！")
        await talk.send(b"bytes \xff", end="\r\n")

    async with serving(greet) as where, meeting(where) as peer:
        assert await peer.rest() == "测试成功！\n".encode() + b"bytes \xff\r\n"


async def test_who_ends_may_still_be_answered_and_what_is_unfinished_is_a_line() -> None:
    async with serving(echo) as where, meeting(where) as peer:
        peer.say(b"a\n\nlast", last=True)
        assert await peer.rest() == b"got a\ngot \ngot last\n"


async def test_text_is_utf8_and_octets_are_there_for_who_wants_them() -> None:
    heard: list[Any] = []

    async def hear(talk: line.Line) -> None:
        heard.extend([await talk.readline(), await talk.readline(decode=False)])

    async with serving(hear) as where, meeting(where) as peer:
        peer.say("测".encode() + b"\xff\n\xfe\n")
        assert await peer.rest() == b""
    assert heard == ["测\ufffd", b"\xfe"]


async def test_terminators_and_the_end_of_what_is_sent_are_anybodys_choice() -> None:
    async with serving(echo, terminators=b"\n\t\0", newline=b"\r\n") as where:
        async with meeting(where) as peer:
            peer.say(b"a\tb\0c\n", last=True)
            assert await peer.rest() == b"got a\r\ngot b\r\ngot c\r\n"


async def test_a_line_that_is_too_long_gets_an_error_line_behind_the_others_and_the_end() -> None:
    failed: list[Exception] = []

    async def hear(talk: line.Line) -> None:
        try:
            await echo(talk)
        except line.LineTooLong as problem:
            failed.append(problem)
            with pytest.raises(line.LineTooLong):
                await talk.readline()
            with pytest.raises(line.LineTooLong):
                talk.send("more")

    async with serving(hear, max_line=100) as where, meeting(where) as peer:
        peer.say(b"fine\n" + bytes(5_000_000))  # never more than a little of it is taken
        said = await peer.rest()
        assert said == b"got fine\nerror: line longer than 100 bytes (max_line)\n"
    assert len(failed) == 1


async def test_a_line_that_drips_in_does_not_keep_the_connection() -> None:
    ended: list[Exception] = []

    async def hear(talk: line.Line) -> None:
        try:
            await talk.readline()
        except TimeoutError as problem:
            ended.append(problem)

    async with serving(hear, timeout=0.3) as where, meeting(where) as peer:
        answer = asyncio.create_task(peer.rest())
        while not answer.done():
            peer.say(b"x")
            await asyncio.wait((answer,), timeout=0.02)
        assert answer.result() == b"error: no line came for 0.3 s (timeout)\n"
    assert isinstance(ended[0], line.LineTimeout)


async def test_so_many_are_accepted_and_then_the_server_ends_with_the_last() -> None:
    async with line.serve(echo, "127.0.0.1", 0, max_accepts=2) as server:
        where = server.sockets[0].getsockname()
        async with meeting(where) as first:
            async with meeting(where) as second:
                second.say(b"x\n", last=True)
                assert await second.rest() == b"got x\n"
            assert server.sockets == ()
            with pytest.raises(OSError):
                await asyncio.open_connection(*where)
            first.say(b"still here\n")
            assert await first.line() == b"got still here\n"
        await in_time(server.serve_forever())


async def test_one_too_many_is_told_so() -> None:
    async with serving(echo, max_connections=1) as where, meeting(where) as first:
        first.say(b"x\n")
        await first.line()
        async with meeting(where) as second:
            assert await second.rest() == b"error: too many connections, the limit is 1\n"
        first.say(b"y\n")
        assert await first.line() == b"got y\n"


async def test_so_many_are_told_and_more_are_cut_without_a_word() -> None:
    """Whoever is turned away and stays keeps a descriptor from others."""
    async with line.serve(echo, "127.0.0.1", 0, max_connections=1, close_timeout=60) as server:
        where = server.sockets[0].getsockname()
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(meeting(where))
            first.say(b"x\n")
            await first.line()
            peers = [
                await stack.enter_async_context(meeting(where)) for _ in range(TURNED_AWAY + 1)
            ]
            said = [await peer.line() for peer in peers]
            assert said == [b"error: too many connections, the limit is 1\n"] * TURNED_AWAY + [b""]
            (talk,) = server.lines
        await in_time(talk.wait_closed())
        async with meeting(where) as late:
            late.say(b"z\n")
            assert await late.line() == b"got z\n"


async def test_who_is_not_heard_is_not_read_and_nothing_is_lost() -> None:
    go_on = asyncio.Event()
    heard: list[str] = []

    async def hear(talk: line.Line) -> None:
        await go_on.wait()
        heard.extend([text async for text in talk])

    sent = [f"line {number:0300}" for number in range(30_000)]
    async with serving(hear) as where, meeting(where) as peer:
        peer.say("".join(f"{text}\n" for text in sent).encode(), last=True)
        transport = peer.writer.transport
        before = -1
        while transport.get_write_buffer_size() != before:  # until the kernel takes no more
            before = transport.get_write_buffer_size()
            await asyncio.wait((asyncio.create_task(go_on.wait()),), timeout=0.1)
        assert transport.get_write_buffer_size() > 100_000
        go_on.set()
        assert await peer.rest() == b""
    assert heard == sent


async def test_who_does_not_read_is_waited_for_and_then_lost() -> None:
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def tell(talk: line.Line) -> None:
        try:
            while True:
                await talk.send("x" * 10_000)
        except line.LineFailed as problem:
            ended.set_result(problem)
            raise

    async with serving(tell, stall_timeout=0.3) as where:
        async with meeting(where, limit=1000):
            problem = await asyncio.wait_for(ended, 20)
    assert str(problem) == "the other side has read nothing for 0.3 s"


async def test_who_sends_without_waiting_is_stopped_at_a_limit() -> None:
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def tell(talk: line.Line) -> None:
        await talk.readline()
        try:
            while True:
                talk.send("x" * 100_000)
        except line.LineFailed as problem:
            ended.set_result(problem)

    async with serving(tell, max_backlog=200_000) as where:
        async with meeting(where, limit=1000) as peer:
            peer.say(b"go\n")
            problem = await asyncio.wait_for(ended, 20)
    assert "the limit is 200000 (max_backlog)" in str(problem)


async def test_a_slow_reader_gets_everything() -> None:
    async def tell(talk: line.Line) -> None:
        for number in range(2000):
            await talk.send(f"{number:01000}")

    async with serving(tell) as where, meeting(where, limit=1000) as peer:
        lines = (await peer.rest()).splitlines()
    assert [int(text) for text in lines] == list(range(2000))


async def test_one_writer_does_not_make_the_others_deaf() -> None:
    turns = 0
    taken: dict[int, int] = {}

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def hear(talk: line.Line) -> None:
        async for _ in talk:
            taken[turns] = taken.get(turns, 0) + 1

    turning = asyncio.create_task(turn())
    async with serving(hear) as where, meeting(where) as peer:
        peer.say(b"\n" * 20_000, last=True)
        assert await peer.rest() == b""
    turning.cancel()
    assert sum(taken.values()) == 20_000
    assert max(taken.values()) <= 2 * LINES_PER_TURN


async def test_a_cancelled_readline_has_taken_nothing() -> None:
    async def late(talk: line.Line) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await talk.readline()
        await talk.send("now")
        await talk.send(await talk.readline())

    async with serving(late) as where, meeting(where) as peer:
        peer.say(b"half")
        assert await peer.line() == b"now\n"
        peer.say(b" a line\n")
        assert await peer.rest() == b"half a line\n"


async def test_one_task_at_a_time_reads() -> None:
    async def twice(talk: line.Line) -> None:
        first = asyncio.create_task(talk.readline())
        await asyncio.wait((first,), timeout=0)
        with pytest.raises(ConcurrencyError):
            await talk.readline()
        await talk.send("said so")
        await talk.send(await first)

    async with serving(twice) as where, meeting(where) as peer:
        assert await peer.line() == b"said so\n"
        peer.say(b"x\n")
        assert await peer.rest() == b"x\n"


async def test_an_answer_arrives_though_they_went_on_sending() -> None:
    """Octets left unread would make our close a reset, which destroys what is on its way."""

    async def once(talk: line.Line) -> None:
        await talk.send(f"got {await talk.readline()}")

    async with serving(once) as where, meeting(where) as peer:
        peer.say(b"x\n" * 200_000, last=True)
        assert await peer.rest() == b"got x\n"


async def test_who_does_not_leave_after_our_end_is_cut() -> None:
    async with line.serve(echo, "127.0.0.1", 0, close_timeout=0.2) as server:
        async with meeting(server.sockets[0].getsockname()) as peer:
            peer.say(b"x\n")
            assert await peer.line() == b"got x\n"
            (talk,) = server.lines
            await in_time(talk.close())
            assert repr(talk).startswith(f"<{type(talk).__name__} closed 127.0.0.1:")
            assert server.lines == set()


async def test_a_reset_is_a_failure_with_its_cause_and_nobodys_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def hear(talk: line.Line) -> None:
        try:
            await echo(talk)
        except line.LineFailed as problem:
            ended.set_result(problem)
            raise

    async with serving(hear) as where, meeting(where) as peer:
        peer.say(b"x\n")
        await peer.line()
        peer.reset()
        problem = await asyncio.wait_for(ended, 20)
    assert str(problem) == "lost: connection reset by peer"
    assert isinstance(problem.__cause__, ConnectionResetError)
    assert caplog.records == []


@pytest.mark.parametrize("ending", ["close", "finish"])
async def test_a_reset_just_before_our_end(ending: str, caplog: pytest.LogCaptureFixture) -> None:
    """The kernel knows of it, and we do not yet: it refuses to end our side."""
    ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    nobody: socket.socket

    async def hear(talk: line.Line) -> None:
        await talk.readline()
        nobody.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        nobody.close()
        if ending == "close":
            talk.close()
        else:
            talk.finish()
        try:
            ended.set_result(await talk.read())
        except line.LineFailed as problem:
            ended.set_result(problem)

    async with serving(hear) as where:
        nobody = socket.create_connection(where)
        nobody.send(b"x\n")
        problem = await in_time(ended)
    assert problem == b"" if ending == "close" else isinstance(problem, line.LineFailed)
    assert caplog.records == []


async def test_a_handler_that_fails_costs_its_own_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hear(talk: line.Line) -> None:
        if await talk.readline() == "fail":
            raise ZeroDivisionError
        await talk.send("fine")

    async with serving(hear) as where, meeting(where) as one, meeting(where) as other:
        one.say(b"fail\n")
        with contextlib.suppress(ConnectionResetError):
            assert await one.rest() == b""
        other.say(b"x\n")
        assert await other.rest() == b"fine\n"
    (record,) = caplog.records
    assert record.getMessage().startswith("line handler failed on <")


async def test_a_server_that_closes_sends_what_is_queued_and_waits_for_handlers() -> None:
    ended: list[str] = []

    async def hear(talk: line.Line) -> None:
        with pytest.raises(line.LineClosed, match="closed by us"):
            await talk.readline()
        ended.append("handler")

    async with line.serve(hear, "127.0.0.1", 0) as server:
        async with meeting(server.sockets[0].getsockname()) as peer:
            while not server.lines:
                await asyncio.wait((asyncio.create_task(asyncio.sleep(0)),))
            for talk in server.lines:
                talk.send("bye")
            server.close()
            assert await peer.rest() == b"bye\n"
            peer.writer.close()
            await in_time(server.wait_closed())
    assert ended == ["handler"]


async def test_a_handler_that_does_not_end_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    stuck = asyncio.Event()

    async def hear(talk: line.Line) -> None:
        stuck.set()
        await asyncio.Event().wait()

    async with line.serve(hear, "127.0.0.1", 0, close_timeout=0.2) as server:
        async with meeting(server.sockets[0].getsockname()):
            await asyncio.wait_for(stuck.wait(), 20)
            server.close()
            await in_time(server.wait_closed())
    assert [record.getMessage() for record in caplog.records] == [
        "1 line handlers did not end in time: cancelled"
    ]


async def test_an_address_that_is_taken_is_named() -> None:
    async with serving(echo) as where:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{where[1]}: "):
            await line.serve(echo, *where)


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    async with line.serve(echo, path=path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x\n")
        assert await in_time(reader.readline()) == b"got x\n"
        writer.close()


# -- the client ------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def raw(handler: Any) -> AsyncIterator[tuple[str, int]]:
    """A server without longlink, for one connection."""
    done = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(Peer(reader, writer))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            done.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()
        await in_time(done.wait())


async def test_a_client_speaks_and_hears_until_the_server_closes() -> None:
    async def answer(peer: Peer) -> None:
        peer.say(b"hello\r\n")
        peer.say(b"you said " + await peer.reader.read())
        peer.writer.close()

    async with raw(answer) as where, line.connect(*where) as talk:
        assert talk.remote_address == where
        assert talk.local_address[0] == "127.0.0.1"
        await talk.send("one", end="\r\n")
        await talk.send("two")
        talk.finish()
        with pytest.raises(line.LineClosed, match="we said that we send no more"):
            talk.send("three")
        assert [text async for text in talk] == ["hello", "you said one", "two"]
        with pytest.raises(line.LineClosed, match="closed by the other side"):
            await talk.readline()
        assert await talk.read() == b""


async def test_octets_can_be_read_as_they_come() -> None:
    async def ask(peer: Peer) -> None:
        peer.say(b"login: ")
        peer.say(b"hello " + await peer.reader.readline(), last=True)

    async with raw(ask) as where, line.connect(*where) as talk:
        assert await talk.read() == b"login: "
        await talk.send("ann")
        assert await talk.read() == b"hello ann\n"
        assert await talk.read() == b""


@pytest.mark.parametrize("size", [40_000, 3_000_000])
async def test_what_was_sent_before_the_end_can_be_read_by_a_slow_client(size: int) -> None:
    """Both ways are closed while the client does not read: the kernel reports a hang-up."""
    gone = asyncio.Event()

    async def pour(peer: Peer) -> None:
        await peer.reader.read()
        peer.say(b"x" * size)
        peer.writer.close()
        await peer.writer.wait_closed()
        gone.set()

    async with raw(pour) as where, line.connect(*where) as talk:
        talk.finish()
        if size < 1_000_000:  # the kernel takes all of it
            await in_time(gone.wait())
        received = 0
        while octets := await talk.read():
            received += len(octets)
    assert received == size


async def test_a_line_too_long_for_a_client_ends_it() -> None:
    async def pour(peer: Peer) -> None:
        peer.say(bytes(1000))
        await peer.reader.read()
        peer.writer.close()

    async with raw(pour) as where, line.connect(*where, max_line=100) as talk:
        with pytest.raises(line.LineTooLong, match="line longer than 100 bytes"):
            await talk.readline()
        await in_time(talk.wait_closed())


async def test_nobody_listens() -> None:
    async with serving(echo) as where:
        pass
    with pytest.raises(ConnectionRefusedError):
        await line.connect(*where)


async def test_what_is_not_a_line_is_not_sent() -> None:
    async with serving(echo) as where, line.connect(*where) as talk:
        with pytest.raises(TypeError, match="a line is str or bytes, not int"):
            talk.send(3)  # type: ignore[arg-type]
        with pytest.raises(UnicodeError):
            talk.send("\ud800")
        await talk.send(memoryview(b"fine"))  # type: ignore[arg-type]
        assert await talk.readline() == "got fine"


async def test_under_tls() -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)

    async def once(talk: line.Line) -> None:
        await talk.send(f"got {await talk.readline()}")

    async with serving(once, ssl=server_side) as where:
        talk = await line.connect(*where, ssl=client_side, server_hostname="localhost")
        async with talk:
            await talk.send("x" * 5000)
            assert await talk.readline() == "got " + "x" * 5000
            with pytest.raises(line.LineClosed):
                await in_time(talk.readline())
        with pytest.raises(ssl.SSLError):
            await line.connect(*where, ssl=True, server_hostname="localhost")


async def test_who_ends_under_tls_has_ended_both_ways_and_who_fails_leaves_nothing() -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    lines: list[line.Line] = []

    async def hear(far: line.Line) -> None:
        lines.append(far)
        await echo(far)

    async with line.serve(hear, "127.0.0.1", 0, ssl=server_side) as server:
        where, before = server.sockets[0].getsockname(), server.agenda.users
        talk = await line.connect(*where, ssl=client_side, server_hostname="localhost")
        talk.send("x")
        talk.finish()
        async for _ in talk:
            pass  # what is answered may be lost, and that is no failure
        await in_time(talk.wait_closed())
        await in_time(lines[0].wait_closed())
        async with meeting(where) as peer:
            peer.say(b"no TLS\n")
            await peer.rest()
        assert server.agenda.users == before


async def test_nothing_is_logged_of_who_comes_and_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(echo) as where:
        for _ in range(3):
            async with meeting(where) as peer:
                peer.say(b"x\n", last=True)
                await peer.rest()
    assert [record for record in caplog.records if record.name.startswith("longlink")] == []


async def test_what_is_sent_to_many_reaches_those_who_are_there() -> None:
    async def talk(each: line.Line) -> None:
        async for text in each:
            line.broadcast(server.lines, f"all: {text}")

    async with line.serve(talk, "127.0.0.1", 0, close_timeout=5) as server:
        where = server.sockets[0].getsockname()
        async with meeting(where) as one, meeting(where) as two, meeting(where) as three:
            for each in (one, two, three):
                each.say(b"\n")
                while await each.line() != b"all: \n":
                    pass
            three.say(b"x\n", last=True)  # its line is closing when the next one speaks
            assert (await three.rest()).endswith(b"all: x\n")
            one.say(b"y\n")
            for each in (one, two):
                while (said := await each.line()) != b"all: y\n":
                    assert said in (b"all: \n", b"all: x\n")


async def test_a_handler_that_is_no_coroutine_costs_a_connection_and_not_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hear(talk: line.Line) -> None:
        """No coroutine."""

    async with serving(hear) as where, meeting(where) as peer:  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError):
            assert await peer.rest() == b""
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is TypeError


async def test_who_talks_a_lot_has_as_long_for_each_line_as_others() -> None:
    """A share of a turn that was used up is no silence: it does not count from before that."""
    lines: list[line.Line] = []

    async def hear(talk: line.Line) -> None:
        lines.append(talk)
        await echo(talk)

    async with serving(hear, timeout=60) as where, meeting(where) as peer:
        for _ in range(2):
            since = asyncio.get_running_loop().time()
            peer.say(b"x\n" * (2 * LINES_PER_TURN))
            for _ in range(2 * LINES_PER_TURN):
                assert await peer.line() == b"got x\n"
            (talk,) = lines
            assert talk.reading_since >= since
            assert talk.tick  # there is a deadline
