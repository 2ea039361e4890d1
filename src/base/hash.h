/* hash.h - 64-bit XXH3. The result is part of the on-disk and wire formats: it never changes. */
#ifndef DKV_BASE_HASH_H
#define DKV_BASE_HASH_H

#include "base/slice.h"

/* Of the bytes of s, with seed 0. */
uint64_t hash64(struct slice s);

#endif
