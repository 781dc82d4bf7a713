/* What RFC 6455 says about octets. SHA-1 is here because nothing else needs a library of ciphers. */
#include "wire.h"

#include <string.h>

static uint32_t turned(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) {
        const uint8_t *at = block + 4 * i;
        w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 80; i++) w[i] = turned(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t mixed;
        if (i < 20) mixed = (d ^ (b & (c ^ d))) + 0x5A827999;
        else if (i < 40) mixed = (b ^ c ^ d) + 0x6ED9EBA1;
        else if (i < 60) mixed = ((b & c) | (d & (b | c))) + 0x8F1BBCDC;
        else mixed = (b ^ c ^ d) + 0xCA62C1D6;
        uint32_t next = turned(a, 5) + mixed + e + w[i];
        e = d, d = c, c = turned(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* SHA-1 of a text of 56 to 119 octets: two blocks, which is what a key with its GUID takes. */
static void sha1_of_two_blocks(const char *text, size_t length, uint8_t digest[20]) {
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t blocks[128] = {0};
    memcpy(blocks, text, length);
    blocks[length] = 0x80;
    blocks[126] = (uint8_t)(length >> 5);
    blocks[127] = (uint8_t)(length << 3);
    sha1_block(state, blocks);
    sha1_block(state, blocks + 64);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *in, size_t length, char *out) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16;
        if (left > 1) group |= (uint32_t)in[i + 1] << 8;
        if (left > 2) group |= in[i + 2];
        *out++ = letters[group >> 18];
        *out++ = letters[group >> 12 & 63];
        *out++ = left > 1 ? letters[group >> 6 & 63] : '=';
        *out++ = left > 2 ? letters[group & 63] : '=';
    }
    *out = 0;
}

void wire_key(const uint8_t random[16], char key[KEY_LENGTH + 1]) { base64(random, 16, key); }

void wire_accept(const char key[KEY_LENGTH], char accept[ACCEPT_LENGTH + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_LENGTH + sizeof guid];
    uint8_t digest[20];
    memcpy(text, key, KEY_LENGTH);
    memcpy(text + KEY_LENGTH, guid, sizeof guid);
    sha1_of_two_blocks(text, KEY_LENGTH + sizeof guid - 1, digest);
    base64(digest, sizeof digest, accept);
}

size_t wire_header(uint8_t *out, uint8_t first, uint8_t mask_bit, uint64_t length) {
    size_t more = length < 126 ? 0 : length < 65536 ? 2 : 8;
    out[0] = first;
    out[1] = mask_bit | (uint8_t)(more == 0 ? length : more == 2 ? 126 : 127);
    for (size_t i = 0; i < more; i++) out[2 + i] = (uint8_t)(length >> 8 * (more - 1 - i));
    return 2 + more;
}

size_t wire_header_length(uint8_t second) {
    size_t length = second & 127;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (second & MASKED ? 4 : 0);
}

uint64_t wire_payload_length(const uint8_t *header) {
    uint64_t length = header[1] & 127;
    if (length < 126) return length;
    size_t more = length == 126 ? 2 : 8;
    length = 0;
    for (size_t i = 0; i < more; i++) length = length << 8 | header[2 + i];
    return length;
}

typedef uint64_t Lane __attribute__((vector_size(32)));

/* The key as it stands `at` octets into a payload, on a little-endian machine. */
static uint32_t key_at(uint32_t key, uint64_t at) {
    unsigned turn = (unsigned)(at % 4) * 8;
    return turn ? key >> turn | key << (32 - turn) : key;
}

void wire_mask(uint8_t *out, const uint8_t *in, size_t length, uint32_t key, uint64_t at) {
    uint64_t turned_key = key_at(key, at), mask = turned_key << 32 | turned_key, word;
    Lane masks = {mask, mask, mask, mask}, lane;
    size_t i = 0;
    for (; i + sizeof lane <= length; i += sizeof lane) {
        memcpy(&lane, in + i, sizeof lane);
        lane ^= masks;
        memcpy(out + i, &lane, sizeof lane);
    }
    for (; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, in + i, sizeof word);
        word ^= mask;
        memcpy(out + i, &word, sizeof word);
    }
    for (; i < length; i++, mask = mask >> 8 | mask << 56) out[i] = in[i] ^ (uint8_t)mask;
}
