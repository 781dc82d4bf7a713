/* What RFC 6455 says about octets, for the generator and the floor: keys, headers, masks. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { FIN = 0x80, RSV1 = 0x40, RSV = 0x70, MASKED = 0x80 };
enum { KEY_LENGTH = 24, ACCEPT_LENGTH = 28, MOST_HEADER = 14 };

/* Sixteen octets become the 24 characters of a Sec-WebSocket-Key. */
void wire_key(const uint8_t random[16], char key[KEY_LENGTH + 1]);

/* The Sec-WebSocket-Accept that answers a key (section 4.2.2). */
void wire_accept(const char key[KEY_LENGTH], char accept[ACCEPT_LENGTH + 1]);

/* Writes the first octets of a frame, without a masking key; returns how many (2, 4 or 10). */
size_t wire_header(uint8_t *out, uint8_t first, uint8_t mask_bit, uint64_t length);

/* How many octets a header has whose second octet is `second`, the masking key included. */
size_t wire_header_length(uint8_t second);

/* The payload length in a whole header. */
uint64_t wire_payload_length(const uint8_t *header);

/* Copies and masks: `at` is where in the payload the first octet stands. `out` may be `in`. */
void wire_mask(uint8_t *out, const uint8_t *in, size_t length, uint32_t key, uint64_t at);

#endif
