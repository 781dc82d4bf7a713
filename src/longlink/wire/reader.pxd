# C types for reader.py; cimported by endpoint.pxd.
import cython

from longlink.native.kernel cimport Buffer
from longlink.wire.assembly cimport Assembly

cdef int CONTROL
cdef int FIN
cdef unsigned int LENGTH_16
cdef int MASKED
cdef int RSV1
cdef tuple FIRST_OCTET
cdef tuple COMPRESSED_FIRST_OCTET

cdef int _TEXT
cdef int _INCOMPLETE
cdef Py_ssize_t SHORT

cdef class Reader(Assembly):
    cdef readonly Py_ssize_t max_fragments
    cdef public unsigned long long max_fragment
    cdef Py_ssize_t fragments

    @cython.locals(position=Py_ssize_t, after=Py_ssize_t, short=bint)
    cpdef Py_ssize_t feed(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -2
    @cython.locals(
        first=int, opcode=int, second=int, length=Py_ssize_t, cursor=Py_ssize_t,
        key="unsigned int",
    )
    cdef Py_ssize_t _frame(self, Buffer buffer, Py_ssize_t at, Py_ssize_t stop) except -2
    @cython.locals(opcode=int, flaw=tuple)
    cdef bint _begins(self, int first) except -1
    @cython.locals(
        cursor=Py_ssize_t, octet="unsigned long long", least="unsigned long long",
        most="unsigned long long",
    )
    cdef Py_ssize_t _extended(
        self, Buffer buffer, Py_ssize_t start, Py_ssize_t end, Py_ssize_t stop, int first
    ) except -2
    @cython.locals(room="unsigned long long")
    cdef bint _fits(self, int first, unsigned long long length) except -1
    @cython.locals(end=Py_ssize_t)
    cdef Py_ssize_t _control(
        self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop, int opcode, Py_ssize_t length,
        unsigned int key,
    ) except -2
    @cython.locals(final=bint)
    cdef Py_ssize_t _data(
        self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop, int first, Py_ssize_t length,
        unsigned int key,
    ) except -2
    cdef void _whole(
        self, Buffer buffer, Py_ssize_t start, Py_ssize_t end, int opcode, unsigned int key
    ) except *
