# C types for patience.py; cimported by reactor.pxd.

cdef int _MISS
cdef int _MOST_LUCK
cdef int _LONGEST_REST

cdef class Patience:
    cdef int luck
    cdef int rest
    cdef int resting

    cpdef bint tries(self) noexcept
    cpdef paid(self)
    cpdef failed(self)
