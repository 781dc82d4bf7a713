# C types for broadcast.py; nobody cimports it.
import cython

from longlink.api.connection cimport Connection

@cython.locals(connection=Connection)
cdef list _offer(connections, prepared)
