# C types for receiving.py; cimported by connection.pxd.
import cython

from longlink.api.described cimport Described
from longlink.engine.session cimport Session
from longlink.native.kernel cimport Buffer, Wait

cdef int _CLOSED_OVER_THERE
cdef Py_ssize_t _AHEAD
cdef Py_ssize_t _PARTS_AHEAD
cdef int _RECV
cdef int _RECV_STR
cdef int _RECV_BYTES
cdef int _NEXT
cdef int _PART

cdef class Receiving(Described):
    cdef readonly object callback
    cdef readonly object loop
    cdef Py_ssize_t max_queue
    cdef Py_ssize_t low_queue
    cdef object queue
    cdef bint full
    cdef Wait receiving
    cdef object streaming
    cdef bint skipping

    cpdef recv(self, decode=*)
    @cython.locals(kind=int)
    cdef _attempt_message(self, Wait wait)
    cdef _next(self)
    cdef _read_on(self)
    cpdef attempt_part(self, mark, Wait wait)
    cpdef skip(self, mark)
    cdef _attempt_later(self, Wait wait)
    @cython.locals(other=Wait)
    cdef _check_alone(self, Wait wait, mark)
    @cython.locals(body=Buffer)
    cdef bint _is_far_ahead(self) except -1
    cpdef crash(self, str where)

@cython.locals(future=object)
cpdef wake(Wait wait)
