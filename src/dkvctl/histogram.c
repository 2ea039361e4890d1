/* histogram.c - counting in log-linear slots. */
#include "dkvctl/histogram.h"

/* Slots 0 to 63 are the values themselves; then each power of two has 64, the leading one bit left out. */
static size_t histogram_slot(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (size_t)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (size_t)(shift + 1) * HISTOGRAM_STEPS + (size_t)((value >> shift) & (HISTOGRAM_STEPS - 1));
}

/* The largest value of a slot. */
static uint64_t histogram_top(size_t slot)
{
    if (slot < HISTOGRAM_STEPS) {
        return slot;
    }
    unsigned shift = (unsigned)(slot / HISTOGRAM_STEPS) - 1;
    uint64_t low = (HISTOGRAM_STEPS | (slot & (HISTOGRAM_STEPS - 1))) << shift;
    return low + ((1ull << shift) - 1);
}

void histogram_put(struct histogram *h, uint64_t value)
{
    h->counts[histogram_slot(value)]++;
    h->total++;
    h->max = value > h->max ? value : h->max;
}

uint64_t histogram_at(const struct histogram *h, uint32_t ppm)
{
    uint64_t wanted = (uint64_t)((unsigned __int128)h->total * ppm / 1000000u);
    wanted += (unsigned __int128)h->total * ppm % 1000000u != 0; /* round up: not fewer than asked */
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->counts[i];
        if (seen >= wanted && h->counts[i] > 0) {
            uint64_t top = histogram_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}
