/* gather.h - batches before they are written: the open one, and those cut and ready to leave.
 *
 * A batch is cut when it leaves, or when it is large. Cutting adds the commit marks that were set since: so a
 * mark never stands before an entry that was put before it, and a reader never meets a commit index without
 * its entry. */
#ifndef DKV_WAL_GATHER_H
#define DKV_WAL_GATHER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"

/* One batch: room for its header, then records. */
struct gathered {
    struct link link;
    uint64_t number;
    bool content; /* it has more than marks */
    struct buf bytes;
};

/* Private, but for reading next and starved. */
struct gather {
    struct gathered *open; /* NULL: nothing put since the last cut */
    struct link ready;     /* cut, in order of number */
    struct gathered *idle; /* kept for the next one; NULL is fine */
    uint64_t next;         /* number of the batch that is open or will be */
    size_t batch_max;      /* no batch is longer */
    size_t queued;         /* bytes cut and not released */
    bool starved;          /* out of memory: what was put is not all there, nothing more may leave */

    uint64_t *commits; /* by group, SHARDS_MAX + 1; owned */
    bool *is_marked;   /* by group: waits in marked; owned */
    uint32_t *marked;  /* groups whose commit index is not yet in a batch; owned */
    size_t marked_n;
};

/* On an error g is still to be given to gather_fini(). */
dkv_err gather_init(struct gather *g, size_t batch_max) MUST_CHECK;
void gather_fini(struct gather *g);

/* Where to put a record of that many bytes, in batch g->next. NULL: starved. */
struct buf *gather_room(struct gather *g, size_t bytes) MUST_CHECK;

/* Ignored unless higher than what is known. */
void gather_set_commit(struct gather *g, uint32_t group, uint64_t index);

/* The open batch, or a new one for marks only, becomes ready. */
void gather_cut(struct gather *g);

/* The first ready one, left in its place; NULL: none. */
struct gathered *gather_first(const struct gather *g);

/* Take out the first; the caller gives it back by gather_release(). */
struct gathered *gather_take(struct gather *g);
void gather_release(struct gather *g, struct gathered *b);

/* Bytes put and not released. */
size_t gather_backlog(const struct gather *g);

#endif
