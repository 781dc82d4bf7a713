/* Handshakes: connect, ask, be answered, close, see the server close, and again; --in-flight at once.

   Latency is that of the whole. Another end than the server's answer to our Close is an error. */
#include "peer.h"

enum { MOST_ERRORS = 1000 };

static void prepare(Load *load) {
    if (!load->options.in_flight) load->options.in_flight = 1;
    load->wanted = load->options.connections = load->options.in_flight;
}

static void opened(Load *load, Peer *peer) { peer_close(load, peer); }

static void closed(Load *load, Peer *peer, const char *why) {
    if (peer->said_close) load_count(load, now_ns() - peer->since);
    else if (++load->errors > MOST_ERRORS) fail("too many handshakes fail: %s", why);
}

const Work handshake_work = {
    .name = "handshake",
    .reopens = true,
    .many_sources = true,
    .prepare = prepare,
    .opened = opened,
    .closed = closed,
};
