/* message.c - the wire form of what replicas say to each other. */
#include "repl/message.h"

#include "base/reader.h"
#include "repl/members.h"

#define MESSAGE_VERSION  1u
#define ENTRY_HEAD_BYTES 13u /* term, length, type */

#define VOTE_DISRUPT    0x01u
#define VOTE_PRE        0x02u
#define RESULT_GRANTED  0x01u
#define RESULT_PRE_VOTE 0x02u

/* One entry, in one reservation: a leader writes hundreds of thousands of these a second. */
static void message_put_entry(const struct entry *e, struct buf *out)
{
    uint8_t *at = buf_extend(out, ENTRY_HEAD_BYTES + e->data.len);
    if (at == NULL) {
        return; /* buf_ok() tells at the end */
    }
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)(e->term >> (8 * i));
    }
    for (unsigned i = 0; i < 4; i++) {
        at[8 + i] = (uint8_t)(e->data.len >> (8 * i));
    }
    at[12] = (uint8_t)e->type;
    if (e->data.len > 0) {
        memcpy(at + ENTRY_HEAD_BYTES, e->data.data, e->data.len);
    }
}

static void message_put_append(const struct message *m, struct buf *out)
{
    buf_put_u64(out, m->append.prev_index);
    buf_put_u64(out, m->append.prev_term);
    buf_put_u64(out, m->append.commit);
    buf_put_u32(out, m->append.n);
    for (uint32_t i = 0; i < m->append.n; i++) {
        message_put_entry(&m->append.entries[i], out);
    }
}

static void message_put_vote(const struct message *m, struct buf *out)
{
    buf_put_u64(out, m->vote.candidate);
    buf_put_u64(out, m->vote.last_index);
    buf_put_u64(out, m->vote.last_term);
    buf_put_u8(out, (uint8_t)((m->vote.disrupt ? VOTE_DISRUPT : 0) | (m->vote.pre_vote ? VOTE_PRE : 0)));
}

static void message_put_vote_result(const struct message *m, struct buf *out)
{
    unsigned granted = m->vote_result.granted ? RESULT_GRANTED : 0;
    unsigned pre_vote = m->vote_result.pre_vote ? RESULT_PRE_VOTE : 0;
    buf_put_u8(out, (uint8_t)(granted | pre_vote));
}

void message_encode(const struct message *m, struct buf *out)
{
    buf_put_u8(out, MESSAGE_VERSION);
    buf_put_u8(out, (uint8_t)m->kind);
    buf_put_u16(out, 0);
    buf_put_u32(out, m->group);
    buf_put_u64(out, m->from);
    buf_put_u64(out, m->to);
    buf_put_u64(out, m->term);
    switch (m->kind) {
    case MESSAGE_APPEND:
        message_put_append(m, out);
        break;
    case MESSAGE_APPEND_RESULT:
        buf_put_u64(out, m->append_result.rejected);
        buf_put_u64(out, m->append_result.last_index);
        break;
    case MESSAGE_VOTE:
        message_put_vote(m, out);
        break;
    case MESSAGE_VOTE_RESULT:
        message_put_vote_result(m, out);
        break;
    case MESSAGE_TIMEOUT_NOW:
        buf_put_u64(out, m->timeout_now.last_index);
        buf_put_u64(out, m->timeout_now.last_term);
        break;
    }
}

/* Everything up to the term. The kind is still a plain number: it may be unknown. */
static uint8_t message_get_head(struct reader *r, struct message *out)
{
    uint8_t version = reader_u8(r);
    uint8_t kind = reader_u8(r);
    uint16_t reserved = reader_u16(r);
    *out = (struct message){.group = reader_u32(r)};
    out->from = reader_u64(r);
    out->to = reader_u64(r);
    out->term = reader_u64(r);
    if (version != MESSAGE_VERSION || reserved != 0 || out->from == 0 || out->to == 0 || out->term == 0) {
        reader_fail(r);
    }
    return kind;
}

static void message_get_entry(struct reader *r, struct entry *e)
{
    e->term = reader_u64(r);
    uint32_t len = reader_u32(r);
    uint8_t type = reader_u8(r);
    e->data = reader_bytes(r, len);
    if (e->term == 0 || type < ENTRY_COMMAND || type > ENTRY_CHANGE) {
        reader_fail(r);
        return;
    }
    e->type = (enum entry_type)type;
}

static void message_get_append(struct reader *r, struct message *out, struct entry *entries, size_t max)
{
    out->append.prev_index = reader_u64(r);
    out->append.prev_term = reader_u64(r);
    out->append.commit = reader_u64(r);
    uint32_t n = reader_u32(r);
    if (n > max || n > r->in.len / ENTRY_HEAD_BYTES) {
        reader_fail(r);
        return;
    }
    for (uint32_t i = 0; i < n && reader_ok(r); i++) {
        message_get_entry(r, &entries[i]);
    }
    out->append.entries = entries;
    out->append.n = n;
    if ((out->append.prev_index == 0) != (out->append.prev_term == 0)) {
        reader_fail(r);
    }
}

static void message_get_vote(struct reader *r, struct message *out)
{
    out->vote.candidate = reader_u64(r);
    out->vote.last_index = reader_u64(r);
    out->vote.last_term = reader_u64(r);
    uint8_t flags = reader_u8(r);
    out->vote.disrupt = (flags & VOTE_DISRUPT) != 0;
    out->vote.pre_vote = (flags & VOTE_PRE) != 0;
    if (out->vote.candidate == 0 || flags > (VOTE_DISRUPT | VOTE_PRE)) {
        reader_fail(r);
    }
}

static void message_get_vote_result(struct reader *r, struct message *out)
{
    uint8_t flags = reader_u8(r);
    out->vote_result.granted = (flags & RESULT_GRANTED) != 0;
    out->vote_result.pre_vote = (flags & RESULT_PRE_VOTE) != 0;
    if (flags > (RESULT_GRANTED | RESULT_PRE_VOTE)) {
        reader_fail(r);
    }
}

dkv_err message_decode(struct slice in, struct message *out, struct entry *entries, size_t max)
{
    struct reader r = reader_of(in);
    uint8_t kind = message_get_head(&r, out);
    switch (kind) {
    case MESSAGE_APPEND:
        message_get_append(&r, out, entries, max);
        break;
    case MESSAGE_APPEND_RESULT:
        out->append_result.rejected = reader_u64(&r);
        out->append_result.last_index = reader_u64(&r);
        break;
    case MESSAGE_VOTE:
        message_get_vote(&r, out);
        break;
    case MESSAGE_VOTE_RESULT:
        message_get_vote_result(&r, out);
        break;
    case MESSAGE_TIMEOUT_NOW:
        out->timeout_now.last_index = reader_u64(&r);
        out->timeout_now.last_term = reader_u64(&r);
        break;
    default:
        return DKV_MALFORMED;
    }
    out->kind = (enum message_kind)kind;
    return reader_done(&r) ? DKV_OK : DKV_MALFORMED;
}

bool message_append_is_sound(const struct message *m)
{
    uint64_t term = m->append.prev_term;
    struct members members;
    for (uint32_t i = 0; i < m->append.n; i++) {
        const struct entry *e = &m->append.entries[i];
        if (e->term < term || e->term == 0) {
            return false;
        }
        if (e->type == ENTRY_CHANGE && members_decode(e->data, &members) != DKV_OK) {
            return false;
        }
        term = e->term;
    }
    return term <= m->term && (m->append.prev_index == 0) == (m->append.prev_term == 0);
}

dkv_err message_peek(struct slice in, uint32_t *group, uint64_t *from, uint64_t *to)
{
    struct reader r = reader_of(in);
    struct message head;
    (void)message_get_head(&r, &head);
    *group = head.group;
    *from = head.from;
    *to = head.to;
    return reader_ok(&r) ? DKV_OK : DKV_MALFORMED;
}
