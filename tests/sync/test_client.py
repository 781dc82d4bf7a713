"""The blocking client: the same verbs, without a loop of one's own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from longlink import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
    InvalidURI,
    LocalProtocolError,
    State,
    UnknownLimit,
)
from longlink.sync import ClientConnection, background, connect, reconnect, unix_connect
from longlink.sync.background import enter
from tests.sync.conftest import serving

# -- talking --------------------------------------------------------------------------------------


def test_a_conversation(uri: str) -> None:
    with connect(uri) as ws:
        for message in ("text", b"bytes", "", "x" * 300_000):
            ws.send(message)
            assert ws.recv() == message
        ws.send(bytearray(b"view"))
        assert ws.recv(decode=True) == "view"
        ws.send("text")
        assert ws.recv(timeout=10, decode=False) == b"text"
        ws.send(b"text", text=True)
        assert ws.recv() == "text"
        ws.pong(b"unasked")
        assert ws.ping("hello").wait(10)
        assert ws.latency > 0
    assert (ws.state, ws.close_code, ws.close_reason) == (State.CLOSED, 1000, "")


def test_what_it_knows_of_itself() -> None:
    with serving(subprotocols=["chat"]) as uri:
        with connect(uri, subprotocols=["chat"], additional_headers={"X-A": "1"}) as ws:
            assert ws.subprotocol == "chat"
            assert ws.request.headers["X-A"] == "1"
            assert ws.response is not None
            assert ws.response.status_code == 101
            assert ws.state is State.OPEN
            assert (ws.close_code, ws.close_reason) == (None, None)
            assert ws.remote_address[1] == int(uri.rstrip("/").rpartition(":")[2])
            assert ws.local_address[1] > 0
            assert ws.id == ws.id
            assert repr(ws) == f"<ClientConnection {ws.remote_address} OPEN>"


def test_without_a_block_it_is_closed_by_hand(uri: str) -> None:
    ws = connect(uri)
    ws.send("x")
    assert ws.recv() == "x"
    ws.close(1001, "bye")
    ws.close()
    assert ws.wait_closed()


def test_a_block_that_raises_closes_with_1011(uri: str) -> None:
    with pytest.raises(LookupError), connect(uri) as ws:
        raise LookupError
    assert ws.close_code == 1011


def test_fragments_are_made_by_the_thread_of_the_caller(uri: str) -> None:
    threads = []

    def fragments() -> Any:
        for piece in ("one ", "two ", "three"):
            threads.append(threading.current_thread())
            yield piece

    with connect(uri) as ws:
        ws.send(fragments())
        assert ws.recv() == "one two three"
        ws.send([b"a", b"b"])
        assert ws.recv() == b"ab"
    assert set(threads) == {threading.main_thread()}


def test_fragments_whose_maker_raises(uri: str) -> None:
    def fragments() -> Any:
        yield from ("one", "two", "three")
        raise LookupError("a bug")

    with connect(uri) as ws:
        with pytest.raises(LookupError, match="a bug"):
            ws.send(fragments())
        with pytest.raises(ConnectionClosedError):
            ws.recv()


def test_fragments_for_a_peer_that_leaves() -> None:
    async def leave(ws: Any) -> None:
        async for _ in ws.recv_streaming() if hasattr(ws, "recv_streaming") else ws:
            break

    def endless() -> Any:
        while True:
            yield "x" * 1000

    with serving(leave) as uri, connect(uri) as ws, pytest.raises(ConnectionClosed):
        ws.send(endless())


@pytest.mark.parametrize("message", [None, 5, {"a": "b"}, [1], object()])
def test_what_is_no_message(message: Any, uri: str) -> None:
    with connect(uri) as ws:
        with pytest.raises(TypeError):
            ws.send(message)
        if not isinstance(message, list):
            ws.send("x")
            assert ws.recv() == "x"


def test_what_is_not_waited_for_keeps_its_place(uri: str) -> None:
    with connect(uri) as ws:
        said: list[str | bytes] = []
        for n in range(60):
            said += [f"{n}", b"%d" % n, "large" * 20_000]
            ws.send(said[-3])
            ws.send(said[-2])
            ws.send(said[-1])
            ws.send(b"as text", text=True)
            said.append("as text")
            if n % 20 == 19:
                assert [ws.recv() for _ in said] == said
                said.clear()
        with pytest.raises(UnicodeEncodeError):
            ws.send("\ud800")
        ws.send("x")
        assert ws.recv() == "x"


def test_a_slow_peer_is_waited_for() -> None:
    go = threading.Event()

    async def late(ws: Any) -> None:
        await asyncio.to_thread(go.wait, 20)
        async for _ in ws:
            pass

    sent: list[int] = []

    def flood(ws: Any) -> None:
        for n in range(3000):
            ws.send(bytes(30_000))
            sent.append(n)

    with serving(late, max_queue=4) as uri, connect(uri, compression=None) as ws:
        thread = threading.Thread(target=flood, args=(ws,))
        thread.start()
        before = -1
        while before != len(sent):
            before = len(sent)
            thread.join(0.2)
        assert thread.is_alive()
        assert 0 < len(sent) < 3000
        go.set()
        thread.join()
        assert len(sent) == 3000


def test_a_message_in_parts() -> None:
    async def stream(ws: Any) -> None:
        await ws.send(["one", "two", "three"])
        await ws.send([b"x" * 100_000, b"y" * 100_000])
        await ws.send("last")

    with serving(stream) as uri, connect(uri) as ws:
        assert "".join(ws.recv_streaming()) == "onetwothree"
        for part in ws.recv_streaming():
            assert part[:1] == b"x"
            break  # the rest is thrown away
        assert list(ws.recv_streaming(decode=False)) == [b"last"]
        with pytest.raises(ConnectionClosedOK):
            next(ws.recv_streaming())


def test_iteration_ends_quietly() -> None:
    async def count(ws: Any) -> None:
        for number in range(100):
            await ws.send(str(number))

    with serving(count) as uri, connect(uri) as ws:
        assert list(ws) == [str(number) for number in range(100)]


def test_iteration_of_a_connection_that_fails() -> None:
    async def fail(ws: Any) -> None:
        await ws.send("x")
        await ws.close(1011)

    with serving(fail) as uri, connect(uri) as ws:
        messages = iter(ws)
        assert next(messages) == "x"
        with pytest.raises(ConnectionClosedError):
            next(messages)


# -- waiting --------------------------------------------------------------------------------------


def test_a_timeout_loses_nothing(uri: str) -> None:
    with connect(uri) as ws:
        for timeout in (0, -1, 0.001):
            with pytest.raises(TimeoutError, match=f"no message within {timeout} seconds"):
                ws.recv(timeout)
        assert not ws.wait_closed(0.001)
        received: list[Any] = []
        for number in range(300):
            ws.send(str(number))
        while len(received) < 300:
            try:
                received.append(ws.recv(timeout=0.0001))
            except TimeoutError:
                continue
        assert received == [str(number) for number in range(300)]


def test_what_is_there_is_given_without_waiting() -> None:
    async def greet(ws: Any) -> None:
        await ws.send("x")
        await ws.wait_closed()

    with serving(greet) as uri, connect(uri) as ws:
        assert ws.ping().wait(10)  # the message came before the Pong
        assert ws.recv(timeout=0) == "x"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Who runs in the background of a shell inherits that SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_the_connection_usable() -> None:
    async def interrupt(ws: Any) -> None:
        async for message in ws:
            if message == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            else:
                await ws.send(message)

    with serving(interrupt) as uri, connect(uri) as ws:
        for number in range(50):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012  it may be in either
                ws.send("interrupt")
                ws.recv()
            ws.send(str(number))
            assert ws.recv() == str(number)


class Interrupted(threading.Event):
    """An event for which waiting is interrupted at the worst moment, when it has happened."""

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        raise KeyboardInterrupt


class InterruptedCall(background.Call[Any]):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.done = Interrupted()


def test_a_message_that_comes_with_ctrl_c_is_not_lost(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(uri) as ws:
        for number in range(10):
            ws.send(str(number))
            with monkeypatch.context() as patch:
                patch.setattr(background, "Call", InterruptedCall)
                with pytest.raises(KeyboardInterrupt):
                    ws.recv()
        assert [ws.recv() for _ in range(10)] == [str(number) for number in range(10)]


def test_a_connection_that_opens_with_ctrl_c_is_closed(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "Call", InterruptedCall)
    with pytest.raises(KeyboardInterrupt):
        connect(uri)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_connecting_closes_what_was_opened() -> None:
    left: list[bool] = []

    def interrupt() -> None:
        sock, _ = silent.accept()
        with sock:
            assert sock.recv(65536).startswith(b"GET / ")
            os.kill(os.getpid(), signal.SIGINT)
            left.append(sock.recv(65536) == b"")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/")
        thread.join()
    assert left == [True]


# -- several threads ------------------------------------------------------------------------------


def test_one_thread_receives_while_others_send(uri: str) -> None:
    with connect(uri) as ws, ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(ws.send, str(number)) for number in range(500)]
        received = {ws.recv() for _ in range(500)}
        for each in sending:
            each.result()
    assert received == {str(number) for number in range(500)}


def test_two_threads_may_not_receive_at_once(uri: str) -> None:
    with connect(uri) as ws, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ws.recv) for _ in range(2)]
        while not any(each.done() for each in waiting):
            pass
        (refused,) = [each for each in waiting if each.done()]
        assert isinstance(refused.exception(), ConcurrencyError)
        ws.send("x")
        assert [each.result() for each in waiting if each is not refused] == ["x"]


def test_closing_ends_the_waiting_of_other_threads(uri: str) -> None:
    ws = connect(uri)
    with ThreadPoolExecutor(2) as pool:
        receiving, waiting = pool.submit(ws.recv), pool.submit(ws.wait_closed)
        ws.close()
        with pytest.raises(ConnectionClosedOK):
            receiving.result()
        assert waiting.result()


def test_many_connections_share_one_thread(uri: str) -> None:
    with ThreadPoolExecutor(10) as pool:
        all_of_them = list(pool.map(connect, [uri] * 30))
        assert [thread.name for thread in threading.enumerate()].count("longlink") == 1
        list(pool.map(lambda ws: ws.send("x"), all_of_them))
        assert list(pool.map(lambda ws: ws.recv(), all_of_them)) == ["x"] * 30
        list(pool.map(lambda ws: ws.close(), all_of_them))


def test_one_after_the_other_each_with_its_own_thread(uri: str) -> None:
    for _ in range(20):
        with connect(uri) as ws:
            ws.send("x")
            assert ws.recv() == "x"


def test_inside_a_running_loop(uri: str) -> None:
    """As in a notebook."""

    async def cell() -> Any:
        with connect(uri) as ws:
            ws.send("x")
            return ws.recv()

    assert asyncio.run(cell()) == "x"


def test_on_the_thread_that_does_the_work_nothing_can_wait(uri: str) -> None:
    with connect(uri) as ws:

        async def inside() -> Any:
            return ws.recv()

        with pytest.raises(ConcurrencyError, match="on the thread that does the work"):
            ws._background.run(inside)


# -- the end --------------------------------------------------------------------------------------


def test_after_the_end_everything_says_so(uri: str) -> None:
    with connect(uri) as ws:
        pass
    for call in (ws.recv, lambda: ws.recv(timeout=1), ws.ping, ws.pong):
        with pytest.raises(ConnectionClosedOK):
            call()
    for message in ("x", b"x", ["x"]):
        with pytest.raises(ConnectionClosedOK):
            ws.send(message)
    assert list(ws) == []
    assert ws.wait_closed(0)
    ws.close()


def test_what_came_before_the_end_can_be_received_after_it() -> None:
    async def parting(ws: Any) -> None:
        await ws.send("one")
        await ws.send("two")

    with serving(parting) as uri:
        ws = connect(uri)
        assert ws.wait_closed()
        assert (ws.recv(), ws.recv()) == ("one", "two")
        with pytest.raises(ConnectionClosedOK):
            ws.recv()
        ws.close()
    with serving(parting) as uri:
        ws = connect(uri)
        assert ws.wait_closed()
        ws.close()
        assert list(ws) == ["one", "two"]


def test_a_code_that_may_not_travel(uri: str) -> None:
    with connect(uri) as ws:
        with pytest.raises(LocalProtocolError):
            ws.close(1006)
        ws.send("x")
        assert ws.recv() == "x"


def test_a_connection_that_is_lost_is_closed(uri: str) -> None:
    ws = connect(uri)
    connection = ws._connection
    del ws
    gc.collect()
    shared = enter()

    async def over() -> None:
        await connection.wait_closed()

    shared.run(over)
    shared.leave()
    assert connection.state is State.CLOSED


def test_a_ping_that_is_never_answered() -> None:
    async def leave(ws: Any) -> None:
        ws.session.abort()

    with serving(leave) as uri:
        ws = connect(uri, ping_interval=None)
        try:
            event = ws.ping(ack_on_close=True)
        except ConnectionClosed:
            return
        finally:
            ws.close()
        assert event.wait(10)


def test_a_program_that_forgets_to_close_ends(python_environment: dict[str, str], uri: str) -> None:
    code = (
        "from longlink.sync import connect\n"
        f"ws = connect({uri!r})\n"
        "ws.send('x')\n"
        "print(ws.recv())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=python_environment,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("x\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_fork_has_a_loop_of_its_own(
    python_environment: dict[str, str], uri: str
) -> None:
    code = (
        "import os\n"
        "from longlink.sync import connect\n"
        f"with connect({uri!r}) as ws:\n"
        "    if os.fork() == 0:\n"
        f"        with connect({uri!r}) as mine:\n"
        "            mine.send('child')\n"
        "            print(mine.recv(), flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    ws.send('parent')\n"
        "    print(ws.recv(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=python_environment,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    assert done.stdout == "child\nparent\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_fork_may_not_use_the_connection_of_its_parent(
    python_environment: dict[str, str], uri: str
) -> None:
    code = (
        "import gc, os\n"
        "from longlink import ConcurrencyError\n"
        "from longlink.sync import connect\n"
        f"ws = connect({uri!r})\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        ws.send('child')\n"
        "    except ConcurrencyError as problem:\n"
        "        print(problem, flush=True)\n"
        "    del ws\n"
        "    gc.collect()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "ws.send('parent')\n"
        "print(ws.recv(), flush=True)\n"
        "ws.close()\n"
    )
    assert run(code, python_environment) == (
        "the connection belongs to the process that opened it\nparent\n",
        "",
    )


def test_a_daemon_thread_that_waits_does_not_complain_at_the_end(
    python_environment: dict[str, str], uri: str
) -> None:
    code = (
        "import threading\n"
        "from longlink.sync import connect\n"
        f"ws = connect({uri!r})\n"
        "threading.Thread(target=ws.recv, daemon=True).start()\n"
        "while not ws._background.calls:\n"
        "    pass\n"
        "ws.ping().wait()\n"
    )
    assert run(code, python_environment) == ("", "")


def run(code: str, environment: dict[str, str]) -> tuple[str, str]:
    """What a program says on its two outputs."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    return done.stdout, done.stderr


# -- connecting -----------------------------------------------------------------------------------


def test_what_connect_raises() -> None:
    with serving(process_request=lambda ws, request: ws.respond(403, "no")) as uri:
        with pytest.raises(InvalidStatus) as caught:
            connect(uri)
        assert (caught.value.status, caught.value.body) == (403, b"no")
    with pytest.raises(ConnectionRefusedError):
        connect(uri.replace("localhost", "127.0.0.1"))
    with pytest.raises(InvalidURI):
        connect("http://host/")
    with pytest.raises(UnknownLimit):
        connect("ws://host/", max_sise=1)
    with pytest.raises(TypeError, match="on_message"):
        connect("ws://host/", on_message=print)


def test_a_silent_server_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(TimeoutError):
            connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/", open_timeout=0.01)


def test_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    with serving(ssl=server_tls) as uri, connect(uri, ssl=client_tls) as ws:
        ws.send("x")
        assert ws.recv() == "x"
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(uri)


def test_a_unix_socket(tmp_path: Path) -> None:
    from websockets.sync.server import unix_serve

    path = str(tmp_path / "socket")
    with unix_serve(lambda ws: ws.send(ws.recv()), path) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with unix_connect(path) as ws:
            ws.send("x")
            assert ws.recv() == "x"
        server.shutdown()
        thread.join()
    with pytest.raises(TypeError):
        unix_connect(path, on_message=print)
    for once in (connect, unix_connect):
        with pytest.raises(TypeError, match=r"process_exception is for reconnect\(\)"):
            once("ws://host/", process_exception=print)


# -- again and again ------------------------------------------------------------------------------


def test_a_new_connection_for_each_that_is_over() -> None:
    async def once(ws: Any) -> None:
        await ws.send(await ws.recv())

    seen: list[ClientConnection] = []
    with serving(once) as uri:
        for ws in reconnect(uri, reconnect_delays=lambda: iter([0.0] * 9)):
            seen.append(ws)
            try:
                ws.send("x")
                assert ws.recv() == "x"
                ws.recv()
            except ConnectionClosed:
                if len(seen) == 4:
                    break
    assert {ws.state for ws in seen} == {State.CLOSED}
    assert len({ws.id for ws in seen}) == 4


def test_an_error_that_is_final_ends_it() -> None:
    with serving(process_request=lambda ws, request: ws.respond(403, "no")) as uri:
        with pytest.raises(InvalidStatus):
            next(iter(reconnect(uri)))
