/* greeting.c - who is calling, and what the other one says. */
#include "peer/greeting.h"

#include "base/reader.h"

_Static_assert(GREETING_FRAME_MAX > 256 + NODE_NAME_MAX + ADDRESS_MAX + GREETING_DETAIL_MAX,
               "a greeting does not fit its bound");

static bool greeting_is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static void identity_encode(const struct peer_identity *who, struct buf *out)
{
    buf_put_u64(out, who->cluster);
    buf_put_u32(out, who->node);
    buf_put(out, slice_of(who->incarnation, PEER_INCARNATION_BYTES));
    buf_put_u64(out, who->boot);
    buf_put_u64(out, who->epoch);
    buf_put_u8(out, who->voting ? 1 : 0);
    buf_put_blob(out, slice_str(who->name));
    buf_put_blob(out, slice_str(who->client));
}

/* 0 or 1; anything else is not what an encoder writes. */
static bool greeting_read_bool(struct reader *r)
{
    uint8_t v = reader_u8(r);
    if (v > 1) {
        reader_fail(r);
    }
    return v == 1;
}

/* Into a field of at least max + 1 bytes, which is zeroed. */
static void greeting_read_text(struct reader *r, char *into, size_t max)
{
    struct slice s = reader_blob(r, max);
    if (!greeting_is_printable(s)) {
        reader_fail(r);
    } else if (s.len > 0) {
        memcpy(into, s.data, s.len);
    }
}

static void identity_read(struct reader *r, struct peer_identity *who)
{
    *who = (struct peer_identity){.cluster = reader_u64(r)};
    who->node = reader_u32(r);
    struct slice incarnation = reader_bytes(r, PEER_INCARNATION_BYTES);
    if (incarnation.len > 0) {
        memcpy(who->incarnation, incarnation.data, PEER_INCARNATION_BYTES);
    }
    who->boot = reader_u64(r);
    who->epoch = reader_u64(r);
    who->voting = greeting_read_bool(r);
    greeting_read_text(r, who->name, NODE_NAME_MAX);
    greeting_read_text(r, who->client, sizeof who->client - 1);
    if (!text_is_name(slice_str(who->name))) {
        reader_fail(r);
    }
}

void hello_encode(const struct hello *h, struct buf *out)
{
    buf_put_u32(out, h->to);
    identity_encode(&h->who, out);
}

void welcome_encode(const struct welcome *w, struct buf *out)
{
    identity_encode(&w->who, out);
    buf_put_u8(out, w->knew ? 1 : 0);
}

void refuse_encode(const struct refuse *r, struct buf *out)
{
    ensure(r->err != DKV_OK);
    identity_encode(&r->who, out);
    buf_put_u16(out, (uint16_t)r->err);
    size_t n = r->detail.len < GREETING_DETAIL_MAX ? r->detail.len : GREETING_DETAIL_MAX;
    buf_put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = r->detail.data[i];
        buf_put_u8(out, byte < 0x20 || byte > 0x7e ? '?' : byte);
    }
}

dkv_err hello_decode(struct slice body, struct hello *out)
{
    struct reader r = reader_of(body);
    out->to = reader_u32(&r);
    identity_read(&r, &out->who);
    return reader_done(&r) ? DKV_OK : DKV_MALFORMED;
}

dkv_err welcome_decode(struct slice body, struct welcome *out)
{
    struct reader r = reader_of(body);
    identity_read(&r, &out->who);
    out->knew = greeting_read_bool(&r);
    return reader_done(&r) ? DKV_OK : DKV_MALFORMED;
}

dkv_err refuse_decode(struct slice body, struct refuse *out)
{
    struct reader r = reader_of(body);
    identity_read(&r, &out->who);
    out->err = (dkv_err)reader_u16(&r);
    out->detail = reader_blob(&r, GREETING_DETAIL_MAX);
    bool fits = reader_done(&r) && out->err != DKV_OK && greeting_is_printable(out->detail);
    return fits ? DKV_OK : DKV_MALFORMED;
}
