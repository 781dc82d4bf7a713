# C types for frame.py; cimported by endpoint.pxd, engine/session.pxd and api/connection.pxd.
cdef class Prepared:
    cdef readonly object message
    cdef readonly object compress
    cdef readonly int first
    cdef readonly bytes wire
    cdef readonly dict forms

    cpdef bytes payload(self)
    cpdef bytes wire_for(self, deflater)
    cdef bytes _compressed(self, deflater)
