/* Fan-out: connection 0 says something, the server sends it to all, connection 0 included.

   A message is delivered when the last has it; that is its latency, and lets the next one go.
   Deliveries are counted. */
#include <stdlib.h>

#include "peer.h"

static uint32_t *have; /* of each message in flight, how many have it */

static void start(Load *load) {
    uint64_t now = now_ns();
    have = calloc(load->ring + 1, sizeof *have);
    if (!have) abort();
    for (int k = 0; k < load->options.in_flight; k++) peer_allow(load, load->peers, now);
    peer_flush(load, load->peers);
}

static void message(Load *load, Peer *peer, uint64_t now) {
    Peer *speaker = load->peers;
    uint32_t *count = &have[peer->received & load->ring];
    if (peer->received == speaker->allowed) fail("a message that nobody sent");
    load->count += load->stage <= MEASURING;
    if (++*count < (uint32_t)load->options.connections) return;
    *count = 0;
    if (load->stage > MEASURING) return;
    histogram_add(&load->latency, now - peer_sent_when(load, speaker, peer->received));
    peer_allow(load, speaker, now);
}

/* After all were read, so that what was delivered in one turn is followed up in one send. */
static void turn(Load *load, uint64_t now) {
    (void)now;
    if (load->peers->sent != load->peers->allowed && !load->peers->wants_room) peer_flush(load, load->peers);
}

static bool finish(Load *load) {
    for (int i = 0; i < load->options.connections; i++)
        if (load->peers[i].received != load->peers->allowed) return false;
    return true;
}

const Work fanout_work = {
    .name = "fanout",
    .one_speaker = true,
    .keeps_times = true,
    .opening_at_once = 64,
    .start = start,
    .message = message,
    .turn = turn,
    .finish = finish,
};
