/* record.c - building records. */
#include "store/record.h"

#include "base/mem.h"

struct record *record_new(struct slice key, struct slice value)
{
    ensure(key.len <= KEY_BYTES_MAX);
    ensure(value.len <= VALUE_BYTES_MAX);
    struct record *r = mem_alloc(offsetof(struct record, bytes) + key.len + value.len);
    if (r == NULL) {
        return NULL;
    }
    r->item = (struct reclaim_item){0};
    r->id = 0;
    r->version = 0;
    r->value_len = (uint32_t)value.len;
    r->key_len = (uint16_t)key.len;
    if (key.len > 0) {
        memcpy(r->bytes, key.data, key.len);
    }
    if (value.len > 0) {
        memcpy(r->bytes + key.len, value.data, value.len);
    }
    return r;
}

void record_free(struct record *r)
{
    mem_free(r);
}

size_t record_size(const struct record *r)
{
    return offsetof(struct record, bytes) + r->key_len + r->value_len;
}
