/* reader.c - taking bytes off the front, and giving up when there are too few. */
#include "base/reader.h"

struct slice reader_bytes(struct reader *r, size_t n)
{
    if (n > r->in.len) {
        reader_fail(r);
        return (struct slice){0};
    }
    struct slice taken = slice_of(r->in.data, n);
    if (n > 0) { /* not even NULL + 0 */
        r->in = slice_of(r->in.data + n, r->in.len - n);
    }
    return taken;
}

static uint64_t reader_le(struct reader *r, size_t n)
{
    struct slice s = reader_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        v |= (uint64_t)s.data[i] << (8 * i);
    }
    return v;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)reader_le(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)reader_le(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)reader_le(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return reader_le(r, 8);
}

struct slice reader_blob(struct reader *r, size_t max)
{
    uint32_t len = reader_u32(r);
    if (len > max) {
        reader_fail(r);
        return (struct slice){0};
    }
    return reader_bytes(r, len);
}
