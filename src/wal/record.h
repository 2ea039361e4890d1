/* record.h - the records of a batch: each begins at a multiple of 8 and is padded with zeroes to the next. */
#ifndef DKV_WAL_RECORD_H
#define DKV_WAL_RECORD_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/entry.h"

struct reader;

/* The numbers are part of the format. */
enum record_kind {
    RECORD_ENTRY = 1,
    RECORD_VOTE = 2,
    RECORD_TRUNCATE = 3,
    RECORD_NOTE = 4,
    RECORD_COMMIT = 5,
    /* Reserved and refused: 6 snapshot mark, 7 group drop, 8 floor raised. */
};

/* One record, decoded. */
struct record {
    enum record_kind kind;
    uint32_t group;     /* of a note: its key */
    uint64_t index;     /* entry, truncate, commit */
    uint64_t term;      /* vote; an entry's is in entry */
    uint64_t vote;      /* vote */
    struct entry entry; /* entry; data points into what was read */
    struct slice value; /* note; likewise */
};

/* The bytes that a record of this kind takes with so much data (entry, note; else 0). */
size_t record_bytes(enum record_kind kind, size_t data_len);

/* Add one record of that kind to the body of a batch. */
void record_put_entry(struct buf *out, uint32_t group, uint64_t index, const struct entry *entry);
void record_put_vote(struct buf *out, uint32_t group, uint64_t term, uint64_t vote);
void record_put_truncate(struct buf *out, uint32_t group, uint64_t from);
void record_put_note(struct buf *out, uint32_t key, struct slice value);
void record_put_commit(struct buf *out, uint32_t group, uint64_t index);

/* Take the next record out of a batch's body. DKV_UNSUPPORTED: a kind or type of entry that this version does
 * not know, its number in out->kind. DKV_CORRUPT: no record. */
dkv_err record_decode(struct reader *r, struct record *out) MUST_CHECK;

#endif
