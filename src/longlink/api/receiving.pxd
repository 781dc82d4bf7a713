# C types for receiving.py; cimported by connection.pxd.
import cython

from longlink.api.described cimport Described
from longlink.engine.session cimport Session
from longlink.native.kernel cimport Buffer, Wait, Waker, waiting

cdef int _CLOSED_OVER_THERE
cdef Py_ssize_t _AHEAD
cdef Py_ssize_t _PARTS_AHEAD
cdef Py_ssize_t _COMPACT_FROM
cdef int _RECV
cdef int _RECV_STR
cdef int _RECV_BYTES
cdef int _NEXT
cdef int _PART

cdef class Receiving(Described):
    cdef readonly object callback
    cdef list queue
    cdef Py_ssize_t given
    cdef Wait receiving
    cdef object streaming
    # Together as large as one of the others.
    cdef unsigned char full
    cdef unsigned char skipping
    cdef public unsigned int place

    cdef deliver(self, message)
    cpdef recv(self, decode=*)
    cpdef object forgotten(self, int kind)
    @cython.locals(kind=int)
    cdef _attempt_message(self, Wait wait)
    @cython.locals(queue=list, given=Py_ssize_t)
    cdef _next(self)
    @cython.locals(queue=list)
    cdef Py_ssize_t _waiting(self) except -1
    cdef _read_on(self)
    cpdef attempt_part(self, mark, Wait wait)
    cpdef skip(self, mark)
    cdef _attempt_later(self, Wait wait)
    @cython.locals(other=Wait)
    cdef _check_alone(self, Wait wait, mark)
    @cython.locals(session=Session)
    cdef _fill_up(self)
    @cython.locals(waker=Waker)
    cdef _arouse(self)
    @cython.locals(body=Buffer)
    cdef bint _is_far_ahead(self) except -1
    cpdef crash(self, str where)

@cython.locals(future=object)
cpdef wake(Wait wait)
