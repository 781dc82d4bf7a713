"""TLS of the product: from files to a context, and what is wrong with the files in one line."""

from __future__ import annotations

import ssl
from typing import Final

from .config import Config

_REQUIREMENTS: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_FILES: Final = ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs")
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"


def make_context(config: Config) -> ssl.SSLContext | None:
    """The server's context; None without a certificate.

    Raises ValueError, in one line for the operator, for files that are missing, unreadable or
    do not belong together.
    """
    if config.ssl_certfile is None:
        for name in ("ssl_keyfile", "ssl_keyfile_password", "ssl_ca_certs", "ssl_cert_reqs"):
            if getattr(config, name) is not None:
                raise ValueError(f"{_flag(name)} needs --ssl-certfile")
        return None
    for name in _FILES:
        if getattr(config, name) == "":
            raise ValueError(f"{_flag(name)} is empty: the path of a PEM file is needed")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    _load_key(context, config, config.ssl_certfile, config.ssl_keyfile or config.ssl_certfile)
    _ask_clients(context, config)
    return context


def _load_key(context: ssl.SSLContext, config: Config, certificate: str, key: str) -> None:
    if _CERTIFICATE not in _read(certificate):
        raise ValueError(f"no certificate in {certificate}: a PEM file is needed")
    if _KEY not in _read(key):
        where = "a PEM file is needed" if config.ssl_keyfile else "where is it? say --ssl-keyfile"
        raise ValueError(f"no private key in {key}: {where}")

    def password() -> str:
        if config.ssl_keyfile_password is None:
            raise ValueError(f"the key in {key} is encrypted: --ssl-keyfile-password is needed")
        return config.ssl_keyfile_password

    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = f"the key in {key} does not belong to the certificate in {certificate}"
        elif b"ENCRYPTED" in _read(key):
            why = f"cannot decrypt the key in {key}: is the password right?"
        elif error.reason is None:  # all that is known of a file that is cut off in the middle
            what = f"key in {key}" if _is_whole(certificate) else f"certificate in {certificate}"
            why = f"cannot use the {what}: {_words(error)}"
        else:
            why = f"cannot use {certificate} with the key in {key}: {_words(error)}"
        raise ValueError(why) from None


def _ask_clients(context: ssl.SSLContext, config: Config) -> None:
    """Client certificates: whether, and signed by whom."""
    said, authorities = config.ssl_cert_reqs, config.ssl_ca_certs
    if said is None:
        said = "none" if authorities is None else "required"
    mode = ssl.VerifyMode(int(said)) if said.isdecimal() else _REQUIREMENTS[said]
    if mode != ssl.CERT_NONE and authorities is None:
        raise ValueError(f"--ssl-cert-reqs {said} needs --ssl-ca-certs")
    if authorities is not None:
        if _CERTIFICATE not in _read(authorities):
            raise ValueError(f"no certificate in {authorities}: a PEM file is needed")
        try:
            context.load_verify_locations(authorities)
        except ssl.SSLError as error:
            raise ValueError(f"cannot use {authorities}: {_words(error)}") from None
    context.verify_mode = mode


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None


def _is_whole(certificates: str) -> bool:
    """Whether a file's certificates can be read, all of them."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificates)
    except ssl.SSLError:
        return False
    return True


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _words(error: ssl.SSLError) -> str:
    if error.reason is None:
        return "it is damaged or not complete"
    return error.reason.lower().replace("_", " ")
