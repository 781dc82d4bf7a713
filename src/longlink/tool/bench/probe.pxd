# C types for probe.py; cimported by spin.pxd.
import cython

from longlink.api.connection cimport Connection
from longlink.engine.agenda cimport Agenda
from longlink.engine.session cimport Session
from longlink.tool.bench.histogram cimport Histogram

cdef Py_ssize_t _NUMBERS

cdef class Tally:
    cdef readonly Agenda agenda
    cdef readonly Histogram latency
    cdef readonly object script
    cdef readonly object observer
    cdef list numbers
    cdef public Py_ssize_t sent
    cdef readonly Py_ssize_t received
    cdef public Py_ssize_t greetings
    cdef public Py_ssize_t pongs
    cdef public bint flowing
    cdef object holder
    cdef double turn
    cdef long long time

    cpdef long long now(self, holder) except -1

cdef class Probe(Connection):
    cdef readonly Tally tally
    cdef readonly Py_ssize_t number
    cdef readonly Py_ssize_t sent
    cdef readonly Py_ssize_t received
    cdef Py_ssize_t early

    cpdef enlist(self, Tally tally, Py_ssize_t number)
    cpdef strange(self, message)

cdef class Echo(Probe):
    cdef object rest
    cdef list messages
    cdef list times
    cdef Py_ssize_t places

    cpdef prepare(self, Py_ssize_t in_flight)
    @cython.locals(tally=Tally, session=Session, place=Py_ssize_t)
    cpdef say(self, long long now)
    cpdef bint has_room(self, Py_ssize_t in_flight) except -1
    @cython.locals(tally=Tally, place=Py_ssize_t, now="long long", then="long long")
    cdef deliver(self, message)

cdef class Round(Tally):
    cdef readonly Py_ssize_t ears
    cdef readonly Py_ssize_t delivered
    cdef readonly Probe speaker
    cdef object rest
    cdef list messages
    cdef list times
    cdef list waiting
    cdef Py_ssize_t places

    cpdef prepare(self, Probe speaker, Py_ssize_t ears, Py_ssize_t in_flight)
    @cython.locals(speaker=Probe, place=Py_ssize_t)
    cpdef say(self, long long now)
    cpdef bint has_room(self, Py_ssize_t in_flight) except -1
    @cython.locals(number=Py_ssize_t)
    cpdef dropped(self, Probe ear)
    cdef arrived(self, Probe ear, Py_ssize_t place)
    @cython.locals(left=Py_ssize_t, now="long long", then="long long")
    cdef _has(self, Probe ear, Py_ssize_t place)

cdef class Ear(Probe):
    cdef Round round

    cpdef listen(self, Round whole)
    @cython.locals(whole=Round, place=Py_ssize_t)
    cdef deliver(self, message)

cdef class Speaker(Probe):
    cdef deliver(self, message)
