/* Latencies, log-linear: 64 steps to each power of two, so an answer is wrong by at most 1.6 %. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_CELLS = 40 * HISTOGRAM_STEPS };

typedef struct {
    uint64_t cell[HISTOGRAM_CELLS];
    uint64_t count;
    uint64_t most;
} Histogram;

void histogram_clear(Histogram *histogram);
void histogram_add(Histogram *histogram, uint64_t value);

/* The value below which `share` (0..1) of those added lie; 0 if there were none. */
uint64_t histogram_quantile(const Histogram *histogram, double share);

#endif
