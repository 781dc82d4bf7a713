"""HTTP Basic authentication for `process_request` (RFC 7617)."""

from __future__ import annotations

import binascii
import inspect
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Any

from ..wire.header import Headers, MultipleValuesError, check_value
from ..wire.request import Request
from ..wire.response import Response
from .connection import Connection

Credentials = tuple[str, str]
Check = Callable[[str, str], Awaitable[bool] | bool]

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # RFC 7617 §2: neither part may have them


def basic_auth(
    realm: str = "",
    credentials: Credentials | Iterable[Credentials] | None = None,
    check_credentials: Check | None = None,
) -> Callable[[Connection, Request], Any]:
    """A `process_request` that lets in those who know a user and password, and sets their
    connection's `username`; the others get 401.

    Args:
        realm: what is protected, as browsers show it. ASCII.
        credentials: a pair of user and password, or several.
        check_credentials: or a function or coroutine function of both, that tells whether they
            are right. It should compare with `hmac.compare_digest`, or ask a password hash.

    Raises:
        ValueError: not exactly one of `credentials` and `check_credentials`, or a realm that
            may not stand in a header. TypeError: no credentials.
    Source: RFC 7617. Those given as `credentials` are compared in time that tells neither which
    user exists nor how much of a password was right.
    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("either credentials or check_credentials must be given")
    check = check_credentials or _checker(_listed(credentials))
    return Guard(check, _challenge(realm)).process_request


class Guard:
    """Asks for a user and password.

    Args:
        check: whether they are right. challenge: the WWW-Authenticate header of a 401.
    """

    def __init__(self, check: Check, challenge: str) -> None:
        self.check = check
        self.challenge = challenge

    def process_request(self, connection: Connection, request: Request) -> Any:
        """The hook that `basic_auth` gives."""
        said = _authorization(request.headers)
        if said is None:
            return self._refuse(connection, "credentials are missing or malformed\n")
        valid = self.check(*said)
        if inspect.isawaitable(valid):
            return self._judge_late(connection, said[0], valid)
        return self._judge(connection, said[0], valid)

    def _refuse(self, connection: Connection, why: str) -> Response:
        response = connection.respond(401, why)
        response.headers["WWW-Authenticate"] = self.challenge
        return response

    def _judge(self, connection: Connection, user: str, valid: bool) -> Response | None:
        if not valid:
            return self._refuse(connection, "invalid credentials\n")
        connection.username = user
        return None

    async def _judge_late(
        self, connection: Connection, user: str, valid: Awaitable[bool]
    ) -> Response | None:
        return self._judge(connection, user, await valid)


def _challenge(realm: str) -> str:
    """The WWW-Authenticate header (RFC 7617 §2, §2.1: we take UTF-8)."""
    if not realm.isascii():
        raise ValueError(f"realm must be ASCII, not {realm!r}")
    check_value("realm", realm)
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'


def _listed(credentials: Any) -> list[Credentials]:
    given = [credentials] if _is_pair(credentials) else credentials
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError("credentials must be a pair of user and password, or several")
    pairs = list(given)
    if not all(_is_pair(pair) for pair in pairs):
        raise TypeError("credentials must be pairs of user and password, all of them str")
    if any(":" in user for user, _ in pairs):
        raise ValueError("a user must have no colon: Basic credentials cannot say it")
    return pairs


def _is_pair(given: Any) -> bool:
    return (
        isinstance(given, (tuple, list))
        and len(given) == 2
        and all(isinstance(part, str) for part in given)
    )


def _checker(pairs: list[Credentials]) -> Check:
    from hmac import compare_digest  # for those who use passwords

    known = [_digest(*pair) for pair in pairs]

    def check(user: str, password: str) -> bool:
        said = _digest(user, password)
        # All of them, whatever the first ones say.
        return sum(compare_digest(said, digest) for digest in known) > 0

    return check


def _digest(user: str, password: str) -> bytes:
    """Of one length for all, so that none can be learned. A user has no colon."""
    return sha256(f"{user}:{password}".encode()).digest()


def _authorization(headers: Headers) -> Credentials | None:
    """User and password of the Authorization header; None without one, or for any other."""
    try:
        value = headers.get("Authorization")
        scheme, _, token = (value or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        user, colon, password = b64decode(token.strip(), validate=True).decode().partition(":")
    except (MultipleValuesError, binascii.Error, ValueError):
        return None
    return (user, password) if colon and not _CONTROLS.search(user + password) else None
