"""From options to a `longlink.connect` that is ready to be awaited."""

from __future__ import annotations

import os
import ssl
from dataclasses import asdict
from typing import Any, Final

from ... import InvalidProxy, Limits, LonglinkError, connect
from ...api.proxy import proxy_for
from ...wire.uri import basic_credentials
from .address import discreet
from .plan import Plan

# A peer that does not read is waited for; nothing that was to be sent is given up.
_PATIENT: Final = {"max_backlog": None, "stall_timeout": None}


def dial(uri: str, plan: Plan, limits: Limits, **more: Any) -> connect:
    """The connection to be, nothing of which has been tried.

    Raises ValueError, in one line, for what can never work.
    """
    plan.check()
    options: dict[str, Any] = {**asdict(limits), **_PATIENT, **more}
    if plan.uds is not None:
        options["path"] = plan.uds
    if plan.proxy is not None:
        options["proxy"] = None if plan.proxy == "off" else plan.proxy
    if uri.lower().startswith("wss:"):
        options["ssl"] = _context(plan)
    elif given := next((n for n in ("insecure", "cacert", "cert") if getattr(plan, n)), None):
        raise ValueError(f"--{given} is for wss:// and https:// URIs")
    try:
        return connect(
            uri,
            origin=plan.origin,
            subprotocols=plan.subprotocol or None,
            compression=None if plan.compression == "off" else "deflate",
            additional_headers=_headers(plan),
            **options,
        )
    except LonglinkError as error:
        raise ValueError(str(error)) from None


def place_of(caller: connect) -> str:
    """Where it connects, and through what, as complaints name it."""
    uri = discreet(str(caller.uri))
    if caller.way.path is not None:
        return f"{uri} at {os.fspath(caller.way.path)}"
    try:
        proxy = proxy_for(caller.way, caller.uri, caller.uri)
    except InvalidProxy:  # of the environment; connecting says so, too
        return uri
    return uri if proxy is None else f"{uri} through {proxy.scheme}://{proxy.host}:{proxy.port}"


def _headers(plan: Plan) -> list[tuple[str, str]]:
    pairs = [header.partition(":") for header in plan.header]
    headers = [(name.strip(), value.strip()) for name, _, value in pairs]
    if plan.user is not None:
        headers.append(("Authorization", basic_credentials(*plan.user.split(":", 1))))
    return headers


def _context(plan: Plan) -> ssl.SSLContext:
    """The context for a client; raises ValueError for files that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=plan.cacert)
    except OSError as error:
        raise ValueError(_unusable("--cacert", plan.cacert, error)) from None
    context.set_alpn_protocols(["http/1.1"])  # what follows is never HTTP/2
    if plan.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if plan.cert is not None:
        try:
            context.load_cert_chain(plan.cert, plan.key)
        except OSError as error:
            raise ValueError(_unusable("--cert", plan.cert, error)) from None
    return context


def _unusable(flag: str, path: str | None, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot use {path} ({flag}): no PEM file that fits"
    return f"cannot read {path} ({flag}): {error.strerror}"
