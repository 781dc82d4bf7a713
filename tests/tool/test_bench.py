"""The load generator against servers of this process: what it counts, and what it finds wrong."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trustme

from longlink import InvalidStatus
from longlink.tool.bench import opening
from longlink.tool.bench.plan import Plan
from longlink.tool.bench.result import Result
from longlink.tool.bench.run import Run
from longlink.tool.connect.plan import Plan as ConnectPlan
from tests.tool.peer import echo as echo_of_websockets
from tests.tool.peer import serving
from tests.tool.target import Answer, Target, echo, others, room

SHORT: dict[str, Any] = {"duration": 0.1, "warm_up": 0.02, "connections": 5, "timeout": 10.0}


async def bench(url: str, **options: Any) -> Result:
    """What a run finds."""
    return await Run(url, Plan(**{**SHORT, **options}), lambda *_: None).go()


@pytest.mark.parametrize("spin", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"in_flight": 7, "text": True},
        {"size": 0},
        {"size": 1, "in_flight": 3},
        {"size": 100_000},
        {"compression": "deflate", "size": 2000},
        {"rate": 2000.0},
    ],
)
async def test_every_echo_is_counted_once(options: dict[str, Any], spin: bool) -> None:
    async with Target(echo).serving() as target:
        result = await bench(target.url, spin=spin, **options)
    assert result.told == []
    assert target.opened == result.opened == result.held == 5
    assert target.heard == result.sent == result.received
    assert 0 < result.count == result.measured <= target.heard
    assert result.rate == result.count / result.seconds
    # A latency is never longer than the run, and the percentiles are in order.
    figures = [result.quantile(share) for share in (0.0, 0.5, 0.9, 0.99, 1.0)]
    assert figures == sorted(figures)
    assert 0 < figures[0] <= figures[-1] <= result.most


async def test_stretches_add_up_to_the_whole() -> None:
    async with Target(echo).serving() as target:
        result = await bench(target.url, duration=0.6)
    stretches = result.stretches()
    assert len(stretches) > 1
    ends = [0.0, *(each.until_s for each in stretches)]
    counted = sum(
        each.rate * (end - begin)
        for each, begin, end in zip(stretches, ends, ends[1:], strict=False)
    )
    # What was still on its way when the count was taken belongs to no stretch but the last.
    assert round(counted) == pytest.approx(result.count, abs=10)


@pytest.mark.parametrize("answer", [room, others])
@pytest.mark.parametrize("options", [{}, {"in_flight": 4, "size": 5000}, {"rate": 300.0}])
async def test_a_fan_out_reaches_everybody(answer: Answer, options: dict[str, Any]) -> None:
    async with Target(answer).serving() as target:
        result = await bench(target.url, mode="fan-out", connections=6, **options)
    assert result.told == []
    assert target.opened == result.opened == 7
    assert target.heard == result.sent
    assert result.received == 6 * result.sent
    assert 0 < result.measured <= result.sent
    assert result.unit == "deliveries"


async def test_an_ear_that_is_gone_is_not_waited_for() -> None:
    def leave_one(target: Target, ws: Any, message: Any) -> None:
        if target.heard == 50:
            next(iter(target.server.connections - {ws})).close(1011)
        others(target, ws, message)

    async with Target(leave_one).serving() as target:
        result = await bench(target.url, mode="fan-out", in_flight=3)
    assert result.errors == {"lost": 1}
    assert result.sent == target.heard > 60
    assert "missing" not in result.errors


async def test_idle_connections_are_held_and_pinged() -> None:
    async with serving(echo_of_websockets) as url:
        result = await bench(url, mode="idle", connections=20, ping_every=0.02)
    assert result.told == []
    assert result.opened == result.held == 20
    assert 20 <= result.count == result.measured <= result.sent == result.received


async def test_idle_counts_those_that_the_server_has_no_room_for() -> None:
    async with Target(echo).serving(max_connections=3) as target:
        result = await bench(target.url, mode="idle", connections=8, at_once=1)
    assert result.errors == {"refused": 5}
    assert "503" in result.told[0]
    assert result.opened == result.held == 3


async def test_other_modes_do_not_measure_fewer_than_were_asked_for() -> None:
    async with Target(echo).serving(max_connections=3) as target:
        with pytest.raises(InvalidStatus, match="503"):
            await bench(target.url)


async def test_handshakes_are_counted() -> None:
    async with Target(echo).serving() as target:
        result = await bench(target.url, mode="handshake", connections=None, in_flight=4)
    check_handshakes(result, target)


async def test_handshakes_over_a_unix_socket_are_counted(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    contact = ConnectPlan(uds=path)
    async with Target(echo).serving(path=path) as target:
        result = await bench(
            "ws://localhost/", mode="handshake", connections=None, in_flight=4, contact=contact
        )
    check_handshakes(result, target)


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.1 is the only address here")
async def test_many_connections_come_from_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address has no more than 28,000 ports; here it has two."""
    monkeypatch.setattr(opening, "PER_ADDRESS", 2)
    seen: Counter[str] = Counter()
    target = Target(echo, on_open=lambda _, ws: seen.update([ws.remote_address[0]]))
    async with target.serving():
        result = await bench(target.url)
    assert result.told == []
    assert seen == {"127.0.0.1": 2, "127.0.1.1": 2, "127.0.2.1": 1}


@pytest.mark.parametrize(
    "options", [{}, {"mode": "handshake", "connections": None, "duration": 0.5}]
)
async def test_over_tls(options: dict[str, Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with Target(echo).serving(ssl=context) as target:
        with pytest.raises(ssl.SSLCertVerificationError):
            await bench(target.url, **options)
        trusting = ConnectPlan(cacert=str(tmp_path / "ca.pem"))
        result = await bench(target.url, contact=trusting, **options)
        assert result.told == []
        assert result.count > 0
        assert (await bench(target.url, contact=ConnectPlan(insecure=True), **options)).count > 0


def check_handshakes(result: Result, target: Target) -> None:
    assert result.told == []
    assert target.opened == result.received + 1  # the first one finds out whether all is well
    assert result.sent == result.received >= result.count > 0
    assert result.measured > 0


async def test_a_handshake_that_is_refused_is_counted() -> None:
    asked = itertools.count(1)

    def refuse_later(connection: Any, request: Any) -> Any:
        return None if next(asked) < 20 else connection.respond(503, "full")

    async with Target(echo).serving(process_request=refuse_later) as target:
        result = await bench(target.url, mode="handshake", connections=None, in_flight=4)
    assert result.received == 18
    assert result.errors["refused"] > 0
    assert "503" in result.told[0]


# -- what is wrong --------------------------------------------------------------------------------


def at_fifty(do: Answer) -> Answer:
    """An echo that does something else once."""

    def answer(target: Target, ws: Any, message: Any) -> None:
        (do if target.heard == 50 else echo)(target, ws, message)

    return answer


def twice(target: Target, ws: Any, message: Any) -> None:
    ws.send(message)
    ws.send(message)


def to_somebody_else(target: Target, ws: Any, message: Any) -> None:
    next(iter(target.server.connections - {ws})).send(message)


def swapped(target: Target, ws: Any, message: Any) -> None:
    """Each message of one connection is answered with the one before."""
    target.kept.append((ws, message))
    if len(target.kept) == 2:
        for whose, kept in reversed(target.kept):
            whose.send(kept)
        target.kept.clear()


WRONG: dict[str, tuple[Answer, dict[str, Any], str, str]] = {
    "octets": (
        at_fifty(lambda t, ws, m: ws.send(m[:-1] + b"!")),
        {},
        "wrong",
        r"differs from what was sent at place 31",
    ),
    "kind": (at_fifty(lambda t, ws, m: ws.send(m.decode())), {}, "wrong", r"is text, and binary"),
    "length": (at_fifty(lambda t, ws, m: ws.send(m[:-1])), {}, "wrong", r"31 long, and 32"),
    "nothing": (at_fifty(lambda t, ws, m: ws.send(b"")), {}, "wrong", r"an empty message, 0 long"),
    "twice": (at_fifty(twice), {}, "wrong", r"came twice, or late"),
    "order": (swapped, {"connections": 1, "in_flight": 4}, "wrong", r"got message 1 when 0 was"),
    "room": (room, {}, "", r"is it a room\? try --mode fan-out"),
    "others": (others, {}, "", r"is it a room\? try --mode fan-out"),
    "control characters": (
        at_fifty(lambda t, ws, m: ws.send(b"\x1b[2J")),
        {},
        "wrong",
        r"got '\\\\x1b\[2J'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_answer_ends_the_run_and_is_told(name: str) -> None:
    answer, options, kind, words = WRONG[name]
    async with Target(answer).serving() as target, asyncio.timeout(20):
        result = await bench(target.url, duration=60.0, **options)
    assert not kind or result.errors == {kind: 1}
    assert len(result.told) == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(result.told[0])


async def test_a_message_behind_the_last_answer_is_found() -> None:
    """Nothing is asked any more, and before the last Ping is answered one more comes."""

    def watch(stage: str, *_: Any) -> None:
        if stage == "settling":
            next(iter(target.server.connections)).send("one more")

    async with Target(echo).serving() as target:
        result = await Run(target.url, Plan(**SHORT), watch).go()
    assert result.errors in ({"extra": 1}, {"wrong": 1})
    assert "one more" in result.told[0]


async def test_answers_that_never_come_are_counted() -> None:
    async with Target(lambda *_: None).serving() as target:
        result = await bench(target.url, timeout=0.05, in_flight=3)
    assert (result.sent, result.received, result.count) == (15, 0, 0)
    assert result.errors == {"missing": 15}
    assert result.verdict == ""


async def test_a_server_that_does_not_even_pong_is_no_reason_to_hang() -> None:
    def do_not_read(target: Target, ws: Any) -> None:
        ws.session.pause(0)

    async with Target(echo, on_open=do_not_read).serving() as target, asyncio.timeout(20):
        result = await bench(target.url, timeout=0.05, connections=2)
    assert result.errors == {"missing": 2}


async def test_a_lost_connection_is_counted_and_the_others_go_on() -> None:
    answer = at_fifty(lambda t, ws, m: ws.close(1011, "\x1b[31mouch"))
    async with Target(answer).serving() as target:
        result = await bench(target.url)
    assert result.errors == {"lost": 1}
    assert "1011" in result.told[0]
    assert "\x1b" not in result.told[0]
    assert result.held == 4
    assert result.received == result.sent - 1 > 100


async def test_the_run_ends_with_the_last_connection() -> None:
    answer = at_fifty(lambda t, ws, m: t.server.abort_clients())
    async with Target(answer).serving() as target, asyncio.timeout(20):
        result = await bench(target.url, duration=60.0)
    assert result.errors == {"lost": 5}
    assert result.held == 0


async def test_a_greeting_is_no_answer() -> None:
    async with Target(echo, on_open=lambda target, ws: ws.send("hello")).serving() as target:
        result = await bench(target.url)
    assert result.told == []
    assert result.greetings == 5
    assert target.heard == result.received


async def test_nobody_there() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(ConnectionRefusedError):
            await bench(f"ws://127.0.0.1:{nobody.getsockname()[1]}/")
