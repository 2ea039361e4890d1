/* tree.h - all keys of a shard in order, in memory, copy-on-write.
 *
 * Taking a view is O(1): a view is the root of the moment and its generation (store/reclaim.h). From then on
 * a node or record that the view sees is never changed, only replaced, and what was replaced is freed after
 * the last view that sees it. One thread, the loop's, calls everything here, save that a view may be read by
 * one other thread between opening and closing it (tree_view_seek() and tree_next() on it).
 *
 * Every allocation a change needs is made before the first thing that cannot be undone, so on DKV_NO_MEMORY
 * the content is what it was.
 *
 * Invariants (tree_check):
 *   1. each node is sound (store/node.h), and keys ascend over the whole tree;
 *   2. all leaves have the same depth;
 *   3. a node has at least NODE_RECORDS_MIN records; the root, and the nodes on the right edge, at least one;
 *   4. keys and bytes are what counting would give. */
#ifndef DKV_STORE_TREE_H
#define DKV_STORE_TREE_H

#include "base/err.h"
#include "store/record.h"

struct tree;
struct tree_view;
struct node;

/* An inner node below the root and off the right edge has at least 16 children: 12 levels hold 2^44 keys. */
#define TREE_DEPTH_MAX 12u

/* A place in a tree or view; the caller's memory, of no use after the next change of the tree. */
struct tree_cursor {
    unsigned depth;                    /* private: levels in use; 0: behind the last key */
    struct node *node[TREE_DEPTH_MAX]; /* private: from the root down */
    unsigned at[TREE_DEPTH_MAX];       /* private: record that comes next, or child that was taken */
};

struct tree *tree_new(void);    /* NULL: no memory */
void tree_free(struct tree *t); /* no view may be out; NULL is fine */
uint64_t tree_keys(const struct tree *t);
uint64_t tree_bytes(const struct tree *t); /* of keys and values */
uint64_t tree_held(const struct tree *t);  /* nodes and records kept for views alone */

/* NULL: no such key. Valid until the next change. */
const struct record *tree_find(const struct tree *t, struct slice key);

/* Insert r or replace the record of that key. Takes r. DKV_NO_MEMORY. */
dkv_err tree_put(struct tree *t, struct record *r) MUST_CHECK;

/* DKV_NOT_FOUND, DKV_NO_MEMORY. */
dkv_err tree_del(struct tree *t, struct slice key) MUST_CHECK;

/* Place c before the first key not below from. */
void tree_seek(const struct tree *t, struct slice from, struct tree_cursor *c);

/* The next record in order; NULL: there is no more. */
const struct record *tree_next(struct tree_cursor *c);

/* Freeze the content of this moment. NULL: no memory. */
struct tree_view *tree_view_open(struct tree *t);
uint64_t tree_view_keys(const struct tree_view *v);
void tree_view_seek(const struct tree_view *v, struct slice from, struct tree_cursor *c);

/* Free what only v still holds, RECLAIM_SLICE at a time: false until it is done and v is gone. Nobody may
 * read v any more from the first call on. */
bool tree_view_close(struct tree *t, struct tree_view *v);

/* Ensure all invariants. O(n). */
void tree_check(const struct tree *t);

#endif
