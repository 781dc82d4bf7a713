/* How a peer's octets travel: over TCP as they are, or through TLS. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <sys/types.h>

#include "load.h"

enum { CHANNEL_NOT_NOW = -1, CHANNEL_BROKEN = -2 }; /* errno says why it is broken; 0: TLS */

/* Once, if --tls. Fails if this was built without OpenSSL. */
void channel_prepare(void);

/* The TLS handshake, on a connected socket: 1 when it is done. */
int channel_secure(Peer *peer);

/* How many octets were sent, at least one. After CHANNEL_NOT_NOW the same octets must come first again. */
ssize_t channel_send(Peer *peer, const void *octets, size_t length);

/* How many were received; 0 is the end of the stream. */
ssize_t channel_receive(Peer *peer, void *room, size_t length);

/* Closes the socket. */
void channel_close(Peer *peer);

#endif
