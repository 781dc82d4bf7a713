/* The floor: the least a WebSocket server can do on this kernel, as the measure of all others.

   floor echo|fanout --port P [--whole]; prints `listening PORT`; port 0 picks one.

   epoll, level-triggered; one recv for each ready socket and turn into one shared buffer; unmasked
   where it lies; all answers of a turn in one send. `echo` passes on what is there before a message
   is whole, which no server with messages can; with --whole it waits, with one buffer for each
   connection that needed one. `fanout` encodes a message once, and each subscriber gets all
   messages of a turn in one send. No limits, no checks, no UTF-8, no fragments: not a server. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

/* FRONT: an answer's header may need room before the payload that it is put in front of. */
enum { EVENTS = 512, INPUT = 256 * 1024, FRONT = 16, MOST_HEAD = 8192, MOST_ACCEPTED = 64 };

typedef struct {
    int fd;
    uint32_t place;      /* among all lines */
    bool open;           /* the opening handshake is done */
    bool collecting;     /* the present message goes into `store` */
    bool closing;        /* close it when the rest is out */
    bool broken;
    uint8_t have;        /* octets of a header that was cut */
    uint8_t header[MOST_HEADER];
    uint32_t key;
    uint64_t at, length; /* of the present payload; at == length: none */
    uint8_t *store;      /* FRONT octets and a payload, or a request head that was cut */
    size_t room;
    uint8_t *rest;       /* what the socket did not take: in `store`, or in `owned` */
    size_t rest_length;
    uint8_t *owned;
} Line;

static int epoll, listener;
static bool fanout, whole;
static Line **lines;
static uint32_t line_count, line_room;
static uint8_t input[FRONT + INPUT];
static uint8_t *news; /* fan-out: the frames of this turn */
static size_t news_length, news_room;

static void *grown(void *old, size_t size) {
    void *block = realloc(old, size);
    if (!block) abort();
    return block;
}

static void watch(Line *line, int change) {
    struct epoll_event event = {.data.ptr = line};
    event.events = line->rest_length ? EPOLLOUT : EPOLLIN; /* nothing is read while it can't answer */
    epoll_ctl(epoll, change, line->fd, &event);
}

static void drop(Line *line) {
    Line *last = lines[--line_count];
    lines[line->place] = last;
    last->place = line->place;
    close(line->fd);
    free(line->store);
    free(line->owned);
    free(line);
}

/* -- sending -------------------------------------------------------------------------------------- */

/* Sends what it can; returns what is left, and notes a broken line. */
static size_t push(Line *line, const uint8_t *octets, size_t length) {
    ssize_t n = send(line->fd, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) line->broken = true;
    return n < 0 ? length : length - (size_t)n;
}

/* Octets that stay where they are until they are sent. */
static void push_kept(Line *line, uint8_t *octets, size_t length) {
    size_t left = push(line, octets, length);
    line->rest = octets + length - left;
    line->rest_length = left;
    if (left) watch(line, EPOLL_CTL_MOD);
}

/* Octets that will be gone: what is not sent now is copied. */
static void push_lent(Line *line, const uint8_t *octets, size_t length) {
    size_t before = line->rest_length, left = before ? length : push(line, octets, length);
    if (!left) return;
    uint8_t *rest = grown(NULL, before + left);
    if (before) memcpy(rest, line->rest, before);
    memcpy(rest + before, octets + length - left, left);
    free(line->owned);
    line->owned = line->rest = rest;
    line->rest_length = before + left;
    if (!before) watch(line, EPOLL_CTL_MOD);
}

static void push_rest(Line *line) {
    size_t left = push(line, line->rest, line->rest_length);
    line->rest += line->rest_length - left;
    line->rest_length = left;
    if (left) return;
    free(line->owned);
    line->owned = NULL;
    watch(line, EPOLL_CTL_MOD);
}

static void publish(uint8_t first, const uint8_t *payload, size_t length) {
    size_t needed = news_length + MOST_HEADER + length;
    if (needed > news_room) news = grown(news, news_room = 2 * needed);
    news_length += wire_header(news + news_length, first, 0, length);
    memcpy(news + news_length, payload, length);
    news_length += length;
}

static void publish_news(void) {
    for (uint32_t i = line_count; i-- > 0;) {
        Line *line = lines[i];
        if (line->open) push_lent(line, news, news_length);
        if (line->broken) drop(line); /* the last takes its place, and has had its turn */
    }
    news_length = 0;
}

/* -- frames --------------------------------------------------------------------------------------- */

static bool is_control(const Line *line) { return (line->header[0] & 15) >= CLOSE; }

static bool is_shared(const Line *line) { return fanout && !is_control(line); }

/* The first octets of the answer to the present frame. Who said Close is left when that is answered. */
static size_t answer_header(Line *line, uint8_t *out) {
    uint8_t opcode = line->header[0] & 15;
    line->closing = opcode == CLOSE;
    return wire_header(out, opcode == PING ? FIN | PONG : line->header[0], 0, line->length);
}

static void begin_store(Line *line) {
    if (line->room < FRONT + line->length) {
        line->room = FRONT + line->length;
        free(line->store);
        line->store = grown(NULL, line->room);
    }
    line->collecting = true;
}

/* The stored message is whole. It is sent from where it lies. */
static void store_done(Line *line) {
    uint8_t head[MOST_HEADER], *payload = line->store + FRONT;
    line->collecting = false;
    if (is_shared(line)) {
        publish(line->header[0], payload, line->length);
        return;
    }
    size_t length = answer_header(line, head);
    memcpy(payload - length, head, length);
    push_kept(line, payload - length, length + line->length);
}

static void to_store(Line *line, const uint8_t *in, size_t length) {
    wire_mask(line->store + FRONT + line->at, in, length, line->key, line->at);
    line->at += length;
    if (line->at == line->length) store_done(line);
}

/* Takes what is there of the present payload; returns where the next answer goes. */
static uint8_t *take_payload(Line *line, const uint8_t *in, size_t length, uint8_t *out) {
    if (line->collecting) {
        to_store(line, in, length);
        return out;
    }
    wire_mask(out, in, length, line->key, line->at);
    line->at += length;
    if (!is_shared(line)) return out + length;
    publish(line->header[0], out, length);
    return out;
}

static bool take_header(Line *line, const uint8_t **in, const uint8_t *end) {
    size_t length;
    do {
        if (*in == end) return false;
        line->header[line->have++] = *(*in)++;
        length = line->have < 2 ? MOST_HEADER : wire_header_length(line->header[1]);
    } while (line->have < length);
    line->have = 0;
    line->at = 0;
    line->length = wire_payload_length(line->header);
    memcpy(&line->key, line->header + length - 4, 4);
    return true;
}

/* A message is waited for, or its answer begins at once: in `out`, which never passes what is read,
   because our header is shorter than a client's. */
static uint8_t *begin_payload(Line *line, size_t here, uint8_t *out) {
    bool waits = whole || fanout || is_control(line);
    if (waits && line->length > here) begin_store(line);
    else if (!is_shared(line)) out += answer_header(line, out);
    return out;
}

/* Unmasks all frames in `in` to `out`, which is at least FRONT octets before it, and sends that. */
static void take_frames(Line *line, const uint8_t *in, size_t length, uint8_t *out) {
    const uint8_t *end = in + length;
    uint8_t *answers = out;
    while (in < end && !line->closing) {
        if (line->at == line->length) {
            if (!take_header(line, &in, end)) break;
            out = begin_payload(line, (size_t)(end - in), out);
        }
        size_t left = (size_t)(line->length - line->at), here = (size_t)(end - in);
        if (here > left) here = left;
        out = take_payload(line, in, here, out);
        in += here;
    }
    if (out > answers) push_lent(line, answers, (size_t)(out - answers));
}

/* -- the opening handshake ------------------------------------------------------------------------ */

static const char *find_key(const char *head) {
    static const char name[] = "\r\nSec-WebSocket-Key:";
    const char *found = strcasestr(head, name);
    if (!found) return NULL;
    found += sizeof name - 1;
    return found + strspn(found, " ");
}

static void answer_head(Line *line, const char *head) {
    char accept[ACCEPT_LENGTH + 1], answer[256];
    const char *key = find_key(head);
    if (!key || strlen(key) < KEY_LENGTH) {
        line->broken = true;
        return;
    }
    wire_accept(key, accept);
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
    push_lent(line, (uint8_t *)answer, (size_t)length);
    line->open = true;
}

static void keep_head(Line *line, const uint8_t *octets, size_t length) {
    line->broken = line->at + length > MOST_HEAD;
    if (line->broken) return;
    line->store = grown(line->store, line->at + length + 1);
    memcpy(line->store + line->at, octets, length);
    line->at += length;
}

/* A client waits for our answer before its first frame, so nothing comes after a head. */
static void take_head(Line *line, uint8_t *in, size_t length) {
    if (line->at || length < 4 || memcmp(in + length - 4, "\r\n\r\n", 4)) {
        keep_head(line, in, length);
        in = line->store;
        length = (size_t)line->at;
        if (length < 4 || memcmp(in + length - 4, "\r\n\r\n", 4)) return;
    }
    in[length] = 0;
    answer_head(line, (char *)in);
    free(line->store);
    line->store = NULL;
    line->at = 0;
}

/* -- events --------------------------------------------------------------------------------------- */

static void receive(Line *line) {
    uint8_t *to = input + FRONT;
    size_t room = INPUT - 1;
    if (line->collecting) { /* the rest of a large message goes where it belongs */
        to = line->store + FRONT + line->at;
        room = (size_t)(line->length - line->at);
    }
    ssize_t n = recv(line->fd, to, room, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) line->broken = true;
    else if (line->collecting) to_store(line, to, (size_t)n);
    else if (line->open) take_frames(line, to, (size_t)n, input);
    else take_head(line, to, (size_t)n);
}

static void ready(Line *line) {
    if (line->rest_length) push_rest(line);
    else receive(line);
    if (line->broken || (line->closing && !line->rest_length)) drop(line);
}

static void accept_some(void) {
    int yes = 1;
    for (int i = 0; i < MOST_ACCEPTED; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (line_count == line_room) {
            line_room = 2 * line_room + 64;
            lines = grown(lines, line_room * sizeof *lines);
        }
        Line *line = calloc(1, sizeof *line);
        if (!line) abort();
        line->fd = fd;
        line->place = line_count;
        lines[line_count++] = line;
        watch(line, EPOLL_CTL_ADD);
    }
}

static void serve(void) {
    struct epoll_event events[EVENTS], arrivals = {.events = EPOLLIN};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &arrivals);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) ready(events[i].data.ptr);
            else accept_some();
        }
        if (news_length) publish_news();
    }
}

static void listen_on(int port) {
    int yes = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("floor");
        exit(1);
    }
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("listening %d\n", ntohs(at.sin_port));
    fflush(stdout);
}

int main(int count, char **words) {
    int port = -1;
    for (int i = 2; i < count; i++) {
        if (strcmp(words[i], "--whole") == 0) whole = true;
        else if (strcmp(words[i], "--port") == 0 && i + 1 < count) port = atoi(words[++i]);
        else port = -2;
    }
    fanout = count > 1 && strcmp(words[1], "fanout") == 0;
    if (port < 0 || (!fanout && strcmp(words[1], "echo"))) {
        fputs("floor echo|fanout --port P [--whole]\n", stderr);
        return 2;
    }
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    listen_on(port);
    serve();
}
