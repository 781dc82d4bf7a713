# C types for histogram.py; cimported by probe.pxd.
import cython

cdef long long _LARGEST

cdef class Histogram:
    cdef readonly list cells
    cdef readonly Py_ssize_t count
    cdef readonly long long most

    @cython.locals(shift=Py_ssize_t)
    cpdef add(self, long long value)
