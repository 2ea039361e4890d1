/* reclaim.h - frees what was replaced, once no view can see it any more.
 *
 * A counter, the generation, moves on with every view that is opened. A thing is born in one generation and
 * dropped in a later or the same one; a view of generation g sees it when born <= g and it was not yet
 * dropped. A dropped thing hangs in the list of the newest live view that sees it; when that view closes, it
 * moves on to the next older live view if that one sees it too, else it is freed. So every thing is looked at
 * once per view it outlives, and nothing is ever searched. (The counter is no cluster epoch: that word
 * belongs to the map.)
 *
 * The loop's thread alone calls these; a view's reader on another thread touches no field of theirs.
 *
 * Invariants:
 *   1. live views stand in the order of their generations, all below now;
 *   2. whatever hangs in a view's list is seen by that view, and by no newer live one. */
#ifndef DKV_STORE_RECLAIM_H
#define DKV_STORE_RECLAIM_H

#include "base/list.h"

#include <stdint.h>

/* First member of everything freed this way; the memory is from mem_alloc(). */
struct reclaim_item {
    struct reclaim_item *next; /* private */
    uint64_t born : 48;        /* private: at a million views a second, enough for nine years */
    uint64_t pages : 16;       /* private: size, because unmapping a large value is what takes long */
};

struct reclaim {
    uint64_t now;      /* private: the generation things are born in */
    struct link views; /* private: live ones, oldest first */
    uint64_t held;     /* items dropped and not yet freed */
};

struct reclaim_view {
    struct link link;           /* private */
    uint64_t generation;        /* private */
    struct reclaim_item *items; /* private: dropped while this view was the newest that saw them */
};

/* What one call of reclaim_close() may do: items and whole pages of 4 KiB, together. Measured: 46
 * microseconds, at worst 131; a single value of 1 MiB takes 113, at worst 204, and is all of its slice
 * (doc/notes/store.md). */
#define RECLAIM_SLICE 256u

/* The caller's memory; no view is out. */
void reclaim_init(struct reclaim *r);

/* item, bytes long, becomes visible now. */
void reclaim_born(const struct reclaim *r, struct reclaim_item *item, size_t bytes);

/* Some live view sees item: it must not be changed, only replaced. */
bool reclaim_is_seen(const struct reclaim *r, const struct reclaim_item *item);

/* item is replaced: freed at once or after the last view that sees it. Takes it. */
void reclaim_drop(struct reclaim *r, struct reclaim_item *item);

/* O(1). The view is the caller's memory. */
void reclaim_open(struct reclaim *r, struct reclaim_view *view);

/* One slice of closing a view that nobody reads any more; false: call again. After true its memory may go. */
bool reclaim_close(struct reclaim *r, struct reclaim_view *view);

#endif
