/* Sending is made again from what was sent; receiving is compared as it comes. See peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "channel.h"
#include "compression.h"
#include "opening.h"

enum { INFLATE_ONE_IN = 64 };

static void watch(Load *load, Peer *peer, int change) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (peer->wants_room) event.events |= EPOLLOUT;
    if (epoll_ctl(load->epoll, change, peer->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
}

void peer_watch(Load *load, Peer *peer) { watch(load, peer, EPOLL_CTL_ADD); }

void peer_want_room(Load *load, Peer *peer, bool wanted) {
    if (peer->wants_room == wanted) return;
    peer->wants_room = wanted;
    watch(load, peer, EPOLL_CTL_MOD);
}

void peer_drop(Load *load, Peer *peer) {
    if (peer->phase == IDLE) return;
    if (peer->phase < HALF_OPEN) load->opening--;
    else load->open--;
    channel_close(peer);
    free(peer->head);
    free(peer->compressed);
    peer->head = NULL;
    peer->compressed = NULL;
    peer->fd = -1;
    peer->phase = IDLE;
}

void peer_ended(Load *load, Peer *peer, const char *why) {
    if (!load->work->closed) fail("connection %u ended: %s", peer->number, why);
    load->work->closed(load, peer, why);
    peer_drop(load, peer);
}

/* -- sending -------------------------------------------------------------------------------------- */

/* Another key for each message; a server cannot tell it from a random one. */
static uint32_t key_of(uint32_t sender, uint32_t number) {
    uint64_t x = ((uint64_t)sender << 32 | number) * 0x9E3779B97F4A7C15;
    return (uint32_t)(x ^ x >> 32);
}

/* Writes octets of message `number`, from `at` on, as many as there is room for. */
static size_t make_piece(Load *load, const Peer *peer, uint32_t number, uint64_t at, uint8_t *out,
                         size_t room) {
    uint8_t head[MOST_HEADER];
    uint32_t key = key_of(peer->number, number);
    size_t head_length = wire_header(head, load->message.first, MASKED, load->message.body_size), made = 0;
    memcpy(head + head_length, &key, sizeof key);
    head_length += sizeof key;
    if (at < head_length) {
        made = head_length - at < room ? head_length - at : room;
        memcpy(out, head + at, made);
        at += made;
    }
    if (at < head_length) return made;
    uint64_t place = at - head_length, left = load->message.body_size - place;
    size_t length = left < room - made ? left : room - made;
    const uint8_t *body = message_body(&load->message, peer->number, number);
    wire_mask(out + made, body + place, length, key, place);
    return made + length;
}

/* Fills the shared buffer with what comes next; returns how much. */
static size_t make_output(Load *load, const Peer *peer) {
    size_t made = 0;
    uint64_t at = peer->sent_at;
    for (uint32_t number = peer->sent; number != peer->allowed && made < OUTPUT_ROOM; number++) {
        made += make_piece(load, peer, number, at, load->output + made, OUTPUT_ROOM - made);
        at = 0;
    }
    return made;
}

/* Sends; false if not all went out, and then the rest goes when there is room. */
static bool put(Load *load, Peer *peer, const uint8_t *octets, size_t length, size_t *sent) {
    ssize_t n = channel_send(peer, octets, length);
    *sent = n < 0 ? 0 : (size_t)n;
    if (n == CHANNEL_BROKEN) peer_ended(load, peer, errno ? strerror(errno) : "TLS failed");
    else if (*sent < length) peer_want_room(load, peer, true);
    return *sent == length;
}

/* Control frames go between two messages, never into one. */
static bool control_is_out(Load *load, Peer *peer) {
    if (!peer->control_length || peer->sent_at || (peer->must_repeat && !peer->control_sent)) return true;
    size_t sent, length = (size_t)(peer->control_length - peer->control_sent);
    bool all = put(load, peer, peer->control + peer->control_sent, length, &sent);
    peer->control_sent = (uint8_t)(peer->control_sent + sent);
    if (all) peer->control_length = peer->control_sent = 0;
    return all;
}

static void advance(const Load *load, Peer *peer, size_t octets) {
    uint64_t at = peer->sent_at + octets;
    peer->sent += (uint32_t)(at / load->frame_length);
    peer->sent_at = at % load->frame_length;
}

void peer_flush(Load *load, Peer *peer) {
    while (control_is_out(load, peer)) {
        size_t sent, length = make_output(load, peer);
        if (length == 0) {
            peer_want_room(load, peer, false);
            return;
        }
        bool all = put(load, peer, load->output, length, &sent);
        if (peer->phase == IDLE) return;
        advance(load, peer, sent);
        if (!all) return;
    }
}

/* One at a time: while one is half-way out, another is left unsaid. */
static void send_control(Load *load, Peer *peer, uint8_t opcode, const uint8_t *payload, size_t length) {
    if (peer->control_sent || peer->must_repeat) return;
    uint32_t key = key_of(peer->number, peer->received ^ opcode);
    size_t head = wire_header(peer->control, FIN | opcode, MASKED, length);
    memcpy(peer->control + head, &key, sizeof key);
    wire_mask(peer->control + head + sizeof key, payload, length, key, 0);
    peer->control_length = (uint8_t)(head + sizeof key + length);
    peer_flush(load, peer);
}

void peer_close(Load *load, Peer *peer) {
    static const uint8_t normal[2] = {0x03, 0xE8};
    peer->phase = CLOSING;
    send_control(load, peer, CLOSE, normal, sizeof normal);
}

void peer_leave(Load *load, Peer *peer) {
    if (peer->phase != TALKING || peer->sent_at || peer->wants_room) return;
    peer_close(load, peer);
}

/* -- receiving ------------------------------------------------------------------------------------ */

static bool is_control(const Peer *peer) { return (peer->first & 15) >= CLOSE; }

static void judge_control(const Peer *peer) {
    if (!(peer->first & FIN) || peer->first & RSV || peer->payload_left > MOST_CONTROL)
        fail("a wrong control frame: first octet 0x%02x, %llu octets", peer->first,
             (unsigned long long)peer->payload_left);
}

static void judge_message(const Load *load, const Peer *peer) {
    uint8_t opcode = peer->first & 15, wanted = load->message.first & 15;
    unsigned long long length = peer->payload_left;
    size_t size = load->message.size;
    bool compressed = peer->first & RSV1;
    if (!(peer->first & FIN) || opcode == CONTINUATION)
        fail("the server fragments messages (first octet 0x%02x): not taken here", peer->first);
    if (peer->first & RSV & ~(load->options.deflate ? RSV1 : 0))
        fail("a reserved bit is set: first octet 0x%02x", peer->first);
    if (opcode != wanted) fail("wrong opcode: 0x%x instead of 0x%x", opcode, wanted);
    if (compressed ? length > size + size / 8 + 64 : length != size)
        fail("wrong length: %llu octets instead of %zu%s", length, size, compressed ? ", compressed" : "");
}

static void begin_payload(Load *load, Peer *peer, uint8_t first, uint64_t length) {
    peer->first = first;
    peer->in_payload = true;
    peer->payload_at = 0;
    peer->payload_left = length;
    if (is_control(peer)) {
        judge_control(peer);
        return;
    }
    judge_message(load, peer);
    load->payload_octets += length;
    bool sampled = (peer->received + peer->number) % INFLATE_ONE_IN == 0;
    if (first & RSV1 && sampled) peer->compressed = malloc(length + 1);
}

static const uint8_t *expected(Load *load, const Peer *peer) {
    uint32_t sender = load->work->one_speaker ? 0 : peer->number;
    return message_octets(&load->message, sender, peer->received);
}

static _Noreturn void wrong_octets(const Peer *peer) {
    fail("wrong octets in message %u of connection %u, near octet %llu", peer->received, peer->number,
         (unsigned long long)peer->payload_at);
}

static void check_piece(Load *load, Peer *peer, const uint8_t *piece, size_t length) {
    if (peer->compressed) memcpy(peer->compressed + peer->payload_at, piece, length);
    if (peer->first & RSV1) return;
    const uint8_t *right = expected(load, peer) + peer->payload_at;
    if (!message_agrees(right, piece, length, peer->received)) wrong_octets(peer);
}

static void message_done(Load *load, Peer *peer, uint64_t now) {
    if (peer->compressed) {
        const uint8_t *right = expected(load, peer);
        if (!compression_agrees(load, peer->compressed, (size_t)peer->payload_at, right)) wrong_octets(peer);
        free(peer->compressed);
        peer->compressed = NULL;
    }
    if (!load->work->message) fail("a message that nobody asked for");
    load->work->message(load, peer, now);
    peer->received++;
}

static void control_done(Load *load, Peer *peer) {
    size_t length = (size_t)peer->payload_at;
    uint8_t opcode = peer->first & 15;
    if (opcode == PING && peer->phase == TALKING) send_control(load, peer, PONG, peer->heard, length);
    if (opcode != CLOSE) return;
    peer->said_close = true;
    if (!load->work->closed)
        fail("the server closed connection %u with %d", peer->number,
             length < 2 ? 1005 : peer->heard[0] << 8 | peer->heard[1]);
    if (peer->phase == TALKING) peer_close(load, peer);
}

static size_t take_payload(Load *load, Peer *peer, const uint8_t *input, size_t length, uint64_t now) {
    if (length > peer->payload_left) length = (size_t)peer->payload_left;
    if (is_control(peer)) memcpy(peer->heard + peer->payload_at, input, length);
    else check_piece(load, peer, input, length);
    peer->payload_at += length;
    peer->payload_left -= length;
    if (peer->payload_left) return length;
    peer->in_payload = false;
    if (is_control(peer)) control_done(load, peer);
    else message_done(load, peer, now);
    return length;
}

/* Takes octets of a header; returns how many. The usual header, in one piece, is known by sight. */
static size_t take_header(Load *load, Peer *peer, const uint8_t *input, size_t length) {
    size_t usual = load->usual_head_length, taken = 0;
    if (!peer->header_have && length >= usual && memcmp(input, load->usual_head, usual) == 0) {
        begin_payload(load, peer, load->usual_head[0], load->message.size);
        return usual;
    }
    while (taken < length) {
        peer->header[peer->header_have++] = input[taken++];
        if (peer->header_have < 2 || peer->header_have < wire_header_length(peer->header[1])) continue;
        if (peer->header[1] & MASKED) fail("the server masks its frames");
        peer->header_have = 0;
        begin_payload(load, peer, peer->header[0], wire_payload_length(peer->header));
        break;
    }
    return taken;
}

void peer_take_frames(Load *load, Peer *peer, const uint8_t *input, size_t length, uint64_t now) {
    /* An empty payload is done without another octet. */
    while (peer->phase >= TALKING && (length || (peer->in_payload && !peer->payload_left))) {
        size_t taken = peer->in_payload ? take_payload(load, peer, input, length, now)
                                        : take_header(load, peer, input, length);
        input += taken;
        length -= taken;
    }
}

/* -- events --------------------------------------------------------------------------------------- */

static void receive(Load *load, Peer *peer) {
    ssize_t n = channel_receive(peer, load->input, INPUT_ROOM);
    if (n == CHANNEL_NOT_NOW) return;
    if (n <= 0) {
        peer_ended(load, peer, n == 0 ? "end of stream" : errno ? strerror(errno) : "TLS failed");
        return;
    }
    uint64_t now = now_ns();
    if (peer->phase == ASKING) opening_take(load, peer, load->input, (size_t)n, now);
    else peer_take_frames(load, peer, load->input, (size_t)n, now);
    if (peer->phase == IDLE || !peer->tls) return;
    /* What OpenSSL holds is not seen by epoll: the end, or more than there was room for. */
    if (peer->over) peer_ended(load, peer, "end of stream");
    else if (n == INPUT_ROOM) receive(load, peer);
}

void peer_ready(Load *load, Peer *peer, uint32_t events) {
    if (peer->phase == CONNECTING || peer->phase == SECURING) {
        opening_go_on(load, peer);
        return;
    }
    if (events & ~(uint32_t)EPOLLOUT) receive(load, peer);
    if (peer->phase < TALKING) return;
    if (peer->sent != peer->allowed || peer->control_length || peer->wants_room) peer_flush(load, peer);
}
