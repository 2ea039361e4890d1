/* deadline.h - points in time of a monotonic clock, in milliseconds; UINT64_MAX is never. */
#ifndef DKV_BASE_DEADLINE_H
#define DKV_BASE_DEADLINE_H

#include <stdint.h>

/* The one that comes first. */
static inline uint64_t deadline_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
