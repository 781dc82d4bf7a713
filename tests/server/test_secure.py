"""TLS of the product: what the files make, and what is wrong with them in one line."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from longlink.server.config import Config
from longlink.server.secure import make_context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """A folder with a certificate, its key in three forms, another key, and an authority."""
    issued, other = authority.issue_cert("localhost"), authority.issue_cert("other.example")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    key = issued.private_key_pem.bytes()
    (tmp_path / "cert.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "both.pem").write_bytes(key + chain)
    (tmp_path / "other.pem").write_bytes(other.private_key_pem.bytes())
    (tmp_path / "locked.pem").write_bytes(
        load_pem_private_key(key, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "cut.pem").write_bytes(chain[:200])
    (tmp_path / "cut-key.pem").write_bytes(key[:100])
    (tmp_path / "text.pem").write_text("no PEM at all\n")
    (tmp_path / "broken.pem").write_bytes(
        chain[:100] + b"\n-----END CERTIFICATE-----\n" + b"-----BEGIN PRIVATE KEY-----\nAA\n"
    )
    return tmp_path


def config_of(files: Path, **given: str) -> Config:
    """A configuration whose files lie in a folder."""
    paths = {"ssl_certfile", "ssl_keyfile", "ssl_ca_certs"}
    made = {name: str(files / text) if name in paths else text for name, text in given.items()}
    return Config(**made)  # type: ignore[arg-type]


def test_without_a_certificate_there_is_no_tls() -> None:
    assert make_context(Config()) is None


@pytest.mark.parametrize(
    "given",
    [
        {"ssl_certfile": "both.pem"},
        {"ssl_certfile": "cert.pem", "ssl_keyfile": "key.pem"},
        {
            "ssl_certfile": "cert.pem",
            "ssl_keyfile": "locked.pem",
            "ssl_keyfile_password": "secret",
        },
    ],
)
def test_certificate_and_key_make_a_context(files: Path, given: dict[str, str]) -> None:
    context = make_context(config_of(files, **given))
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, ssl.CERT_REQUIRED),
        ({"ssl_cert_reqs": "optional"}, ssl.CERT_OPTIONAL),
        ({"ssl_cert_reqs": "1"}, ssl.CERT_OPTIONAL),
        ({"ssl_cert_reqs": "2"}, ssl.CERT_REQUIRED),
        ({"ssl_cert_reqs": "none"}, ssl.CERT_NONE),
    ],
)
def test_clients_may_be_asked_for_a_certificate(
    files: Path, given: dict[str, str], mode: ssl.VerifyMode
) -> None:
    context = make_context(
        config_of(files, ssl_certfile="both.pem", ssl_ca_certs="ca.pem", **given)
    )
    assert context is not None
    assert context.verify_mode == mode
    assert context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"ssl_keyfile": "key.pem"}, "--ssl-keyfile needs --ssl-certfile"),
        ({"ssl_keyfile_password": "x"}, "--ssl-keyfile-password needs --ssl-certfile"),
        ({"ssl_ca_certs": "ca.pem"}, "--ssl-ca-certs needs --ssl-certfile"),
        ({"ssl_cert_reqs": "none"}, "--ssl-cert-reqs needs --ssl-certfile"),
        ({"ssl_certfile": "nowhere.pem"}, "cannot read {}/nowhere.pem: No such file or directory"),
        ({"ssl_certfile": "."}, "cannot read {}: Is a directory"),
        ({"ssl_certfile": "text.pem"}, "no certificate in {}/text.pem: a PEM file is needed"),
        (
            {"ssl_certfile": "cert.pem"},
            "no private key in {}/cert.pem: where is it? say --ssl-keyfile",
        ),
        (
            {"ssl_certfile": "cert.pem", "ssl_keyfile": "text.pem"},
            "no private key in {}/text.pem: a PEM file is needed",
        ),
        (
            {"ssl_certfile": "cert.pem", "ssl_keyfile": "nowhere.pem"},
            "cannot read {}/nowhere.pem: No such file or directory",
        ),
        (
            {"ssl_certfile": "cert.pem", "ssl_keyfile": "other.pem"},
            "the key in {}/other.pem does not belong to the certificate in {}/cert.pem",
        ),
        (
            {"ssl_certfile": "cert.pem", "ssl_keyfile": "locked.pem"},
            "the key in {}/locked.pem is encrypted: --ssl-keyfile-password is needed",
        ),
        (
            {
                "ssl_certfile": "cert.pem",
                "ssl_keyfile": "locked.pem",
                "ssl_keyfile_password": "wrong",
            },
            "cannot decrypt the key in {}/locked.pem: is the password right?",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "text.pem"},
            "no certificate in {}/text.pem: a PEM file is needed",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "nowhere.pem"},
            "cannot read {}/nowhere.pem: No such file or directory",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_cert_reqs": "required"},
            "--ssl-cert-reqs required needs --ssl-ca-certs",
        ),
        (
            {"ssl_certfile": "cut.pem", "ssl_keyfile": "key.pem"},
            "cannot use the certificate in {}/cut.pem: it is damaged or not complete",
        ),
        (
            {"ssl_certfile": "cert.pem", "ssl_keyfile": "cut-key.pem"},
            "cannot use the key in {}/cut-key.pem: it is damaged or not complete",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "cut.pem"},
            "cannot use {}/cut.pem: it is damaged or not complete",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    files: Path, given: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError) as caught:
        make_context(config_of(files, **given))
    assert str(caught.value) == complaint.replace("{}", str(files))


@pytest.mark.parametrize("given", [{}, {"ssl_ca_certs": "broken.pem"}])
def test_a_file_with_rubbish_in_it_is_named(files: Path, given: dict[str, str]) -> None:
    certificate = "both.pem" if given else "broken.pem"
    with pytest.raises(ValueError, match=r"^cannot use .*broken\.pem") as caught:
        make_context(config_of(files, ssl_certfile=certificate, **given))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flag", ["--ssl-certfile", "--ssl-keyfile", "--ssl-ca-certs"])
def test_an_empty_path_is_told_by_its_flag(files: Path, flag: str) -> None:
    given = {"ssl_certfile": str(files / "both.pem"), flag[2:].replace("-", "_"): ""}
    with pytest.raises(ValueError, match=f"^{flag} is empty: "):
        make_context(Config(**given))  # type: ignore[arg-type]
