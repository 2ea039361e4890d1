/* node_internal.h - the node's insides, for the files of this folder. */
#ifndef DKV_SHARD_NODE_INTERNAL_H
#define DKV_SHARD_NODE_INTERNAL_H

#include "shard/join.h"
#include "shard/node.h"
#include "wal/journal.h"

/* A replica of this node, and its question to the leader. */
struct seat {
    struct node *node;
    struct replica *replica; /* NULL: not started */
    uint32_t shard;
    uint64_t round_at_ms;    /* when the round on its way was asked */
    uint64_t ask_not_before; /* a failed question to the leader is not repeated sooner */
    struct forward ask;
};

/* What the journal knew of a group, until its replica starts. */
struct saved {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    struct entry *entries; /* data owned */
    size_t n;
    size_t cap;
};

/* A caller whose incarnation is on its way to the disk. */
struct recording {
    uint64_t batch; /* 0: free */
    uint32_t node;
    uint8_t incarnation[PEER_INCARNATION_BYTES];
    struct handshake *handshake; /* NULL: learned from an answer, nobody waits */
};

#define RECORDINGS_MAX ((size_t)4 * NODES_MAX)
#define SWEEP_MS       20u /* waiting requests are looked at this often */

enum node_state { NODE_OPEN, NODE_JOINING, NODE_VOTING, NODE_CLOSING };

struct node {
    struct node_config config;
    enum node_state state;
    struct ring *ring;
    struct journal *journal;
    struct peers *peers;
    struct forwards *forwards;
    struct peer_identity identity;
    struct join join;
    uint64_t voting_batch; /* the note that we vote is in this batch; 0: none is on its way */
    struct recording recordings[RECORDINGS_MAX];

    struct seat *seats; /* seat_count, by ascending shard */
    uint32_t seat_count;
    struct saved *saved; /* by shard, until the replicas start */
    uint32_t *hints;     /* by shard: leader's node */

    uint64_t round;        /* number of the last read round */
    uint64_t deadline_ms;  /* earliest deadline of any replica; may be early, never late */
    uint64_t memory;       /* of all replicas, at the last turn */
    uint64_t sweep_ms;     /* next look at waiting requests; UINT64_MAX: nothing waits */
    struct entry *entries; /* APPEND_ENTRIES_MAX, for decoding one message */
    struct buf body;       /* of the frame being made */

    void (*close_cb)(void *ctx);
    void *close_ctx;
    unsigned closing; /* parts not closed yet */
};

struct seat *node_seat(const struct node *n, uint32_t shard); /* NULL: none */

/* Callbacks of replicas and links; ctx is the node. */
void node_on_send(void *ctx, struct replica *r, uint64_t to, struct slice body, bool urgent);
void node_on_role(void *ctx, struct replica *r);
void node_on_link(void *ctx, uint32_t node, bool up);
void node_on_frame(void *ctx, uint32_t from, const struct frame *f);

#endif
