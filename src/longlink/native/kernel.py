"""The portable twin of `kernel.pyx`: the same names and the same behaviour, in Python alone.

Both files make one module. Where the compiled one was built it wins the import; without a
compiler, under a debugger or on another interpreter this one answers. A type checker always
reads this one. `tests/native` runs every test over both faces.

Shared rules: octets have no sign, keys are the four octets of RFC 6455 section 5.3 read big
endian, arguments are positional, and a failed system call returns its negative errno.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import select
import socket
import struct
import warnings
from asyncio.exceptions import CancelledError, InvalidStateError
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from itertools import islice
from time import monotonic
from typing import Any, Final

COMPILED: Final = False

IN: Final = 1
OUT: Final = 4
ERR: Final = 8
HUP: Final = 16

BATCH: Final = 512
REFERENCE_FROM: Final = 16384
SEGMENTS_PER_CALL: Final = 64
ENTROPY: Final = 4096

BytesLike = bytes | bytearray | memoryview
SocketName = tuple[str, int] | tuple[str, int, int, int] | str | bytes


def _xor(data: BytesLike, key: int) -> bytes:
    """`data` under the key: one XOR of two long integers instead of a loop over octets."""
    size = len(data)
    pattern = key.to_bytes(4, "big") * ((size + 3) // 4)
    masked = int.from_bytes(data, "little") ^ int.from_bytes(pattern[:size], "little")
    return masked.to_bytes(size, "little")


def _turned(key: int, phase: int) -> int:
    """The key that begins with octet `phase % 4` of `key`."""
    turn = 8 * (phase & 3)
    return (key << turn | key >> (32 - turn)) & 0xFFFFFFFF


def _octets(data: BytesLike) -> bytes:
    """The octets of anything contiguous; TypeError for the rest, as the compiled face says."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise TypeError("a contiguous bytes-like object is required")
    return view.tobytes()


# UTF-8 as a table (RFC 3629 section 4). A state says which octets may follow: 0 none missing;
# 1, 2, 3 that many plain continuations; 4 after E0, 5 after ED, 6 after F0, 7 after F4.
_CONTINUE: Final = {
    1: (0x80, 0xBF, 0),
    2: (0x80, 0xBF, 1),
    3: (0x80, 0xBF, 2),
    4: (0xA0, 0xBF, 1),
    5: (0x80, 0x9F, 1),
    6: (0x90, 0xBF, 2),
    7: (0x80, 0x8F, 2),
}
_SPECIAL_LEADS: Final = {0xE0: 4, 0xED: 5, 0xF0: 6, 0xF4: 7}


def _lead(octet: int) -> int:
    """The state after the first octet of a sequence, or -1."""
    if octet < 0x80:
        return 0
    if octet < 0xC2 or octet > 0xF4:
        return -1
    return _SPECIAL_LEADS.get(octet, 1 if octet < 0xE0 else 2 if octet < 0xF0 else 3)


def _step(state: int, octet: int) -> int:
    """The state after one more octet, or -1."""
    if not state:
        return _lead(octet)
    low, high, following = _CONTINUE[state]
    return following if low <= octet <= high else -1


class Buffer(bytearray):
    """A block of bytes with a fill mark: a receive buffer, or a message under construction.

    It exports its whole capacity as a writable buffer. While a view of it is alive it cannot
    grow: `append` then raises BufferError.
    """

    __slots__ = ("capacity", "size")

    def __init__(self, capacity: int = 0, /) -> None:
        if capacity < 0:
            raise ValueError("capacity must not be negative")
        super().__init__(capacity)
        self.capacity = capacity
        self.size = 0

    def at(self, i: int, /) -> int:
        """The octet at `i`; the caller guarantees 0 <= i < capacity, here and below."""
        return self[i]

    def u16(self, i: int, /) -> int:
        """The big-endian number in the two octets from `i`."""
        return self[i] << 8 | self[i + 1]

    def u32(self, i: int, /) -> int:
        """The big-endian number in the four octets from `i`."""
        return int.from_bytes(self[i : i + 4], "big")

    def u64(self, i: int, /) -> int:
        """The big-endian number in the eight octets from `i`."""
        return int.from_bytes(self[i : i + 8], "big")

    def put(self, at: int, data: bytes, /) -> int:
        """Copy `data` to the place `at`; ValueError where it does not fit."""
        self._check(at, at + len(data))
        self[at : at + len(data)] = data
        return 0

    def copy(self, start: int, stop: int, /) -> bytes:  # type: ignore[override]
        """The octets from `start` to `stop`."""
        self._check(start, stop)
        return bytes(self[start:stop])

    def unmasked(self, start: int, stop: int, key: int, /) -> bytes:
        """The octets from `start` to `stop` under the key, copied once."""
        self._check(start, stop)
        return _xor(self[start:stop], key)

    def unmask(self, start: int, stop: int, key: int, /) -> int:
        """Put the octets from `start` to `stop` under the key where they are."""
        self._check(start, stop)
        self[start:stop] = _xor(self[start:stop], key)
        return 0

    def short(self, start: int, stop: int, masked: bool, /) -> str | bytes | None:
        """The message that lies from `start` on, if it is whole, in one frame without extensions,
        masked or not as `masked` says, and of 125 octets at most. None if it is not, or if
        anything at all is wrong with it: then the octets are as they were."""
        head = 6 if masked else 2
        if not 0 <= start <= stop <= self.capacity or stop - start < head:
            return None
        first, size = self[start], self[start + 1] ^ (0x80 if masked else 0)
        if first not in (0x81, 0x82) or size > min(125, stop - start - head):
            return None
        data = bytes(self[start + head : start + head + size])
        if masked:
            data = _xor(data, self.u32(start + 2))
        if first == 0x82:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def reserve(self, more: int, /) -> int:
        """Have room for `more` octets behind the fill mark, and no more than that."""
        if more > self.capacity - self.size:
            self._grow(self.size + more)
        return 0

    def settle(self, count: int, masked: bool, key: int, phase: int, /) -> int:
        """Move the fill mark over `count` octets received behind it, XORed if `masked`."""
        if not 0 <= count <= self.capacity - self.size:
            raise ValueError(f"{count} octets are more than there is room for")
        if masked:
            end = self.size + count
            self[self.size : end] = _xor(self[self.size : end], _turned(key, phase))
        self.size += count
        return 0

    def release(self) -> bytes:
        """What lies before the fill mark, without a copy where it has grown; it is empty then."""
        data = self.copy(0, self.size)
        self.size = 0
        return data

    def text(self, start: int, stop: int, /) -> str:
        """The text from `start` to `stop`; UnicodeDecodeError unless it is strict UTF-8."""
        self._check(start, stop)
        return self[start:stop].decode()

    def find(self, needle: bytes, start: int, stop: int, /) -> int:  # type: ignore[override]
        """Where `needle` first lies wholly between `start` and `stop`, or -1."""
        if not 0 <= start <= stop <= self.capacity:
            return -1
        return bytearray.find(self, needle, start, stop)

    def append(  # type: ignore[override]
        self, source: Buffer, start: int, stop: int, masked: bool, key: int, phase: int, /
    ) -> int:
        """Copy source[start:stop] behind the fill mark, growing; XORed on the way if `masked`.

        The first octet meets octet `phase % 4` of the key, so that a payload may arrive in parts.
        """
        source._check(start, stop)
        data = source[start:stop]
        if masked:
            data[:] = _xor(data, _turned(key, phase))
        return self.add(data)

    def add(self, data: bytes | bytearray, /) -> int:
        """Copy `data` behind the fill mark, growing."""
        needed = self.size + len(data)
        if needed > self.capacity:
            self._grow(max(needed, 2 * self.capacity))
        self[self.size : needed] = data
        self.size = needed
        return 0

    def clear(self) -> int:  # type: ignore[override]
        """Forget the contents and keep the memory."""
        self.size = 0
        return 0

    def utf8(self, start: int, stop: int, state: int, /) -> int:
        """The state of the text after these octets: 0 complete, > 0 in a sequence, -1 invalid.

        `state` is 0 at the beginning of a text, then what the call before returned. An octet that
        no valid text can have there is noticed at once, also in an unfinished sequence.
        """
        if not 0 <= start <= stop <= self.capacity or not 0 <= state <= 7:
            return -1
        while state > 0 and start < stop:
            state = _step(state, self[start])
            start += 1
        if state or start == stop:
            return state
        try:
            self[start:stop].decode()
        except UnicodeDecodeError as error:
            # Either wrong from here on, or a sequence that these octets do not finish.
            for octet in self[start + error.start : stop]:
                state = _step(state, octet)
                if state <= 0:
                    return -1
        return state

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.capacity:
            raise ValueError(f"[{start}:{stop}] is outside of a buffer of {self.capacity} octets")

    def _grow(self, capacity: int) -> None:
        self.extend(bytes(capacity - self.capacity))
        self.capacity = capacity


class Outbox:
    """Bytes on their way out: small things are copied together, large `bytes` kept by reference."""

    __slots__ = ("_parts", "_tail", "size")

    def __init__(self) -> None:
        self.size = 0
        self._parts: deque[BytesLike] = deque()
        # Copies made since the last reference; always behind all parts.
        self._tail = bytearray()

    def put(self, data: BytesLike, /) -> int:
        """Queue `data`: `bytes` of 16 KiB and more by reference, anything else as a copy."""
        if type(data) is not bytes:
            data = _octets(data)
        elif len(data) >= REFERENCE_FROM:
            if self._tail:
                self._parts.append(self._tail)
                self._tail = bytearray()
            self._parts.append(data)
            self.size += len(data)
            return 0
        self._tail += data
        self.size += len(data)
        return 0

    def frame(self, first: int, payload: str | BytesLike, masked: bool, key: int, /) -> int:
        """Queue a frame (RFC 6455 section 5.2) that begins with the octet `first`; str is UTF-8.

        Of `bytes` and ASCII `str`, 16 KiB and more are queued by reference, unless `masked`.
        """
        data = payload.encode() if isinstance(payload, str) else payload
        if type(data) is not bytes:
            data = _octets(data)
        size, mark = len(data), 0x80 if masked else 0
        if size < 126:
            head = bytes((first & 0xFF, mark | size))
        elif size < 65536:
            head = bytes((first & 0xFF, mark | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first & 0xFF, mark | 127)) + size.to_bytes(8, "big")
        if masked:
            head += key.to_bytes(4, "big")
            data = _xor(data, key)
            self._tail += head + data
            self.size += len(head) + size
            return 0
        self._tail += head
        self.size += len(head)
        return self.put(data)

    def flush(self, fd: int, /) -> int:
        """Send: 0 when all is out, 1 when the socket is full, or the negative errno.

        **Cost**: one system call for up to 64 segments, one more to learn that the socket is full.
        """
        while self.size:
            segments = self._segments()
            try:
                sent = os.writev(fd, segments)
            except BlockingIOError:
                return 1
            except OSError as error:
                return -(error.errno or errno.EIO)
            offered = sum(map(len, segments))
            self.drop(sent)
            if sent < offered:
                return 1
        return 0

    def take(self) -> bytes:
        """Everything queued, which leaves the queue empty."""
        data = b"".join((*self._parts, self._tail))
        self.clear()
        return data

    def peek(self, at: int, most: int, /) -> bytes:
        """At most `most` octets of the queue, from the one at `at` on, which stay queued."""
        if not 0 <= at <= self.size or most < 0:
            raise ValueError(f"{most} octets at {at} of {self.size}")
        found: list[BytesLike] = []
        for part in (*self._parts, self._tail):
            if at < len(part) and most:
                found.append(part[at : at + most])
                most -= len(found[-1])
            at = max(0, at - len(part))
        return b"".join(found)

    def clear(self) -> int:
        """Drop everything queued."""
        self._parts.clear()
        self._tail.clear()
        self.size = 0
        return 0

    def _segments(self) -> list[BytesLike]:
        if not self._parts:
            return [self._tail]
        segments = list(islice(self._parts, SEGMENTS_PER_CALL))
        if self._tail and len(segments) < SEGMENTS_PER_CALL:
            segments.append(self._tail)
        return segments

    def drop(self, sent: int, /) -> int:
        """Forget the first `sent` octets."""
        if not 0 <= sent <= self.size:
            raise ValueError(f"{sent} octets of {self.size}")
        self.size -= sent
        parts = self._parts
        while parts and sent >= len(parts[0]):
            sent -= len(parts.popleft())
        if not parts:
            del self._tail[:sent]
        elif sent:
            parts[0] = memoryview(parts[0])[sent:]
        return 0


class Poll:
    """An epoll descriptor whose events carry the owner itself; OSError where there is no epoll."""

    __slots__ = ("_epoll", "_graveyard", "_owners", "_ready")

    def __init__(self) -> None:
        if not hasattr(select, "epoll"):
            raise OSError(errno.ENOSYS, "this platform has no epoll")
        self._epoll = select.epoll()
        self._owners: dict[int, object] = {}
        self._ready: list[tuple[object, int]] = []
        self._graveyard: list[object] = []

    @property
    def count(self) -> int:
        """How many owners are registered."""
        return len(self._owners)

    def fileno(self) -> int:
        """The epoll descriptor, -1 once closed."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    def add(self, fd: int, owner: object, events: int, /) -> int:
        """Watch `fd` and hold `owner` until it is removed and buried; 0 or negative errno."""
        if fd < 0 or self._epoll.closed:
            return -errno.EBADF
        if owner is None:
            return -errno.EINVAL
        try:
            self._epoll.register(fd, events)
        except OSError as error:
            return -(error.errno or errno.EIO)
        if fd in self._owners:
            self._graveyard.append(self._owners[fd])
        self._owners[fd] = owner
        return 0

    def change(self, fd: int, owner: object, events: int, /) -> int:
        """Watch for other events; 0 or negative errno (ENOENT unless `fd` is this owner's)."""
        if self._epoll.closed:
            return -errno.EBADF
        if owner is None or self._owners.get(fd) is not owner:
            return -errno.ENOENT
        try:
            self._epoll.modify(fd, events)
        except OSError as error:
            return -(error.errno or errno.EIO)
        return 0

    def remove(self, fd: int, owner: object, /) -> int:
        """Stop watching, to be called before `fd` is closed; the owner lives on until `bury`."""
        if self._epoll.closed:
            return -errno.EBADF
        if owner is None or self._owners.get(fd) is not owner:
            return -errno.ENOENT
        self._graveyard.append(self._owners.pop(fd))
        try:
            self._epoll.unregister(fd)
        except OSError as error:
            return -(error.errno or errno.EIO)
        return 0

    def wait(self, limit: int, /) -> int:
        """How many of at most `limit` (and 512) owners are ready now, or negative errno."""
        if self._epoll.closed:
            return -errno.EBADF
        try:
            found = self._epoll.poll(0, max(1, min(limit, BATCH)))
        except OSError as error:
            return -(error.errno or errno.EIO)
        owners = self._owners
        self._ready = [(owners[fd], events) for fd, events in found if fd in owners]
        return len(self._ready)

    def hover(self, limit: int, microseconds: int, /) -> int:
        """As `wait`, but looks again and again for so long. It does not sleep, and others may
        have the interpreter meanwhile."""
        until = monotonic() + microseconds / 1e6
        found = self.wait(limit)
        while not found and monotonic() < until:
            found = self.wait(limit)
        return found

    def owner(self, i: int, /) -> Any:
        """The owner of event `i` of the batch; IndexError outside of it, and after `bury`."""
        if i < 0:
            raise IndexError("no such event in the batch")
        return self._ready[i][0]

    def events(self, i: int, /) -> int:
        """The events of owner `i` of the batch, 0 outside of it."""
        return self._ready[i][1] if 0 <= i < len(self._ready) else 0

    def bury(self) -> int:
        """End the turn: the batch is over, and removed owners are let go."""
        self._ready = []
        self._graveyard = []
        return 0

    def close(self) -> int:
        """Close the descriptor and let every owner go; a second call does nothing."""
        self._epoll.close()
        self._owners = {}
        return self.bury()

    def drop(self, fd: int, /) -> int:
        """As `close` of this module, for a `__del__`: at the interpreter's end there is no more
        module to look that up in."""
        return close(fd)


PENDING: Final[object] = object()

# States of a Waker.
_WAITING = 0
_DUE = 1  # somebody is going to call `run`
_WOKEN = 2
_CANCELLED = 3


class Source:
    """Something a task can wait on."""

    __slots__ = ()

    def seek(self, wait: Wait, /) -> Any:
        """As `attempt`. Hot: called through C, so a class that is not compiled overrides that."""
        return self.attempt(wait)

    def attempt(self, wait: Wait, /) -> Any:
        """The result if there is one now; PENDING after setting `wait.future`; or raise."""
        raise NotImplementedError

    def forgotten(self, kind: int, /) -> str | None:
        """A wait of this kind was never awaited: what to call it in a warning; None for none."""
        return None


class Wait(Coroutine[Any, Any, Any]):
    """An awaitable and coroutine that asks its source until there is a result.

    It may be awaited once, directly or as a task. A result that is there at once costs no trip
    through the event loop. Cancellation, by `throw` as asyncio does it, forgets the future.
    """

    __slots__ = ("_finished", "future", "kind", "source")

    def __init__(self, source: Source, kind: int, /) -> None:
        self.source = source
        self.kind = kind
        self.future: Any = None
        self._finished = False

    def __del__(self) -> None:
        """Warn as of a coroutine. Only one that was never awaited has neither."""
        if not getattr(self, "_finished", True) and self.future is None:
            name = self.source.forgotten(self.kind)
            if name is not None:
                text = f"coroutine {name!r} was never awaited"
                warnings.warn(text, RuntimeWarning, stacklevel=2)

    def park(self, loop: asyncio.AbstractEventLoop, /) -> int:
        """Let the task sleep on a `Waker`, for a source that has nothing yet."""
        if loop is None:
            raise TypeError("a loop is required")
        self.future = Waker(loop)
        return 0

    def _step(self) -> Any:
        """The result, and then `_finished` is set; or the future to wait for."""
        if self._finished:
            raise RuntimeError("cannot reuse already awaited Wait")
        future = self.future
        if future is not None and not future.done():
            raise RuntimeError("cannot reuse already awaited Wait")
        # Set first: whatever raises below ends this wait.
        self._finished = True
        try:
            if future is not None:
                self.future = None
                future.result()
            outcome = self.source.seek(self)
            if outcome is not PENDING:
                self.future = None
                return outcome
            future = self.future
            # What an asyncio future does before it yields itself to its task.
            future._asyncio_future_blocking = True
        except StopIteration as error:
            self.future = None
            raise RuntimeError("Wait raised StopIteration") from error
        except BaseException:
            self.future = None
            raise
        self._finished = False
        return future

    def __await__(self) -> Generator[Any, Any, Any]:
        """Itself; RuntimeError once it is finished. `anext` with a default asks at each step."""
        if self._finished:
            raise RuntimeError("cannot reuse already awaited Wait")
        return self

    def __iter__(self) -> Wait:
        return self

    def __next__(self) -> Any:
        """As `send`."""
        return self.send(None)

    def send(self, value: Any, /) -> Any:
        """The future to wait for; StopIteration carries the result."""
        outcome = self._step()
        if self._finished:
            raise StopIteration(outcome)
        return outcome

    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Forget the future and raise the exception."""
        self.close()
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        elif not isinstance(value, BaseException):
            value = kind(value)
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self) -> None:
        """Forget the future; there will be no result."""
        self._finished = True
        self.future = None


class Waker:
    """What a task is parked on until `run`, which goes on with it there and then.

    A future as far as a task of asyncio can tell: an ordinary one takes a trip through the event
    loop from its result to its task, which costs as much as receiving a message.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_loop", "_message", "_state")

    def __init__(self, loop: asyncio.AbstractEventLoop, /) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._callback: Callable[[Waker], object] | None = None
        self._context: Context | None = None
        self._message: object = None
        self._state = _WAITING

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the task."""
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Waker], object], /, *, context: Context | None = None
    ) -> None:
        """Call `callback` in `context` when it is time. RuntimeError for a second one."""
        if self._callback is not None:
            raise RuntimeError("only one task can wait for it")
        self._callback = callback
        self._context = copy_context() if context is None else context
        if self._state > _DUE:
            self._schedule()

    def remove_done_callback(self, callback: Callable[[Waker], object], /) -> int:
        """Forget `callback`; returns how many there were."""
        if self._callback is None or self._callback != callback:
            return 0
        self._callback = self._context = None
        return 1

    def done(self) -> bool:
        """Whether the task was woken, or will be by the event loop."""
        return self._state > _DUE

    def cancelled(self) -> bool:
        """Whether that was for its cancellation."""
        return self._state == _CANCELLED

    def result(self) -> None:
        """None. Raises CancelledError, and InvalidStateError before it is done."""
        if self._state == _CANCELLED:
            raise CancelledError() if self._message is None else CancelledError(self._message)
        if self._state <= _DUE:
            raise InvalidStateError("nobody was woken yet")

    def exception(self) -> None:
        """As `result`."""
        return self.result()

    def cancel(self, msg: object = None) -> bool:
        """Wake the task for its cancellation; False when it was woken already."""
        if self._state > _DUE:
            return False
        self._state = _CANCELLED
        self._message = msg
        self._schedule()
        return True

    def expect(self) -> bool:
        """Whether the caller should see to it that `run` is called: True the first time."""
        if self._state != _WAITING:
            return False
        self._state = _DUE
        return True

    def run(self, woken: Any = None, /) -> None:
        """Go on with the task now. Not from within a task: there can be one at a time.

        `woken` is a future of asyncio's that is done, if there is one: compiled, a task gets that
        instead of us. What it asks of its own kind it asks without a call.
        """
        if self._state > _DUE:
            return
        if self._callback is None or self._context is None:
            self._state = _WOKEN
            return
        try:
            self._context.run(self._enter)
        except RuntimeError:
            if self._state > _DUE:
                raise
            self.set_result(None)  # somebody up the stack is in that context

    def set_result(self, result: None, /) -> None:
        """Let the event loop go on with the task. InvalidStateError when it was woken already."""
        if self._state > _DUE:
            raise InvalidStateError("woken already")
        self._state = _WOKEN
        self._schedule()

    def _enter(self) -> None:
        self._state = _WOKEN
        callback, self._callback, self._context = self._callback, None, None
        if callback is not None:
            callback(self)

    def _schedule(self) -> None:
        callback, context = self._callback, self._context
        if callback is not None:
            self._callback = self._context = None
            self._loop.call_soon(callback, self, context=context)


def waiting(source: Source, kind: int, /) -> Wait:
    """A `Wait`, for those who are compiled: without the way through Python."""
    if not isinstance(source, Source):
        raise TypeError("a Source is required")
    return Wait(source, kind)


class Done(Coroutine[Any, Any, None]):
    """The awaitable that is finished: gives None at once, any number of times."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        """Nothing to wait for."""
        return
        yield

    def send(self, value: Any, /) -> Any:
        """StopIteration, at once."""
        raise StopIteration

    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Raise the exception."""
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        elif not isinstance(value, BaseException):
            value = kind(value)
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self) -> None:
        """Nothing to forget."""


DONE: Final = Done()


def recv(fd: int, buffer: Buffer, start: int, stop: int | None = None, /) -> int:
    """How many octets arrived from `start` on, up to `stop` or where the buffer ends; 0 at the
    end of the stream; or negative errno.

    A buffer without room is -ENOBUFS, not 0.
    """
    stop = buffer.capacity if stop is None else min(stop, buffer.capacity)
    if not 0 <= start < stop:
        return -errno.ENOBUFS
    try:
        with memoryview(buffer) as whole, whole[start:stop] as room:
            return os.readv(fd, (room,))
    except OSError as error:
        return -(error.errno or errno.EIO)


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """The descriptor as a socket object that does not close it."""
    if fd < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    borrowed = socket.socket(fileno=fd)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def accept(fd: int, /) -> int:
    """The next connection of a listening socket, not blocking, without delay; or negative errno."""
    try:
        with _borrowed(fd) as listener:
            connection, _ = listener.accept()
    except OSError as error:
        return -(error.errno or errno.EIO)
    connection.setblocking(False)
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection.detach()


def peer_name(fd: int, /) -> SocketName | None:
    """The peer's address in the shape of Python's `getpeername`; None when there is none."""
    try:
        with _borrowed(fd) as connection:
            name: SocketName = connection.getpeername()
            return name
    except OSError:
        return None


def sock_name(fd: int, /) -> SocketName | None:
    """Our own address in the shape of Python's `getsockname`; None when there is none."""
    try:
        with _borrowed(fd) as connection:
            name: SocketName = connection.getsockname()
            return name
    except OSError:
        return None


def packed_peer(fd: int, /) -> SocketName | int | None:
    """As `peer_name`, in the shape that takes the least memory: of IPv4 a number."""
    name = peer_name(fd)
    if not isinstance(name, tuple) or len(name) != 2:
        return name
    return int.from_bytes(socket.inet_aton(name[0])) << 16 | name[1]


def unpacked_peer(packed: SocketName | int | None, /) -> SocketName | None:
    """What `peer_name` said where `packed_peer` said this."""
    if not isinstance(packed, int):
        return packed
    return socket.inet_ntoa((packed >> 16).to_bytes(4)), packed & 0xFFFF


def cork(fd: int, /) -> int:
    """Let what is sent from now on wait for the end of the stream, to travel with it; 0 or
    negative errno, where there is no such thing."""
    if not hasattr(socket, "TCP_CORK"):
        return -errno.ENOPROTOOPT
    try:
        with _borrowed(fd) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    except OSError as error:
        return -(error.errno or errno.EIO)
    return 0


def shutdown(fd: int, /) -> int:
    """End our side of the stream; 0 or negative errno."""
    try:
        with _borrowed(fd) as connection:
            connection.shutdown(socket.SHUT_WR)
    except OSError as error:
        return -(error.errno or errno.EIO)
    return 0


def close(fd: int, /) -> int:
    """Close the descriptor; 0 or negative errno."""
    try:
        os.close(fd)
    except OSError as error:
        return -(error.errno or errno.EIO)
    return 0


def forget_dict(instance: object, /) -> int:
    """Take back the empty `__dict__` that a compiled instance is born with; 0. Python itself
    makes one when it is first needed, so there is nothing to do here."""
    return 0


_keys: Iterator[tuple[int]] = iter(())


def _forget_keys() -> None:
    global _keys
    _keys = iter(())


# Parent and child would otherwise mask with the same keys.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_keys)


def masking_key() -> int:
    """32 bits that nobody can predict (RFC 6455 section 10.3), from the system, bought in bulk."""
    global _keys
    for (key,) in _keys:
        return key
    _keys = struct.iter_unpack("!I", os.urandom(ENTROPY))
    return masking_key()


def mask(data: BytesLike, key: int, /) -> bytes:
    """A copy of `data` under the key; doing it twice gives `data`."""
    return _xor(_octets(data), key)


_FIELDS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n)*\r\n")


def fields(
    head: bytes, start: int, names: tuple[bytes, ...], max_line: int, max_lines: int, /
) -> list[str | None] | None:
    """The values that these names, in lower case, have in the header lines `head[start:]`.

    None in the place of a name that did not come. None at all for lines that one should look at
    more closely: too many or too long ones, a name that came twice, an octet beyond ASCII, or
    whatever else is not the grammar of RFC 9112 5 up to the empty line at the end.
    """
    if start < 0 or not _FIELDS.fullmatch(head, start):
        return None
    lines = head[start:-2].split(b"\r\n")[:-1]
    if len(lines) > max_lines:
        return None
    found: list[str | None] = [None] * len(names)
    for line in lines:
        name, _, value = line.partition(b":")
        if len(line) > max_line:
            return None
        name = name.lower()
        if name in names:
            index = names.index(name)
            if found[index] is not None:
                return None
            found[index] = value.strip(b" \t").decode()
    return found
