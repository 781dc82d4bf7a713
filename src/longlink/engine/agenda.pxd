# C types for agenda.py; cimported by intake.pxd, stream.pxd and reactor.pxd.
import cython

from longlink.native.kernel cimport Buffer, Outbox

cdef Py_ssize_t _POOLED

cdef class Agenda:
    cdef readonly object loop
    cdef readonly double now
    cdef readonly bint active
    cdef bint waking
    cdef readonly Py_ssize_t users
    cdef readonly bint retired
    cdef list dirty
    cdef list again
    cdef list pool
    cdef readonly Buffer buffer
    cdef readonly object wheel
    cdef readonly set strays
    cdef readonly set tasks

    cpdef double clock(self) except? -1
    cpdef add_user(self)
    cpdef drop_user(self)
    cpdef retire(self)
    cpdef add_dirty(self, session)
    cpdef add_again(self, session)
    cpdef wake(self)
    cpdef tidy(self)
    cpdef keep(self, work)
    cpdef begin(self)
    cpdef run(self)
    cpdef finish(self)
    cpdef crashed(self, session)
    cpdef Outbox borrow(self)
    cpdef give_back(self, Outbox outbox)
