# C types for broadcast.py; nobody cimports it.
import cython

from longlink.api.connection cimport Connection
from longlink.wire.frame cimport Prepared

@cython.locals(connection=Connection)
cdef list _offer(connections, Prepared prepared)
