/* node.h - one node of the tree: sorted records, and in an inner node the children between them.
 *
 * A B-tree (Bayer, McCreight 1972), not a B+tree: the records themselves separate the children, so that an
 * inner node needs no copies of keys with a life of their own.
 *
 * Keys compare by memcmp. Reading a record to compare it is a cache miss, so each node keeps eight bytes of
 * every key, as a number, beside the pointers: the eight that follow what all keys of this node have in
 * common. Names with a long common beginning ("session:2026:...") are so told apart without touching them.
 *
 * Invariants (node_is_sound):
 *   1. keys ascend strictly, and all of them begin with the same skip bytes;
 *   2. heads[i] is bytes skip to skip + 7 of key i, big-endian, with zeroes behind its end. */
#ifndef DKV_STORE_NODE_H
#define DKV_STORE_NODE_H

#include "store/record.h"

/* With 63 a leaf is 1,032 bytes and its heads are eight cache lines. */
#define NODE_RECORDS_MAX 63u

/* Below a quarter, not half, a node is joined or refilled: a key that comes and goes at a border between two
 * nodes does not move records each time. */
#define NODE_RECORDS_MIN 15u

struct node {
    struct reclaim_item item;
    uint16_t level; /* 0: leaf */
    uint16_t count; /* of records */
    uint16_t skip;
    uint64_t heads[NODE_RECORDS_MAX];
    struct record *records[NODE_RECORDS_MAX];
    struct node *children[]; /* count + 1 in an inner node; a leaf has no room for any */
};

/* No records. NULL: no memory. */
struct node *node_new(uint16_t level);
struct node *node_copy(const struct node *n); /* NULL: no memory; records and children are shared */
size_t node_size(const struct node *n);

/* Begin to fetch what searching n reads, all at once: the halving steps over the heads would wait for one
 * cache line after the other. Saves a quarter of a get at a million keys (doc/notes/store.md). */
static inline void node_prefetch(const struct node *n)
{
    for (size_t at = 0; at < offsetof(struct node, records); at += 64) {
        __builtin_prefetch((const char *)n + at);
    }
}

/* The first record not below key, or count; *found: it is that key. */
unsigned node_seek(const struct node *n, struct slice key, bool *found);

/* The record with that key in a leaf, or NULL. Cheaper than node_seek(). */
const struct record *node_find(const struct node *leaf, struct slice key);

/* Put r before record at; in an inner node right becomes the child behind it. There must be room. */
void node_insert(struct node *n, unsigned at, struct record *r, struct node *right);

/* Take record at and, in an inner node, the child behind it out. */
void node_remove(struct node *n, unsigned at);

/* Another record of the same key takes the place. */
void node_update(struct node *n, unsigned at, struct record *r);

/* A record of another key takes the place; its key lies between its neighbours. */
void node_replace(struct node *n, unsigned at, struct record *r);

/* Move what stands behind record mid of child into right, a new node of its level, and record mid up into
 * parent, where child hangs at index at. */
void node_split(struct node *parent, unsigned at, unsigned mid, struct node *right);

/* Join children at and at + 1 of parent if they fit into one: the second, now empty and out of the parent, is
 * returned. Else level them, and return NULL. */
struct node *node_balance(struct node *parent, unsigned at);

/* Both invariants. For tests and ensure_slow(): it reads every record. */
bool node_is_sound(const struct node *n);

#endif
