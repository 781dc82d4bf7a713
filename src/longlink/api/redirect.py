"""Redirects: whether one is followed, and what goes along to another origin."""

from __future__ import annotations

from typing import Final

from ..errors import (
    InvalidHandshake,
    InvalidHeaderValue,
    InvalidStatus,
    InvalidURI,
    ResponseLike,
    SecurityError,
    is_secret,
)
from ..wire.header import Headers
from ..wire.uri import URI, resolve

MAX_REDIRECTS: Final = 10

_STATUSES: Final = frozenset({300, 301, 302, 303, 307, 308})


def is_redirect(response: ResponseLike) -> bool:
    """Whether the answer sends us somewhere else (RFC 9110 15.4)."""
    return response.status_code in _STATUSES and "Location" in response.headers


def redirected(problem: InvalidStatus, uri: URI, fixed: str) -> URI:
    """Where the redirect in `problem`, which is the answer from `uri`, leads.

    Args:
        fixed: the option that says where to connect, whatever the URI says; "" for none.

    Raises:
        InvalidHeaderValue: Location is not one URI to connect to.
        SecurityError: to plain text from TLS; to another origin when `fixed`; anywhere from
            a socket of the caller, which is used up.
    """
    location = ", ".join(problem.headers.get_all("Location"))
    try:
        target = resolve(uri, location)
    except InvalidURI as wrong:
        error = InvalidHeaderValue("Location", location, "the URI of a server")
        raise _about(problem, error) from wrong
    if fixed == "sock" or (fixed and target.origin != uri.origin):
        raise _about(problem, SecurityError(f"no redirect to {target} with {fixed}= given"))
    if uri.secure and not target.secure:
        raise _about(problem, SecurityError(f"no redirect from TLS to {target}"))
    return target


def portable(additional: Headers) -> Headers:
    """Those of the caller's headers that may go to another origin: no credentials."""
    return Headers(item for item in additional.raw_items() if not is_secret(item[0]))


def too_many(problem: InvalidStatus) -> InvalidHandshake:
    """What to raise after MAX_REDIRECTS."""
    return _about(problem, SecurityError(f"more than {MAX_REDIRECTS} redirects"))


def _about(problem: InvalidStatus, error: InvalidHandshake) -> InvalidHandshake:
    error.response = problem.response
    return error
