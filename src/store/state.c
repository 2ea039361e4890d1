/* state.c - commands and reads of one shard, over the tree. */
#include "store/state.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/tree.h"
#include "topo/ring.h"

/* What a key takes besides its own and its value's bytes: the record's head, its place in a leaf, the
 * allocator's share. Measured as resident memory: 72 to 79 bytes with half a million keys, in order and not.
 */
#define STATE_KEY_OVERHEAD 80u

struct state {
    uint32_t shard;
    const struct ring *ring; /* borrowed */
    struct tree *tree;
    uint64_t index;
    uint64_t log_time;
};

struct state_view {
    struct state *state;
    struct tree_view *tree;
    uint64_t index;
};

struct state *state_new(uint32_t shard, const struct ring *ring)
{
    struct state *s = mem_zalloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->shard = shard;
    s->ring = ring;
    s->tree = tree_new();
    if (s->tree == NULL) {
        state_free(s);
        return NULL;
    }
    return s;
}

void state_free(struct state *s)
{
    if (s != NULL) {
        tree_free(s->tree);
        mem_free(s);
    }
}

static bool state_owns(const struct state *s, struct slice key)
{
    return ring_find(s->ring, key) == s->shard;
}

/* Whether the command is one this shard may apply. The limits are constants, not flags: each replica must
 * come to the same answer. */
static dkv_err state_admit(const struct state *s, const struct command *c)
{
    if (c->key.len == 0) {
        return DKV_BAD_REQUEST;
    }
    if (c->key.len > KEY_BYTES_MAX || c->value.len > VALUE_BYTES_MAX) {
        return DKV_TOO_LARGE;
    }
    return state_owns(s, c->key) ? DKV_OK : DKV_WRONG_SHARD;
}

static void state_put(struct state *s, uint64_t index, const struct command *c, struct state_result *out)
{
    out->err = state_admit(s, c);
    if (out->err != DKV_OK) {
        return;
    }
    const struct record *old = tree_find(s->tree, c->key);
    uint64_t version = old == NULL ? 1 : old->version + 1;
    struct record *r = record_new(c->key, c->value);
    if (r == NULL) {
        out->err = DKV_NO_MEMORY;
        return;
    }
    r->id = index;
    r->version = version;
    out->err = tree_put(s->tree, r);
    if (out->err != DKV_OK) {
        record_free(r);
        return;
    }
    out->id = index;
    out->version = version;
}

static void state_delete(struct state *s, uint64_t index, const struct command *c, struct state_result *out)
{
    out->err = state_admit(s, c);
    if (out->err == DKV_OK) {
        out->err = tree_del(s->tree, c->key);
    }
    if (out->err == DKV_OK) {
        out->id = index;
    }
}

static void state_dispatch(struct state *s, uint64_t index, const struct command *c, struct state_result *out)
{
    switch (c->op) {
    case COMMAND_PUT:
        state_put(s, index, c, out);
        return;
    case COMMAND_DELETE:
        state_delete(s, index, c, out);
        return;
    case COMMAND_MAP: /* for group 0, which has no such state */
        break;
    }
    out->err = DKV_UNSUPPORTED;
}

void state_apply(struct state *s, uint64_t index, const struct command *c, struct state_result *out)
{
    ensure(index > s->index);
    *out = (struct state_result){0};
    state_dispatch(s, index, c, out);
    if (out->err == DKV_NO_MEMORY) {
        return;
    }
    s->index = index;
    if (c->log_time > s->log_time) {
        s->log_time = c->log_time;
    }
}

void state_skip(struct state *s, uint64_t index)
{
    ensure(index > s->index);
    s->index = index;
}

static struct state_item state_item_of(const struct record *r)
{
    return (struct state_item){
        .key = record_key(r), .value = record_value(r), .id = r->id, .version = r->version};
}

dkv_err state_get(const struct state *s, struct slice key, struct state_item *out)
{
    if (!state_owns(s, key)) {
        return DKV_WRONG_SHARD;
    }
    const struct record *r = tree_find(s->tree, key);
    if (r == NULL) {
        return DKV_NOT_FOUND;
    }
    *out = state_item_of(r);
    return DKV_OK;
}

/* Keys with a prefix stand together, so a scan begins at the larger of the two and ends where the prefix
 * does. */
static struct slice state_scan_from(struct slice prefix, struct slice from)
{
    return slice_cmp(from, prefix) > 0 ? from : prefix;
}

static void state_visit(struct tree_cursor *c, struct slice prefix, state_visit_fn visit, void *ctx)
{
    for (const struct record *r = tree_next(c); r != NULL; r = tree_next(c)) {
        struct state_item item = state_item_of(r);
        if (!slice_has_prefix(item.key, prefix) || !visit(ctx, &item)) {
            return;
        }
    }
}

void state_scan(const struct state *s, struct slice prefix, struct slice from, state_visit_fn visit,
                void *ctx)
{
    struct tree_cursor c;
    tree_seek(s->tree, state_scan_from(prefix, from), &c);
    state_visit(&c, prefix, visit, ctx);
}

uint64_t state_index(const struct state *s)
{
    return s->index;
}

uint64_t state_log_time(const struct state *s)
{
    return s->log_time;
}

uint64_t state_keys(const struct state *s)
{
    return tree_keys(s->tree);
}

uint64_t state_bytes(const struct state *s)
{
    return tree_bytes(s->tree);
}

uint64_t state_memory(const struct state *s)
{
    return tree_bytes(s->tree) + tree_keys(s->tree) * STATE_KEY_OVERHEAD;
}

struct state_view *state_view_open(struct state *s)
{
    struct state_view *v = mem_alloc(sizeof *v);
    if (v == NULL) {
        return NULL;
    }
    *v = (struct state_view){.state = s, .tree = tree_view_open(s->tree), .index = s->index};
    if (v->tree == NULL) {
        mem_free(v);
        return NULL;
    }
    return v;
}

void state_view_scan(const struct state_view *v, struct slice prefix, struct slice from, state_visit_fn visit,
                     void *ctx)
{
    struct tree_cursor c;
    tree_view_seek(v->tree, state_scan_from(prefix, from), &c);
    state_visit(&c, prefix, visit, ctx);
}

uint64_t state_view_index(const struct state_view *v)
{
    return v->index;
}

bool state_view_close(struct state_view *v)
{
    bool done = tree_view_close(v->state->tree, v->tree);
    if (done) {
        mem_free(v);
    }
    return done;
}

static uint8_t *state_put_le(uint8_t *at, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *at++ = (uint8_t)(v >> (8 * i));
    }
    return at;
}

/* Chained: the hash of each record's bytes and numbers and of the hash so far. The bytes are drawn in
 * PROTOCOL.md. */
static uint64_t state_hash_record(uint64_t hash, const struct record *r)
{
    uint8_t bytes[40];
    uint8_t *at = state_put_le(bytes, hash, 8);
    at = state_put_le(at, r->id, 8);
    at = state_put_le(at, r->version, 8);
    at = state_put_le(at, r->key_len, 4);
    at = state_put_le(at, r->value_len, 4);
    at = state_put_le(at, hash64(slice_of(r->bytes, (size_t)r->key_len + r->value_len)), 8);
    ensure(at == bytes + sizeof bytes);
    return hash64(slice_of(bytes, sizeof bytes));
}

uint64_t state_hash(const struct state *s)
{
    uint64_t hash = 0;
    struct tree_cursor c;
    tree_seek(s->tree, (struct slice){0}, &c);
    for (const struct record *r = tree_next(&c); r != NULL; r = tree_next(&c)) {
        hash = state_hash_record(hash, r);
    }
    return hash;
}
