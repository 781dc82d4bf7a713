# C types for endpoint.py; cimported by engine/intake.pxd.
import cython

from longlink.native.kernel cimport Outbox
from longlink.wire.frame cimport Prepared
from longlink.wire.reader cimport Reader

cdef tuple STEPS
cdef int CONTROL
cdef int FIN
cdef unsigned int MAX_CONTROL
cdef int RSV1
cdef Py_ssize_t PONG_BACKLOG

cdef int _CONNECTING
cdef int _OPEN
cdef int _CLOSE_DONE
cdef int _OPENED
cdef int _CLOSING
cdef int _CLOSE_RECEIVED
cdef int _FAILURE
cdef int _END
cdef int _NOTHING
cdef int _ANSWER_CLOSE
cdef int _REPORT_END
cdef int _TEXT
cdef int _BINARY
cdef int _PING
cdef int _PONG
cdef int _CLOSE

cdef class Endpoint(Reader):
    cdef readonly bint client
    cdef readonly int phase
    cdef readonly Py_ssize_t control_rate
    cdef Py_ssize_t control_burst
    cdef double control_tokens
    cdef double control_seen
    cdef public double now
    cdef object entropy
    cdef readonly Outbox outbox
    cdef readonly object close_sent
    cdef readonly object close_rcvd
    cdef readonly object rcvd_then_sent
    cdef bytes pong
    cdef Py_ssize_t pongs_owed
    cdef object compressor

    cpdef on_output(self)
    cpdef on_pong(self, bytes payload)
    cpdef on_phase(self, int phase)
    cpdef on_end(self)

    cpdef send(self, message)
    cdef _send_agreed(self, message)
    cpdef send_message(self, int first, payload, compress)
    cpdef begin_fragments(self, compress)
    cpdef send_fragment(self, int first, payload, flow)
    cpdef send_frame(self, int first, payload)
    @cython.locals(outbox=Outbox, idle=bint, wire=bytes)
    cpdef send_prepared(self, Prepared prepared)
    cpdef send_ping(self, payload)
    cpdef send_pong(self, payload)
    cpdef opened(self)
    cpdef send_close(self, code=*, reason=*)
    cpdef fail(self, code, reason=*, cause=*)
    cpdef end(self)
    cpdef closed(self)
    cpdef on_control(self, int opcode, bytes payload)
    @cython.locals(tokens=double)
    cdef bint _within_rate(self) except -1
    cdef _answer(self, bytes payload)
    cpdef answer_late(self)
    cdef _close_received(self, bytes payload)
    @cython.locals(phase=int, action=int)
    cdef _happen(self, int event, close)
    cdef _say_close(self, close)
    cdef _deflated(self, payload, bint even_short)
    cdef _own_compressor(self)
    cdef Outbox _outbox(self)
    cdef _write(self, int first, payload)
    @cython.locals(outbox=Outbox, idle=bint)
    cdef _put(self, int first, payload)

cdef _check_control(Py_ssize_t length)

cdef _octets(payload)
cdef _contiguous(payload)
