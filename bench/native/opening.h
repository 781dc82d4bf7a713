/* A peer's way from nothing to an open connection: TCP, TLS, the opening handshake. */
#ifndef OPENING_H
#define OPENING_H

#include "load.h"

/* Connects and asks. The peer must be idle. */
void opening_begin(Load *load, Peer *peer);

/* Its socket is ready, and it has not asked yet. */
void opening_go_on(Load *load, Peer *peer);

/* Octets of the answer, and maybe of frames behind it. */
void opening_take(Load *load, Peer *peer, const uint8_t *input, size_t length, uint64_t now);

#endif
