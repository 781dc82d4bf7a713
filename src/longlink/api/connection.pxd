# C types for connection.py; nobody cimports it.
import cython

from longlink.engine.receiver cimport Receiver
from longlink.engine.session cimport Session
from longlink.native.kernel cimport Wait

cdef int _CLOSED_OVER_THERE
cdef int _OPEN
cdef int _ENDED
cdef int _RECV
cdef int _RECV_STR
cdef int _RECV_BYTES
cdef int _NEXT
cdef int _DRAIN
cdef int _CLOSED
cdef int _FLOW
cdef int _TURN

cdef class Connection(Receiver):
    cdef object __weakref__
    cdef dict __dict__  # people put their own things on a connection; no memory until they do
    cdef readonly Session session
    cdef readonly object owner
    cdef readonly object callback
    cdef readonly object loop
    cdef Py_ssize_t max_queue
    cdef public object subprotocol
    cdef public object username
    cdef public bytes head
    cdef public bytes answer
    cdef object queue
    cdef bint full
    cdef Wait receiving
    cdef list parked
    cdef object fragmented
    cdef object pings
    cdef object _id
    cdef object _peer
    cdef public object asked

    @cython.locals(session=Session)
    cpdef send(self, message, text=*)
    cdef _send(self, message, text)
    @cython.locals(session=Session)
    cpdef bint publish(self, prepared) except -1
    @cython.locals(session=Session)
    cpdef _queue(self, int first, payload)
    cpdef _drain(self)
    cpdef recv(self, decode=*)
    @cython.locals(kind=int)
    cpdef attempt(self, Wait wait)
    cdef _attempt_later(self, Wait wait)
    @cython.locals(other=Wait)
    cdef _check_alone(self)
    cdef _attempt_drain(self, Wait wait)
    cdef bint _clear(self, int kind) except -1
    cdef _park(self, Wait wait)
    cpdef _wake_parked(self)
    cpdef crash(self, str where)

@cython.locals(future=object)
cdef _wake(Wait wait)
