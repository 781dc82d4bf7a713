# C types for assembly.py; cimported by reader.pxd.
import cython

from longlink.native.kernel cimport Buffer

cdef Py_ssize_t INFLATE_AT_ONCE
cdef Py_ssize_t DIRECT_FROM
cdef Py_ssize_t TRUST
cdef int _TEXT

cdef class Assembly:
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
    @cython.locals(length=Py_ssize_t, size=Py_ssize_t, body=Buffer)
    cdef Py_ssize_t _payload(self, Buffer buffer, Py_ssize_t start, Py_ssize_t stop) except -2
    cdef void _make_room(self, Buffer body, Py_ssize_t length) except *
    cdef void _came(self, Buffer body, Py_ssize_t before, Py_ssize_t length) except *
    cpdef Buffer room(self)
    @cython.locals(body=Buffer)
    cpdef Py_ssize_t awaited(self) except -1
    @cython.locals(body=Buffer, before=Py_ssize_t)
    cpdef filled(self, Py_ssize_t count)
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
    cdef _too_long(self)
