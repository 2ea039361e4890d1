/* replica.h - one replica of one shard (or of the meta group) on this node: a Raft group, its state machine,
 * and the requests that wait for either.
 *
 *   write: queue -> proposed (has an index) -> applied         read: next -> round -> apply -> served
 *
 * A write that was proposed is answered when its index is applied: by its own entry (done) or by another's
 * (not applied, for certain). Until then it waits, through changes of leadership too, and at its deadline it
 * is DKV_UNKNOWN. A write that was never proposed, and a read, end as DKV_UNAVAILABLE or DKV_NOT_LEADER: not
 * applied.
 *
 * Linearizable reads follow read index (Ongaro 2014, 6.4): the leader notes its commit index, a majority
 * confirms that it leads still (a round begun after the read arrived), and the read is served once that index
 * is applied. A follower asks the leader for such an index and serves the read itself. No clock is trusted.
 */
#ifndef DKV_SHARD_REPLICA_H
#define DKV_SHARD_REPLICA_H

#include "base/err.h"
#include "base/list.h"
#include "proto/request.h"
#include "repl/group.h"
#include "shard/meta.h"
#include "store/state.h"

struct journal;
struct replica; /* opaque */

struct replica_config {
    struct group_config group;
    const struct ring *ring; /* outlives the replica */
    const struct map *map;   /* the meta group's first state; outlives the replica */
    struct journal *journal; /* outlives the replica */
    void *ctx;
    void (*send)(void *ctx, struct replica *r, uint64_t to, struct slice body, bool urgent);
    /* Role, term, known leader or readiness changed. Must not call back into the replica. */
    void (*on_role)(void *ctx, struct replica *r);
};

struct replica_write;
struct replica_read;
typedef void (*replica_write_cb)(struct replica_write *op, dkv_err err);
typedef void (*replica_read_cb)(struct replica_read *op, dkv_err err);

struct replica_write {
    enum command_op op;         /* in */
    struct slice key;           /* in: kept alive until cb, as value */
    struct slice value;         /* in */
    struct write_id id;         /* in */
    uint64_t queue_deadline_ms; /* in: to be proposed by */
    uint64_t deadline_ms;       /* in: to be answered by */
    replica_write_cb cb;        /* in */
    struct state_result result; /* out: DKV_OK only */
    uint64_t index;             /* out; private before */
    uint64_t term;              /* private */
    struct link link;           /* private */
};

struct replica_read {
    uint64_t deadline_ms; /* in */
    bool index_only;      /* in: do not wait until index is applied here (a follower asks) */
    replica_read_cb cb;   /* in: DKV_OK: the state may be read now */
    uint64_t index;       /* out: what the answer reflects at least */
    struct link link;     /* private */
};

/* NULL: no memory, or the saved state contradicts itself (logged). */
struct replica *replica_new(const struct replica_config *config, const struct group_saved *saved,
                            uint64_t now_ms);

/* Every waiting request is answered first: proposed writes DKV_UNKNOWN, all else DKV_CANCELED. NULL is fine.
 */
void replica_free(struct replica *r);

/* The callback fires once, after this has returned. */
void replica_write(struct replica *r, struct replica_write *op);
void replica_read(struct replica *r, struct replica_read *op);

/* Events. */
void replica_receive(struct replica *r, uint64_t now_ms, const struct message *m);
void replica_durable(struct replica *r, uint64_t now_ms, uint64_t batch);
void replica_tick(struct replica *r, uint64_t now_ms); /* at its deadline */
uint64_t replica_deadline(const struct replica *r);

/* End of a loop turn: propose what was queued. */
void replica_turn(struct replica *r, uint64_t now_ms);

/* Answer what is past its deadline. Linear in what waits. */
void replica_sweep(struct replica *r, uint64_t now_ms);
bool replica_is_waiting(const struct replica *r); /* anything waits: sweep now and then */

/* Hand leadership to the best follower; nothing happens when this is not the leader. */
void replica_hand_over(struct replica *r, uint64_t now_ms);

/* Read rounds, driven by shard/rounds.c. wanted: reads wait and no round or question is on its way. */
bool replica_wants_round(const struct replica *r);
bool replica_wants_index(const struct replica *r);           /* follower: a leader is to be asked */
void replica_round_begin(struct replica *r, uint64_t round); /* as leader */
void replica_round_answer(struct replica *r, uint64_t round, uint64_t voter, bool yes);
void replica_index_asked(struct replica *r); /* the question is on its way */
void replica_index_answer(struct replica *r, dkv_err err, uint64_t index);
uint64_t replica_round(const struct replica *r); /* 0: none on its way */

/* What it is and what it is made of. */
uint32_t replica_shard(const struct replica *r);
uint64_t replica_self(const struct replica *r);
const struct group_status *replica_status(const struct replica *r); /* as of the last event */
struct group *replica_group(struct replica *r);
struct state *replica_state(struct replica *r);   /* NULL for the meta group */
uint64_t replica_memory(const struct replica *r); /* about what state and log take; O(1) */
struct meta *replica_meta(struct replica *r);     /* NULL for a shard */

#endif
