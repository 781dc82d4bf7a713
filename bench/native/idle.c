/* Idle: connections that say nothing, held for --hold seconds; Pings are answered.

   Memory of a connection is how much the server grew from the first few to all of them, so that what
   it takes but once is not counted. With --then-broadcast, connection 0 says one message at the end;
   then what is counted and measured is its deliveries to all. */
#include <stdio.h>

#include "peer.h"

static uint64_t first_rss, last_rss;
static int first_open, last_open;
static bool growing, held, spoken;

static int first_few(int connections) { return connections / 8 < 256 ? connections / 8 : 256; }

static void prepare(Load *load) {
    load->options.warm_up = 0;
    load->options.seconds = load->options.hold;
    load->wanted = first_few(load->options.connections);
}

static void start(Load *load) {
    if (growing) return;
    growing = true;
    first_rss = usage_now(load->options.server).server_rss_kib;
    first_open = load->open;
    load_open_more(load, load->options.connections);
}

/* A server may lose patience with half a request; that is counted, and not tried again. */
static void closed(Load *load, Peer *peer, const char *why) {
    if (!load->options.half_open) fail("connection %u ended: %s", peer->number, why);
    load->errors++;
    load->wanted--;
}

static void message(Load *load, Peer *peer, uint64_t now) {
    if (!spoken || peer->received) fail("a message that nobody sent");
    load_count(load, now - peer_sent_when(load, load->peers, 0));
}

static bool finish(Load *load) {
    if (!held) {
        held = true;
        last_open = load->open;
        last_rss = load->after.server_rss_kib;
        load->count = (uint64_t)load->open;
    }
    if (!load->options.then_broadcast) return true;
    if (!spoken) {
        spoken = true;
        load_measure(load);
        peer_allow(load, load->peers, now_ns());
        peer_flush(load, load->peers);
    }
    if (load->count < (uint64_t)load->open) return false;
    load->after = usage_now(load->options.server);
    return true;
}

static void tell(const Load *load) {
    (void)load;
    double grown = (double)last_rss - (double)first_rss;
    int more = last_open > first_open ? last_open - first_open : 1;
    printf("\"rss_per_connection_kib\":%.3f,", grown / more);
}

const Work idle_work = {
    .name = "idle",
    .one_speaker = true,
    .keeps_times = true,
    .many_sources = true,
    .quiet = true,
    .opening_at_once = 64,
    .prepare = prepare,
    .start = start,
    .message = message,
    .closed = closed,
    .finish = finish,
    .tell = tell,
};
