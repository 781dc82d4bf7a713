# C types for reactor.py; nobody cimports it.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.engine.link cimport Link
from longlink.native.kernel cimport Poll

cdef class Reactor(Agenda):
    cdef readonly Poll poll
    cdef readonly list starved

    @cython.locals(link=Link, index=int)
    cpdef run_once(self)
