/* journal.h - one append-only journal for all groups of a worker: write-ahead log and replicated log in one.
 *
 * What a loop turn produced is one batch, written and synced at once; batches follow each other while the
 * next one gathers. Formats are drawn in PROTOCOL.md. Files are reached through the file seam (base/disk.h)
 * only.
 *
 * Life: journal_open (blocks, replays) -> journal_start (makes a first segment if there is none) -> records
 * and journal_turn at the end of every loop turn -> journal_close.
 *
 * Invariants:
 *   1. a batch number is reported durable only after every batch up to it is on disk;
 *   2. records of one group are replayed in the order they were put;
 *   3. nothing is reported durable after a write has failed: on_failure fires once, the owner ends the
 *      process. */
#ifndef DKV_WAL_JOURNAL_H
#define DKV_WAL_JOURNAL_H

#include "base/buf.h"
#include "base/disk.h"
#include "base/err.h"
#include "proto/entry.h"

struct journal; /* opaque */

#define INCARNATION_BYTES 16
#define NOTE_BYTES_MAX    1024u

struct journal_config {
    struct disk *disk;                      /* borrowed: the directory of segments, nothing else in it */
    uint64_t cluster;                       /* cluster id */
    uint32_t node;                          /* node id */
    uint8_t incarnation[INCARNATION_BYTES]; /* for a new directory; an old one keeps its own */
    uint64_t segment_bytes;                 /* 0: SEGMENT_BYTES */
    void *ctx;
    /* Every batch up to and including this number is durable. From the loop, never from inside a call. */
    void (*on_durable)(void *ctx, uint64_t batch);
    /* A write, a sync or the making of a segment failed, or memory ran out while putting: final. From the
     * loop, or from inside journal_turn(). What fails before journal_start()'s callback is told by that
     * callback instead, what fails after journal_close() by its. */
    void (*on_failure)(void *ctx, dkv_err err);
};

/* What is found at start-up, in journal order. Each returns an error to stop the replay with it. */
struct journal_replay {
    void *ctx;
    dkv_err (*vote)(void *ctx, uint32_t group, uint64_t term, uint64_t vote);
    /* index may be at or below one seen before: then that one and all after it are void. */
    dkv_err (*entry)(void *ctx, uint32_t group, uint64_t index, const struct entry *entry);
    dkv_err (*truncate)(void *ctx, uint32_t group, uint64_t from);
    dkv_err (*commit)(void *ctx, uint32_t group, uint64_t index); /* known committed then */
    dkv_err (*note)(void *ctx, uint32_t key, struct slice value); /* the last of a key counts */
};

/* Read the directory and replay it. A torn tail is cut with a warning; a bad batch that a later one vouches
 * for (synced_through) is DKV_CORRUPT: why names file, offset and the way out. DKV_LOCKED: the segments
 * belong to another cluster, node or incarnation. DKV_UNSUPPORTED: written by a newer version. DKV_CONFIG:
 * segment_bytes. Memory: one segment at a time. */
dkv_err journal_open(const struct journal_config *config, const struct journal_replay *replay,
                     struct journal **out, struct buf *why) MUST_CHECK;

/* True when the directory held no segment, or one that a crash left half made: a new node or a lost disk. */
bool journal_is_new(const struct journal *j);

/* The incarnation of the directory. */
const uint8_t *journal_incarnation(const struct journal *j);

/* Make ready to write, and what was replayed durable: it may have come from the page cache of a machine whose
 * dkvd was killed, so nothing may rest on it before. The callback fires once, later, with the ctx of the
 * configuration. Records put before leave right after it. */
typedef void (*journal_cb)(void *ctx, dkv_err err);
void journal_start(struct journal *j, journal_cb cb);

/* Put a record into the open batch; returns the number of the batch it is in. Data is copied. Groups are at
 * most SHARDS_MAX; the data of an entry must fit a batch (limits.h) and a segment. A large turn becomes
 * several batches: of entries that did not fit one the number is that of the last. */
uint64_t journal_put_vote(struct journal *j, uint32_t group, uint64_t term, uint64_t vote);
/* Entries first, first+1, ...: whatever the group had at first and above is void. */
uint64_t journal_put_entries(struct journal *j, uint32_t group, uint64_t first, const struct entry *entries,
                             size_t n);
uint64_t journal_put_truncate(struct journal *j, uint32_t group, uint64_t from);
/* A fact of the node, at most NOTE_BYTES_MAX: the last value of a key counts. */
uint64_t journal_put_note(struct journal *j, uint32_t key, struct slice value);
/* A higher commit index of a group, written with the next batch that leaves anyway. The entry was put. */
void journal_set_commit(struct journal *j, uint32_t group, uint64_t index);

/* End of every loop turn, also of one that put nothing: what was put begins to be written, unless a batch is
 * on its way (then right after it). */
void journal_turn(struct journal *j, uint64_t now_ms);

/* When journal_turn wants to be called next even if nothing is put (idle marks); UINT64_MAX: no need. */
uint64_t journal_deadline(const struct journal *j);

uint64_t journal_durable(const struct journal *j); /* highest durable batch */
size_t journal_backlog(const struct journal *j);   /* bytes put and not yet durable */

/* Write what is left and a closing mark, then free; legal in any state after open. What is put from now on is
 * ignored. Without journal_start() before, or after a failure, nothing is written. The callback may be NULL;
 * it fires once, inside this call if there is nothing to wait for. err: DKV_OK, or why not all was written.
 */
void journal_close(struct journal *j, journal_cb cb, void *ctx);

/* Free at once, as a crash would; nothing may be pending in the seam, nor may this be called from inside a
 * callback of the journal. For tests and the simulator. */
void journal_abandon(struct journal *j);

#endif
