# C types for reactor.py; nobody cimports it.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.engine.link cimport Link
from longlink.native.kernel cimport Poll

cdef int EVENTS_PER_TURN
cdef int EVENTS_PER_FLUSH
cdef int CROWD
cdef double TURN_S

cdef class Reactor(Agenda):
    cdef readonly Poll poll
    cdef readonly list starved

    @cython.locals(served=int, count=int, until=double, now=double)
    cpdef run_once(self)
    @cython.locals(poll=Poll, link=Link, count=int, index=int)
    cdef int _serve(self, int limit) except? -32768
    @cython.locals(link=Link)
    cdef flush(self, session)
