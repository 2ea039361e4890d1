/* hash.c - the one door to xxHash. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t hash64(struct slice s)
{
    return XXH3_64bits(s.len == 0 ? "" : (const void *)s.data, s.len);
}
