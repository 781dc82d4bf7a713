"""What the tests of the API share: a deadline for each, certificates, and clean ends."""

from __future__ import annotations

import gc
import logging
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.deadline import set_deadlines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    set_deadlines(items, Path(__file__).parent)


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test leaves something that asyncio or we complain about when it is collected."""
    yield
    gc.collect(1)
    complaints = [
        record.getMessage()
        for record in caplog.get_records("call")
        if (record.name == "asyncio" and record.levelno >= logging.WARNING)
        or record.getMessage().startswith("internal error")
    ]
    assert complaints == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away key and certificate for localhost, in one file."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "these tests need the openssl command"
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    out = ("-keyout", str(path), "-out", str(path.with_suffix(".crt")))
    about = ("-days", "2", "-subj", "/CN=localhost", "-addext", names)
    subprocess.run([openssl, "req", "-x509", *key, *about, *out], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))
