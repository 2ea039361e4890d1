/* batch.c - batch headers and checksums. */
#include "wal/batch.h"

#include "base/crc32c.h"
#include "base/limits.h"
#include "base/reader.h"

#define BATCH_MAGIC 0x42766b64u /* "dkvB" */

/* Offsets of fields in the header. The checksum covers all that stands after it. */
enum {
    BATCH_AT_CRC = 4,
    BATCH_AT_BODY_CRC = 8,
    BATCH_AT_LENGTH = 12,
    BATCH_AT_GENERATION = 16,
    BATCH_AT_NUMBER = 24,
    BATCH_AT_SYNCED = 32,
    BATCH_AT_FLAGS = 40,
    BATCH_AT_ZERO = 44
};

void batch_begin(struct buf *b)
{
    ensure(b->len == 0);
    uint8_t *head = buf_extend(b, BATCH_HEAD_BYTES);
    if (head != NULL) {
        memset(head, 0, BATCH_HEAD_BYTES);
    }
}

static void batch_patch_u64(struct buf *b, size_t at, uint64_t v)
{
    buf_patch_u32(b, at, (uint32_t)v);
    buf_patch_u32(b, at + 4, (uint32_t)(v >> 32));
}

static uint32_t batch_head_crc(const uint8_t *head, uint32_t seed)
{
    return crc32c_more(seed, slice_of(head + BATCH_AT_BODY_CRC, BATCH_HEAD_BYTES - BATCH_AT_BODY_CRC));
}

static struct slice batch_body(const uint8_t *head, size_t length)
{
    return slice_of(head + BATCH_HEAD_BYTES, length - BATCH_HEAD_BYTES);
}

void batch_finish(struct buf *b, const struct batch_header *h, uint32_t seed)
{
    ensure(buf_ok(b));
    ensure(b->len >= BATCH_HEAD_BYTES);
    ensure(b->len % 8 == 0);
    ensure(b->len <= BATCH_BYTES_MAX);
    ensure(h->synced_through < h->number);
    buf_patch_u32(b, 0, BATCH_MAGIC);
    buf_patch_u32(b, BATCH_AT_BODY_CRC, crc32c(batch_body(b->data, b->len)));
    buf_patch_u32(b, BATCH_AT_LENGTH, (uint32_t)b->len);
    batch_patch_u64(b, BATCH_AT_GENERATION, h->generation);
    batch_patch_u64(b, BATCH_AT_NUMBER, h->number);
    batch_patch_u64(b, BATCH_AT_SYNCED, h->synced_through);
    buf_patch_u32(b, BATCH_AT_FLAGS, h->flags);
    buf_patch_u32(b, BATCH_AT_ZERO, 0);
    buf_patch_u32(b, BATCH_AT_CRC, batch_head_crc(b->data, seed));
}

bool batch_decode(struct slice at, uint32_t seed, uint64_t generation, struct batch_header *out)
{
    *out = (struct batch_header){0};
    if (at.len < BATCH_HEAD_BYTES) {
        return false;
    }
    struct reader r = reader_of(slice_of(at.data, BATCH_HEAD_BYTES));
    if (reader_u32(&r) != BATCH_MAGIC || reader_u32(&r) != batch_head_crc(at.data, seed)) {
        return false;
    }
    out->body_crc = reader_u32(&r);
    out->length = reader_u32(&r);
    out->generation = reader_u64(&r);
    out->number = reader_u64(&r);
    out->synced_through = reader_u64(&r);
    out->flags = reader_u32(&r);
    bool sound = out->length >= BATCH_HEAD_BYTES && out->length <= BATCH_BYTES_MAX && out->length % 8 == 0;
    return sound && out->length <= at.len && out->generation == generation &&
           out->synced_through < out->number;
}

bool batch_has_body(struct slice at, const struct batch_header *h)
{
    ensure(h->length <= at.len);
    return h->body_crc == crc32c(batch_body(at.data, h->length));
}
