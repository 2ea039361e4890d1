/* frame.c - the envelope as bytes. */
#include "peer/frame.h"

#include "base/crc32c.h"
#include "base/limits.h"
#include "base/reader.h"

#define FRAME_VERSION      1
#define FRAME_LENGTH_BYTES 4u
#define FRAME_CRC_BYTES    4u
#define FRAME_LENGTH_MIN   16u /* of an empty body: version, kind, flags, id, checksum */

void frame_encode(const struct frame *f, struct buf *out)
{
    ensure(f->body.len <= FRAME_BYTES_MAX - FRAME_LENGTH_MIN);
    size_t begin = out->len;
    buf_put_u32(out, (uint32_t)(FRAME_LENGTH_MIN + f->body.len));
    buf_put_u8(out, FRAME_VERSION);
    buf_put_u8(out, (uint8_t)f->kind);
    buf_put_u16(out, 0);
    buf_put_u64(out, f->id);
    buf_put(out, f->body);
    if (buf_ok(out)) {
        buf_put_u32(out, crc32c(slice_of(out->data + begin, out->len - begin)));
    }
}

static bool frame_is_kind(uint8_t kind)
{
    return kind >= FRAME_HELLO && kind <= FRAME_REPLY;
}

/* What the first bytes tell before the rest is there, so that nobody waits for the end of rubbish. */
static dkv_err frame_check_head(struct slice in)
{
    struct reader r = reader_of(in);
    uint32_t length = reader_u32(&r);
    if (!reader_ok(&r)) {
        return DKV_MORE;
    }
    if (length > FRAME_BYTES_MAX) {
        return DKV_TOO_LARGE;
    }
    if (length < FRAME_LENGTH_MIN) {
        return DKV_MALFORMED;
    }
    uint8_t version = reader_u8(&r);
    if (reader_ok(&r) && version != FRAME_VERSION) {
        return DKV_UNSUPPORTED;
    }
    uint8_t kind = reader_u8(&r);
    if (reader_ok(&r) && !frame_is_kind(kind)) {
        return DKV_MALFORMED;
    }
    return in.len < FRAME_LENGTH_BYTES + length ? DKV_MORE : DKV_OK;
}

dkv_err frame_decode(struct slice in, size_t *used, struct frame *out)
{
    dkv_err err = frame_check_head(in);
    if (err != DKV_OK) {
        return err;
    }
    struct reader r = reader_of(in);
    uint32_t length = reader_u32(&r);
    (void)reader_u8(&r);
    *out = (struct frame){.kind = (enum frame_kind)reader_u8(&r)};
    uint16_t flags = reader_u16(&r);
    out->id = reader_u64(&r);
    out->body = reader_bytes(&r, length - FRAME_LENGTH_MIN);
    uint32_t crc = reader_u32(&r);
    size_t covered = FRAME_LENGTH_BYTES + length - FRAME_CRC_BYTES;
    if (!reader_ok(&r) || crc != crc32c(slice_of(in.data, covered))) {
        return DKV_MALFORMED;
    }
    if (flags != 0) {
        return DKV_UNSUPPORTED; /* they may change what the body means */
    }
    *used = FRAME_LENGTH_BYTES + length;
    return DKV_OK;
}
