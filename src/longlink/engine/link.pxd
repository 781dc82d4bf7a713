# C types for link.py; cimported by reactor.pxd.
import cython

from longlink.engine.session cimport Session
from longlink.native.kernel cimport Buffer, Outbox, Poll, recv

cdef unsigned int _IN
cdef unsigned int _OUT
cdef unsigned int _ERR
cdef unsigned int _GONE
cdef Py_ssize_t _HEADROOM
cdef int _AGAIN

cdef class Link(Session):
    cdef readonly int fd
    cdef readonly Poll poll
    cdef bint hidden
    cdef readonly unsigned int watched

    cpdef on_ready(self, unsigned int events)
    @cython.locals(buffer=Buffer, count=Py_ssize_t)
    cdef _receive(self)
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
