/* Two kinds of content: letters without a pattern, and a JSON document that compresses like one. */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum { WINDOW = 64, STRIDE = 1024, JSON_STAMP_AT = 10 };

/* Letters without a pattern, so that an octet in the wrong place is the wrong octet. */
static void fill_letters(uint8_t *out, size_t size) {
    uint64_t state = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        out[i] = (uint8_t)('a' + (state >> 32) % 26);
    }
}

/* A list of events as services send them: repeated names, varied values. The rest is blanks. */
static void fill_json(uint8_t *out, size_t size) {
    static const char *const kinds[] = {"trade", "quote", "order", "cancel"};
    static const char *const names[] = {"EURUSD", "BTC-USD", "AAPL", "VOD.L", "7203.T"};
    const char *head = "{\"stamp\":\"................\",\"events\":[";
    char row[160];
    uint64_t state = 0x9E3779B97F4A7C15;
    size_t at = strlen(head);
    memset(out, ' ', size);
    if (size < at + 2) return;
    memcpy(out, head, at);
    for (unsigned i = 0;; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        int length = snprintf(row, sizeof row,
                              "%s{\"id\":%u,\"kind\":\"%s\",\"name\":\"%s\",\"price\":%u.%02u,\"size\":%u}",
                              i ? "," : "", 100000 + i, kinds[state % 4], names[(state >> 8) % 5],
                              (unsigned)(state >> 16) % 1000, (unsigned)(state >> 28) % 100,
                              (unsigned)(state >> 40) % 5000);
        if (at + (size_t)length + 2 > size) break;
        memcpy(out + at, row, (size_t)length);
        at += (size_t)length;
    }
    memcpy(out + at, "]}", 2);
}

void message_make(Message *message, size_t size, bool text, bool json) {
    message->octets = message->body = calloc(1, size + STAMP);
    if (!message->octets) abort();
    message->size = message->body_size = size;
    message->first = FIN | (text ? TEXT : BINARY);
    if (json) fill_json(message->octets, size);
    else fill_letters(message->octets, size);
    message->stamp_at = message->body_stamp_at = json && size >= JSON_STAMP_AT + STAMP ? JSON_STAMP_AT : 0;
    message->stamp_length = size < STAMP ? size : STAMP;
}

/* Each half octet becomes one of sixteen letters, all eight at once. */
static uint64_t letters(uint32_t number) {
    uint64_t x = number;
    x = (x | x << 16) & 0x0000FFFF0000FFFF;
    x = (x | x << 8) & 0x00FF00FF00FF00FF;
    x = (x | x << 4) & 0x0F0F0F0F0F0F0F0F;
    return x + 0x6161616161616161;
}

static void stamp(uint8_t *out, size_t length, uint32_t sender, uint32_t number) {
    uint64_t stamp[2] = {letters(number), letters(sender)};
    if (length == STAMP) memcpy(out, stamp, STAMP); /* a length the compiler knows is two stores */
    else memcpy(out, stamp, length);
}

const uint8_t *message_octets(Message *message, uint32_t sender, uint32_t number) {
    stamp(message->octets + message->stamp_at, message->stamp_length, sender, number);
    return message->octets;
}

const uint8_t *message_body(Message *message, uint32_t sender, uint32_t number) {
    stamp(message->body + message->body_stamp_at, message->stamp_length, sender, number);
    return message->body;
}

bool message_agrees(const uint8_t *right, const uint8_t *piece, size_t length, uint32_t number) {
    if (length <= 2 * WINDOW) return memcmp(piece, right, length) == 0;
    size_t last = length - WINDOW;
    if (memcmp(piece, right, WINDOW) || memcmp(piece + last, right + last, WINDOW)) return false;
    for (size_t i = number * (size_t)WINDOW % STRIDE; i < last; i += STRIDE)
        if (memcmp(piece + i, right + i, WINDOW)) return false;
    return true;
}
