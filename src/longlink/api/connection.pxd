# C types for connection.py; cimported by broadcast.pxd.
import cython

from longlink.api.receiving cimport Receiving, wake
from longlink.engine.session cimport Session
from longlink.native.kernel cimport Wait
from longlink.wire.frame cimport Prepared

cdef int _CLOSED_OVER_THERE
cdef int _ENDED
cdef int _DRAIN
cdef int _CLOSED
cdef int _FLOW
cdef int _TURN

cdef class Connection(Receiving):
    cdef list parked
    cdef object fragmented
    cdef object pings

    @cython.locals(session=Session, plain=bint)
    cpdef send(self, message, text=*, compress=*)
    cdef _send(self, message, text, compress)
    cpdef bint publish(self, prepared) except -1
    @cython.locals(session=Session)
    cdef bint offer(self, Prepared prepared) except -1
    @cython.locals(session=Session)
    cpdef _queue(self, int first, payload, compress)
    cpdef _drain(self)
    cpdef attempt(self, Wait wait)
    @cython.locals(kind=int)
    cdef seek(self, Wait wait)
    cdef _attempt_drain(self, Wait wait)
    cdef bint _clear(self, int kind) except -1
    cdef _park(self, Wait wait)
    cpdef _wake_parked(self)
