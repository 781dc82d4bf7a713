# C types for session.py; cimported by link.pxd, stream.pxd and api/connection.pxd.
import cython

from longlink.engine.intake cimport Intake
from longlink.engine.receiver cimport Receiver
from longlink.engine.terms cimport Terms
from longlink.engine.wheel cimport Wheel
from longlink.native.kernel cimport Outbox
from longlink.wire.frame cimport Prepared

cdef double _NEVER
cdef int _CONNECTING
cdef int _OPEN
cdef int _CLOSE_SENT
cdef int _CLOSE_DONE

cdef class Session(Intake):
    cdef readonly Receiver receiver
    cdef object flaw
    cdef readonly bint broken
    cdef public bint crowded
    cdef bint leaving
    cdef public unsigned int place
    cdef public Py_ssize_t tick
    cdef double since
    cdef double ping_due
    cdef double ping_sent
    cdef double ping_lost
    cdef bytes ping_payload
    cdef public double latency
    cdef double stalled_since

    cpdef bint undecided(self)
    @cython.locals(outbox=Outbox, idle=bint)
    cpdef send_head(self, bytes head)
    cpdef welcome(self, Receiver receiver)
    cpdef refuse(self, bytes answer)
    cpdef bint sendable(self)
    cpdef bint admit(self) except -1
    @cython.locals(outbox=Outbox)
    cpdef bint offer(self, Prepared prepared) except -1
    cpdef overflowed(self, Py_ssize_t waiting)
    cpdef bint congested(self) except -1
    @cython.locals(outbox=Outbox)
    cpdef progressed(self, Py_ssize_t size_before)
    cpdef overfull(self)
    cpdef drained(self)
    cpdef hang_up(self)
    cdef _hung_up(self)
    cdef _leave(self)
    cdef _count_down(self)
    cpdef send_close(self, code=*, reason=*)
    cpdef break_off(self)
    cpdef ended(self)
    cpdef closed(self)
    cdef _plan(self, double start, double seconds)
    @cython.locals(due=double, stalled=double, patience=double)
    cpdef double on_deadline(self, double now) except? -1
    @cython.locals(due=double, seconds=double, opening=bint)
    cdef double _handshake_due(self, double now) except? -1
    @cython.locals(heard=double, patience=double, most=double, terms=Terms, wheel=Wheel)
    cdef double _keep_alive(self, double now) except? -1

    cpdef flush(self)
    cpdef shut(self)
    cpdef abort(self)
    cpdef hand_over(self, protocol, bytes head)
    cpdef address(self, bint peer)
    cpdef packed_peer(self)
    cpdef fault(self)
