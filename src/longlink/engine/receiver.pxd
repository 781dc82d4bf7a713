# C types for receiver.py; cimported by session.pxd and api/connection.pxd.
from longlink.native.kernel cimport Source

cdef class Receiver(Source):
    cpdef on_head(self, session, bytes head)
    cpdef on_body(self, session, bytes data)
    cpdef on_overdue(self, session)
    cdef deliver(self, message)
    cpdef on_message(self, message)
    cpdef on_part(self)
    cpdef on_pong(self, bytes payload)
    cpdef on_congested(self)
    cpdef on_drained(self)
    cpdef on_closing(self)
    cpdef on_end(self)
