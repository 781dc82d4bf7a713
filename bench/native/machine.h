/* What the kernel knows about time: the clock, and who had how much of the processors. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>
#include <sys/types.h>

typedef struct {
    uint64_t at_ns;
    uint64_t own_ns;     /* processor time of this process */
    uint64_t server_ns;  /* of the server, its descendants and all their threads */
    uint64_t machine_ns; /* of everybody, on all processors, including what the host stole */
    uint64_t server_rss_kib;
} Usage;

uint64_t now_ns(void);

/* Reads all of Usage. `server` 0: none is watched. Takes about a millisecond. */
Usage usage_now(pid_t server);

int processors(void);

#endif
