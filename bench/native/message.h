/* The message that is sent again and again: the same octets but for a stamp that says which one it is.

   The stamp is sixteen letters, the message's number and then the sender's, lowest digit first, so
   that of a message too short for it the part that changes remains. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STAMP = 16 };

typedef struct {
    uint8_t *octets; /* what it says, with room for the stamp */
    size_t size;
    uint8_t *body; /* what goes into a frame: the same, or compressed */
    size_t body_size;
    size_t stamp_at, body_stamp_at, stamp_length;
    uint8_t first; /* octet of its frame */
} Message;

void message_make(Message *message, size_t size, bool text, bool json);

/* The message `number` of `sender`, and the payload that carries it; valid until the next call. */
const uint8_t *message_octets(Message *message, uint32_t sender, uint32_t number);
const uint8_t *message_body(Message *message, uint32_t sender, uint32_t number);

/* Whether a piece of what was received is right. Of a long piece the beginning, the end and samples
   in between are looked at; `number` moves them, so that every octet has its turn. */
bool message_agrees(const uint8_t *right, const uint8_t *piece, size_t length, uint32_t number);

#endif
