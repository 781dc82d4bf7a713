# C types for described.py; cimported by receiving.pxd.
from longlink.engine.receiver cimport Receiver
from longlink.engine.session cimport Session
from longlink.native.kernel cimport forget_dict, unpacked_peer

cdef int _CLOSED_OVER_THERE

cdef class Described(Receiver):
    cdef object __weakref__
    cdef dict __dict__  # people put their own things on a connection; no memory until they do
    cdef readonly Session session
    cdef readonly object owner
    cdef public object subprotocol
    cdef public object username
    cdef public bytes head
    cdef public bytes answer
    cdef public object asked
    cdef object _id
    cdef object _peer
