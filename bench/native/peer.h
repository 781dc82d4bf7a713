/* One connection of the generator: what it has sent, what it expects.

   What a peer sends is a function of how much of it was sent already: message after message, each
   frame as long as the next, its number as its stamp and a masking key made of it. So nothing is
   kept for a socket that takes only half: the rest is made again when there is room. What arrives
   is compared as it comes, so nothing of that is kept either. */
#ifndef PEER_H
#define PEER_H

#include "load.h"
#include "wire.h"

enum Phase { IDLE, CONNECTING, SECURING, ASKING, HALF_OPEN, TALKING, CLOSING };
enum { MOST_CONTROL = 125 };

struct Peer {
    int fd;
    uint32_t number;
    uint8_t phase;
    bool wants_room;  /* epoll watches for room in the socket */
    bool must_repeat; /* TLS: what was tried last comes first again */
    bool over;        /* TLS: the end came together with the last octets */
    bool in_payload;
    bool said_close; /* the server did */
    uint8_t first;   /* octet of the present frame */
    uint8_t control_length, control_sent;
    uint8_t header_have;
    uint8_t header[MOST_HEADER];

    uint32_t allowed;  /* messages it may have sent so far, */
    uint32_t sent;     /* those it has sent whole, */
    uint32_t received; /* and those it was sent */
    uint64_t sent_at;  /* octets sent of the next one */
    uint64_t payload_at, payload_left; /* of the present frame */
    uint64_t *times;     /* when each message in flight was sent: a ring */
    struct ssl_st *tls;
    uint8_t *compressed; /* the present payload, if it will be inflated */

    uint64_t since; /* when it was connected */
    char *head;     /* the answer to the opening handshake as far as it came */
    size_t head_length;
    char accept[ACCEPT_LENGTH + 1];
    uint8_t control[MOST_HEADER + MOST_CONTROL]; /* a Pong or a Close to send */
    uint8_t heard[MOST_CONTROL];                 /* payload of a Ping or a Close */
};

/* Something happened to its socket. */
void peer_ready(Load *load, Peer *peer, uint32_t events);

/* One more message may be sent; peer_flush does it. */
static inline void peer_allow(Load *load, Peer *peer, uint64_t now) {
    peer->times[peer->allowed++ & load->ring] = now;
}

/* When the message `number` was allowed. */
static inline uint64_t peer_sent_when(const Load *load, const Peer *peer, uint32_t number) {
    return peer->times[number & load->ring];
}

void peer_flush(Load *load, Peer *peer);

/* Starts the closing handshake; the work's `closed` is called when the server has closed. */
void peer_close(Load *load, Peer *peer);

/* Says Close, and does not wait for an answer. */
void peer_leave(Load *load, Peer *peer);

/* Drops the connection without a word. */
void peer_drop(Load *load, Peer *peer);

/* For opening.c: the connection is over; a descriptor is new; there is room, or none; octets of frames. */
void peer_ended(Load *load, Peer *peer, const char *why);
void peer_watch(Load *load, Peer *peer);
void peer_want_room(Load *load, Peer *peer, bool wanted);
void peer_take_frames(Load *load, Peer *peer, const uint8_t *input, size_t length, uint64_t now);

#endif
