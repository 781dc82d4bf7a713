# C types for wheel.py; cimported by agenda.pxd.
import cython

cdef double _TICK_S
cdef double NEVER_S

cdef class Wheel:
    cdef object loop
    cdef readonly dict ticks
    cdef readonly object timer
    cdef Py_ssize_t armed_tick
    cdef readonly double due
    cdef readonly double lost
    cdef readonly double resumed
    cdef double told
    cdef bint graced

    @cython.locals(tick=Py_ssize_t, members=list)
    cpdef schedule(self, item, double deadline)
    @cython.locals(members=list, place=Py_ssize_t)
    cpdef cancel(self, item)
    cpdef stop(self)
    cdef _rearm(self)
    cdef _arm(self, Py_ssize_t tick)

cdef Py_ssize_t _tick_of(double deadline) except? -1
