# C types for sealed.py; nobody cimports it.
import cython

from longlink.engine.link cimport Link
from longlink.engine.seal cimport Seal
from longlink.native.kernel cimport Buffer, Outbox, recv

cdef int HEADROOM
cdef Py_ssize_t RECORD
cdef Py_ssize_t SEALED_AHEAD
cdef unsigned int _OUT
cdef int _AGAIN

cdef class Sealed(Link):
    cdef readonly Seal seal
    cdef Outbox sealed
    cdef Py_ssize_t covered
    cdef bint balked
    cdef object passage
    cdef object patience
    cdef double gone_by

    cpdef catch_up(self)
    @cython.locals(buffer=Buffer, start=Py_ssize_t, count=Py_ssize_t, tail=bytes)
    cdef _receive(self)
    cdef _no_more(self, bint orderly)
    cpdef on_eof(self)
    @cython.locals(seal=Seal, end=Py_ssize_t)
    cdef _open(self, Py_ssize_t stop)
    cdef _speak(self)
    @cython.locals(before=Py_ssize_t, waiting=Py_ssize_t, status=int)
    cpdef flush(self)
    @cython.locals(sealed=Outbox, outbox=Outbox, status=int)
    cdef int _pour(self) except? -32768
    @cython.locals(seal=Seal, sealed=Outbox, piece=bytes)
    cdef bint _cover(self, Outbox outbox) except -1
    cdef _unsealed(self)
    cpdef break_off(self)
    cpdef ended(self)
    cpdef shut(self)
    cpdef fault(self)
    cpdef hand_over(self, protocol, bytes head)
    @cython.locals(due=double)
    cpdef double on_deadline(self, double now) except? -1
