/* state.h - the state machine of one shard: applies commands, answers reads.
 *
 * Deterministic: the same entries at the same indexes give the same state everywhere; no clock, no
 * randomness. It knows which keys it owns and checks that at apply and at every read, so stale routing can
 * cost a hop but never a lost or doubled write. The loop's thread alone calls it; a view may be read from
 * elsewhere. */
#ifndef DKV_STORE_STATE_H
#define DKV_STORE_STATE_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/command.h"

struct ring;
struct state;      /* opaque */
struct state_view; /* opaque: a frozen state, O(1) to take */

/* An empty state for that shard of the ring, which must outlive it. NULL: no memory. */
struct state *state_new(uint32_t shard, const struct ring *ring);
void state_free(struct state *s); /* NULL is fine; no view may be out */

struct state_result {
    /* DKV_OK; nothing changed but the index: DKV_NOT_FOUND (delete of a missing key), DKV_WRONG_SHARD,
     * DKV_TOO_LARGE, DKV_BAD_REQUEST (empty key), DKV_UNSUPPORTED (no command for a shard: the node stops);
     * nothing changed at all, not even the index: DKV_NO_MEMORY. */
    dkv_err err;
    uint64_t id;      /* the index, when something changed */
    uint64_t version; /* of the key after a put: 1 at creation, +1 per change */
};

/* Apply the command of log entry index; indexes only go up, gaps (barriers) are fine. */
void state_apply(struct state *s, uint64_t index, const struct command *c, struct state_result *out);

/* An entry without a command was applied: only the index moves. */
void state_skip(struct state *s, uint64_t index);

/* One key as it is now. Slices are valid until the next apply. */
struct state_item {
    struct slice key;
    struct slice value;
    uint64_t id;
    uint64_t version;
};

/* DKV_NOT_FOUND, DKV_WRONG_SHARD. */
dkv_err state_get(const struct state *s, struct slice key, struct state_item *out) MUST_CHECK;

/* Keys >= from (and >= prefix) that begin with prefix, in order, until visit returns false. */
typedef bool (*state_visit_fn)(void *ctx, const struct state_item *item);
void state_scan(const struct state *s, struct slice prefix, struct slice from, state_visit_fn visit,
                void *ctx);

uint64_t state_index(const struct state *s);    /* last applied */
uint64_t state_log_time(const struct state *s); /* ms; that of the last command applied */
uint64_t state_keys(const struct state *s);
uint64_t state_bytes(const struct state *s);  /* of keys and values */
uint64_t state_memory(const struct state *s); /* about what they take, with all around them */

/* A frozen view: writes go on, the view does not change. Only one thread may use one view; state_view_close()
 * runs on the loop's thread and frees what only the view still held, in slices of at most 200 microseconds:
 * it returns false until it is done and wants to be called again. */
struct state_view *state_view_open(struct state *s); /* NULL: no memory */
void state_view_scan(const struct state_view *v, struct slice prefix, struct slice from, state_visit_fn visit,
                     void *ctx);
uint64_t state_view_index(const struct state_view *v);
bool state_view_close(struct state_view *v);

/* XXH3 over all keys, values, ids and versions in order: equal states have equal hashes. O(n). */
uint64_t state_hash(const struct state *s);

#endif
