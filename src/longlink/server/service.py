"""One run of the server: listen, say where, serve until asked to stop, say goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from .. import CloseCode, Server, __version__, serve
from ..api.version import FLAVOUR
from ..line import Server as LineServer
from ..line.flow import spoken
from . import line
from .app import make_app
from .config import Config
from .console import Console, on_terminal
from .descriptor import adopt
from .door import ANY, choose_hosts, choose_origins, judge_path, select_form
from .log import configure
from .operator import Operator
from .room import Room
from .secure import make_context

log = logging.getLogger("longlink.service")

CANNOT_RUN = 2
GOODBYE = "server is shutting down"
CUT_S = 1.0  # what cutting everybody off may take
SPREAD = 0.8  # of the shutdown timeout, at most, for telling everybody
UNCOMPILED = (
    "longlink runs uncompiled, which is slower: no C compiler was found when it was installed,"
    " or compiling failed (pip install -v shows why)"
)


class CannotRun(Exception):
    """The server cannot start; the text says why, in one line."""


class Stop:
    """The wish to stop: asked once, everybody is said goodbye to; asked twice, nobody is."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def ask(self) -> None:
        """Stop; when already stopping, stop now."""
        if self.asked.is_set():
            self.hurried.set()
        self.asked.set()


def run(config: Config) -> int:
    """Serve until asked to stop; returns the exit code."""
    configure(config.log_level, colors=config.use_colors)
    try:
        with asyncio.Runner(loop_factory=choose_loop(config.loop)) as runner:
            runner.run(_serve(config))
    except CannotRun as error:
        print(f"longlink: {error}", file=sys.stderr)
        return CANNOT_RUN
    return 0


def choose_loop(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """The factory of the event loop called `name`; raises CannotRun when it is not there."""
    if name != "asyncio":
        try:
            factory: Callable[[], asyncio.AbstractEventLoop]
            factory = importlib.import_module("uvloop").new_event_loop
            return factory
        except ModuleNotFoundError:
            if name == "uvloop":
                raise CannotRun("uvloop is not installed: pip install uvloop") from None
    return asyncio.new_event_loop


async def _serve(config: Config) -> None:
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask)
    room = Room(echo=config.echo, proxies=config.forwarded_allow_ips)
    server = await listen(config, room)
    try:
        lines = await listen_for_lines(config, room)
    except CannotRun:
        server.close()
        await server.wait_closed()
        raise
    _announce(config, [listener.getsockname() for listener in server.sockets])
    if lines is not None:
        places = ", ".join(spoken(listener.getsockname()) for listener in lines.sockets)
        print(f"and lines, for nc and telnet, on {places}", flush=True)
    if on_terminal():
        operator = Operator(room, max_file=config.max_file, quit=stop.ask)
        room.listener = operator.hear
        await _converse(Console(operator), stop)
    await stop.asked.wait()
    await _say_goodbye(server, lines, room, stop, config)
    if config.uds is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config.uds)


def _place(config: Config) -> dict[str, Any]:
    """Where to listen, as `serve` takes it; raises ValueError for a descriptor that cannot be."""
    if config.fd is not None:
        return {"sock": adopt(config.fd)}
    if config.uds is not None:
        return {"path": config.uds}
    return {"host": config.host, "port": config.port}


async def listen(config: Config, room: Room) -> Server:
    """A server that brings whoever connects into the room; raises CannotRun."""
    with _in_one_line(config):
        return await serve(
            **_place(config),
            backlog=config.backlog,
            origins=choose_origins(config.origin),
            hosts=choose_hosts(config.allow_host),
            process_request=judge_path,
            select_subprotocol=select_form,
            http=make_app(lambda: len(room.roster)),
            ssl=make_context(config),
            compression=None if config.compression == "off" else config.compression,
            on_open=room.join,
            on_message=room.receive,
            on_close=room.leave,
            **asdict(config.limits),
        )


async def listen_for_lines(config: Config, room: Room) -> LineServer | None:
    """A server that brings people into the room who talk in lines, if one is wanted; raises
    CannotRun."""
    if config.line_port is None:
        return None
    with _in_one_line(config):
        return await line.listen(config.host, config.line_port, config.limits, room)


@contextlib.contextmanager
def _in_one_line(config: Config) -> Iterator[None]:
    """Raises CannotRun for what keeps a server from listening."""
    try:
        yield
    except socket.gaierror as error:
        raise CannotRun(f"cannot listen on {config.host}: {error.strerror}") from None
    except (OSError, ImportError) as error:
        raise CannotRun(getattr(error, "strerror", None) or str(error)) from None
    except UnicodeError:  # a name that no resolver can be asked for
        raise CannotRun(f"cannot listen on {config.host!r}: not a host name") from None
    except ValueError as error:
        raise CannotRun(str(error)) from None


def _announce(config: Config, names: list[Any]) -> None:
    secure = config.ssl_certfile is not None
    unix = not isinstance(names[0], tuple)
    host = config.host if config.fd is None else names[0][0]
    place = f"unix:{path_of(names[0])}" if unix else address(host, names, secure=secure)
    print(f"longlink {__version__} serving on {place}  (Ctrl-C stops)", flush=True)
    if FLAVOUR == "uncompiled":
        print(UNCOMPILED, file=sys.stderr)
    if ANY in config.origin:
        log.warning("--origin *: any page in any browser that reaches this server may talk")
    if not unix and not all(is_loopback(name[0]) for name in names):
        log.warning("listening beyond this machine: anybody who reaches it may talk")


def path_of(name: str | bytes) -> str:
    """The path of a UNIX domain socket; @ stands for the NUL of an abstract one, as in ss."""
    return os.fsdecode(name).replace("\0", "@")


def address(host: str, names: list[Any], *, secure: bool = False) -> str:
    """The address to open in a browser on this machine, for what the sockets are bound to."""
    bound, port = names[0][:2]
    if ipaddress.ip_address(bound.partition("%")[0]).is_unspecified:
        host = "::1" if ":" in bound else "127.0.0.1"
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}/"


def is_loopback(ip: str) -> bool:
    """True when only this machine reaches the address."""
    return ipaddress.ip_address(ip.partition("%")[0]).is_loopback


async def _converse(console: Console, stop: Stop) -> None:
    with console:
        prompt = asyncio.create_task(console.run())
        asked = asyncio.create_task(stop.asked.wait())
        await asyncio.wait((prompt, asked), return_when=asyncio.FIRST_COMPLETED)
        console.stop()
        asked.cancel()
        await prompt
    stop.asked.set()


def spread(people: int, config: Config) -> float:
    """Seconds to say goodbye in: a few are told at once, thousands one after the other. What is
    left of the timeout is for their answers."""
    if config.shutdown_rate is None:
        return 0.0
    return min(people / config.shutdown_rate, SPREAD * config.shutdown_timeout)


async def _say_goodbye(
    server: Server, lines: LineServer | None, room: Room, stop: Stop, config: Config
) -> None:
    log.info("stopping: saying goodbye to %d", len(room.roster))
    room.close()
    over = spread(len(room.roster), config)
    server.close(code=CloseCode.GOING_AWAY, reason=GOODBYE, over=over)
    everybody = asyncio.create_task(_all_gone(server, lines, room))
    hurry = asyncio.create_task(stop.hurried.wait())
    await asyncio.wait(
        (everybody, hurry), timeout=config.shutdown_timeout, return_when=asyncio.FIRST_COMPLETED
    )
    if not everybody.done():
        lingering = [] if lines is None else list(lines.lines)  # they have left the room
        late = len(room.roster) + len(lingering)
        log.warning("%d did not say goodbye in time and were cut off", late)
        server.abort_clients()
        for each in lingering:
            each.abort()
        await asyncio.wait((everybody,), timeout=CUT_S)
    for task in (everybody, hurry):
        task.cancel()
    log.info("stopped")


async def _all_gone(server: Server, lines: LineServer | None, room: Room) -> None:
    """Say goodbye to guests, and wait until everybody has left."""
    if lines is not None:
        for guest in tuple(room.roster.guests):
            guest.close(CloseCode.GOING_AWAY, GOODBYE)
        lines.close()
        await lines.wait_closed()
    await server.wait_closed()
