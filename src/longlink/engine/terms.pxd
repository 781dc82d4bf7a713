# C types for terms.py; cimported by agenda.pxd, session.pxd and api/receiving.pxd.

cdef class Terms:
    cdef readonly object limits
    cdef readonly Py_ssize_t write_limit
    cdef readonly Py_ssize_t write_low
    cdef readonly Py_ssize_t max_backlog
    cdef readonly Py_ssize_t max_queue
    cdef readonly Py_ssize_t low_queue
    cdef readonly double open_timeout
    cdef readonly double close_timeout
    cdef readonly double stall_timeout
    cdef readonly double ping_interval
    cdef readonly double ping_timeout
