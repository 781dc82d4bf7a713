"""A line on an asyncio transport: where there is no epoll, and for TLS."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any

from ..engine.agenda import FAULTS, Agenda
from .flow import keep_alive
from .line import Line
from .rules import Rules


class Streamed(Line, asyncio.Protocol):
    """A line that is the protocol of an asyncio transport.

    Args:
        joined: called with it once it has its transport.
        left: called with it once, when it is over.
    """

    __slots__ = ("joined", "known", "parted", "secure", "transport")

    def __init__(
        self,
        agenda: Agenda,
        rules: Rules,
        joined: Callable[[Any], object] | None = None,
        left: Callable[[Any], object] | None = None,
    ) -> None:
        Line.__init__(self, rules, agenda, left)
        self.joined = joined
        self.transport: Any = None
        self.secure = False
        self.known = 0  # octets that waited when that was last looked at
        self.parted = False  # the transport was told not to read

    # What asyncio reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.agenda.add_user()  # not before: of a TLS handshake that failed we hear nothing
        self.transport = transport
        self.secure = transport.get_extra_info("sslcontext") is not None
        self.remote_address = transport.get_extra_info("peername")
        self.local_address = transport.get_extra_info("sockname")
        sock = transport.get_extra_info("socket")
        if self.rules.timeout is None and sock is not None:
            keep_alive(sock)
        limits = self.rules.limits
        self.transport.set_write_buffer_limits(limits.write_limit, limits.low_water)
        if self.joined is not None:
            self.joined(self)

    def data_received(self, data: bytes) -> None:
        agenda = self.agenda
        agenda.begin()
        try:
            self.arrived(data)
        except FAULTS:
            agenda.crashed(self)
        finally:
            agenda.finish()

    def eof_received(self) -> bool:
        self.heard_out()
        if self.closing and not self.waiting():
            self.transport.close()
        return not self.secure  # TLS ends both ways at once

    def resume_writing(self) -> None:
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        # The errno of an SSLError is none of the system's.
        ours = isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError)
        number = getattr(exc, "errno", None) or 0 if ours else 0
        left = self.closing or (self.secure and self.silent)  # what comes then, TLS calls an error
        if exc is not None and not left:
            self.lose(f"lost: {os.strerror(number).lower() if number else exc}", number)
        self.ended()

    # The carrier's part, see `Line`.

    def waiting(self) -> int:
        held: int = 0 if self.transport is None else self.transport.get_write_buffer_size()
        return held + Line.waiting(self)

    def flush(self) -> None:
        """Give the transport all there is. It says when it holds less, not when it holds nothing:
        so it is looked at again when it would have stalled."""
        if self.over:
            return
        outbox, before = self.outbox, self.known
        if outbox is not None:
            before = self.waiting()
            octets = outbox.take()
            if not self.transport.is_closing():
                self.transport.write(octets)
        self.known = self.waiting()
        self.progressed(before)
        if outbox is not None and self.silent:
            self._shut()

    def hang_up(self) -> None:
        self.unpark()
        self.end_sending()

    def end_sending(self) -> None:
        if self.outbox is None:
            self._shut()

    def _shut(self) -> None:
        """The transport has everything: let it end our side when it is sent. Who reset TCP has
        none; while we listen, the transport says so, behind what came before."""
        transport = self.transport
        if transport.is_closing():
            return
        if self.secure or (self.closing and self.finished):
            transport.close()
        elif transport.can_write_eof():
            try:
                transport.write_eof()
            except OSError:
                if self.closing:
                    self.abort()

    def abort(self) -> None:
        if not self.over:
            self.transport.abort()
            self.ended()

    def park(self) -> None:
        if not self.parted and not self.closing and not self.transport.is_closing():
            self.parted = True
            self.transport.pause_reading()

    def unpark(self) -> None:
        if self.parted and (self.closing or self.intake.room() > 0):
            self.parted = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
