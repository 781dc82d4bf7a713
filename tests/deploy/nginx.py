"""nginx as a process, with the configuration that the manual shows."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trustme

from tests.deploy.conftest import DEPLOY, replaced
from tests.server.product import DEADLINE_S

# What a distribution brings, as far as it matters: all files in one folder, and no other account.
MAIN = """\
user root;
daemon off;
pid {folder}/pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/longlink.conf;
}}
"""


class Nginx:
    """A running nginx."""

    def __init__(self, process: asyncio.subprocess.Process, tls: int, plain: int) -> None:
        self.process = process
        self.url = f"https://localhost:{tls}/"
        self.ws = self.url.replace("https", "wss")
        self.plain = f"http://localhost:{plain}/"

    async def line(self, pattern: str) -> str:
        """The next line of its log that has this pattern."""
        assert self.process.stderr is not None
        seen = []
        async with asyncio.timeout(DEADLINE_S):
            while data := await self.process.stderr.readline():
                seen.append(data.decode())
                if re.search(pattern, seen[-1]):
                    return seen[-1]
        raise AssertionError("".join(seen))

    async def reload(self) -> None:
        """Let new workers take over, as `systemctl reload nginx` does."""
        self.process.send_signal(signal.SIGHUP)
        await self.line("start worker process")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@asynccontextmanager
async def proxying(
    program: str, folder: Path, upstream: str, changes: Mapping[str, str] = {}
) -> AsyncIterator[Nginx]:
    """deploy/nginx.conf in front of `upstream`; only places differ, and `changes`."""
    tls, plain = free_ports(2)
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "both.pem")
    )
    places = {
        "server 127.0.0.1:8008;": f"server {upstream};",
        "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "/etc/letsencrypt/live/chat.example.com/fullchain.pem": str(folder / "both.pem"),
        "/etc/letsencrypt/live/chat.example.com/privkey.pem": str(folder / "both.pem"),
    }
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    (folder / "longlink.conf").write_text(replaced(text, {**places, **changes}), "utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        nginx = Nginx(process, tls, plain)
        await nginx.line("start worker process")  # it listens before it starts them
        yield nginx
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
