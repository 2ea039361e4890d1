/* histogram.h - how often which duration: log-linear, as HdrHistogram by G. Tene.
 *
 * Values below 64 are counted exactly, larger ones in 64 steps per power of two: what is read back is at most
 * 1/64 too large. */
#ifndef DKV_DKVCTL_HISTOGRAM_H
#define DKV_DKVCTL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BITS  6
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_SLOTS ((size_t)(64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

/* All zero is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_SLOTS];
    uint64_t total;
    uint64_t max;
};

/* Count one value. */
void histogram_put(struct histogram *h, uint64_t value);

/* The value that ppm parts per million of all are not above; 0 when empty. 1,000,000 is the maximum. */
uint64_t histogram_at(const struct histogram *h, uint32_t ppm);

#endif
