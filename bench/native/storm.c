/* Storm: all connections are dropped at once and come back; measured is the time until all are there.

   They come as fast as they can, or --in-flight at a time. Latency is from the drop until a
   connection is back. Who is refused tries again, and is counted as an error. */
#include "peer.h"

static const double MOST_SECONDS = 60;

static void prepare(Load *load) {
    if (!load->options.in_flight) load->options.in_flight = load->options.connections;
    load->options.warm_up = 0;
    load->options.seconds = MOST_SECONDS;
}

static void begin(Load *load) {
    for (int i = 0; i < load->options.connections; i++) peer_drop(load, &load->peers[i]);
}

static void opened(Load *load, Peer *peer) {
    (void)peer;
    if (load->stage != MEASURING) return;
    load_count(load, now_ns() - load->before.at_ns);
    if (load->open == load->wanted) load->stage_ends = 0;
}

static void closed(Load *load, Peer *peer, const char *why) {
    if (load->stage != MEASURING) fail("connection %u ended: %s", peer->number, why);
    if (++load->errors > 10 * (uint64_t)load->options.connections) fail("nobody gets in: %s", why);
}

static bool finish(Load *load) {
    if (load->open < load->wanted)
        fail("%d of %d are back after %g s", load->open, load->wanted, MOST_SECONDS);
    return true;
}

const Work storm_work = {
    .name = "storm",
    .many_sources = true,
    .prepare = prepare,
    .begin = begin,
    .opened = opened,
    .closed = closed,
    .finish = finish,
};
