# C types for reader.py; cimported by endpoint.pxd.
import cython

from longlink.native.kernel cimport Buffer

cdef int CONTROL
cdef int FIN
cdef unsigned int LENGTH_16
cdef int MASKED
cdef int RSV1
cdef tuple FIRST_OCTET
cdef tuple COMPRESSED_FIRST_OCTET

cdef int _TEXT
cdef int _INCOMPLETE
cdef Py_ssize_t INFLATE_AT_ONCE

cdef class Reader:
    cdef readonly bint masked
    cdef readonly bint deaf
    cdef readonly bint muted
    cdef bint final
    cdef bint compressed
    cdef int opcode
    cdef int utf8
    cdef unsigned int key
    cdef unsigned int key_offset
    cdef public Py_ssize_t budget
    cdef readonly Py_ssize_t max_size
    cdef readonly Py_ssize_t max_fragments
    cdef public unsigned long long max_fragment
    cdef Py_ssize_t fragments
    cdef Py_ssize_t remaining
    cdef Py_ssize_t taken
    cdef Py_ssize_t parted
    cdef readonly bytes held
    cdef readonly Buffer body
    cdef readonly object agreement
    cdef object inflater

    cpdef on_message(self, message)
    cpdef on_part(self)
    cpdef on_control(self, int opcode, bytes payload)
    cpdef on_violation(self, int code, str section, str reason)

    cpdef agree(self, agreement)
    @cython.locals(position=Py_ssize_t, after=Py_ssize_t)
    cpdef Py_ssize_t feed(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -2
    @cython.locals(
        first=int, opcode=int, second=int, length=Py_ssize_t, cursor=Py_ssize_t,
        key="unsigned int",
    )
    cdef Py_ssize_t _frame(self, Buffer buffer, Py_ssize_t at, Py_ssize_t stop) except -2
    @cython.locals(opcode=int, flaw=tuple)
    cdef bint _begins(self, int first) except -1
    cdef str _disorder(self, int opcode)
    @cython.locals(
        cursor=Py_ssize_t, octet="unsigned long long", least="unsigned long long",
        most="unsigned long long",
    )
    cdef Py_ssize_t _extended(
        self, Buffer buffer, Py_ssize_t start, Py_ssize_t end, Py_ssize_t stop, int first
    ) except -2
    @cython.locals(room="unsigned long long")
    cdef bint _fits(self, int first, unsigned long long length) except -1
    cdef _too_long(self)
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
    @cython.locals(length=Py_ssize_t, size=Py_ssize_t, body=Buffer)
    cdef Py_ssize_t _payload(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -2
    @cython.locals(body=Buffer, end=Py_ssize_t)
    cpdef take(self)
    @cython.locals(body=Buffer, opcode=int, utf8=int)
    cdef void _finish(self) except *
    @cython.locals(turn="unsigned int", key="unsigned int", size=Py_ssize_t)
    cdef bint _inflate(
        self, Buffer body, Buffer buffer, Py_ssize_t start, Py_ssize_t stop
    ) except -1
    cdef _begun(self)
    @cython.locals(body=Buffer)
    cdef bint _inflated(self) except -1
    cdef _corrupt(self)
    cdef _violate(self, int code, str section, str reason)
    cdef _deafen(self)
