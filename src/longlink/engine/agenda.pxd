# C types for agenda.py; cimported by intake.pxd, stream.pxd and reactor.pxd.
import cython

from longlink.engine.terms cimport Terms
from longlink.engine.wheel cimport Wheel
from longlink.native.kernel cimport Buffer, Outbox, Waker

cdef Py_ssize_t _POOLED

cdef class Agenda:
    cdef readonly object loop
    cdef readonly double now
    cdef readonly bint active
    cdef bint waking
    cdef readonly Py_ssize_t users
    cdef readonly bint retired
    cdef list dirty
    cdef readonly bint flushed
    cdef list wakers
    cdef list again
    cdef list pool
    cdef readonly Buffer buffer
    cdef readonly object view
    cdef readonly Wheel wheel
    cdef object woken
    cdef Terms terms
    cdef readonly set strays
    cdef readonly set tasks

    cpdef double clock(self) except? -1
    @cython.locals(terms=Terms)
    cpdef Terms terms_of(self, limits)
    cpdef add_user(self)
    cpdef drop_user(self)
    cpdef retire(self)
    cpdef add_dirty(self, session)
    cpdef add_again(self, session)
    cpdef add_waker(self, Waker waker)
    cpdef wake(self)
    cpdef tidy(self)
    cpdef keep(self, work)
    cpdef begin(self)
    cpdef run(self)
    @cython.locals(again=list, dirty=list)
    cpdef finish(self)
    cdef flush(self, session)
    @cython.locals(waker=Waker, free=bint)
    cpdef run_wakers(self)
    cpdef crashed(self, session)
    cpdef Outbox borrow(self)
    cpdef give_back(self, Outbox outbox)
