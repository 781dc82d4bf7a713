# C types for seal.py; cimported by sealed.pxd.
import cython

from longlink.native.kernel cimport Buffer

cdef Py_ssize_t _HEADER
cdef Py_ssize_t _MOST

cdef class Seal:
    cdef readonly object incoming
    cdef readonly object outgoing
    cdef readonly object tls
    cdef readonly bytes tail
    cdef readonly bint ended
    cdef readonly object fault
    cdef object _feed
    cdef object _read
    cdef object _write

    cpdef bint shake(self, octets) except -1
    @cython.locals(position=Py_ssize_t, end=Py_ssize_t, after=Py_ssize_t)
    cpdef Py_ssize_t open(self, Buffer buffer, view, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _open(self, room) except -1
    cpdef bint put(self, bytes octets) except -1
    cpdef close(self)
    cpdef bytes said(self)

@cython.locals(length=Py_ssize_t, end=Py_ssize_t)
cdef Py_ssize_t _end(Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -1
