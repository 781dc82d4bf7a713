/* The request goes out at once, and the answer is judged as section 4.1 of RFC 6455 says. */
#define _GNU_SOURCE
#include "opening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "channel.h"
#include "peer.h"

enum { HEAD_ROOM = 4096, REQUEST_ROOM = 2048, SOURCES = 200, MOST_FROM_ONE = 20000 };

static const char offer[] = "Sec-WebSocket-Extensions: permessage-deflate; "
                            "client_no_context_takeover; server_no_context_takeover\r\n";

/* One address has some 28,000 ports, and a port rests for a while after it was used. */
static void choose_source(Load *load, const Peer *peer) {
    const Options *options = &load->options;
    int yes = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    if (!load->work->many_sources && options->connections <= MOST_FROM_ONE) return;
    if (ntohl(options->host.s_addr) >> 24 != 127) return;
    from.sin_addr.s_addr = htonl(0x7F000001 + ((1 + load->asked % SOURCES) << 8));
    setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(peer->fd, (struct sockaddr *)&from, sizeof from)) fail("bind: %s", strerror(errno));
}

static void answered(Load *load, Peer *peer, enum Phase phase) {
    peer->phase = phase;
    load->opening--;
    load->open++;
    if (load->work->opened) load->work->opened(load, peer);
}

static size_t make_request(const Load *load, Peer *peer, char *out, size_t room) {
    uint8_t random[16];
    char key[KEY_LENGTH + 1], host[INET_ADDRSTRLEN];
    if (getrandom(random, sizeof random, 0) != sizeof random) fail("getrandom: %s", strerror(errno));
    wire_key(random, key);
    wire_accept(key, peer->accept);
    inet_ntop(AF_INET, &load->options.host, host, sizeof host);
    int length = snprintf(out, room,
                          "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\n%s\r\n",
                          load->options.path, host, load->options.port, key,
                          load->options.deflate ? offer : "");
    if ((size_t)length >= room) fail("--path is too long");
    return (size_t)length;
}

/* Sends the request. A socket that is not connected yet says "not now". */
static void ask(Load *load, Peer *peer) {
    char request[REQUEST_ROOM];
    size_t length = make_request(load, peer, request, sizeof request);
    if (load->options.half_open) length /= 2;
    ssize_t n = channel_send(peer, request, length);
    if (n == CHANNEL_BROKEN) {
        peer_ended(load, peer, errno ? strerror(errno) : "TLS failed");
        return;
    }
    peer_want_room(load, peer, n == CHANNEL_NOT_NOW);
    if (n == CHANNEL_NOT_NOW) return;
    if ((size_t)n != length) fail("a fresh socket took half a request");
    if (load->options.half_open) answered(load, peer, HALF_OPEN);
    else peer->phase = ASKING;
}

static void secure(Load *load, Peer *peer) {
    int result = channel_secure(peer);
    if (result == CHANNEL_NOT_NOW) return;
    if (result != 1) peer_ended(load, peer, "the TLS handshake failed");
    else ask(load, peer);
}

void opening_go_on(Load *load, Peer *peer) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        peer_ended(load, peer, strerror(error));
        return;
    }
    if (!load->options.tls) {
        ask(load, peer);
        return;
    }
    peer->phase = SECURING;
    peer_want_room(load, peer, false);
    secure(load, peer);
}

static void forget(Peer *peer) {
    uint32_t number = peer->number;
    uint64_t *times = peer->times;
    memset(peer, 0, sizeof *peer);
    peer->number = number;
    peer->times = times;
}

void opening_begin(Load *load, Peer *peer) {
    const Options *options = &load->options;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)options->port), .sin_addr = options->host};
    int yes = 1;
    forget(peer);
    peer->since = now_ns();
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) fail("socket: %s", strerror(errno));
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    choose_source(load, peer);
    peer->phase = CONNECTING;
    load->asked++;
    load->opening++;
    if (connect(peer->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
        peer_ended(load, peer, strerror(errno));
        return;
    }
    peer->wants_room = options->tls;
    peer_watch(load, peer);
    /* On the loopback the socket is connected by now, and need not be waited for. */
    if (!options->tls) ask(load, peer);
}

/* The value of a header and its length, 0 if there is none. */
static const char *header_value(const char *head, const char *name, size_t *length) {
    size_t name_length = strlen(name);
    *length = 0;
    for (const char *line = head; (line = strstr(line, "\r\n"));) {
        line += 2;
        if (strncasecmp(line, name, name_length) || line[name_length] != ':') continue;
        line += name_length + 1;
        line += strspn(line, " \t");
        *length = strcspn(line, "\r\n");
        while (*length && (line[*length - 1] == ' ' || line[*length - 1] == '\t')) --*length;
        return line;
    }
    return "";
}

static bool has_word(const char *value, size_t length, const char *word) {
    return memmem(value, length, word, strlen(word)) != NULL;
}

static void judge_extensions(const Load *load, const char *value, size_t length) {
    if (!load->options.deflate && length) fail("an extension that was not offered: %.*s", (int)length, value);
    if (!load->options.deflate) return;
    if (!has_word(value, length, "permessage-deflate")) fail("the server does not compress");
    if (!has_word(value, length, "server_no_context_takeover"))
        fail("the server wants to keep context: %.*s", (int)length, value);
}

static void judge_answer(const Load *load, const Peer *peer) {
    const char *head = peer->head, *value;
    size_t length;
    if (strncmp(head, "HTTP/1.1 101", 12)) fail("no 101: %.*s", (int)strcspn(head, "\r\n"), head);
    value = header_value(head, "Upgrade", &length);
    if (length != 9 || strncasecmp(value, "websocket", 9)) fail("no Upgrade: websocket");
    value = header_value(head, "Sec-WebSocket-Accept", &length);
    if (length != ACCEPT_LENGTH || memcmp(value, peer->accept, ACCEPT_LENGTH))
        fail("wrong Sec-WebSocket-Accept");
    value = header_value(head, "Sec-WebSocket-Extensions", &length);
    judge_extensions(load, value, length);
}

void opening_take(Load *load, Peer *peer, const uint8_t *input, size_t length, uint64_t now) {
    size_t before = peer->head_length, room = HEAD_ROOM - before, some = length < room ? length : room;
    if (!peer->head) peer->head = malloc(HEAD_ROOM + 1);
    if (!peer->head) abort();
    memcpy(peer->head + before, input, some);
    peer->head_length += some;
    peer->head[peer->head_length] = 0;
    const char *end = strstr(peer->head, "\r\n\r\n");
    if (!end && peer->head_length == HEAD_ROOM) fail("an answer of more than %d octets", HEAD_ROOM);
    if (!end) return;
    size_t used = (size_t)(end + 4 - peer->head) - before;
    judge_answer(load, peer);
    free(peer->head);
    peer->head = NULL;
    answered(load, peer, TALKING);
    peer_take_frames(load, peer, input + used, length - used, now);
}
