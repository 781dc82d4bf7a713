/* A load generator for WebSocket servers: one thread, epoll, one JSON object as its answer.

   load WORK --port P [options]; `load` alone says which. Works are the files beside this one: echo,
   fanout, handshake, idle, storm. It opens its connections, lets the server settle, warms up, and
   measures: rate, latencies, processor time and memory of the server and its descendants, its own
   share of a processor, and what anybody else took, so that a disturbed run can be thrown away.
   A wrong answer ends it with exit code 1. */
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "channel.h"
#include "compression.h"
#include "opening.h"
#include "peer.h"

enum { EVENTS = 512, OPENED_IN_A_TURN = 64, SPARE_DESCRIPTORS = 16, SLEEP_MS = 10 };
static const double BUSY = 0.93, OPENING_S = 120;

static const Work *const works[] = {&echo_work, &fanout_work, &handshake_work, &idle_work, &storm_work};

static void let_go(Load *load, Peer *peer, const char *why) { (void)load, (void)peer, (void)why; }
static const Work leaving = {.name = "leaving", .closed = let_go};

void fail(const char *format, ...) {
    va_list more;
    va_start(more, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, more);
    fputc('\n', stderr);
    va_end(more);
    exit(1);
}

/* -- before --------------------------------------------------------------------------------------- */

static const Work *find_work(const char *name) {
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(works[i]->name, name) == 0) return works[i];
    fail("there is no work called %s", name);
}

static void raise_descriptors(int wanted) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)wanted + SPARE_DESCRIPTORS)
        fail("%d connections need more than the %llu descriptors allowed", wanted,
             (unsigned long long)limit.rlim_cur);
}

static void prepare_message(Load *load) {
    const Options *options = &load->options;
    Message *message = &load->message;
    uint8_t head[MOST_HEADER];
    message_make(message, (size_t)options->size, options->text, options->json);
    load->usual_head_length = wire_header(load->usual_head, message->first, 0, message->size);
    if (options->deflate) compression_prepare(load);
    load->frame_length = wire_header(head, 0, MASKED, message->body_size) + 4 + message->body_size;
}

/* A ring has room for all messages in flight; a power of two spares a division for each message. */
static void prepare_peers(Load *load) {
    size_t count = (size_t)load->options.connections, ring = 1;
    while (load->work->keeps_times && ring < (size_t)load->options.in_flight) ring *= 2;
    load->ring = (uint32_t)ring - 1;
    load->peers = calloc(count, sizeof *load->peers);
    uint64_t *times = calloc(count * ring, sizeof *times);
    if (!load->peers || !times) abort();
    for (size_t i = 0; i < count; i++) {
        load->peers[i].number = (uint32_t)i;
        load->peers[i].times = times + i * ring;
    }
}

static void prepare(Load *load) {
    load->wanted = load->options.connections;
    if (load->work->prepare) load->work->prepare(load);
    if (!load->options.in_flight) load->options.in_flight = 1;
    raise_descriptors(load->options.connections);
    if (load->options.tls) channel_prepare();
    prepare_message(load);
    prepare_peers(load);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->input = malloc(INPUT_ROOM);
    load->output = malloc(OUTPUT_ROOM);
    if (load->epoll < 0 || !load->input || !load->output) abort();
}

/* -- stages --------------------------------------------------------------------------------------- */

static void enter(Load *load, enum Stage stage, double seconds) {
    load->stage = stage;
    load->last_progress = now_ns();
    load->stage_ends = load->last_progress + (uint64_t)(seconds * 1e9);
}

void load_measure(Load *load) {
    histogram_clear(&load->latency);
    load->count = load->payload_octets = load->spun_ns = 0;
    load->before = usage_now(load->options.server);
}

void load_open_more(Load *load, int wanted) {
    load->wanted = wanted;
    enter(load, OPENING, OPENING_S);
}

static void begin_measuring(Load *load) {
    load_measure(load);
    enter(load, MEASURING, load->options.seconds);
    if (load->work->begin) load->work->begin(load);
}

static void next_stage(Load *load) {
    switch (load->stage) {
    case OPENING:
        enter(load, SETTLING, load->options.settle);
        break;
    case SETTLING:
        enter(load, WARMING, load->options.warm_up);
        if (load->work->start) load->work->start(load);
        break;
    case WARMING:
        begin_measuring(load);
        break;
    case MEASURING:
        load->after = usage_now(load->options.server);
        enter(load, FINISHING, load->options.patience);
        break;
    default:
        load->stage = DONE;
    }
}

static bool stage_is_over(Load *load, uint64_t now) {
    bool late = now >= load->stage_ends;
    if (load->stage != OPENING && load->stage != FINISHING) return late;
    if (load->stage == OPENING && (load->work->reopens || load->open == load->wanted)) return true;
    if (load->stage == FINISHING && (!load->work->finish || load->work->finish(load))) return true;
    if (late && load->stage == OPENING) fail("only %d of %d connections are open", load->open, load->wanted);
    if (late) fail("messages are missing %g s after the end", load->options.patience);
    return false;
}

/* -- the loop ------------------------------------------------------------------------------------- */

static void open_some(Load *load) {
    const Work *work = load->work;
    int asked = load->options.in_flight, most = asked > work->opening_at_once ? asked : work->opening_at_once;
    for (int i = 0; i < OPENED_IN_A_TURN && load->opening < most; i++) {
        if (load->opening + load->open >= load->wanted) return;
        while (load->peers[load->next_idle].phase != IDLE)
            load->next_idle = (load->next_idle + 1) % load->options.connections;
        opening_begin(load, &load->peers[load->next_idle]);
    }
}

/* A server that says nothing is not waited for. */
static void watch_progress(Load *load, int events, uint64_t now) {
    if (events || (load->work->quiet && load->stage == MEASURING)) load->last_progress = now;
    double patience = load->options.patience;
    if ((double)now - (double)load->last_progress > patience * 1e9)
        fail("nothing happened for %g s; %d of %d connections are open", patience, load->open, load->wanted);
}

/* While it measures, the generator does not sleep. To wake somebody costs a system call of the server's
   about two microseconds, and only servers that are slower than the generator would pay for that. */
static bool spins(const Load *load) {
    return (load->stage == WARMING || load->stage == MEASURING) && !load->work->quiet && processors() > 1;
}

static int take_events(Load *load) {
    struct epoll_event events[EVENTS];
    bool spinning = spins(load);
    uint64_t before = spinning ? now_ns() : 0;
    int count = epoll_wait(load->epoll, events, EVENTS, spinning ? 0 : SLEEP_MS);
    if (count < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) peer_ready(load, events[i].data.ptr, events[i].events);
    if (spinning && count <= 0) load->spun_ns += now_ns() - before;
    return count;
}

static void run(Load *load) {
    enter(load, OPENING, OPENING_S);
    while (load->stage != DONE) {
        open_some(load);
        int count = take_events(load);
        uint64_t now = now_ns();
        if (load->work->turn) load->work->turn(load, now);
        watch_progress(load, count > 0, now);
        if (stage_is_over(load, now)) next_stage(load);
    }
}

/* -- the answer ----------------------------------------------------------------------------------- */

static const char *truth(bool value) { return value ? "true" : "false"; }

static void tell_work(const Load *load, double seconds) {
    const Options *options = &load->options;
    const Histogram *latency = &load->latency;
    double count = (double)load->count;
    printf("{\"work\":\"%s\",\"connections\":%d,\"size\":%ld,\"in_flight\":%d,\"tls\":%s,\"deflate\":%s,",
           options->work, options->connections, options->size, options->in_flight, truth(options->tls),
           truth(options->deflate));
    printf("\"seconds\":%.4f,\"count\":%.0f,\"rate\":%.1f,\"payload_bytes\":%.1f,", seconds, count,
           count / seconds, count > 0 ? (double)load->payload_octets / count : 0);
    printf("\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f,",
           (double)histogram_quantile(latency, 0.5) / 1e3, (double)histogram_quantile(latency, 0.99) / 1e3,
           (double)histogram_quantile(latency, 0.999) / 1e3, (double)latency->most / 1e3);
}

static void tell_usage(const Load *load, double elapsed_ns) {
    const Usage *before = &load->before, *after = &load->after;
    double server = (double)(after->server_ns - before->server_ns);
    double own = (double)(after->own_ns - before->own_ns);
    double others = (double)(after->machine_ns - before->machine_ns) - server - own;
    double useful = own > (double)load->spun_ns ? own - (double)load->spun_ns : 0;
    double count = load->count ? (double)load->count : 1;
    const char *limit = "neither";
    if (useful / elapsed_ns > BUSY) limit = "generator";
    if (server / elapsed_ns > BUSY) limit = "server";
    printf("\"server_cpu_us\":%.4f,\"server_rss_kib\":%llu,\"server_busy\":%.3f,", server / count / 1e3,
           (unsigned long long)after->server_rss_kib, server / elapsed_ns);
    printf("\"generator_cpu_us\":%.4f,\"generator_busy\":%.3f,\"limit\":\"%s\",\"foreign\":%.3f,",
           useful / count / 1e3, useful / elapsed_ns, limit,
           others > 0 ? others / elapsed_ns / processors() : 0);
}

static void tell(const Load *load) {
    double elapsed_ns = (double)(load->after.at_ns - load->before.at_ns);
    tell_work(load, elapsed_ns / 1e9);
    tell_usage(load, elapsed_ns);
    if (load->work->tell) load->work->tell(load);
    printf("\"errors\":%llu}\n", (unsigned long long)load->errors);
    fflush(stdout);
}

/* Spares the server's log a word about each of us. Whoever cannot be told is not. */
static void leave(Load *load) {
    load->work = &leaving;
    for (int i = 0; i < load->options.connections; i++) peer_leave(load, &load->peers[i]);
}

int main(int count, char **words) {
    static Load load;
    load.options = options_read(count, words);
    load.work = find_work(load.options.work);
    prepare(&load);
    run(&load);
    tell(&load);
    leave(&load);
    return 0;
}
