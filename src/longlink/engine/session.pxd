# C types for session.py; cimported by link.pxd, stream.pxd and api/connection.pxd.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.native.kernel cimport Buffer, Outbox, Source
from longlink.wire.endpoint cimport Endpoint

cdef int HEADROOM
cdef Py_ssize_t FRAMES_PER_TURN
cdef double _NEVER
cdef int _CONNECTING
cdef int _OPEN
cdef int _CLOSE_SENT
cdef int _CLOSE_DONE
cdef int _FAILED
cdef int _ENDED

cdef class Receiver(Source):
    cpdef on_head(self, Session session, bytes head)
    cpdef on_body(self, Session session, bytes data)
    cpdef on_overdue(self, Session session)
    cpdef on_message(self, message)
    cpdef on_pong(self, bytes payload)
    cpdef on_congested(self)
    cpdef on_drained(self)
    cpdef on_closing(self)
    cpdef on_end(self)

cdef class Session(Endpoint):
    cdef readonly Receiver receiver
    cdef readonly object limits
    cdef readonly Agenda agenda
    cdef readonly Py_ssize_t write_limit
    cdef readonly Py_ssize_t max_backlog
    cdef readonly bytearray head
    cdef readonly Buffer backlog
    cdef Py_ssize_t backlog_from
    cdef Py_ssize_t backlog_to
    cdef bint gathering
    cdef readonly bint paused
    cdef readonly bint parked
    cdef readonly bint hanging_up
    cdef readonly bint lingering
    cdef public Py_ssize_t tick
    cdef double since
    cdef double last_received
    cdef double ping_due
    cdef double ping_sent
    cdef bytes ping_payload
    cdef public double latency
    cdef double stalled_since

    cpdef arrived(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cpdef proceed(self)
    @cython.locals(position=Py_ssize_t)
    cdef _share(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cdef _keep(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes _unread(self)
    cdef _read_on(self)
    cpdef pause(self)
    cpdef resume(self)
    @cython.locals(head=bytearray, known=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _gather(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -1
    cpdef read_head(self)
    cpdef read_body(self)
    cdef _read_more(self)
    cpdef bint undecided(self)
    @cython.locals(outbox=Outbox, idle=bint)
    cpdef send_head(self, bytes head)
    cpdef welcome(self, Receiver receiver)
    cpdef refuse(self, bytes answer)
    cpdef bint admit(self) except -1
    cpdef bint congested(self) except -1
    @cython.locals(outbox=Outbox)
    cpdef progressed(self, Py_ssize_t size_before)
    cpdef hang_up(self)
    cdef _hung_up(self)
    cpdef ended(self)
    cdef _plan(self, double start, seconds)
    @cython.locals(due=double, opening=bint)
    cpdef double on_deadline(self, double now) except? -1
    cdef double _overdue(self, double now) except? -1
    @cython.locals(heard=double, waiting=bint)
    cdef double _keep_alive(self, double now) except? -1

    cpdef flush(self)
    cpdef park(self)
    cpdef unpark(self)
    cpdef shut(self)
    cpdef abort(self)
    cpdef hand_over(self, protocol, bytes head)
    cpdef address(self, bint peer)
