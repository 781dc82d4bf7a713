# C types for stream.py; nobody cimports it.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.engine.session cimport Session
from longlink.native.kernel cimport Outbox

cdef Py_ssize_t SECURE_AHEAD

cdef class Stream(Session):
    cdef readonly object transport
    cdef object tcp
    cdef bint full
    cdef Py_ssize_t waiting
    cdef readonly bint gone
    cdef bint over
    cdef object problem
    cdef bint secure
    cdef bint stopped

    @cython.locals(agenda=Agenda, nested=bint)
    cpdef received(self, Py_ssize_t count)
    cpdef writable(self, bint full)
    cpdef half_closed(self)
    cpdef lost(self, problem)
    cdef _release(self)
    cpdef double on_deadline(self, double now) except? -1
    cdef Py_ssize_t _unsent(self) except -1
    @cython.locals(outbox=Outbox, before=Py_ssize_t)
    cpdef flush(self)
    cpdef bint congested(self) except -1
    cpdef park(self)
    cpdef unpark(self)
    cpdef shut(self)
    cpdef abort(self)
    cpdef hand_over(self, protocol, bytes head)
    cpdef address(self, bint peer)
    cpdef fault(self)
