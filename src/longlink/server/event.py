"""The `chat` subprotocol: JSON events out, requests in. Pure functions of their arguments.

- server → client: welcome joined left renamed message binary file stats error
- client → server: message name
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .log import UNSAFE
from .roster import User

OPERATOR = 0  # the id that the server's console speaks from
NAME_LIMIT = 40
# A character may take six octets in JSON (\u001b). Longer texts would let one sender fill the
# outbound queue of everybody else, or exceed what clients accept by default.
TEXT_LIMIT = 2**16
# A welcome must stay far below what may wait for one connection, however many are here.
PEOPLE_LIMIT = 1000
SURROGATE = re.compile("[\ud800-\udfff]")


class BadEvent(Exception):
    """A client's event cannot be obeyed; the text says why and goes back to it."""


@dataclass(frozen=True, slots=True)
class Say:
    """A client wants this text said."""

    text: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A client wants to be called this."""

    name: str


def _encode(**event: object) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _stamp(now: float) -> float:
    return round(now, 3)


def _person(user: User, you: User) -> dict[str, object]:
    return {
        "id": user.id,
        "name": user.name,
        "ip": user.ip,
        "since": _stamp(user.since),
        "you": user is you,
    }


def welcome(user: User, users: list[User], version: str, now: float) -> str:
    """The first event of a connection: who you are and who is here (the latest 1,000)."""
    people = [_person(other, user) for other in users[-PEOPLE_LIMIT:]]
    return _encode(type="welcome", id=user.id, time=_stamp(now), version=version, people=people)


def joined(user: User, now: float) -> str:
    """Somebody came."""
    return _encode(type="joined", id=user.id, name=user.name, ip=user.ip, time=_stamp(now))


def left(user: User, code: int, reason: str, now: float) -> str:
    """Somebody went, with the close code and reason of that connection."""
    return _encode(type="left", id=user.id, code=code, reason=reason, time=_stamp(now))


def renamed(user: User, now: float) -> str:
    """Somebody is called differently from now on."""
    return _encode(type="renamed", id=user.id, name=user.name, time=_stamp(now))


def message(sender: User | None, text: str, now: float, to: int | None = None) -> str:
    """A text from `sender` (None: the operator) for everybody, or only for the user `to`.

    A text over TEXT_LIMIT characters, which only a raw user can send, is cut; `length` then
    says how long it was.
    """
    number, name = (sender.id, sender.name) if sender else (OPERATOR, "")
    length = {"length": len(text)} if len(text) > TEXT_LIMIT else {}
    return _encode(
        type="message",
        **{"from": number},
        name=name,
        text=text[:TEXT_LIMIT],
        time=_stamp(now),
        to=to,
        **length,
    )


def binary(sender: User, size: int, now: float) -> str:
    """Announces the binary message that follows."""
    return _encode(
        type="binary", **{"from": sender.id}, name=sender.name, size=size, time=_stamp(now)
    )


def file(name: str, size: int, mime: str, now: float, to: int | None) -> str:
    """Announces the file that follows as one binary message."""
    return _encode(
        type="file",
        **{"from": OPERATOR},
        name=name,
        size=size,
        mime=mime,
        time=_stamp(now),
        to=to,
    )


def stats(people: int, rate: float, now: float) -> str:
    """How many are here and how many messages there were in the last second."""
    return _encode(type="stats", people=people, rate=round(rate, 1), time=_stamp(now))


def error(text: str) -> str:
    """What was wrong with the event just received."""
    return _encode(type="error", text=text)


def parse(data: str | bytes) -> Say | Rename:
    """What a client's message asks for; raises BadEvent with a text for that client."""
    if not isinstance(data, str):
        raise BadEvent("binary messages are not part of chat: connect without a subprotocol")
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise BadEvent("message must be JSON") from None
    if not isinstance(event, dict):
        raise BadEvent("message must be a JSON object")
    if event.get("type") == "message":
        return Say(_text(event.get("text")))
    if event.get("type") == "name":
        return rename(event.get("name"))
    raise BadEvent(f"type must be {_one_of('message', 'name')}, not {_shown(event.get('type'))}")


def rename(name: object) -> Rename:
    """The wish to be called so; raises BadEvent."""
    return Rename(_name(name))


def _one_of(*names: str) -> str:
    return " or ".join(f'"{name}"' for name in names)


def _shown(value: object) -> str:
    # json.dumps leaves only ASCII: what came may not be fit to be sent back.
    return json.dumps(value[:NAME_LIMIT]) if isinstance(value, str) else type(value).__name__


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadEvent("text must be a string")
    if not value.strip():
        raise BadEvent("message must not be empty")
    if len(value) > TEXT_LIMIT:
        raise BadEvent(f"text must be at most {TEXT_LIMIT} characters, not {len(value)}")
    if has_surrogate(value):  # JSON can spell what UTF-8 cannot
        raise BadEvent("text must not hold half of a surrogate pair")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise BadEvent("name must be a string")
    name = " ".join(UNSAFE.sub(" ", value).split())
    if len(name) > NAME_LIMIT:
        raise BadEvent(f"name must be at most {NAME_LIMIT} characters, not {len(name)}")
    return name


def has_surrogate(text: str) -> bool:
    """True when the text cannot be written as UTF-8."""
    return SURROGATE.search(text) is not None
