# C types for connection.py; nobody cimports it.
import cython

from longlink.engine.session cimport Receiver, Session
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

cdef class Connection(Receiver):
    cdef object __weakref__
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
    cdef object held
    cdef Py_ssize_t held_bytes
    cdef bint fragmenting
    cdef dict pings
    cdef object _id
    cdef object _peer
    cdef object _request

    @cython.locals(session=Session)
    cpdef send(self, message, text=*)
    cdef _send(self, message, text)
    @cython.locals(session=Session)
    cpdef bint publish(self, prepared) except -1
    @cython.locals(session=Session)
    cpdef _queue(self, int first, payload)
    cpdef _release_held(self)
    cpdef _drain(self)
    cpdef recv(self, decode=*)
    @cython.locals(kind=int)
    cpdef attempt(self, Wait wait)
    cdef _attempt_later(self, Wait wait)
    @cython.locals(other=Wait)
    cdef _check_alone(self)
    @cython.locals(session=Session)
    cdef _attempt_drain(self, Wait wait)
    cdef _park(self, Wait wait)
    cpdef Wait _wait(self, int kind)
    cpdef _wake_parked(self)
    cpdef crash(self, str where)

@cython.locals(future=object)
cdef _wake(Wait wait)
cdef tuple _encode(message, text)
