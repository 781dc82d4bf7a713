"""A UDP socket: datagrams out with a bounded queue, and the judgement of those that come in.

Whoever answers datagrams answers an address that anybody may have written on them. So:

- Nothing is answered that came to a broadcast or multicast address, or claims to come from one:
  one datagram would make many answers.
- Nothing that claims to come from a well-known port, which is a service's, or from a port with our
  number: two services that answer each other never stop.
- No more octets go to an address than three times those that came from it, headers counted, as in
  RFC 9000 8.1: nobody is flooded through us. The smallest Ethernet frame carries 46 octets, so a
  datagram counts as that many at least.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
import sys
from collections import deque

from ..errors import DatagramTooLong
from .flow import Address, spoken

LARGEST = {socket.AF_INET: 65507, socket.AF_INET6: 65527}  # octets that a datagram can hold
HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}
SMALLEST = 46
WELL_KNOWN = 1024  # ports below belong to services
QUEUED = 256  # datagrams that wait for the kernel; more are lost, as UDP may lose any

_ANCILLARY = 64
_IP_PKTINFO = 8  # of Linux; socket has the name from Python 3.14 on
_PKTINFO = struct.Struct("@i4s4s")  # interface, our address, the one that was written to

Note = tuple[int, int, bytes]  # ancillary data, as `sendmsg` takes it


class Post:
    """Sends from `sock`, which is non-blocking and which it closes."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.sock = sock
        self.loop = loop
        self.family = sock.family
        self.port = int(sock.getsockname()[1])
        self._waiting: deque[tuple[bytes, list[Note], Address]] = deque()

    def send(self, octets: bytes, address: Address = None, note: list[Note] | None = None) -> None:
        """Send a datagram, now or when the kernel has room; without an address where the socket
        is connected to.

        Raises:
            DatagramTooLong: UDP cannot carry it. OSError: of the socket.
        """
        check_size(len(octets), LARGEST[self.family], address or self.sock.getpeername())
        if self._waiting:
            if len(self._waiting) < QUEUED:
                self._waiting.append((octets, note or [], address))
            return
        try:
            self._send(octets, note or [], address)
        except BlockingIOError:
            self._waiting.append((octets, note or [], address))
            self.loop.add_writer(self.sock, self._go_on)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise DatagramTooLong(f"datagram of {len(octets)} bytes is too long") from None
            raise

    def _send(self, octets: bytes, note: list[Note], address: Address) -> None:
        if address is None:
            self.sock.send(octets)
        else:
            self.sock.sendmsg([octets], note, 0, address)

    def _go_on(self) -> None:
        """The kernel has room."""
        while self._waiting:
            octets, note, address = self._waiting[0]
            try:
                self._send(octets, note, address)
            except BlockingIOError:
                return
            except OSError:
                pass  # they cannot be reached: it is lost, as UDP may lose any
            self._waiting.popleft()
        self.loop.remove_writer(self.sock)

    def close(self) -> None:
        """Close the socket; what waits is lost."""
        if self.sock.fileno() >= 0:
            self.loop.remove_reader(self.sock)
            self.loop.remove_writer(self.sock)
            self.sock.close()
        self._waiting.clear()


def check_size(size: int, most: int, address: Address) -> None:
    """Raise DatagramTooLong for what UDP cannot carry."""
    if size > most:
        raise DatagramTooLong(
            f"datagram of {size} bytes to {spoken(address)}, the limit is {most} (UDP)"
        )


def watch_destinations(sock: socket.socket) -> None:
    """Have the kernel tell which of our addresses a datagram was sent to, where it can."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def receive(sock: socket.socket) -> tuple[bytes, Address, list[Note], bool]:
    """A datagram, who says to have sent it, what to answer with so that the answer comes from the
    address that was written to, and whether it was meant for us alone."""
    octets, notes, _, address = sock.recvmsg(65536, _ANCILLARY)
    for level, kind, data in notes:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(data) == _PKTINFO.size:
            _, ours, written = _PKTINFO.unpack(data)
            note = (level, kind, _PKTINFO.pack(0, ours, bytes(4)))
            return octets, address, [note], ours == written
        if level == socket.IPPROTO_IPV6 and kind == getattr(socket, "IPV6_PKTINFO", -1):
            return octets, address, [(level, kind, data)], data[0] != 0xFF
    return octets, address, [], True


def unanswerable(source: Address, port: int) -> str | None:
    """Why nobody may answer what claims to come from `source`; None where one may.

    Args:
        port: our own.
    """
    ip = ipaddress.ip_address(source[0].partition("%")[0])
    if ip.is_multicast or ip.is_unspecified or ip == ipaddress.IPv4Address(0xFFFFFFFF):
        return "a source that is no single host's"
    if source[1] < WELL_KNOWN:
        return "the port of a service, which might answer the answer"
    if source[1] == port:
        return "our own port, or one that serves the same"
    return None


def worth(size: int, family: int, factor: float) -> float:
    """How many octets somebody may be sent who sent a datagram of `size`."""
    return factor * max(SMALLEST, cost(size, family))


def cost(size: int, family: int) -> int:
    """The octets of a datagram of `size`, headers counted."""
    return size + HEADERS[socket.AddressFamily(family)]
