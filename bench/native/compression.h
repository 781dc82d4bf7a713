/* permessage-deflate for the generator, without context takeover in either direction. */
#ifndef COMPRESSION_H
#define COMPRESSION_H

#include "load.h"

/* Makes the body of the message a compressed one. Fails if this was built without zlib. */
void compression_prepare(Load *load);

/* Whether a compressed payload says just this. */
bool compression_agrees(Load *load, const uint8_t *payload, size_t length, const uint8_t *right);

#endif
