/* Values below 64 have a cell each; above, the highest seven bits of a value choose its cell. */
#include "histogram.h"

#include <string.h>

void histogram_clear(Histogram *histogram) { memset(histogram, 0, sizeof *histogram); }

static unsigned cell_of(uint64_t value) {
    if (value < HISTOGRAM_STEPS) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 6u;
    unsigned cell = shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
    return cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1;
}

static uint64_t middle_of(unsigned cell) {
    if (cell < 2 * HISTOGRAM_STEPS) return cell;
    unsigned shift = cell / HISTOGRAM_STEPS - 1;
    uint64_t low = (uint64_t)(cell % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift;
    return low + (1ull << shift) / 2;
}

void histogram_add(Histogram *histogram, uint64_t value) {
    histogram->cell[cell_of(value)]++;
    histogram->count++;
    if (value > histogram->most) histogram->most = value;
}

uint64_t histogram_quantile(const Histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)(share * (double)histogram->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cell[i];
        if (seen > wanted) {
            uint64_t middle = middle_of(i);
            return middle < histogram->most ? middle : histogram->most;
        }
    }
    return histogram->most;
}
