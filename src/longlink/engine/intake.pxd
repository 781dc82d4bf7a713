# C types for intake.py; cimported by session.pxd.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.engine.terms cimport Terms
from longlink.native.kernel cimport Buffer
from longlink.wire.endpoint cimport Endpoint

cdef int HEADROOM
cdef Py_ssize_t FRAMES_PER_TURN
cdef int _CONNECTING
cdef bytes _END

cdef class Intake(Endpoint):
    cdef readonly Terms terms
    cdef readonly Agenda agenda
    cdef readonly bytearray head
    cdef readonly Buffer backlog
    cdef Py_ssize_t backlog_from
    cdef Py_ssize_t backlog_to
    cdef Py_ssize_t ahead
    cdef readonly double last_received
    cdef bint gathering
    cdef bint eof
    cdef readonly bint paused
    cdef readonly bint parked
    cdef readonly bint hanging_up

    cpdef arrived(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cpdef Buffer vacant(self)
    cpdef arrived_in_place(self, Py_ssize_t count)
    cpdef proceed(self)
    cdef _process(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(position=Py_ssize_t)
    cdef _share(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(position=Py_ssize_t)
    cdef Py_ssize_t _look_ahead(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -2
    cdef _keep(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes _unread(self)
    @cython.locals(now=double)
    cdef _read_on(self)
    cpdef pause(self, Py_ssize_t ahead)
    cpdef resume(self)
    @cython.locals(head=bytearray, known=Py_ssize_t, end=Py_ssize_t, octets=bytes)
    cdef _gather(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop)
    cdef _complete(self, bytes head)
    cpdef read_head(self)
    cpdef read_body(self)
    cpdef on_eof(self)
    cpdef on_head(self, bytes head)
    cpdef on_body(self, bytes data)
    cpdef park(self)
    cpdef unpark(self)
