# C types for spin.py; nobody cimports it.
import cython

from longlink.engine.reactor cimport Reactor
from longlink.tool.bench.probe cimport Tally

cdef int _EVENTS
cdef long long _SPELL_NS
cdef long long _LOOK_NS
cdef long long _PATIENCE_NS
cdef object _make_way

cdef class Spin:
    cdef object loop
    cdef Reactor reactor
    cdef Tally tally
    cdef object pace
    cdef object handle
    cdef readonly bint sleeps
    cdef public long long idle_ns
    cdef long long busy_at

    cpdef start(self)
    cpdef stop(self)
    @cython.locals(count=int)
    cpdef look(self)
    @cython.locals(now="long long", until="long long", before="long long", sent=Py_ssize_t, count=int)
    cpdef run(self)
    cdef _go_on(self)
