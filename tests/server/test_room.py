from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from longlink import Limits
from longlink.server.file import File
from longlink.server.room import code_words
from longlink.server.roster import User
from tests.server.conftest import House, open_house
from tests.server.product import DEADLINE_S, chatting, closed, soon, until


async def here(house: House, count: int) -> list[User]:
    """The users, once there are this many."""
    await until(lambda: len(house.room.roster) == count)
    return house.room.roster.users()


@pytest.mark.parametrize("path", ["/", "/ws", "/ws?x=1"])
async def test_raw_messages_go_to_everybody_exactly_as_they_came(house: House, path: str) -> None:
    async with connect(house.ws + path) as one, connect(house.ws) as two:
        await here(house, 2)
        texts: list[str | bytes] = ["hello", "", "\x00 é 中文 🦊", "x" * 100_000]
        for message in [*texts, b"", b"\x00\xff" * 70_000]:
            await one.send(message)
            assert await soon(one) == message
            assert await soon(two) == message


async def test_independent_clients_meet(house: House) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(house.http + "/ws") as raw,
        session.ws_connect(house.http, protocols=["superchat", "chat"]) as chat,
        connect(house.ws) as other,
    ):
        assert chat.protocol == "chat"
        await here(house, 3)
        await raw.send_str("from aiohttp")
        assert await soon(other) == "from aiohttp"
        assert (await raw.receive_str(timeout=DEADLINE_S)) == "from aiohttp"
        welcome = json.loads(await chat.receive_str(timeout=DEADLINE_S))
        assert welcome["type"] == "welcome"


async def test_a_chat_user_is_welcomed_first(house: House) -> None:
    async with connect(house.ws), chatting(house.ws) as chat:
        welcome = await chat.next()
        assert welcome["type"] == "welcome"
        assert [(person["you"], person["ip"]) for person in welcome["people"]] == [
            (False, "127.0.0.1"),
            (True, "127.0.0.1"),
        ]
        assert welcome["people"][1]["id"] == welcome["id"]


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (["chat"], "chat"),
        (["chat", "superchat"], "chat"),
        (["superchat", "chat"], "chat"),
        (["superchat"], None),
        (["Chat"], None),
    ],
)
async def test_the_subprotocol_is_chat_or_none(
    house: House, offered: list[Any], agreed: str | None
) -> None:
    async with connect(house.ws, subprotocols=offered) as connection:
        assert connection.subprotocol == agreed


async def test_ids_are_unique_and_never_given_twice(house: House) -> None:
    seen = []
    for _ in range(3):
        async with chatting(house.ws) as chat:
            seen.append((await chat.event("welcome"))["id"])
    assert seen == [1, 2, 3]


async def test_chat_users_see_each_other_come_speak_and_go(house: House) -> None:
    async with chatting(house.ws) as one:
        async with chatting(house.ws) as two:
            you = (await two.event("welcome"))["id"]
            joined = await one.event("joined")
            assert (joined["id"], joined["ip"], joined["name"]) == (you, "127.0.0.1", "")
            await two.send("name", name="  Ann\x1b ")
            assert (await one.event("renamed"))["name"] == "Ann"
            assert (await two.event("renamed"))["id"] == you
            await two.say("<b>hi</b> 你好")
            for chat in (one, two):
                message = await chat.event("message")
                assert (message["from"], message["name"], message["text"], message["to"]) == (
                    you,
                    "Ann",
                    "<b>hi</b> 你好",
                    None,
                )
            await two.connection.close(1000, "bye")
        left = await one.event("left")
        assert (left["id"], left["code"], left["reason"]) == (you, 1000, "bye")


async def test_the_same_name_again_is_no_event(house: House) -> None:
    async with chatting(house.ws) as chat:
        await chat.event("welcome")
        await chat.send("name", name="")
        await chat.send("name", name="Ann")
        assert (await chat.next())["name"] == "Ann"


async def test_raw_and_chat_users_are_in_one_conversation(house: House) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        you = (await chat.event("joined"))["id"]
        await chat.say("to all")
        assert await soon(raw) == "to all"
        await raw.send("\x1b bare")
        message = await chat.event("message")
        assert (await chat.event("message"))["text"] == "\x1b bare"
        assert message["text"] == "to all"
        await raw.send(b"\x01\x02\x03")
        announced = await chat.next()
        assert (announced["type"], announced["from"], announced["size"]) == ("binary", you, 3)
        assert await chat.next() == b"\x01\x02\x03"


async def test_what_is_wrong_with_an_event_is_answered_and_nothing_closes(house: House) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        await here(house, 2)
        texts: list[str | bytes] = ["", "{", "[" * 50_000, '{"type":"message","text":"\\ud800"}']
        for sent in [*texts, b"123"]:
            await chat.connection.send(sent)
            assert (await chat.event("error"))["text"]
        await chat.say("  ")
        assert await chat.event("error") == {"type": "error", "text": "message must not be empty"}
        await chat.say("still here")
        assert await soon(raw) == "still here"


async def test_the_longest_text_of_chat_reaches_clients_with_default_limits(house: House) -> None:
    async with chatting(house.ws) as one, chatting(house.ws) as two, connect(house.ws) as raw:
        await here(house, 3)
        text = "\x01" * 65536  # six octets each in JSON
        await raw.send(text)
        assert (await one.event("message"))["text"] == text
        assert (await two.event("message"))["text"] == text
        await raw.send("x" * 2**20)
        cut = await one.event("message")
        assert (len(cut["text"]), cut["length"]) == (65536, 2**20)


async def test_echo_answers_only_the_one_who_sent() -> None:
    async with (
        open_house(echo=True) as house,
        connect(house.ws) as raw,
        chatting(house.ws) as chat,
        chatting(house.ws) as other,
    ):
        you = (await chat.event("welcome"))["id"]
        await raw.send("raw")
        await raw.send(b"\x00")
        assert (await soon(raw), await soon(raw)) == ("raw", b"\x00")
        await chat.say("mine")
        message = await chat.event("message")
        assert (message["text"], message["from"], message["to"]) == ("mine", you, you)
        await other.say("end")
        assert (await other.event("message"))["text"] == "end"
        await raw.send("end")
        assert await soon(raw) == "end"


async def test_stats_are_told_while_something_changes(house: House) -> None:
    async with chatting(house.ws) as chat:
        await chat.say("hi")
        busy = await chat.event("stats")
        assert (busy["people"], busy["rate"] > 0) == (1, True)
        assert (await chat.event("stats"))["rate"] == 0.0


async def test_the_operator_speaks_from_zero(house: House) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        first, second = await here(house, 2)
        user, bare = (first, second) if first.chat else (second, first)
        house.room.say("all")
        house.room.say("only chat", user)
        house.room.say("only raw", bare)
        house.room.say("end")
        got = [await chat.event("message") for _ in range(3)]
        assert [(message["from"], message["text"], message["to"]) for message in got] == [
            (0, "all", None),
            (0, "only chat", user.id),
            (0, "end", None),
        ]
        assert [await soon(raw) for _ in range(3)] == ["all", "only raw", "end"]


async def test_a_kicked_user_is_told_why(house: House) -> None:
    async with connect(house.ws) as raw, chatting(house.ws) as chat:
        user = next(user for user in await here(house, 2) if not user.chat)
        house.room.kick(user, "too loud")
        assert await closed(raw) == (1008, "too loud")
        left = await chat.event("left")
        assert (left["id"], left["code"], left["reason"]) == (user.id, 1008, "too loud")
        assert house.room.roster.find(user.id) is None


async def test_a_peer_that_vanishes_leaves(house: House) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        await chat.event("joined")
        raw.transport.abort()
        assert (await chat.event("left"))["code"] == 1006


async def test_who_breaks_a_limit_is_shown_with_our_code() -> None:
    async with (
        open_house(limits=Limits(max_size=100)) as house,
        chatting(house.ws) as chat,
        connect(house.ws) as raw,
    ):
        await chat.event("joined")
        await raw.send("x" * 101)
        left = await chat.event("left")
        assert left["code"] == 1009
        assert (await closed(raw))[0] == 1009


def pattern(size: int) -> bytes:
    return bytes(index * 7 % 256 for index in range(251)) * (size // 251 + 1)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a cat.png"
    path.write_bytes(pattern(700_000)[:700_000])
    return path


async def fragments(connection: ClientConnection) -> list[bytes]:
    async with asyncio.timeout(DEADLINE_S):
        return [piece async for piece in connection.recv_streaming(decode=False)]


async def test_a_file_goes_to_everybody_as_one_fragmented_message(
    house: House, picture: Path
) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        await here(house, 2)
        with File.open(str(picture), None) as file:
            sending = asyncio.create_task(house.room.send_file(file))
            pieces = await fragments(raw)
            while (event := await chat.next())["type"] != "file":
                pass
            content = await chat.next()
            assert await sending == (2, 2)
        assert (event["name"], event["size"], event["mime"], event["from"], event["to"]) == (
            "a cat.png",
            700_000,
            "image/png",
            0,
            None,
        )
        assert content == b"".join(pieces) == picture.read_bytes()
        assert len(pieces) == 11
        assert max(map(len, pieces)) == 65536


async def test_a_file_can_be_for_one_user(house: House, picture: Path) -> None:
    async with chatting(house.ws) as one, chatting(house.ws) as two:
        number = (await one.event("welcome"))["id"]
        await here(house, 2)
        with File.open(str(picture), None) as file:
            sending = asyncio.create_task(
                house.room.send_file(file, house.room.roster.find(number))
            )
            assert (await one.event("file"))["to"] == number
            assert len(await one.next()) == 700_000
            assert await sending == (1, 1)
        house.room.say("end")
        await two.event("welcome")
        while (event := await two.next())["type"] == "joined":
            pass
        assert event["text"] == "end"


async def test_nothing_comes_between_a_file_and_its_event(house: House, picture: Path) -> None:
    async with chatting(house.ws) as chat, connect(house.ws) as raw:
        user = next(user for user in await here(house, 2) if user.chat)
        with File.open(str(picture), None) as one, File.open(str(picture), None) as two:
            sending = asyncio.gather(
                house.room.send_file(one, user), house.room.send_file(two, user)
            )
            for number in range(200):
                house.room.say(f"meanwhile {number}")
                await raw.send(b"meanwhile")
                await soon(raw)
                await soon(raw)
            told, between = 0, []
            files = 0
            while told < 200 or files < 2:
                event = await chat.next()
                if event["type"] in ("file", "binary"):
                    content = await chat.next()
                    assert isinstance(content, bytes)
                    assert len(content) == event["size"]
                    files += event["type"] == "file"
                elif event["type"] == "message":
                    between.append(event["text"])
                    told += 1
            assert list(await sending) == [(1, 1), (1, 1)]
        assert between == [f"meanwhile {number}" for number in range(200)]


async def test_an_empty_file_is_one_empty_message(house: House, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    path.touch()
    async with chatting(house.ws) as chat:
        await here(house, 1)
        with File.open(str(path), None) as file:
            assert await house.room.send_file(file) == (1, 1)
        assert (await chat.event("file"))["size"] == 0
        assert await chat.next() == b""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """More than the system's buffers take."""
    path = tmp_path / "large"
    path.write_bytes(bytes(2**25))
    return path


async def test_who_leaves_while_a_file_comes_does_not_have_it_all(
    house: House, large: Path
) -> None:
    async with connect(house.ws, max_size=None, max_queue=1) as slow:
        await here(house, 1)
        with File.open(str(large), None) as file:
            sending = asyncio.create_task(house.room.send_file(file))
            await anext(slow.recv_streaming(decode=False))
            slow.transport.abort()
            assert await sending == (0, 1)


async def test_who_is_slow_to_take_a_file_delays_nobody(house: House, large: Path) -> None:
    async with connect(house.ws, max_size=None, max_queue=1) as slow, connect(house.ws) as quick:
        user = (await here(house, 2))[0]
        with File.open(str(large), None) as file:
            sending = asyncio.create_task(house.room.send_file(file, user))
            await anext(slow.recv_streaming(decode=False))
            for number in range(40):
                house.room.say(f"{number}" + "x" * 60_000)
                assert str(await soon(quick)).startswith(f"{number}x")
            assert await sending == (0, 1)  # 1 MiB of messages were held back for the slow one
        await here(house, 1)
        slow.transport.abort()


async def exhausted(pieces: AsyncIterator[bytes]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async for _ in pieces:
            pass


async def test_goodbye_is_said_in_the_middle_of_a_file(house: House, large: Path) -> None:
    async with connect(house.ws, max_size=None, max_queue=1) as slow:
        await here(house, 1)
        with File.open(str(large), None) as file:
            sending = asyncio.create_task(house.room.send_file(file))
            pieces = slow.recv_streaming(decode=False)
            await anext(pieces)
            house.room.close()
            house.server.close(reason="going")
            with pytest.raises(ConnectionClosed):
                await exhausted(pieces)
            assert (slow.close_code, slow.close_reason) == (1001, "going")
            assert await sending == (0, 1)


async def test_a_disk_that_fails_half_way_ends_what_was_announced(
    house: House,
    picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(descriptor: int, length: int, offset: int) -> bytes:
        if offset:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bytes(length)

    async with connect(house.ws) as raw, chatting(house.ws) as chat:
        await here(house, 2)
        with File.open(str(picture), None) as file:
            monkeypatch.setattr(os, "pread", fail)
            assert await house.room.send_file(file) == (0, 2)
        for connection in (raw, chat.connection):
            assert await closed(connection) == (1011, "file unreadable")
        assert "reading a cat.png failed: Input/output error" in caplog.messages


async def test_a_closed_room_tells_nobody_who_left(house: House) -> None:
    async with chatting(house.ws) as chat:
        async with connect(house.ws):
            await here(house, 2)
            house.room.close()
        await here(house, 1)
        house.room.say("end")
        await chat.event("welcome")
        await chat.event("joined")
        assert (await chat.next())["text"] == "end"


def test_close_codes_have_words() -> None:
    assert code_words(1001) == "going away"
    assert code_words(4001) == "application code"
