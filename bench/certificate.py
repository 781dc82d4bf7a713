"""A certificate for 127.0.0.1 that nobody trusts and the generator does not judge."""

from __future__ import annotations

import trustme

from bench.places import CERTIFICATE


def make_certificate() -> None:
    if CERTIFICATE.exists():
        return
    made = trustme.CA().issue_cert("127.0.0.1", "localhost")
    CERTIFICATE.parent.mkdir(parents=True, exist_ok=True)
    made.private_key_and_cert_chain_pem.write_to_path(str(CERTIFICATE))
