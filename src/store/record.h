/* record.h - one key with its value, in one allocation, never changed after it entered a tree. */
#ifndef DKV_STORE_RECORD_H
#define DKV_STORE_RECORD_H

#include "base/limits.h"
#include "base/slice.h"
#include "store/reclaim.h"

struct record {
    struct reclaim_item item; /* private to the tree */
    uint64_t id;              /* log index of the last change */
    uint64_t version;         /* 1 at creation */
    uint32_t value_len;
    uint16_t key_len;
    uint8_t bytes[]; /* the key, then the value */
};

_Static_assert(KEY_BYTES_MAX <= UINT16_MAX, "a legal key does not fit a record");

/* A copy of key and value, within their limits. NULL: no memory. */
struct record *record_new(struct slice key, struct slice value);
void record_free(struct record *r); /* only one that no tree has taken; NULL is fine */

/* Bytes of its allocation. */
size_t record_size(const struct record *r);

static inline struct slice record_key(const struct record *r)
{
    return slice_of(r->bytes, r->key_len);
}

static inline struct slice record_value(const struct record *r)
{
    return slice_of(r->bytes + r->key_len, r->value_len);
}

#endif
