/* Echo: every connection has --in-flight messages on their way; each answer lets the next one go. */
#include "peer.h"

static void start(Load *load) {
    uint64_t now = now_ns();
    for (int i = 0; i < load->options.connections; i++) {
        for (int k = 0; k < load->options.in_flight; k++) peer_allow(load, &load->peers[i], now);
        peer_flush(load, &load->peers[i]);
    }
}

static void message(Load *load, Peer *peer, uint64_t now) {
    if (peer->received == peer->allowed) fail("an echo of nothing");
    if (load->stage > MEASURING) return;
    load_count(load, now - peer_sent_when(load, peer, peer->received));
    peer_allow(load, peer, now);
}

/* An echo that never comes would otherwise show only as a connection that is slow. */
static bool finish(Load *load) {
    for (int i = 0; i < load->options.connections; i++)
        if (load->peers[i].received != load->peers[i].allowed) return false;
    return true;
}

const Work echo_work = {
    .name = "echo",
    .keeps_times = true,
    .opening_at_once = 64,
    .start = start,
    .message = message,
    .finish = finish,
};
