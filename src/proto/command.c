/* command.c - commands as bytes (PROTOCOL.md, "command"). */
#include "proto/command.h"

#include "base/reader.h"

#define COMMAND_VERSION 1u

/* Most commands without a client of their own save the 40 bytes of an identity. */
#define COMMAND_HAS_ID 1u

static bool command_has_id(const struct write_id *id)
{
    static const struct write_id none;
    return memcmp(id->client, none.client, sizeof none.client) != 0 || id->sequence != 0 ||
           id->lowest_unanswered != 0 || id->not_after != 0;
}

void command_encode(const struct command *c, struct buf *out)
{
    bool has_id = command_has_id(&c->id);
    buf_put_u8(out, COMMAND_VERSION);
    buf_put_u8(out, (uint8_t)c->op);
    buf_put_u8(out, has_id ? COMMAND_HAS_ID : 0);
    buf_put_u64(out, c->log_time);
    if (has_id) {
        buf_put(out, slice_of(c->id.client, sizeof c->id.client));
        buf_put_u64(out, c->id.sequence);
        buf_put_u64(out, c->id.lowest_unanswered);
        buf_put_u64(out, c->id.not_after);
    }
    buf_put_blob(out, c->key);
    buf_put_blob(out, c->value);
}

/* An identity of zeroes is written by leaving it out: one form per command. */
static void command_decode_id(struct reader *r, struct write_id *id)
{
    struct slice client = reader_bytes(r, sizeof id->client);
    if (client.len == sizeof id->client) {
        memcpy(id->client, client.data, client.len);
    }
    id->sequence = reader_u64(r);
    id->lowest_unanswered = reader_u64(r);
    id->not_after = reader_u64(r);
    if (!command_has_id(id)) {
        reader_fail(r);
    }
}

/* Which of key and value the operation has. */
static bool command_is_sound(const struct command *c)
{
    switch (c->op) {
    case COMMAND_PUT:
        return c->key.len > 0;
    case COMMAND_DELETE:
        return c->key.len > 0 && c->value.len == 0;
    case COMMAND_MAP:
        return c->key.len == 0 && c->value.len > 0;
    }
    return false;
}

dkv_err command_decode(struct slice in, struct command *out)
{
    struct reader r = reader_of(in);
    uint8_t version = reader_u8(&r);
    uint8_t op = reader_u8(&r);
    uint8_t flags = reader_u8(&r);
    if (!reader_ok(&r) || version == 0 || op == 0) {
        return DKV_MALFORMED;
    }
    if (version > COMMAND_VERSION || op > COMMAND_MAP || (flags & ~COMMAND_HAS_ID) != 0) {
        return DKV_UNSUPPORTED;
    }
    struct command c = {.op = (enum command_op)op, .log_time = reader_u64(&r)};
    if ((flags & COMMAND_HAS_ID) != 0) {
        command_decode_id(&r, &c.id);
    }
    /* No limit on lengths but the input's own: what one node's flags let in, every replica must apply. */
    c.key = reader_blob(&r, in.len);
    c.value = reader_blob(&r, in.len);
    if (!reader_done(&r) || !command_is_sound(&c)) {
        return DKV_MALFORMED;
    }
    *out = c;
    return DKV_OK;
}
