from __future__ import annotations

import json

import pytest

from longlink.server import event
from longlink.server.event import BadEvent, Rename, Say
from longlink.server.roster import User


def somebody(number: int = 7, name: str = "Ann") -> User:
    return User(number, None, True, "127.0.0.1", name, since=1.23456)  # type: ignore[arg-type]


def test_a_message_is_asked_for() -> None:
    assert event.parse('{"type":"message","text":" hi "}') == Say(" hi ")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ann", "Ann"),
        ("  Ann \t Lee ", "Ann Lee"),
        ("A\x00n\x1b[31mn", "A n [31mn"),
        ("\u202ennA", "nnA"),
        ("安", "安"),
        ("", ""),
        ("\ud800x", "x"),
        ("👩‍🚀", "👩‍🚀"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_name_is_cleaned(typed: str, name: str) -> None:
    assert event.parse(json.dumps({"type": "name", "name": typed})) == Rename(name)


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        ("", "message must be JSON"),
        ("{", "message must be JSON"),
        ("[" * 100_000, "message must be JSON"),
        ("9" * 5000, "message must be JSON"),
        ("[]", "message must be a JSON object"),
        ("{}", 'type must be "message" or "name", not NoneType'),
        ('{"type":"bogus"}', 'type must be "message" or "name", not "bogus"'),
        ('{"type":"\\ud800"}', 'type must be "message" or "name", not "\\ud800"'),
        ('{"type":["message"]}', 'type must be "message" or "name", not list'),
        ('{"type":"message"}', "text must be a string"),
        ('{"type":"message","text":1}', "text must be a string"),
        ('{"type":"message","text":""}', "message must not be empty"),
        ('{"type":"message","text":" \\n\\t"}', "message must not be empty"),
        ('{"type":"message","text":"\\udc00"}', "text must not hold half of a surrogate pair"),
        (
            json.dumps({"type": "message", "text": "x" * 65537}),
            "text must be at most 65536 characters, not 65537",
        ),
        ('{"type":"name"}', "name must be a string"),
        (
            json.dumps({"type": "name", "name": "x" * 41}),
            "name must be at most 40 characters, not 41",
        ),
        (b"{}", "binary messages are not part of chat: connect without a subprotocol"),
    ],
)
def test_what_cannot_be_obeyed_is_named(sent: str | bytes, complaint: str) -> None:
    with pytest.raises(BadEvent) as caught:
        event.parse(sent)
    assert str(caught.value) == complaint
    event.error(complaint).encode()


def test_the_shapes_of_events() -> None:
    user, other = somebody(), somebody(8, "")
    assert json.loads(event.welcome(user, [user, other], "1.2", 5.0)) == {
        "type": "welcome",
        "id": 7,
        "time": 5.0,
        "version": "1.2",
        "people": [
            {"id": 7, "name": "Ann", "ip": "127.0.0.1", "since": 1.235, "you": True},
            {"id": 8, "name": "", "ip": "127.0.0.1", "since": 1.235, "you": False},
        ],
    }
    assert json.loads(event.joined(user, 5.0)) == {
        "type": "joined",
        "id": 7,
        "name": "Ann",
        "ip": "127.0.0.1",
        "time": 5.0,
    }
    assert json.loads(event.left(user, 1001, "bye", 5.0)) == {
        "type": "left",
        "id": 7,
        "code": 1001,
        "reason": "bye",
        "time": 5.0,
    }
    assert json.loads(event.renamed(user, 5.0)) == {
        "type": "renamed",
        "id": 7,
        "name": "Ann",
        "time": 5.0,
    }
    assert json.loads(event.message(user, "hi", 5.0)) == {
        "type": "message",
        "from": 7,
        "name": "Ann",
        "text": "hi",
        "time": 5.0,
        "to": None,
    }
    assert json.loads(event.message(None, "hi", 5.0, 8)) == {
        "type": "message",
        "from": 0,
        "name": "",
        "text": "hi",
        "time": 5.0,
        "to": 8,
    }
    assert json.loads(event.binary(user, 3, 5.0)) == {
        "type": "binary",
        "from": 7,
        "name": "Ann",
        "size": 3,
        "time": 5.0,
    }
    assert json.loads(event.file("a.png", 3, "image/png", 5.0, None)) == {
        "type": "file",
        "from": 0,
        "name": "a.png",
        "size": 3,
        "mime": "image/png",
        "time": 5.0,
        "to": None,
    }
    assert json.loads(event.stats(2, 3.14159, 5.0)) == {
        "type": "stats",
        "people": 2,
        "rate": 3.1,
        "time": 5.0,
    }


def test_a_text_only_raw_users_can_send_is_cut() -> None:
    shown = json.loads(event.message(somebody(), "\x00" * 100_000, 5.0))
    assert shown["text"] == "\x00" * 65536
    assert shown["length"] == 100_000


def test_a_welcome_stays_small() -> None:
    crowd = [somebody(number) for number in range(1, 20_001)]
    text = event.welcome(crowd[-1], crowd, "0.1.0", 5.0)
    people = json.loads(text)["people"]
    assert [person["id"] for person in people] == list(range(19_001, 20_001))
    assert people[-1]["you"]
    assert len(text) < 2**18
