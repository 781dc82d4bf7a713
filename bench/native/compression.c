/* The stamp changes with every message, and compressing each anew would cost the generator more than
   the rest. So the beginning, with the stamp in it, goes into a stored block, which may be altered in
   place; what follows was compressed once. Any inflater takes that. */
#include "compression.h"

#ifndef HAVE_ZLIB

void compression_prepare(Load *load) {
    (void)load;
    fail("--deflate needs zlib: this was built without its headers");
}

bool compression_agrees(Load *load, const uint8_t *payload, size_t length, const uint8_t *right) {
    (void)load, (void)payload, (void)length, (void)right;
    return false;
}

#else

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "wire.h"

enum { STORED_HEAD = 5, TAIL = 4, RAW = -15 };
static const uint8_t tail[TAIL] = {0, 0, 0xFF, 0xFF};

static z_stream inflater;
static uint8_t *inflated;

/* Compresses up to a sync flush, whose last four octets a message leaves out; returns the length. */
static size_t compress_rest(const uint8_t *octets, size_t size, uint8_t *out, size_t room) {
    z_stream deflater = {0};
    if (deflateInit2(&deflater, 6, Z_DEFLATED, RAW, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    deflater.next_in = (Bytef *)octets;
    deflater.avail_in = (uInt)size;
    deflater.next_out = out;
    deflater.avail_out = (uInt)room;
    if (deflate(&deflater, Z_SYNC_FLUSH) != Z_OK || deflater.avail_in) abort();
    size_t length = room - deflater.avail_out - TAIL;
    deflateEnd(&deflater);
    return length;
}

void compression_prepare(Load *load) {
    Message *message = &load->message;
    size_t stored = message->stamp_at + message->stamp_length, rest = message->size - stored;
    size_t room = rest + rest / 100 + 256;
    uint8_t *body = malloc(STORED_HEAD + stored + room);
    inflated = malloc(message->size + 1);
    if (!body || !inflated || inflateInit2(&inflater, RAW) != Z_OK) abort();
    body[0] = 0;
    body[1] = (uint8_t)stored, body[2] = 0;
    body[3] = (uint8_t)~stored, body[4] = 0xFF;
    memcpy(body + STORED_HEAD, message->octets, stored);
    message->body = body;
    message->body_stamp_at = STORED_HEAD + message->stamp_at;
    message->body_size = STORED_HEAD + stored +
        compress_rest(message->octets + stored, rest, body + STORED_HEAD + stored, room);
    message->first |= RSV1;
}

static bool inflate_some(const uint8_t *octets, size_t length) {
    inflater.next_in = (Bytef *)octets;
    inflater.avail_in = (uInt)length;
    int result = inflate(&inflater, Z_SYNC_FLUSH);
    return result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END;
}

bool compression_agrees(Load *load, const uint8_t *payload, size_t length, const uint8_t *right) {
    size_t size = load->message.size;
    inflateReset(&inflater);
    inflater.next_out = inflated;
    inflater.avail_out = (uInt)size + 1;
    if (!inflate_some(payload, length) || !inflate_some(tail, TAIL)) return false;
    return inflater.avail_out == 1 && memcmp(inflated, right, size) == 0;
}

#endif
