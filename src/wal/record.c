/* record.c - records of a batch, to bytes and back. */
#include "wal/record.h"

#include "base/limits.h"
#include "base/reader.h"
#include "wal/journal.h"

/* Every record begins alike: [1 kind][1 type of entry][2 zero][4 group or key]. */
#define RECORD_HEAD_BYTES 8u

static size_t record_padding(size_t len)
{
    return (8 - len % 8) % 8;
}

size_t record_bytes(enum record_kind kind, size_t data_len)
{
    size_t len = RECORD_HEAD_BYTES;
    switch (kind) {
    case RECORD_ENTRY:
        len += 8 + 8 + 4 + data_len;
        break;
    case RECORD_VOTE:
        len += 8 + 8;
        break;
    case RECORD_TRUNCATE:
    case RECORD_COMMIT:
        len += 8;
        break;
    case RECORD_NOTE:
        len += 4 + data_len;
        break;
    }
    return len + record_padding(len);
}

static void record_put_head(struct buf *out, enum record_kind kind, uint8_t type, uint32_t group)
{
    buf_put_u8(out, (uint8_t)kind);
    buf_put_u8(out, type);
    buf_put_u16(out, 0);
    buf_put_u32(out, group);
}

static void record_put_data(struct buf *out, struct slice data)
{
    static const uint8_t zeroes[8];
    buf_put_blob(out, data);
    buf_put(out, slice_of(zeroes, record_padding(out->len)));
}

void record_put_entry(struct buf *out, uint32_t group, uint64_t index, const struct entry *entry)
{
    record_put_head(out, RECORD_ENTRY, (uint8_t)entry->type, group);
    buf_put_u64(out, index);
    buf_put_u64(out, entry->term);
    record_put_data(out, entry->data);
}

void record_put_vote(struct buf *out, uint32_t group, uint64_t term, uint64_t vote)
{
    record_put_head(out, RECORD_VOTE, 0, group);
    buf_put_u64(out, term);
    buf_put_u64(out, vote);
}

void record_put_truncate(struct buf *out, uint32_t group, uint64_t from)
{
    record_put_head(out, RECORD_TRUNCATE, 0, group);
    buf_put_u64(out, from);
}

void record_put_note(struct buf *out, uint32_t key, struct slice value)
{
    record_put_head(out, RECORD_NOTE, 0, key);
    record_put_data(out, value);
}

void record_put_commit(struct buf *out, uint32_t group, uint64_t index)
{
    record_put_head(out, RECORD_COMMIT, 0, group);
    buf_put_u64(out, index);
}

static bool record_knows_type(uint8_t type)
{
    return type == ENTRY_COMMAND || type == ENTRY_BARRIER || type == ENTRY_CHANGE;
}

/* The blob of an entry or a note; head_len bytes of its record came before it. */
static struct slice record_take_data(struct reader *r, size_t head_len, size_t max)
{
    struct slice data = reader_blob(r, max);
    reader_bytes(r, record_padding(head_len + 4 + data.len));
    return data;
}

dkv_err record_decode(struct reader *r, struct record *out)
{
    *out = (struct record){.kind = reader_u8(r)};
    uint8_t type = reader_u8(r);
    reader_u16(r);
    out->group = reader_u32(r);
    if (!reader_ok(r)) {
        return DKV_CORRUPT;
    }
    switch (out->kind) {
    case RECORD_ENTRY:
        out->index = reader_u64(r);
        out->entry = (struct entry){.term = reader_u64(r), .type = type};
        out->entry.data = record_take_data(r, RECORD_HEAD_BYTES + 16, BATCH_BYTES_MAX);
        break;
    case RECORD_VOTE:
        out->term = reader_u64(r);
        out->vote = reader_u64(r);
        break;
    case RECORD_TRUNCATE:
    case RECORD_COMMIT:
        out->index = reader_u64(r);
        break;
    case RECORD_NOTE:
        out->value = record_take_data(r, RECORD_HEAD_BYTES, NOTE_BYTES_MAX);
        break;
    default:
        return DKV_UNSUPPORTED;
    }
    if (!reader_ok(r)) {
        return DKV_CORRUPT;
    }
    return out->kind == RECORD_ENTRY && !record_knows_type(type) ? DKV_UNSUPPORTED : DKV_OK;
}
