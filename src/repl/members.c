/* members.c - a group's configuration and its form on disk and wire. */
#include "repl/members.h"

#include "base/reader.h"

#define MEMBERS_VERSION 1u

const struct member *members_find(const struct members *m, uint64_t id)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->at[i].id == id) {
            return &m->at[i];
        }
    }
    return NULL;
}

bool members_are_valid(const struct members *m)
{
    if (m->n == 0 || m->n > REPLICAS_MAX) {
        return false;
    }
    for (size_t i = 0; i < m->n; i++) {
        if (m->at[i].id == 0 || members_find(m, m->at[i].id) != &m->at[i]) {
            return false; /* no id, or one that an earlier member has */
        }
    }
    return true;
}

size_t members_voters(const struct members *m)
{
    size_t voters = 0;
    for (size_t i = 0; i < m->n; i++) {
        voters += m->at[i].role == MEMBER_VOTER;
    }
    return voters;
}

size_t members_difference(const struct members *a, const struct members *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct member *same = members_find(b, a->at[i].id);
        n += same == NULL || same->role != a->at[i].role;
    }
    for (size_t i = 0; i < b->n; i++) {
        n += members_find(a, b->at[i].id) == NULL;
    }
    return n;
}

void members_encode(const struct members *m, struct buf *out)
{
    buf_put_u8(out, MEMBERS_VERSION);
    buf_put_u8(out, (uint8_t)m->n);
    for (size_t i = 0; i < m->n; i++) {
        buf_put_u64(out, m->at[i].id);
        buf_put_u8(out, (uint8_t)m->at[i].role);
    }
}

dkv_err members_decode(struct slice in, struct members *out)
{
    struct reader r = reader_of(in);
    *out = (struct members){0};
    uint8_t version = reader_u8(&r);
    size_t n = reader_u8(&r);
    if (version != MEMBERS_VERSION || n > REPLICAS_MAX) {
        return DKV_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t id = reader_u64(&r);
        uint8_t role = reader_u8(&r);
        if (role < MEMBER_VOTER || role > MEMBER_SPARE) {
            return DKV_MALFORMED;
        }
        out->at[i] = (struct member){.id = id, .role = (enum member_role)role};
    }
    out->n = n;
    return reader_done(&r) && members_are_valid(out) ? DKV_OK : DKV_MALFORMED;
}
