/* segment.c - names and headers of segment files. */
#include "wal/segment.h"

#include "base/crc32c.h"
#include "base/reader.h"

#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_MAGIC  0x4a766b64u /* "dkvJ" */
#define SEGMENT_DIGITS 20u

void segment_name(uint64_t generation, char name[SEGMENT_NAME_BYTES])
{
    snprintf(name, SEGMENT_NAME_BYTES, "%020" PRIu64 ".seg", generation);
}

bool segment_parse_name(const char *name, uint64_t *generation)
{
    uint64_t v = 0;
    for (size_t i = 0; i < SEGMENT_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v)) {
            return false;
        }
    }
    *generation = v;
    return v > 0 && strcmp(name + SEGMENT_DIGITS, ".seg") == 0;
}

void segment_encode(const struct segment_header *h, struct buf *out)
{
    size_t begin = out->len;
    buf_put_u32(out, SEGMENT_MAGIC);
    buf_put_u32(out, h->version);
    buf_put_u64(out, h->owner.cluster);
    buf_put(out, slice_of(h->owner.incarnation, INCARNATION_BYTES));
    buf_put_u64(out, h->generation);
    buf_put_u64(out, h->bytes);
    buf_put_u64(out, h->floor);
    buf_put_u32(out, h->owner.node);
    if (buf_ok(out)) {
        buf_put_u32(out, crc32c(slice_of(out->data + begin, out->len - begin)));
    }
    ensure(!buf_ok(out) || out->len - begin == SEGMENT_HEAD_BYTES);
}

bool segment_decode(struct slice image, struct segment_header *out)
{
    *out = (struct segment_header){0};
    if (image.len < SEGMENT_HEAD_BYTES) {
        return false;
    }
    struct reader r = reader_of(slice_of(image.data, SEGMENT_HEAD_BYTES));
    uint32_t magic = reader_u32(&r);
    out->version = reader_u32(&r);
    out->owner.cluster = reader_u64(&r);
    struct slice incarnation = reader_bytes(&r, INCARNATION_BYTES);
    memcpy(out->owner.incarnation, incarnation.data, INCARNATION_BYTES);
    out->generation = reader_u64(&r);
    out->bytes = reader_u64(&r);
    out->floor = reader_u64(&r);
    out->owner.node = reader_u32(&r);
    uint32_t crc = reader_u32(&r);
    ensure(reader_done(&r));
    return magic == SEGMENT_MAGIC && crc == crc32c(slice_of(image.data, SEGMENT_HEAD_BYTES - sizeof crc));
}

bool segment_owner_eq(const struct segment_owner *a, const struct segment_owner *b)
{
    return a->cluster == b->cluster && a->node == b->node &&
           memcmp(a->incarnation, b->incarnation, INCARNATION_BYTES) == 0;
}

uint32_t segment_seed(const struct segment_owner *owner)
{
    uint8_t ids[12];
    for (size_t i = 0; i < 8; i++) {
        ids[i] = (uint8_t)(owner->cluster >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        ids[8 + i] = (uint8_t)(owner->node >> (8 * i));
    }
    uint32_t crc = crc32c(slice_of(owner->incarnation, INCARNATION_BYTES));
    return crc32c_more(crc, slice_of(ids, sizeof ids));
}

size_t segment_used(struct slice image)
{
    size_t used = image.len;
    while (used > 0 && image.data[used - 1] == 0) {
        used--;
    }
    return (used + 7) / 8 * 8;
}
