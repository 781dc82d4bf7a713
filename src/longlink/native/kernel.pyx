# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
"""System calls and loops over bytes, in C. `kernel.py` is the same in Python, with docstrings.

A place in a Buffer that was given by its caller is checked wherever an exception can be raised,
so that a mistake in `wire` is a ValueError and not a hole; only `at` and its kin trust.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF, EINTR, EINVAL, ENOBUFS, ENOENT, ENOMEM, errno
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memmove

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_ERROR = -1
        PYGEN_RETURN
        PYGEN_NEXT
    ctypedef PySendResult (*sendfunc)(object, object, PyObject**) except PYGEN_ERROR
    void* PyMem_RawMalloc(size_t)
    void* PyMem_RawCalloc(size_t, size_t)
    void* PyMem_RawRealloc(void*, size_t)
    void PyMem_RawFree(void*)
    str PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)
    Py_ssize_t PY_SSIZE_T_MAX

cdef extern from "bits.h":
    void longlink_mask(unsigned char*, const unsigned char*, Py_ssize_t, uint32_t, unsigned int)
    int longlink_utf8(const unsigned char*, Py_ssize_t, int)
    Py_ssize_t longlink_find(const unsigned char*, Py_ssize_t, const char*, Py_ssize_t)
    Py_ssize_t longlink_recv(int, void*, size_t)
    Py_ssize_t longlink_send(int, const iovec*, size_t)
    int longlink_accept(int)
    object longlink_name(int, int)
    int longlink_watch_forks()
    int longlink_key(unsigned int*)
    void longlink_install_send(object, sendfunc)

cdef extern from "<sys/uio.h>":
    cdef struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "<sys/epoll.h>":
    ctypedef union epoll_data_t:
        void* ptr
    cdef struct epoll_event:
        unsigned int events
        epoll_data_t data
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event*)
    int epoll_wait(int, epoll_event*, int, int)

cdef extern from "<sys/socket.h>":
    int SHUT_WR
    int c_shutdown "shutdown"(int, int)

cdef extern from "<unistd.h>":
    int c_close "close"(int)

cdef enum:
    BATCH = 512
    REFERENCE_FROM = 16384
    SEGMENTS_PER_CALL = 64
    # An Outbox starts with this much memory, and keeps that much once it is empty.
    FIRST_BLOCK = 64
    KEPT_BLOCK = 4096

COMPILED = True
IN = 1
OUT = 4
ERR = 8
HUP = 16


@cython.final
cdef class Buffer:
    """A block of bytes with a fill mark: a receive buffer, or a message under construction."""

    def __cinit__(self, Py_ssize_t capacity=0, /):
        if capacity < 0:
            raise ValueError("capacity must not be negative")
        # One octet more, so that an empty block has an address too.
        self.data = <unsigned char*>PyMem_RawCalloc(<size_t>capacity + 1, 1)
        if self.data == NULL:
            raise MemoryError()
        self.capacity = capacity

    def __dealloc__(self):
        PyMem_RawFree(self.data)

    def __len__(self):
        return self.capacity

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.capacity, 0, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.exports -= 1

    cpdef int put(self, Py_ssize_t at, bytes data) except -1:
        if data is None:
            raise TypeError("bytes are required")
        if not 0 <= at <= self.capacity - len(data):
            raise ValueError(f"{len(data)} octets at {at} do not fit into {self.capacity}")
        memcpy(self.data + at, PyBytes_AS_STRING(data), len(data))
        return 0

    cpdef bytes copy(self, Py_ssize_t start, Py_ssize_t stop):
        self.check(start, stop)
        return PyBytes_FromStringAndSize(<char*>self.data + start, stop - start)

    cpdef bytes unmasked(self, Py_ssize_t start, Py_ssize_t stop, unsigned int key):
        self.check(start, stop)
        result = PyBytes_FromStringAndSize(NULL, stop - start)
        longlink_mask(<unsigned char*>PyBytes_AS_STRING(result), self.data + start,
                      stop - start, key, 0)
        return result

    cpdef int unmask(self, Py_ssize_t start, Py_ssize_t stop, unsigned int key) except -1:
        self.check(start, stop)
        longlink_mask(self.data + start, self.data + start, stop - start, key, 0)
        return 0

    cpdef str text(self, Py_ssize_t start, Py_ssize_t stop):
        self.check(start, stop)
        return PyUnicode_DecodeUTF8(<char*>self.data + start, stop - start, NULL)

    cpdef Py_ssize_t find(self, bytes needle, Py_ssize_t start, Py_ssize_t stop) noexcept:
        cdef Py_ssize_t found
        if needle is None or not self.holds(start, stop):
            return -1
        found = longlink_find(self.data + start, stop - start, PyBytes_AS_STRING(needle),
                              len(needle))
        return found if found < 0 else start + found

    cpdef int append(self, Buffer source, Py_ssize_t start, Py_ssize_t stop,
                     bint masked, unsigned int key, unsigned int phase) except -1:
        if source is None:
            raise TypeError("a Buffer is required")
        source.check(start, stop)
        cdef Py_ssize_t size = stop - start
        if size > self.capacity - self.size:
            self.grow(size)
        # Only now: the source may be this very buffer, and growing may have moved it.
        if masked:
            longlink_mask(self.data + self.size, source.data + start, size, key, phase)
        else:
            memmove(self.data + self.size, source.data + start, size)
        self.size += size
        return 0

    cpdef int add(self, bytes data) except -1:
        if data is None:
            raise TypeError("bytes are required")
        cdef Py_ssize_t size = len(data)
        if size > self.capacity - self.size:
            self.grow(size)
        memcpy(self.data + self.size, PyBytes_AS_STRING(data), size)
        self.size += size
        return 0

    cpdef int clear(self) except -1:
        self.size = 0
        return 0

    cpdef int utf8(self, Py_ssize_t start, Py_ssize_t stop, int state) noexcept:
        if not self.holds(start, stop) or not 0 <= state <= 7:
            return -1
        return longlink_utf8(self.data + start, stop - start, state)

    cdef int holds(self, Py_ssize_t start, Py_ssize_t stop) noexcept:
        return 0 <= start <= stop <= self.capacity

    cdef int check(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        if not self.holds(start, stop):
            raise ValueError(f"[{start}:{stop}] is outside of a buffer of {self.capacity} octets")
        return 0

    cdef int grow(self, Py_ssize_t more) except -1:
        """Make room for `more` octets behind the fill mark: at least twice what there was."""
        cdef Py_ssize_t capacity
        if self.exports:
            raise BufferError("a buffer with views of it cannot grow")
        if more >= PY_SSIZE_T_MAX - self.size:
            raise MemoryError()
        capacity = self.size + more
        if self.capacity < PY_SSIZE_T_MAX // 2:
            capacity = max(capacity, 2 * self.capacity)
        data = <unsigned char*>PyMem_RawRealloc(self.data, capacity + 1)
        if data == NULL:
            raise MemoryError()
        self.data = data
        self.capacity = capacity
        return 0


cdef int octets(object data, Py_buffer* view) except -1:
    """Lend the octets of anything contiguous; TypeError for the rest."""
    try:
        return PyObject_GetBuffer(data, view, PyBUF_SIMPLE)
    except BufferError:
        raise TypeError("a contiguous bytes-like object is required") from None


@cython.final
cdef class Outbox:
    """Bytes on their way out: small things are copied together, large `bytes` kept by reference."""

    def __dealloc__(self):
        self.clear()
        PyMem_RawFree(self.data)

    cpdef int u8(self, unsigned int v) except -1:
        self.room(1)[0] = v & 0xFF
        return 0

    cpdef int u16(self, unsigned int v) except -1:
        at = self.room(2)
        at[0] = v >> 8 & 0xFF
        at[1] = v & 0xFF
        return 0

    cpdef int u32(self, unsigned int v) except -1:
        at = self.room(4)
        for i in range(4):
            at[i] = v >> 24 - 8 * i & 0xFF
        return 0

    cpdef int u64(self, unsigned long long v) except -1:
        at = self.room(8)
        for i in range(8):
            at[i] = v >> 56 - 8 * i & 0xFF
        return 0

    cpdef int put(self, object data) except -1:
        cdef Py_buffer view
        cdef Py_ssize_t size
        # Only the very type: it lets go without running code, when a segment is dropped.
        if type(data) is bytes:
            size = len(<bytes>data)
            if size >= REFERENCE_FROM:
                return self.refer(<bytes>data)
            memcpy(self.room(size), PyBytes_AS_STRING(data), size)
            return 0
        octets(data, &view)
        try:
            memcpy(self.room(view.len), view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        return 0

    cpdef int put_masked(self, object data, unsigned int key) except -1:
        cdef Py_buffer view
        cdef Py_ssize_t size
        if type(data) is bytes:
            size = len(<bytes>data)
            longlink_mask(self.room(size), <unsigned char*>PyBytes_AS_STRING(data), size, key, 0)
            return 0
        octets(data, &view)
        try:
            longlink_mask(self.room(view.len), <unsigned char*>view.buf, view.len, key, 0)
        finally:
            PyBuffer_Release(&view)
        return 0

    cpdef int flush(self, int fd) except? -32768:
        cdef Py_ssize_t sent
        while self.size:
            sent = self.send(fd)
            if sent < 0:
                return 1 if sent == -EAGAIN else <int>sent
            self.drop(sent)
        return 0

    cpdef bytes take(self):
        cdef Segment* segment
        cdef Py_ssize_t i
        cdef unsigned char* copies = self.data + self.head
        result = PyBytes_FromStringAndSize(NULL, self.size)
        to = <unsigned char*>PyBytes_AS_STRING(result)
        for i in range(self.first, self.last):
            segment = &self.segments[i]
            if segment.owner == NULL:
                memcpy(to, copies, segment.size)
                copies += segment.size
            else:
                memcpy(to, PyBytes_AS_STRING(<object>segment.owner) + segment.start, segment.size)
            to += segment.size
        if copies != NULL:
            memcpy(to, copies, self.data + self.fill - copies)
        self.clear()
        return result

    cpdef int clear(self) except -1:
        while self.first < self.last:
            if self.segments[self.first].owner != NULL:
                Py_DECREF(<object>self.segments[self.first].owner)
            self.first += 1
        PyMem_RawFree(self.segments)
        self.segments = NULL
        self.slots = self.first = self.last = self.covered = 0
        if self.capacity > KEPT_BLOCK:
            PyMem_RawFree(self.data)
            self.data = NULL
            self.capacity = 0
        self.head = self.fill = self.size = 0
        return 0

    cdef unsigned char* room(self, Py_ssize_t size) except NULL:
        """The place of `size` more copied octets, which count as queued from here on."""
        if size > self.capacity - self.fill or self.data == NULL:
            self.make_room(size)
        at = self.data + self.fill
        self.fill += size
        self.size += size
        return at

    cdef int make_room(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t live = self.fill - self.head
        cdef Py_ssize_t capacity
        cdef unsigned char* data
        if size > PY_SSIZE_T_MAX // 4 - self.size:
            raise MemoryError()
        # Moving costs at most what was sent since the last time: it needs as much free in front.
        if self.data != NULL and self.head >= live and live + size <= self.capacity:
            memcpy(self.data, self.data + self.head, live)
        else:
            capacity = max(live + size, 2 * self.capacity, FIRST_BLOCK)
            data = <unsigned char*>PyMem_RawMalloc(capacity)
            if data == NULL:
                raise MemoryError()
            if live:
                memcpy(data, self.data + self.head, live)
            PyMem_RawFree(self.data)
            self.data = data
            self.capacity = capacity
        self.head = 0
        self.fill = live
        return 0

    cdef int refer(self, bytes data) except -1:
        cdef Py_ssize_t uncovered = self.fill - self.head - self.covered
        if len(data) > PY_SSIZE_T_MAX // 4 - self.size:
            raise MemoryError()
        if uncovered:
            self.push(NULL, uncovered)
            self.covered += uncovered
        self.push(<PyObject*>data, len(data))
        Py_INCREF(data)
        self.size += len(data)
        return 0

    cdef int push(self, PyObject* owner, Py_ssize_t size) except -1:
        cdef Py_ssize_t slots
        if self.last == self.slots:
            if 2 * self.first > self.slots:
                self.last -= self.first
                memcpy(self.segments, self.segments + self.first, self.last * sizeof(Segment))
                self.first = 0
            else:
                slots = max(4, 2 * self.slots)
                segments = <Segment*>PyMem_RawRealloc(self.segments, slots * sizeof(Segment))
                if segments == NULL:
                    raise MemoryError()
                self.segments = segments
                self.slots = slots
        self.segments[self.last] = Segment(owner, 0, size)
        self.last += 1
        return 0

    cdef Py_ssize_t send(self, int fd) noexcept:
        """How many octets one system call took, or negative errno."""
        cdef iovec[SEGMENTS_PER_CALL] parts
        cdef Segment* segment
        cdef int count = 0
        cdef Py_ssize_t i = self.first
        cdef unsigned char* copies = self.data + self.head
        while i < self.last and count < SEGMENTS_PER_CALL:
            segment = &self.segments[i]
            if segment.owner == NULL:
                parts[count].iov_base = copies
                copies += segment.size
            else:
                parts[count].iov_base = (PyBytes_AS_STRING(<object>segment.owner)
                                         + segment.start)
            parts[count].iov_len = segment.size
            count += 1
            i += 1
        if count < SEGMENTS_PER_CALL and copies != self.data + self.fill:
            parts[count].iov_base = copies
            parts[count].iov_len = self.data + self.fill - copies
            count += 1
        return longlink_send(fd, parts, count)

    cdef int drop(self, Py_ssize_t sent) noexcept:
        """Forget the first `sent` octets."""
        cdef Segment* segment
        cdef Py_ssize_t part
        if sent == self.size:
            self.clear()
            return 0
        self.size -= sent
        while sent and self.first < self.last:
            segment = &self.segments[self.first]
            part = min(sent, segment.size)
            sent -= part
            segment.size -= part
            segment.start += part
            if segment.owner == NULL:
                self.head += part
                self.covered -= part
            if not segment.size:
                self.first += 1
                if segment.owner != NULL:
                    Py_DECREF(<object>segment.owner)
        # What is left of `sent` are copies behind every segment.
        self.head += sent
        return 0


@cython.final
cdef class Poll:
    """An epoll descriptor whose events carry the owner itself.

    The kernel holds the owner's address, `owners` (by descriptor) the reference that keeps the
    address good. A removed owner may still be in the batch at hand: it waits in the graveyard for
    the end of the turn. If the kernel would not let go of an address, because its descriptor was
    closed first, events may still come with it: that owner haunts us, as a ghost, until `close`.
    """

    def __cinit__(self):
        self.fd = -1
        self.owners = []
        self.graveyard = []
        self.ghosts = []
        self.batch = PyMem_RawMalloc(BATCH * sizeof(epoll_event))
        if self.batch == NULL:
            raise MemoryError()
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "epoll_create1 failed")

    def __dealloc__(self):
        if self.fd >= 0:
            c_close(self.fd)
        PyMem_RawFree(self.batch)

    cpdef int fileno(self):
        return self.fd

    cpdef int add(self, int fd, object owner, unsigned int events) except? -32768:
        cdef int failed
        if fd < 0 or self.owners is None:
            return -EBADF
        if owner is None:
            return -EINVAL
        # The kernel first: it knows which descriptors exist, and so how long the list may become.
        failed = self.control(EPOLL_CTL_ADD, fd, owner, events)
        if failed:
            return failed
        try:
            self.hold(fd, owner)
        except MemoryError:
            self.control(EPOLL_CTL_DEL, fd, owner, 0)
            raise
        return 0

    cpdef int change(self, int fd, object owner, unsigned int events) except? -32768:
        if self.owners is None:
            return -EBADF
        if not self.owns(fd, owner):
            return -ENOENT
        return self.control(EPOLL_CTL_MOD, fd, owner, events)

    cpdef int remove(self, int fd, object owner) except? -32768:
        cdef int failed
        if self.owners is None:
            return -EBADF
        if not self.owns(fd, owner):
            return -ENOENT
        failed = self.control(EPOLL_CTL_DEL, fd, owner, 0)
        if failed:
            self.ghosts.append(owner)
        else:
            self.graveyard.append(owner)
        self.owners[fd] = None
        self.count -= 1
        return failed

    cpdef int wait(self, int limit) except? -32768:
        cdef int got
        self.ready = 0
        if self.owners is None:
            return -EBADF
        got = epoll_wait(self.fd, <epoll_event*>self.batch, max(1, min(limit, BATCH)), 0)
        if got < 0:
            return 0 if errno == EINTR else -errno
        self.ready = got
        return got

    cpdef object owner(self, int i):
        if not 0 <= i < self.ready or self.owners is None:
            raise IndexError("no such event in the batch")
        return <object>(<epoll_event*>self.batch)[i].data.ptr

    cpdef unsigned int events(self, int i) noexcept:
        return (<epoll_event*>self.batch)[i].events if 0 <= i < self.ready else 0

    cpdef int bury(self) except -1:
        self.ready = 0
        # The last reference may run code that removes more: not from the list being emptied.
        if self.graveyard:
            self.graveyard = []
        return 0

    cpdef int close(self) except -1:
        if self.fd >= 0:
            c_close(self.fd)
        self.fd = -1
        self.ready = self.count = 0
        self.owners = self.graveyard = self.ghosts = None
        return 0

    cpdef int drop(self, int fd) noexcept:
        return -errno if c_close(fd) else 0

    cdef int hold(self, int fd, object owner) except -1:
        while len(self.owners) <= fd:
            self.owners.append(None)
        if self.owners[fd] is None:
            self.count += 1
        else:
            self.ghosts.append(self.owners[fd])
        self.owners[fd] = owner
        return 0

    cdef bint owns(self, int fd, object owner) noexcept:
        return 0 <= fd < len(self.owners) and owner is not None and self.owners[fd] is owner

    cdef int control(self, int how, int fd, object owner, unsigned int events) noexcept:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void*>owner
        return -errno if epoll_ctl(self.fd, how, fd, &event) else 0


cdef object parked = object()
PENDING = parked


cdef class Source:
    """Something a task can wait on."""

    cpdef object attempt(self, Wait wait):
        raise NotImplementedError


@cython.final
@cython.freelist(256)
cdef class Wait:
    """An awaitable and coroutine that asks its source until there is a result."""

    def __cinit__(self, Source source not None, int kind, /):
        self.source = source
        self.kind = kind

    cdef object step(self):
        """The result, and then `finished` is set; or the future to wait for."""
        # Without a source: cleared by the collector.
        if self.finished or self.source is None:
            raise RuntimeError("cannot reuse already awaited Wait")
        future = self.future
        if future is not None and not future.done():
            raise RuntimeError("cannot reuse already awaited Wait")
        # Set first: whatever raises below ends this wait.
        self.finished = True
        try:
            if future is not None:
                self.future = None
                future.result()
            outcome = self.source.attempt(self)
            if outcome is not parked:
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
        self.finished = False
        return future

    def __await__(self):
        if self.finished:
            raise RuntimeError("cannot reuse already awaited Wait")
        return self

    def __next__(self):
        outcome = self.step()
        if self.finished:
            # Always as an object: a bare tuple or exception would be taken for its arguments.
            raise StopIteration(outcome)
        return outcome

    def send(self, value, /):
        outcome = self.step()
        if self.finished:
            raise StopIteration(outcome)
        return outcome

    def throw(self, kind, value=None, traceback=None, /):
        self.close()
        throw(kind, value, traceback)

    def close(self):
        self.finished = True
        self.future = None


@cython.final
cdef class Done:
    """The awaitable that is finished: gives None at once, any number of times."""

    def __await__(self):
        return self

    def __next__(self):
        raise StopIteration

    def send(self, value, /):
        raise StopIteration

    def throw(self, kind, value=None, traceback=None, /):
        throw(kind, value, traceback)

    def close(self):
        pass


cdef int throw(object kind, object value, object traceback) except -1:
    """Raise what the `throw` of a generator would raise for these arguments."""
    if value is None:
        value = kind() if isinstance(kind, type) else kind
    elif not isinstance(value, BaseException):
        value = kind(value)
    raise value if traceback is None else value.with_traceback(traceback)


# The slot that interpreters from 3.10 on ask first: a result without a StopIteration around it.
cdef PySendResult send_wait(object wait, object value, PyObject** result) except PYGEN_ERROR:
    result[0] = NULL
    outcome = (<Wait>wait).step()
    Py_INCREF(outcome)
    result[0] = <PyObject*>outcome
    return PYGEN_RETURN if (<Wait>wait).finished else PYGEN_NEXT


cdef PySendResult send_done(object done, object value, PyObject** result) except PYGEN_ERROR:
    Py_INCREF(None)
    result[0] = <PyObject*>None
    return PYGEN_RETURN


longlink_install_send(Wait, send_wait)
longlink_install_send(Done, send_done)
DONE = Done()


cpdef Py_ssize_t recv(int fd, Buffer buffer, Py_ssize_t start) except? -32768:
    if buffer is None:
        raise TypeError("a Buffer is required")
    # The kernel would answer 0, which means the end of the stream.
    if not 0 <= start < buffer.capacity:
        return -ENOBUFS
    return longlink_recv(fd, buffer.data + start, buffer.capacity - start)


cpdef int accept(int fd) except? -32768:
    return longlink_accept(fd)


cpdef object peer_name(int fd):
    return longlink_name(fd, True)


cpdef object sock_name(int fd):
    return longlink_name(fd, False)


cpdef int shutdown(int fd) except? -32768:
    return -errno if c_shutdown(fd, SHUT_WR) else 0


cpdef int close(int fd) except? -32768:
    return -errno if c_close(fd) else 0


if longlink_watch_forks():
    raise MemoryError()


cpdef unsigned int masking_key() except? 0:
    cdef unsigned int key = 0
    cdef int failed = longlink_key(&key)
    if failed:
        raise OSError(-failed, "getrandom failed")
    return key


cpdef bytes mask(object data, unsigned int key):
    cdef Py_buffer view
    octets(data, &view)
    try:
        result = PyBytes_FromStringAndSize(NULL, view.len)
        longlink_mask(<unsigned char*>PyBytes_AS_STRING(result), <unsigned char*>view.buf,
                      view.len, key, 0)
    finally:
        PyBuffer_Release(&view)
    return result
