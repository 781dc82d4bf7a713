# C types for reactor.py; cimported by tool/bench/spin.pxd.
import cython

from longlink.engine.agenda cimport Agenda
from longlink.engine.link cimport Link
from longlink.engine.patience cimport Patience
from longlink.native.kernel cimport Poll

cdef int EVENTS_PER_TURN
cdef int EVENTS_PER_FLUSH
cdef int CROWD
cdef double TURN_S
cdef int HOVER_US
cdef int HOVERS_PER_TURN
cdef double LINGER_S

cdef class Reactor(Agenda):
    cdef readonly Patience patience
    cdef readonly Poll poll
    cdef object soon
    cdef readonly list starved

    @cython.locals(served=int, hovered=int, count=int, began=double, now=double)
    cpdef run_once(self)
    cdef _turn(self, int count)
    @cython.locals(poll=Poll, link=Link, index=int)
    cdef _serve(self, int count)
    @cython.locals(count=int)
    cdef int _hover(self) except? -32768
    @cython.locals(link=Link)
    cdef flush(self, session)
