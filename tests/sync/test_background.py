"""The loop that blocking connections share: when it starts, when it stops, who waits for what."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from longlink.sync import background, connect
from longlink.sync.background import Call, enter
from tests.sync.conftest import serving


async def nothing() -> int:
    return 1


def test_it_runs_from_the_first_user_to_the_last() -> None:
    one = enter()
    two = enter()
    assert one is two
    assert one.thread.is_alive()
    one.leave()
    assert two.run(nothing) == 1
    two.leave()
    two.thread.join()
    assert two.loop.is_closed()
    three = enter()
    assert three is not one
    three.leave()


def test_a_call_keeps_it_running() -> None:
    shared = enter()
    begun, go_on = threading.Event(), asyncio.Event()

    async def wait() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    call = Call(shared, wait)
    shared.begin(call)
    begun.wait()
    shared.leave()
    shared.loop.call_soon_threadsafe(go_on.set)
    assert call.wait() == "done"


def test_what_a_call_raises_is_raised_here() -> None:
    async def fail() -> None:
        raise LookupError("a bug")

    shared = enter()
    with pytest.raises(LookupError, match="a bug"):
        shared.run(fail)
    shared.leave()
    shared.thread.join()
    with pytest.raises(LookupError, match="a bug"):
        shared.run(fail)


def test_a_call_that_is_given_up_before_it_began_does_nothing() -> None:
    shared = enter()
    begun: list[bool] = []

    async def begin() -> None:
        begun.append(True)

    early, late = Call(shared, begin), Call(shared, begin)
    early.cancel()
    early.cancel()
    shared.begin(early)
    shared.calls.add(late)  # interrupted before it got as far as the loop
    late.cancel()
    shared.run(nothing)
    assert (begun, shared.calls) == ([], set())
    shared.leave()


def test_a_result_that_comes_too_late_is_handed_over() -> None:
    shared = enter()
    cancelled, late = threading.Event(), threading.Event()

    async def stubborn() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
        return "late"

    results: list[Any] = []

    def take(result: str) -> None:
        results.append(result)
        late.set()

    call = Call(shared, stubborn)
    shared.begin(call)
    shared.run(nothing)
    call.cancel(take)
    late.wait(10)
    assert results == ["late"]
    assert cancelled.is_set()
    shared.leave()


def test_what_is_still_open_at_the_end_is_closed() -> None:
    with serving() as uri:
        ws = connect(uri)
        shared = ws._background
        background._at_exit()
        assert not shared.thread.is_alive()
        assert ws.close_code == 1001


def test_a_peer_that_does_not_answer_does_not_keep_the_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_EXIT_PATIENCE_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        silent = threading.Thread(target=agree, args=(server,))
        silent.start()
        ws = connect(f"ws://127.0.0.1:{port}/", close_timeout=None)
        background._at_exit()
        assert ws.close_code == 1006
        silent.join()
        ws._background.thread.join()


def agree(server: socket.socket) -> None:
    """Open one WebSocket and never say anything again."""
    from longlink.wire.handshake import accept_key

    sock, _ = server.accept()
    with sock:
        head = sock.recv(65536).decode()
        key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
        )
        while sock.recv(65536):
            pass


def test_after_a_fork_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = enter()
    monkeypatch.setattr(background, "_LOCK", background._LOCK)
    background._after_fork()
    assert background._shared is None
    shared.leave()
    shared.thread.join()


def test_at_exit_without_connections() -> None:
    background._at_exit()
    shared = enter()
    shared.leave()
    background._at_exit()


def test_a_callback_that_keeps_the_loop_does_not_keep_the_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_EXIT_PATIENCE_S", 0.01)
    monkeypatch.setattr(background, "_NOTICE_S", 0.01)
    shared, busy, go_on = enter(), threading.Event(), threading.Event()

    def keep() -> None:
        busy.set()
        go_on.wait()

    shared.loop.call_soon_threadsafe(keep)
    busy.wait()
    background._at_exit()
    assert shared.thread.is_alive()
    go_on.set()
    shared.thread.join()
