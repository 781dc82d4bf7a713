# cimported by wire/reader, wire/endpoint, all of engine/ and api/connection, for the C types of
# the leaf. Docstrings are in kernel.py, the portable twin.
# Bodies here are those that must be inlined where they are used.
cimport cython
from cpython.object cimport PyObject


@cython.final
cdef class Buffer:
    cdef unsigned char* data
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t size
    cdef int exports
    # The bytes object that the memory belongs to, once it has grown; see `release`.
    cdef PyObject* block

    # The caller guarantees that what is read lies in [0, capacity).
    cpdef inline int at(self, Py_ssize_t i) noexcept:
        return self.data[i]

    cpdef inline unsigned int u16(self, Py_ssize_t i) noexcept:
        return <unsigned int>self.data[i] << 8 | self.data[i + 1]

    cpdef inline unsigned int u32(self, Py_ssize_t i) noexcept:
        return self.u16(i) << 16 | self.u16(i + 2)

    cpdef inline unsigned long long u64(self, Py_ssize_t i) noexcept:
        return <unsigned long long>self.u32(i) << 32 | self.u32(i + 4)

    cpdef int put(self, Py_ssize_t at, bytes data) except -1
    cpdef bytes copy(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes unmasked(self, Py_ssize_t start, Py_ssize_t stop, unsigned int key)
    cpdef int unmask(self, Py_ssize_t start, Py_ssize_t stop, unsigned int key) except -1
    cpdef object short(self, Py_ssize_t start, Py_ssize_t stop, bint masked)
    cpdef int reserve(self, Py_ssize_t more) except -1
    cpdef int settle(self, Py_ssize_t count, bint masked, unsigned int key,
                     unsigned int phase) except -1
    cpdef bytes release(self)
    cpdef str text(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef Py_ssize_t find(self, bytes needle, Py_ssize_t start, Py_ssize_t stop) noexcept
    cpdef int append(self, Buffer source, Py_ssize_t start, Py_ssize_t stop,
                     bint masked, unsigned int key, unsigned int phase) except -1
    cpdef int add(self, bytes data) except -1
    cpdef int clear(self) except -1
    cpdef int utf8(self, Py_ssize_t start, Py_ssize_t stop, int state) noexcept
    cdef int holds(self, Py_ssize_t start, Py_ssize_t stop) noexcept
    cdef int check(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef int grow(self, Py_ssize_t more) except -1
    cdef int move(self, Py_ssize_t capacity) except -1
    cdef int lose(self) noexcept


# A part of the queue: `size` octets that an immutable object owns, or, without an owner, the
# next `size` octets of the copies.
cdef struct Segment:
    PyObject* owner
    const char* at
    Py_ssize_t size


@cython.final
cdef class Outbox:
    cdef readonly Py_ssize_t size
    # The copies are data[head:fill]. While nothing is queued by reference they are everything.
    cdef unsigned char* data
    cdef Py_ssize_t capacity
    cdef Py_ssize_t head
    cdef Py_ssize_t fill
    # segments[first:last] order references and the first `covered` copies; the other copies follow.
    cdef Segment* segments
    cdef Py_ssize_t slots
    cdef Py_ssize_t first
    cdef Py_ssize_t last
    cdef Py_ssize_t covered

    cpdef int put(self, object data) except -1
    cpdef int frame(self, unsigned int first, object payload, bint masked,
                    unsigned int key) except -1
    cpdef int flush(self, int fd) except? -32768
    cpdef bytes take(self)
    cpdef bytes peek(self, Py_ssize_t at, Py_ssize_t most)
    cpdef int drop(self, Py_ssize_t sent) except -1
    cpdef int clear(self) except -1
    cdef unsigned char* room(self, Py_ssize_t size) except NULL
    cdef int make_room(self, Py_ssize_t size) except -1
    cdef int write(self, unsigned int first, PyObject* owner, const char* at, Py_ssize_t size,
                   bint masked, unsigned int key) except -1
    cdef int refer(self, PyObject* owner, const char* at, Py_ssize_t size) except -1
    cdef int push(self, PyObject* owner, const char* at, Py_ssize_t size) except -1
    cdef Py_ssize_t send(self, int fd, Py_ssize_t* offered) noexcept
    cdef int forget(self, Py_ssize_t sent) noexcept


@cython.final
cdef class Poll:
    cdef readonly int count
    cdef int fd
    cdef void* batch
    cdef int ready
    # Indexed by descriptor. None once closed, or cleared by the collector.
    cdef list owners
    cdef list graveyard
    cdef list ghosts

    cpdef int fileno(self)
    cpdef int add(self, int fd, object owner, unsigned int events) except? -32768
    cpdef int change(self, int fd, object owner, unsigned int events) except? -32768
    cpdef int remove(self, int fd, object owner) except? -32768
    cpdef int wait(self, int limit) except? -32768
    cpdef int hover(self, int limit, int microseconds) except? -32768
    cpdef object owner(self, int i)
    cpdef unsigned int events(self, int i) noexcept
    cpdef int bury(self) except -1
    cpdef int close(self) except -1
    cpdef int drop(self, int fd) noexcept
    cdef int hold(self, int fd, object owner) except -1
    cdef bint owns(self, int fd, object owner) noexcept
    cdef int control(self, int how, int fd, object owner, unsigned int events) noexcept


cdef class Source:
    cdef object seek(self, Wait wait)
    cpdef object attempt(self, Wait wait)
    cpdef object forgotten(self, int kind)


@cython.final
cdef class Wait:
    cdef readonly Source source
    cdef readonly int kind
    cdef public object future
    cdef bint finished

    cpdef int park(self, object loop) except -1
    cdef object step(self)


@cython.final
cdef class Done:
    pass


@cython.final
cdef class Waker:
    cdef public bint _asyncio_future_blocking
    cdef object loop
    cdef object callback
    cdef object context
    cdef object message
    cdef int state

    cpdef bint done(self) noexcept
    cpdef bint cancelled(self) noexcept
    cpdef bint expect(self) noexcept
    cpdef object run(self, object woken=*)
    cpdef object set_result(self, object result)
    cdef object schedule(self)


cpdef Wait waiting(Source source, int kind)
cpdef Py_ssize_t recv(int fd, Buffer buffer, Py_ssize_t start, Py_ssize_t stop=*) except? -32768
cpdef int accept(int fd) except? -32768
cpdef object peer_name(int fd)
cpdef object sock_name(int fd)
cpdef object packed_peer(int fd)
cpdef object unpacked_peer(object packed)
cpdef int cork(int fd) except? -32768
cpdef int shutdown(int fd) except? -32768
cpdef int close(int fd) except? -32768
cpdef int forget_dict(object instance) except -1
cpdef unsigned int masking_key() except? 0
cpdef bytes mask(object data, unsigned int key)
cpdef list fields(bytes head, Py_ssize_t start, tuple names, Py_ssize_t max_line,
                  Py_ssize_t max_lines)
