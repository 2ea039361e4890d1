/* tree.c - walking, copying and balancing the nodes of the tree.
 *
 * A change in steps: find the place (a path from the root), own the path (copy what a view sees, top down),
 * make room or fetch the neighbours that may be needed, then change. Every step but the last leaves the same
 * content in a sound tree, and the last cannot fail. */
#include "store/tree.h"

#include "base/mem.h"
#include "store/node.h"

struct tree {
    struct node *root; /* NULL: empty */
    struct reclaim reclaim;
    uint64_t keys;
    uint64_t bytes;
};

struct tree_view {
    struct reclaim_view seen;
    struct node *root;
    uint64_t keys;
};

struct tree *tree_new(void)
{
    struct tree *t = mem_zalloc(1, sizeof *t);
    if (t != NULL) {
        reclaim_init(&t->reclaim);
    }
    return t;
}

static void tree_push(struct tree_cursor *c, struct node *n, unsigned at)
{
    ensure(c->depth < TREE_DEPTH_MAX);
    c->node[c->depth] = n;
    c->at[c->depth] = at;
    c->depth++;
}

static void tree_free_node(struct node *n)
{
    for (unsigned i = 0; i < n->count; i++) {
        record_free(n->records[i]);
    }
    mem_free(n);
}

void tree_free(struct tree *t)
{
    if (t == NULL) {
        return;
    }
    ensure(list_empty(&t->reclaim.views));
    ensure(t->reclaim.held == 0);
    struct tree_cursor c = {0};
    if (t->root != NULL) {
        tree_push(&c, t->root, 0);
    }
    while (c.depth > 0) {
        struct node *n = c.node[c.depth - 1];
        unsigned at = c.at[c.depth - 1]++;
        if (n->level > 0 && at <= n->count) {
            tree_push(&c, n->children[at], 0);
        } else {
            tree_free_node(n);
            c.depth--;
        }
    }
    mem_free(t);
}

uint64_t tree_keys(const struct tree *t)
{
    return t->keys;
}

uint64_t tree_bytes(const struct tree *t)
{
    return t->bytes;
}

uint64_t tree_held(const struct tree *t)
{
    return t->reclaim.held;
}

const struct record *tree_find(const struct tree *t, struct slice key)
{
    const struct node *n = t->root;
    while (n != NULL && n->level > 0) {
        bool found;
        unsigned at = node_seek(n, key, &found);
        if (found) {
            return n->records[at];
        }
        n = n->children[at];
        node_prefetch(n);
    }
    return n == NULL ? NULL : node_find(n, key);
}

/* The path to key or to where it would stand in a leaf. True: it ends at the key. */
static bool tree_walk(struct node *root, struct slice key, struct tree_cursor *c)
{
    c->depth = 0;
    bool found = false;
    for (struct node *n = root; n != NULL && !found;) {
        node_prefetch(n);
        unsigned at = node_seek(n, key, &found);
        tree_push(c, n, at);
        n = n->level == 0 ? NULL : n->children[at];
    }
    return found;
}

/* Make *link a node that no view sees. */
static dkv_err tree_own(struct tree *t, struct node **link)
{
    struct node *old = *link;
    if (!reclaim_is_seen(&t->reclaim, &old->item)) {
        return DKV_OK;
    }
    struct node *copy = node_copy(old);
    if (copy == NULL) {
        return DKV_NO_MEMORY;
    }
    reclaim_born(&t->reclaim, &copy->item, node_size(copy));
    *link = copy;
    reclaim_drop(&t->reclaim, &old->item);
    return DKV_OK;
}

static dkv_err tree_own_path(struct tree *t, struct tree_cursor *c)
{
    struct node **link = &t->root;
    for (unsigned d = 0; d < c->depth; d++) {
        if (tree_own(t, link) != DKV_OK) {
            return DKV_NO_MEMORY;
        }
        c->node[d] = *link;
        link = d + 1 < c->depth ? &c->node[d]->children[c->at[d]] : NULL;
    }
    return DKV_OK;
}

static struct node *tree_node_new(const struct tree *t, uint16_t level)
{
    struct node *n = node_new(level);
    if (n != NULL) {
        reclaim_born(&t->reclaim, &n->item, node_size(n));
    }
    return n;
}

/* Where to split level d of the path: in the middle, but when the key goes behind all others near the end,
 * because keys that arrive in ascending order then leave full nodes behind instead of half empty ones. */
static unsigned tree_middle(const struct tree_cursor *c, unsigned d)
{
    for (unsigned i = 0; i < c->depth; i++) {
        if (c->at[i] != c->node[i]->count) {
            return NODE_RECORDS_MAX / 2;
        }
    }
    return c->node[d]->count - 2u;
}

/* Split level d of the path, whose parent has room, into itself and right. */
static void tree_split_into(struct tree_cursor *c, unsigned d, struct node *right)
{
    unsigned mid = tree_middle(c, d);
    node_split(c->node[d - 1], c->at[d - 1], mid, right);
    if (c->at[d] > mid) {
        c->node[d] = right;
        c->at[d] -= mid + 1;
        c->at[d - 1]++;
    }
}

static dkv_err tree_split(struct tree *t, struct tree_cursor *c, unsigned d)
{
    struct node *right = tree_node_new(t, c->node[d]->level);
    if (right == NULL) {
        return DKV_NO_MEMORY;
    }
    tree_split_into(c, d, right);
    return DKV_OK;
}

/* Split the root, below a new one. */
static dkv_err tree_grow(struct tree *t, struct tree_cursor *c)
{
    ensure(c->depth < TREE_DEPTH_MAX);
    struct node *root = tree_node_new(t, (uint16_t)(t->root->level + 1));
    struct node *right = tree_node_new(t, t->root->level);
    if (root == NULL || right == NULL) {
        mem_free(root);
        mem_free(right);
        return DKV_NO_MEMORY;
    }
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    memmove(c->node + 1, c->node, c->depth * sizeof c->node[0]);
    memmove(c->at + 1, c->at, c->depth * sizeof c->at[0]);
    c->depth++;
    c->node[0] = root;
    c->at[0] = 0;
    root->children[0] = t->root;
    t->root = root;
    tree_split_into(c, 1, right);
    return DKV_OK;
}

/* Split from the lowest node with room downwards until the leaf has room. Each split leaves a sound tree. */
static dkv_err tree_make_room(struct tree *t, struct tree_cursor *c)
{
    unsigned full = c->depth; /* levels from here on are full */
    while (full > 0 && c->node[full - 1]->count == NODE_RECORDS_MAX) {
        full--;
    }
    if (full == 0) {
        if (tree_grow(t, c) != DKV_OK) {
            return DKV_NO_MEMORY;
        }
        full = 2;
    }
    for (unsigned d = full; d < c->depth; d++) {
        if (tree_split(t, c, d) != DKV_OK) {
            return DKV_NO_MEMORY;
        }
    }
    return DKV_OK;
}

static uint64_t tree_record_bytes(const struct record *r)
{
    return (uint64_t)r->key_len + r->value_len;
}

static void tree_count_in(struct tree *t, struct record *r)
{
    reclaim_born(&t->reclaim, &r->item, record_size(r));
    t->keys++;
    t->bytes += tree_record_bytes(r);
}

static void tree_count_out(struct tree *t, struct record *r)
{
    ensure(t->keys > 0);
    ensure(t->bytes >= tree_record_bytes(r));
    t->keys--;
    t->bytes -= tree_record_bytes(r);
    reclaim_drop(&t->reclaim, &r->item);
}

/* The first record of an empty tree. */
static dkv_err tree_plant(struct tree *t, struct record *r)
{
    t->root = tree_node_new(t, 0);
    if (t->root == NULL) {
        return DKV_NO_MEMORY;
    }
    node_insert(t->root, 0, r, NULL);
    return DKV_OK;
}

static dkv_err tree_insert(struct tree *t, struct tree_cursor *c, struct record *r)
{
    if (t->root == NULL) {
        return tree_plant(t, r);
    }
    dkv_err err = tree_make_room(t, c);
    if (err == DKV_OK) {
        node_insert(c->node[c->depth - 1], c->at[c->depth - 1], r, NULL);
    }
    return err;
}

dkv_err tree_put(struct tree *t, struct record *r)
{
    struct tree_cursor c;
    bool found = tree_walk(t->root, record_key(r), &c);
    dkv_err err = tree_own_path(t, &c);
    if (err == DKV_OK && !found) {
        err = tree_insert(t, &c, r);
    }
    if (err != DKV_OK) {
        return err;
    }
    tree_count_in(t, r);
    if (found) {
        struct node *n = c.node[c.depth - 1];
        struct record *old = n->records[c.at[c.depth - 1]];
        node_update(n, c.at[c.depth - 1], r);
        tree_count_out(t, old);
    }
    return DKV_OK;
}

/* Go on from a record in an inner node to the one before it, the last of the subtree on its left. */
static void tree_walk_before(struct tree_cursor *c)
{
    struct node *n = c->node[c->depth - 1]->children[c->at[c->depth - 1]];
    while (n->level > 0) {
        tree_push(c, n, n->count);
        n = n->children[n->count];
    }
    tree_push(c, n, n->count - 1u);
}

/* The left one of the two children that level d of the path and its neighbour are. */
static unsigned tree_pair(const struct tree_cursor *c, unsigned d)
{
    return c->at[d - 1] > 0 ? c->at[d - 1] - 1 : 0;
}

/* Own the neighbours that tree_balance() would touch after one record less in the leaf: as far up as nodes
 * may fall short. */
static dkv_err tree_own_neighbours(struct tree *t, struct tree_cursor *c)
{
    for (unsigned d = c->depth - 1; d > 0 && c->node[d]->count <= NODE_RECORDS_MIN; d--) {
        struct node **pair = &c->node[d - 1]->children[tree_pair(c, d)];
        if (tree_own(t, &pair[0]) != DKV_OK || tree_own(t, &pair[1]) != DKV_OK) {
            return DKV_NO_MEMORY;
        }
    }
    return DKV_OK;
}

/* Deleting joins and levels nodes at once instead of leaving sparse ones to be swept up later: it costs one
 * more node copy in about one of fifteen deletes, and a tree that has shrunk takes no more memory than a
 * fresh one. */
static void tree_balance(struct tree *t, struct tree_cursor *c)
{
    for (unsigned d = c->depth - 1; d > 0 && c->node[d]->count < NODE_RECORDS_MIN; d--) {
        struct node *emptied = node_balance(c->node[d - 1], tree_pair(c, d));
        if (emptied == NULL) {
            break;
        }
        reclaim_drop(&t->reclaim, &emptied->item);
    }
    struct node *root = t->root;
    if (root->count == 0) {
        t->root = root->level > 0 ? root->children[0] : NULL;
        reclaim_drop(&t->reclaim, &root->item);
    }
}

dkv_err tree_del(struct tree *t, struct slice key)
{
    struct tree_cursor c;
    if (!tree_walk(t->root, key, &c)) {
        return DKV_NOT_FOUND;
    }
    unsigned d = c.depth - 1;
    if (c.node[d]->level > 0) {
        tree_walk_before(&c);
    }
    dkv_err err = tree_own_path(t, &c);
    if (err == DKV_OK) {
        err = tree_own_neighbours(t, &c);
    }
    if (err != DKV_OK) {
        return err;
    }
    struct record *gone = c.node[d]->records[c.at[d]];
    struct node *leaf = c.node[c.depth - 1];
    unsigned at = c.at[c.depth - 1];
    if (c.node[d] != leaf) {
        node_replace(c.node[d], c.at[d], leaf->records[at]);
    }
    node_remove(leaf, at);
    tree_balance(t, &c);
    tree_count_out(t, gone);
    return DKV_OK;
}

void tree_seek(const struct tree *t, struct slice from, struct tree_cursor *c)
{
    (void)tree_walk(t->root, from, c);
}

const struct record *tree_next(struct tree_cursor *c)
{
    while (c->depth > 0 && c->at[c->depth - 1] == c->node[c->depth - 1]->count) {
        c->depth--; /* back to the record behind the child we come from */
    }
    if (c->depth == 0) {
        return NULL;
    }
    struct node *n = c->node[c->depth - 1];
    unsigned at = c->at[c->depth - 1]++;
    const struct record *r = n->records[at];
    while (n->level > 0) {
        n = n->children[c->at[c->depth - 1]];
        tree_push(c, n, 0);
    }
    return r;
}

struct tree_view *tree_view_open(struct tree *t)
{
    struct tree_view *v = mem_alloc(sizeof *v);
    if (v != NULL) {
        v->root = t->root;
        v->keys = t->keys;
        reclaim_open(&t->reclaim, &v->seen);
    }
    return v;
}

uint64_t tree_view_keys(const struct tree_view *v)
{
    return v->keys;
}

void tree_view_seek(const struct tree_view *v, struct slice from, struct tree_cursor *c)
{
    (void)tree_walk(v->root, from, c);
}

bool tree_view_close(struct tree *t, struct tree_view *v)
{
    bool done = reclaim_close(&t->reclaim, &v->seen);
    if (done) {
        mem_free(v);
    }
    return done;
}

/* The shape of the lowest node of the path c. */
static void tree_check_node(const struct tree *t, const struct tree_cursor *c)
{
    const struct node *n = c->node[c->depth - 1];
    bool on_edge = true;
    for (unsigned d = 0; d + 1 < c->depth; d++) {
        on_edge = on_edge && c->at[d] == c->node[d]->count;
    }
    ensure(node_is_sound(n));
    ensure(n->item.born <= t->reclaim.now);
    ensure(n->count >= (on_edge ? 1u : NODE_RECORDS_MIN));
    ensure(n->level + c->depth == t->root->level + 1u);
}

static void tree_check_path(const struct tree *t, const struct tree_cursor *c)
{
    struct tree_cursor up = *c;
    for (; up.depth > 0; up.depth--) {
        tree_check_node(t, &up);
    }
}

void tree_check(const struct tree *t)
{
    struct tree_cursor c;
    uint64_t keys = 0;
    uint64_t bytes = 0;
    const struct record *last = NULL;
    tree_seek(t, (struct slice){0}, &c);
    tree_check_path(t, &c);
    for (const struct record *r = tree_next(&c); r != NULL; r = tree_next(&c)) {
        ensure(last == NULL || slice_cmp(record_key(last), record_key(r)) < 0);
        ensure(r->item.born <= t->reclaim.now);
        if (c.at[c.depth - 1] == 0) {
            tree_check_path(t, &c); /* a leaf was just entered */
        }
        last = r;
        keys++;
        bytes += tree_record_bytes(r);
    }
    ensure(keys == t->keys);
    ensure(bytes == t->bytes);
}
