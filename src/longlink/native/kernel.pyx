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
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy, memmove

from asyncio.exceptions import CancelledError, InvalidStateError
from asyncio.tasks import Task
from contextvars import copy_context

cdef extern from "Python.h":
    int PyErr_WarnEx(object, const char*, Py_ssize_t) except -1
    ctypedef enum PySendResult:
        PYGEN_ERROR = -1
        PYGEN_RETURN
        PYGEN_NEXT
    ctypedef PySendResult (*sendfunc)(object, object, PyObject**) except PYGEN_ERROR
    void* PyMem_RawMalloc(size_t)
    void* PyMem_RawCalloc(size_t, size_t)
    void* PyMem_RawRealloc(void*, size_t)
    int _PyBytes_Resize(PyObject**, Py_ssize_t) except -1
    bint PyUnicode_IS_COMPACT_ASCII(object)
    void* PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void PyMem_RawFree(void*)
    str PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)
    str PyUnicode_DecodeASCII(const char*, Py_ssize_t, const char*)
    Py_ssize_t PY_SSIZE_T_MAX
    bint PyCFunction_CheckExact(object)
    PyObject* PyCFunction_GET_SELF(object)
    int PyContext_Enter(object) except -1
    int PyContext_Exit(object) except -1

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

cdef extern from "bits.h":
    void longlink_mask(unsigned char*, const unsigned char*, Py_ssize_t, uint32_t, unsigned int)
    int longlink_utf8(const unsigned char*, Py_ssize_t, int)
    Py_ssize_t longlink_find(const unsigned char*, Py_ssize_t, const char*, Py_ssize_t)
    Py_ssize_t longlink_field(const unsigned char*, Py_ssize_t, Py_ssize_t*, Py_ssize_t*, Py_ssize_t*)
    int longlink_is_name(const unsigned char*, const unsigned char*, Py_ssize_t)
    Py_ssize_t longlink_recv(int, void*, size_t)
    Py_ssize_t longlink_send(int, const iovec*, size_t)
    Py_ssize_t longlink_header_length(Py_ssize_t, bint)
    Py_ssize_t longlink_header(unsigned char*, unsigned int, Py_ssize_t, bint, uint32_t)
    int longlink_accept(int)
    int longlink_hover(int, epoll_event*, int, int64_t) nogil
    object longlink_name(int, int)
    object longlink_packed_peer(int)
    object longlink_unpacked_peer(unsigned long long)
    int longlink_cork(int)
    void longlink_forget_dict(object)
    int longlink_watch_forks()
    int longlink_key(unsigned int*)
    void longlink_install_send(object, sendfunc)

cdef extern from "<sys/uio.h>":
    cdef struct iovec:
        void* iov_base
        size_t iov_len

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
    KEPT_SLOTS = 4

COMPILED = True
IN = 1
OUT = 4
ERR = 8
HUP = 16


# Where a Buffer without memory has its octets.
cdef unsigned char[1] nothing
# Where a short text is unmasked: elsewhere than where it came, for it may not be UTF-8.
cdef unsigned char[128] short_text


@cython.final
cdef class Buffer:
    """A block of bytes with a fill mark: a receive buffer, or a message under construction."""

    def __cinit__(self, Py_ssize_t capacity=0, /):
        if capacity < 0:
            raise ValueError("capacity must not be negative")
        self.data = nothing
        if capacity:
            self.data = <unsigned char*>PyMem_RawCalloc(capacity, 1)
            if self.data == NULL:
                raise MemoryError()
        self.capacity = capacity

    def __dealloc__(self):
        if self.block != NULL:
            Py_DECREF(<object>self.block)
        elif self.data != nothing:
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

    cpdef object short(self, Py_ssize_t start, Py_ssize_t stop, bint masked):
        cdef unsigned char* at = self.data + start
        cdef Py_ssize_t size, head = 6 if masked else 2
        if not self.holds(start, stop) or stop - start < head:
            return None
        size = at[1] ^ (0x80 if masked else 0)
        # FIN and an opcode alone; mask bit as it should be, and a length in seven bits.
        if at[0] & 0xFC != 0x80 or not 1 <= at[0] & 3 <= 2 or size > 125:
            return None
        if size > stop - start - head:
            return None
        if at[0] & 3 == 2:
            message = PyBytes_FromStringAndSize(NULL, size)
            to = <unsigned char*>PyBytes_AS_STRING(message)
        else:
            to = short_text
        if masked:
            longlink_mask(to, at + 6, size, self.u32(start + 2), 0)
        else:
            memcpy(to, at + 2, size)
        if to == short_text:
            if longlink_utf8(to, size, 0):
                return None
            message = PyUnicode_DecodeUTF8(<char*>to, size, NULL)
        return message

    cpdef int reserve(self, Py_ssize_t more) except -1:
        if more > PY_SSIZE_T_MAX - self.size:
            raise MemoryError()
        if more > self.capacity - self.size:
            self.move(self.size + more)
        return 0

    cpdef int settle(self, Py_ssize_t count, bint masked, unsigned int key,
                     unsigned int phase) except -1:
        if not 0 <= count <= self.capacity - self.size:
            raise ValueError(f"{count} octets are more than there is room for")
        if masked:
            at = self.data + self.size
            longlink_mask(at, at, count, key, phase)
        self.size += count
        return 0

    cpdef bytes release(self):
        cdef PyObject* block = self.block
        cdef Py_ssize_t size = self.size
        if self.exports:
            raise BufferError("a buffer with views of it cannot be released")
        if block == NULL or not size:
            self.size = 0
            return PyBytes_FromStringAndSize(<char*>self.data, size)
        self.lose()
        _PyBytes_Resize(&block, size)
        result = <bytes>block
        Py_DECREF(result)
        return result

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
        if more >= PY_SSIZE_T_MAX - self.size:
            raise MemoryError()
        capacity = self.size + more
        if self.capacity < PY_SSIZE_T_MAX // 2:
            capacity = max(capacity, 2 * self.capacity)
        return self.move(capacity)

    cdef int move(self, Py_ssize_t capacity) except -1:
        """Have room for `capacity` octets, more than now, in a bytes object nobody else has."""
        cdef PyObject* block = self.block
        cdef Py_ssize_t size = self.size
        if self.exports:
            raise BufferError("a buffer with views of it cannot grow")
        if block != NULL:
            # Where this fails, the octets are gone.
            self.lose()
            _PyBytes_Resize(&block, capacity)
        else:
            fresh = PyBytes_FromStringAndSize(NULL, capacity)
            memcpy(PyBytes_AS_STRING(fresh), self.data, self.capacity)
            if self.data != nothing:
                PyMem_RawFree(self.data)
            Py_INCREF(fresh)
            block = <PyObject*>fresh
        self.block = block
        self.data = <unsigned char*>PyBytes_AS_STRING(<object>block)
        self.capacity = capacity
        self.size = size
        return 0

    cdef int lose(self) noexcept:
        """The block belongs to the caller from here on."""
        self.block = NULL
        self.data = nothing
        self.capacity = self.size = 0
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
        PyMem_RawFree(self.segments)
        PyMem_RawFree(self.data)

    cpdef int put(self, object data) except -1:
        cdef Py_buffer view
        cdef Py_ssize_t size
        # Only the very type: it lets go without running code, when a segment is dropped.
        if type(data) is bytes:
            size = len(<bytes>data)
            if size >= REFERENCE_FROM:
                return self.refer(<PyObject*>data, PyBytes_AS_STRING(data), size)
            memcpy(self.room(size), PyBytes_AS_STRING(data), size)
            return 0
        octets(data, &view)
        try:
            memcpy(self.room(view.len), view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        return 0

    cpdef int frame(self, unsigned int first, object payload, bint masked,
                    unsigned int key) except -1:
        cdef Py_buffer view
        if type(payload) is str:
            if PyUnicode_IS_COMPACT_ASCII(payload):
                return self.write(first, <PyObject*>payload, <char*>PyUnicode_DATA(payload),
                                  PyUnicode_GET_LENGTH(payload), masked, key)
            payload = (<str>payload).encode()
        if type(payload) is bytes:
            return self.write(first, <PyObject*>payload, PyBytes_AS_STRING(payload),
                              len(<bytes>payload), masked, key)
        octets(payload, &view)
        try:
            return self.write(first, NULL, <char*>view.buf, view.len, masked, key)
        finally:
            PyBuffer_Release(&view)

    cdef int write(self, unsigned int first, PyObject* owner, const char* at, Py_ssize_t size,
                   bint masked, unsigned int key) except -1:
        """Queue a frame; its payload by reference if it is large, owned and not to be masked."""
        cdef bint by_reference = owner != NULL and size >= REFERENCE_FROM and not masked
        cdef Py_ssize_t length = longlink_header_length(size, masked)
        cdef unsigned char* to = self.room(length if by_reference else length + size)
        to += longlink_header(to, first, size, masked, key)
        if by_reference:
            return self.refer(owner, at, size)
        if masked:
            longlink_mask(to, <const unsigned char*>at, size, key, 0)
        else:
            memcpy(to, at, size)
        return 0

    cpdef int flush(self, int fd) except? -32768:
        cdef Py_ssize_t sent, offered = 0
        while self.size:
            sent = self.send(fd, &offered)
            if sent < 0:
                return 1 if sent == -EAGAIN else <int>sent
            self.forget(sent)
            if sent < offered:
                return 1
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
                memcpy(to, segment.at, segment.size)
            to += segment.size
        if copies != NULL:
            memcpy(to, copies, self.data + self.fill - copies)
        self.clear()
        return result

    cpdef bytes peek(self, Py_ssize_t at, Py_ssize_t most):
        cdef Segment* segment
        cdef Py_ssize_t i, size, left
        cdef unsigned char* copies = self.data + self.head
        if not 0 <= at <= self.size or most < 0:
            raise ValueError(f"{most} octets at {at} of {self.size}")
        left = min(most, self.size - at)
        result = PyBytes_FromStringAndSize(NULL, left)
        to = <unsigned char*>PyBytes_AS_STRING(result)
        for i in range(self.first, self.last):
            if not left:
                return result
            segment = &self.segments[i]
            if at < segment.size:
                size = min(left, segment.size - at)
                if segment.owner == NULL:
                    memcpy(to, copies + at, size)
                else:
                    memcpy(to, segment.at + at, size)
                to += size
                left -= size
                at = 0
            else:
                at -= segment.size
            if segment.owner == NULL:
                copies += segment.size
        if left:
            memcpy(to, copies + at, left)
        return result

    cpdef int drop(self, Py_ssize_t sent) except -1:
        if not 0 <= sent <= self.size:
            raise ValueError(f"{sent} octets of {self.size}")
        if sent:
            self.forget(sent)
        return 0

    cpdef int clear(self) except -1:
        while self.first < self.last:
            if self.segments[self.first].owner != NULL:
                Py_DECREF(<object>self.segments[self.first].owner)
            self.first += 1
        if self.slots > KEPT_SLOTS:
            PyMem_RawFree(self.segments)
            self.segments = NULL
            self.slots = 0
        self.first = self.last = self.covered = 0
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

    cdef int refer(self, PyObject* owner, const char* at, Py_ssize_t size) except -1:
        cdef Py_ssize_t uncovered = self.fill - self.head - self.covered
        if size > PY_SSIZE_T_MAX // 4 - self.size:
            raise MemoryError()
        if uncovered:
            self.push(NULL, NULL, uncovered)
            self.covered += uncovered
        self.push(owner, at, size)
        Py_INCREF(<object>owner)
        self.size += size
        return 0

    cdef int push(self, PyObject* owner, const char* at, Py_ssize_t size) except -1:
        cdef Py_ssize_t slots
        if self.last == self.slots:
            if 2 * self.first > self.slots:
                self.last -= self.first
                memcpy(self.segments, self.segments + self.first, self.last * sizeof(Segment))
                self.first = 0
            else:
                slots = max(KEPT_SLOTS, 2 * self.slots)
                segments = <Segment*>PyMem_RawRealloc(self.segments, slots * sizeof(Segment))
                if segments == NULL:
                    raise MemoryError()
                self.segments = segments
                self.slots = slots
        self.segments[self.last] = Segment(owner, at, size)
        self.last += 1
        return 0

    cdef Py_ssize_t send(self, int fd, Py_ssize_t* offered) noexcept:
        """How many octets one system call took of those it was offered, or negative errno."""
        cdef iovec[SEGMENTS_PER_CALL] parts
        cdef Segment* segment
        cdef int count = 0
        cdef Py_ssize_t i = self.first
        cdef unsigned char* copies = self.data + self.head
        offered[0] = 0
        while i < self.last and count < SEGMENTS_PER_CALL:
            segment = &self.segments[i]
            if segment.owner == NULL:
                parts[count].iov_base = copies
                copies += segment.size
            else:
                parts[count].iov_base = <void*>segment.at
            parts[count].iov_len = segment.size
            offered[0] += segment.size
            count += 1
            i += 1
        if count < SEGMENTS_PER_CALL and copies != self.data + self.fill:
            parts[count].iov_base = copies
            parts[count].iov_len = self.data + self.fill - copies
            offered[0] += self.data + self.fill - copies
            count += 1
        return longlink_send(fd, parts, count)

    cdef int forget(self, Py_ssize_t sent) noexcept:
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
            if segment.owner == NULL:
                self.head += part
                self.covered -= part
            else:
                segment.at += part
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

    cpdef int hover(self, int limit, int microseconds) except? -32768:
        cdef int got
        cdef int fd = self.fd
        cdef epoll_event* batch = <epoll_event*>self.batch
        self.ready = 0
        if self.owners is None:
            return -EBADF
        limit = max(1, min(limit, BATCH))
        with nogil:
            got = longlink_hover(fd, batch, limit, 1000 * <int64_t>microseconds)
        if self.owners is None:  # closed meanwhile: whose events these are nobody knows
            return -EBADF
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

    cdef object seek(self, Wait wait):
        return self.attempt(wait)

    cpdef object attempt(self, Wait wait):
        raise NotImplementedError

    cpdef object forgotten(self, int kind):
        return None


@cython.final
@cython.freelist(256)
cdef class Wait:
    """An awaitable and coroutine that asks its source until there is a result."""

    def __init__(self, Source source not None, int kind, /):
        self.source = source
        self.kind = kind

    def __dealloc__(self):
        if not self.finished and self.future is None and self.source is not None:
            name = self.source.forgotten(self.kind)
            if name is not None:
                PyErr_WarnEx(RuntimeWarning, f"coroutine {name!r} was never awaited".encode(), 1)

    cpdef int park(self, object loop) except -1:
        cdef Waker waker = Waker.__new__(Waker)
        if loop is None:
            raise TypeError("a loop is required")
        waker.loop = loop
        self.future = waker
        return 0

    cdef object step(self):
        """The result, and then `finished` is set; or the future to wait for."""
        cdef Waker waker = None
        # Without a source: cleared by the collector.
        if self.finished or self.source is None:
            raise RuntimeError("cannot reuse already awaited Wait")
        future = self.future
        if type(future) is Waker:
            waker = future
        if future is not None and not (future.done() if waker is None else waker.done()):
            raise RuntimeError("cannot reuse already awaited Wait")
        # Set first: whatever raises below ends this wait.
        self.finished = True
        try:
            if future is not None:
                self.future = None
                if waker is None or waker.cancelled():
                    future.result()
            outcome = self.source.seek(self)
            if outcome is not parked:
                self.future = None
                return outcome
            future = self.future
            # What an asyncio future does before it yields itself to its task.
            if type(future) is Waker:
                (<Waker>future)._asyncio_future_blocking = True
            else:
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


cpdef Wait waiting(Source source, int kind):
    cdef Wait wait = Wait.__new__(Wait)
    if source is None:
        raise TypeError("a Source is required")
    wait.source = source
    wait.kind = kind
    return wait


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


cdef enum:
    WAITING
    DUE
    DONE_WAITING
    CANCELLED


# Tasks call its methods one by one, which takes half as long where they are no function objects.
@cython.final
@cython.freelist(256)
@cython.binding(False)
cdef class Waker:
    """What a task is parked on until `run`, which goes on with it there and then."""

    def __init__(self, object loop not None, /):
        self.loop = loop

    def get_loop(self):
        return self.loop

    def add_done_callback(self, callback, /, *, context=None):
        if self.callback is not None:
            raise RuntimeError("only one task can wait for it")
        self.callback = callback
        self.context = copy_context() if context is None else context
        if self.state > DUE:
            self.schedule()

    def remove_done_callback(self, callback, /):
        if self.callback is None or self.callback != callback:
            return 0
        self.callback = self.context = None
        return 1

    cpdef bint done(self) noexcept:
        return self.state > DUE

    cpdef bint cancelled(self) noexcept:
        return self.state == CANCELLED

    def result(self):
        if self.state == CANCELLED:
            raise CancelledError() if self.message is None else CancelledError(self.message)
        if self.state <= DUE:
            raise InvalidStateError("nobody was woken yet")

    def exception(self):
        return self.result()

    def cancel(self, msg=None):
        if self.state > DUE:
            return False
        self.state = CANCELLED
        self.message = msg
        self.schedule()
        return True

    cpdef bint expect(self) noexcept:
        if self.state != WAITING:
            return False
        self.state = DUE
        return True

    cpdef object run(self, object woken=None):
        if self.state > DUE:
            return
        self.state = DONE_WAITING
        callback, context = self.callback, self.context
        if callback is None:
            return
        try:
            PyContext_Enter(context)
        except RuntimeError:  # somebody up the stack is in it
            self.schedule()
            return
        self.callback = self.context = None
        try:
            callback(self if woken is None or not is_task(callback) else woken)
        finally:
            PyContext_Exit(context)

    cpdef object set_result(self, object result):
        if self.state > DUE:
            raise InvalidStateError("woken already")
        self.state = DONE_WAITING
        self.schedule()

    cdef object schedule(self):
        callback, context = self.callback, self.context
        if callback is not None:
            self.callback = self.context = None
            self.loop.call_soon(callback, self, context=context)


cdef bint is_task(object callback) noexcept:
    """Whether it is what a task of asyncio's in C goes on by."""
    return (PyCFunction_CheckExact(callback) and PyCFunction_GET_SELF(callback) != NULL
            and type(<object>PyCFunction_GET_SELF(callback)) is Task)


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


cpdef Py_ssize_t recv(int fd, Buffer buffer, Py_ssize_t start,
                      Py_ssize_t stop=PY_SSIZE_T_MAX) except? -32768:
    if buffer is None:
        raise TypeError("a Buffer is required")
    stop = min(stop, buffer.capacity)
    # The kernel would answer 0, which means the end of the stream.
    if not 0 <= start < stop:
        return -ENOBUFS
    return longlink_recv(fd, buffer.data + start, stop - start)


cpdef int accept(int fd) except? -32768:
    return longlink_accept(fd)


cpdef object peer_name(int fd):
    return longlink_name(fd, True)


cpdef object sock_name(int fd):
    return longlink_name(fd, False)


cpdef object packed_peer(int fd):
    return longlink_packed_peer(fd)


cpdef object unpacked_peer(object packed):
    return longlink_unpacked_peer(packed) if isinstance(packed, int) else packed


cpdef int cork(int fd) except? -32768:
    return longlink_cork(fd)


cpdef int shutdown(int fd) except? -32768:
    return -errno if c_shutdown(fd, SHUT_WR) else 0


cpdef int close(int fd) except? -32768:
    return -errno if c_close(fd) else 0


cpdef int forget_dict(object instance) except -1:
    longlink_forget_dict(instance)
    return 0


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


cpdef list fields(bytes head, Py_ssize_t start, tuple names, Py_ssize_t max_line,
                  Py_ssize_t max_lines):
    cdef Py_ssize_t stop, length, name, value, size, index
    cdef const unsigned char* line
    cdef bytes wanted
    if head is None or names is None:
        raise TypeError("a head and names are required")
    stop = len(head) - 2
    found = [None] * len(names)
    while 0 <= start < stop:
        line = <const unsigned char*>PyBytes_AS_STRING(head) + start
        length = longlink_field(line, stop - start, &name, &value, &size)
        max_lines -= 1
        if length < 0 or length - 2 > max_line or max_lines < 0:
            return None
        for index in range(len(names)):
            wanted = names[index]
            if len(wanted) == name and longlink_is_name(
                line, <const unsigned char*>PyBytes_AS_STRING(wanted), name
            ):
                if found[index] is not None:
                    return None
                found[index] = PyUnicode_DecodeASCII(<const char*>line + value, size, NULL)
                break
        start += length
    return found if start == stop and head.endswith(b"\r\n") else None
