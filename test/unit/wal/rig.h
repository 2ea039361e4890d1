/* rig.h - a journal on a disk in memory, and its naive twin: the list of all that was put.
 *
 * Every record is also kept as text, one line each. A replay gives such lines too, so "what is durable is
 * there, in order, and nothing else" is a comparison of prefixes. */
#ifndef DKV_TEST_UNIT_WAL_RIG_H
#define DKV_TEST_UNIT_WAL_RIG_H

#include "base/buf.h"
#include "lib/memdisk.h"
#include "wal/journal.h"

#define RIG_GROUPS 4u

struct rig {
    struct memdisk *disk;
    struct journal *journal; /* NULL: closed */
    struct journal_config config;
    uint64_t now_ms;

    /* the twin */
    struct buf put;                 /* a line for each record put and not cut since */
    struct buf marks;               /* struct rig_mark for each line */
    uint64_t last[RIG_GROUPS];      /* index of the last entry put */
    uint64_t committed[RIG_GROUPS]; /* highest commit index set */

    /* what a replay gave */
    struct buf seen;
    uint64_t seen_last[RIG_GROUPS];
    uint64_t seen_commit[RIG_GROUPS];
    bool commit_too_early; /* a commit index was given before its entry */
    struct buf why;

    /* what the journal told */
    unsigned starts;
    dkv_err start_err;
    uint64_t durable; /* highest batch reported */
    unsigned durables;
    bool durable_went_back;
    unsigned failures;
    dkv_err failure;
    unsigned closes;
    dkv_err close_err;
};

/* segment_bytes as in the configuration. */
void rig_init(struct rig *r, uint64_t segment_bytes);
void rig_fini(struct rig *r);

dkv_err rig_open(struct rig *r);   /* on DKV_OK the journal is there, not started */
void rig_start(struct rig *r);     /* and waits for the callback */
void rig_must_open(struct rig *r); /* open soundly, forget what was not seen, start */
void rig_close(struct rig *r);     /* and waits for the callback */

/* The journal is gone without a word; the disk is crashed or killed before. */
void rig_crash(struct rig *r, uint64_t seed);
void rig_kill(struct rig *r, uint64_t seed);

/* Put a record, in the journal and the twin. */
void rig_entries(struct rig *r, uint32_t group, uint64_t first, size_t n, size_t len);
void rig_vote(struct rig *r, uint32_t group, uint64_t term, uint64_t vote);
void rig_truncate(struct rig *r, uint32_t group, uint64_t from);
void rig_note(struct rig *r, uint32_t key, const char *value);
void rig_commit(struct rig *r, uint32_t group, uint64_t index);

void rig_turn(struct rig *r);             /* a loop turn ends, a millisecond later */
void rig_drain(struct rig *r);            /* until nothing is pending in the disk */
void rig_write(struct rig *r);            /* both */
void rig_idle(struct rig *r, unsigned n); /* n milliseconds of turns with nothing put */

/* Is what the last replay saw a beginning of what was put, and is everything durable in it? */
bool rig_is_sound(const struct rig *r);

/* After a replay: what was not seen is cut from the twin too. */
void rig_forget_unseen(struct rig *r);

/* Name of the n-th segment, from 1; valid until the next call. */
const char *rig_segment(uint64_t n);

#endif
