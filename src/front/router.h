/* router.h - takes any request at any node to where it can be answered.
 *
 *   fresh -> local replica | another node | waiting for a leader -> answered
 *
 * A key's shard comes from the ring. Writes go to the shard's leader, here or on another node; linearizable
 * reads to the local replica (leader or follower), else to a node that has one; stale reads to the local
 * replica at once, else to a node that has one. A request that came from another node is never passed on
 * again: it is answered DKV_NOT_LEADER with a hint instead. What was not applied is tried again when leaders
 * or links change, for at most one election timeout; then the answer is DKV_UNAVAILABLE, and the client may
 * ask elsewhere. */
#ifndef DKV_FRONT_ROUTER_H
#define DKV_FRONT_ROUTER_H

#include "shard/node.h"

struct router; /* opaque */
struct router_call;

/* reply is valid during the call. */
typedef void (*router_cb)(struct router_call *call, const struct reply *reply);

struct router_call {
    struct request request; /* in: what it points to is kept alive until cb */
    router_cb cb;           /* in */

    /* private */
    struct router *router;
    struct link link;
    uint32_t shard;
    unsigned attempts;
    uint64_t deadline_ms; /* of the whole call */
    uint64_t patience_ms; /* until when to wait for a leader */
    uint64_t retry_ms;    /* waiting: when to look again */
    uint64_t bytes;       /* counted in the router's */
    union {
        struct replica_write write;
        struct replica_read read;
        struct forward forward;
    };
};

/* What is refused before it becomes a log entry: never when it is applied, or replicas would differ. 0: the
 * default. Of puts only: what is there can be read and deleted, however long or many. A put is held against
 * the limits of key and value at every node it passes, against memory at the leader. */
struct router_limits {
    uint32_t key;    /* bytes; up to KEY_BYTES_MAX, the default */
    uint32_t value;  /* bytes; up to VALUE_BYTES_MAX, the default */
    uint64_t memory; /* bytes of states, logs and waiting puts; default: no limit */
};

struct router_config {
    struct node *node; /* borrowed */
    uint64_t election_ms;
    const char *version; /* of the program, for HELLO */
    struct router_limits limits;
    void *ctx;
    uint64_t (*now_ms)(void *ctx);
};

struct router *router_new(const struct router_config *config); /* NULL: no memory */
void router_free(struct router *r);                            /* no call may be pending; NULL is fine */

/* From now on; what was taken already goes its way. */
void router_set_limits(struct router *r, const struct router_limits *limits);

/* What counts against the limit: about what the states and logs of this node and the puts that wait here
 * take. */
uint64_t router_memory(const struct router *r);

/* The callback fires once, after this has returned. Over NODE_PENDING_MAX calls: DKV_LIMIT. */
void router_submit(struct router *r, struct router_call *call);

/* A request passed on by another node: parse it, run it, answer it. */
void router_forwarded(struct router *r, uint32_t from, uint64_t id, struct slice body);

/* A leader or a link changed. */
void router_changed(struct router *r);

/* End of a loop turn. True: call again after node_turn, there is more. */
bool router_turn(struct router *r);
uint64_t router_deadline(const struct router *r);

/* Answer everything that waits here with DKV_UNAVAILABLE, and whatever comes from now on. */
void router_stop(struct router *r);

/* Nothing is pending. */
bool router_is_idle(const struct router *r);

/* For the gathering parts (scan.c, status.c). */
struct node *router_node(const struct router *r);
void router_answer(struct router_call *call,
                   struct reply *reply); /* fills in what every reply says, then cb */
void router_fail(struct router_call *call, dkv_err err, const char *detail);
uint64_t router_now(const struct router *r);

#endif
