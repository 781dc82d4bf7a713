# C types for link.py; cimported by reactor.pxd.
import cython

from longlink.engine.session cimport Session
from longlink.native.kernel cimport Buffer, Outbox, Poll, cork, packed_peer, recv

cdef int RECEIVES_PER_TURN
cdef Py_ssize_t RECEIVE_BYTES
cdef unsigned int _IN
cdef unsigned int _OUT
cdef unsigned int _ERR
cdef unsigned int _GONE
cdef Py_ssize_t _HEADROOM
cdef int _AGAIN

cdef class Link(Session):
    cdef readonly Poll poll
    cdef readonly int fd
    cdef bint hidden
    cdef readonly unsigned int watched
    cdef object last_address

    cpdef on_ready(self, unsigned int events)
    cdef _receive(self)
    @cython.locals(buffer=Buffer, count=Py_ssize_t, start=Py_ssize_t, room=Py_ssize_t)
    cdef bint _receive_once(self) except -1
    cdef _nothing(self, Py_ssize_t count)
    cdef _gone(self, unsigned int events)
    cdef _half_closed(self)
    cpdef proceed(self)
    cdef _watch(self, unsigned int events)
    cdef _release(self)
    @cython.locals(outbox=Outbox, before=Py_ssize_t, status=int)
    cpdef flush(self)
    @cython.locals(fd=int)
    cpdef abort(self)
    @cython.locals(fd=int)
    cpdef hand_over(self, protocol, bytes head)
    cpdef packed_peer(self)
