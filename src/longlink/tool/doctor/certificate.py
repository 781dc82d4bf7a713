"""The certificate that would be served: whether it can be, and until when."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ...server.config import Config
from ...server.secure import make_context
from .exposure import is_public
from .finding import Finding, Settings, fail, ok, warn

SOON_DAYS: Final = 14
_DAY_S: Final = 86_400
_RENEW: Final = "renew it, then start longlink anew"


def check_certificate(settings: Settings) -> Iterator[Finding]:
    """TLS as configured, or none."""
    config = settings.config
    try:
        context = make_context(config)
    except ValueError as error:
        yield fail(
            "certificate", str(error), "the files that LONGLINK_SSL_CERTFILE and its like name"
        )
        return
    if context is None:
        if is_public(config):
            yield warn(
                "certificate",
                "none: everything travels in plain text",
                "LONGLINK_SSL_CERTFILE and LONGLINK_SSL_KEYFILE, or a proxy that speaks TLS",
            )
        return
    yield judge_certificate(config)


def judge_certificate(config: Config, clock: Callable[[], float] = time.time) -> Finding:
    """How long the certificate is still good, by shaking hands with ourselves."""
    try:
        ends = _end_of(config)
    except ssl.SSLCertVerificationError as error:
        text = f"{config.ssl_certfile}: {error.verify_message}"
        return fail("certificate", text, _RENEW)
    days = int((ends - clock()) // _DAY_S)
    text = f"{config.ssl_certfile} is valid for {days} days"
    if days < SOON_DAYS:
        return warn("certificate", text, _RENEW)
    return ok("certificate", text)


def _end_of(config: Config) -> float:
    """When it expires, in seconds since 1970. Raises SSLCertVerificationError when it is not good
    even for somebody who trusts it."""
    server = make_context(replace(config, ssl_ca_certs=None, ssl_cert_reqs=None))
    assert server is not None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(config.ssl_certfile)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = server.wrap_bio(to_server, to_client, server_side=True)
    near = client.wrap_bio(to_client, to_server)
    for side in (near, far, near):
        _shake(side)
    certificate = near.getpeercert()
    assert certificate is not None
    return ssl.cert_time_to_seconds(str(certificate["notAfter"]))


def _shake(side: ssl.SSLObject) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
