/* node.h - everything of a node but its doors: journal, links, replicas, read rounds, forwarded requests.
 *
 * It reaches the world only through what it is handed: a disk, a dialer, a clock, seeds. One thread calls it.
 * The owner calls node_turn() at the end of every loop turn and not later than node_deadline().
 *
 * Life: node_open (blocks, replays the journal) -> node_start -> ... -> node_hand_over (optional) ->
 * node_close. */
#ifndef DKV_SHARD_NODE_H
#define DKV_SHARD_NODE_H

#include "base/disk.h"
#include "base/stream.h"
#include "peer/peers.h"
#include "shard/forward.h"
#include "shard/replica.h"
#include "topo/map.h"
#include "topo/ring.h"

struct node; /* opaque */

/* What ends a process, as its exit code (dkvd(8)). */
enum fatal {
    FATAL_LOCKED = 3,  /* known under another incarnation, or the directory is another node's */
    FATAL_STORAGE = 4, /* corrupt data, or a failed write or sync */
};

struct node_config {
    uint32_t self;         /* node id in map */
    const struct map *map; /* epoch 1; borrowed */
    struct disk *disk;     /* the journal's directory; borrowed */
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t seed;                               /* of election timers */
    uint64_t boot;                               /* random, of this start */
    uint8_t incarnation[PEER_INCARNATION_BYTES]; /* random; used if the directory is new */
    const char *client_address;                  /* advertised; borrowed */
    void *ctx;
    uint64_t (*now_ms)(void *ctx); /* monotonic */
    void (*dial)(void *ctx, uint32_t node, const struct address *to);
    /* Another node passes a client's request on; answer with node_answer(). body is valid during the call. */
    void (*on_request)(void *ctx, uint32_t from, uint64_t id, struct slice body);
    /* A leader or a link changed: what waits for one may look again. */
    void (*on_change)(void *ctx);
    /* The process must end with that code; why is for the log. Nothing may be acknowledged any more. */
    void (*on_fatal)(void *ctx, enum fatal code, const char *why);
};

/* DKV_CORRUPT, DKV_LOCKED, DKV_IO, DKV_NO_MEMORY: why says it in one line. */
dkv_err node_open(const struct node_config *config, struct node **out, struct buf *why) MUST_CHECK;

/* Begin: dial the others, vote as soon as that is safe (join.h). */
void node_start(struct node *n);

/* One turn of the loop: time, read rounds, the journal, then one write per link. */
void node_turn(struct node *n);
uint64_t node_deadline(const struct node *n); /* ms; UINT64_MAX: none */

/* The peer port: outcomes of dial, and accepted streams. Streams are taken. */
void node_dialed(struct node *n, uint32_t node, struct stream *s);
void node_accepted(struct node *n, struct stream *s);

/* Hand every local leadership over; true when none is left (call again after later turns). */
bool node_hand_over(struct node *n);

/* Answer what waits, write what is left, close the links, then free and call back. Legal after node_open. */
void node_close(struct node *n, void (*cb)(void *ctx), void *ctx);

/* As node_close, but nothing more is written: what a crash leaves. No write may be pending in the disk seam.
 * For the simulator. */
void node_abandon(struct node *n, void (*cb)(void *ctx), void *ctx);

/* For the doors. */
const struct map *node_map(const struct node *n);
const struct ring *node_ring(const struct node *n);
uint32_t node_self(const struct node *n);
const char *node_name(const struct node *n);
const char *node_client(const struct node *n,
                        uint32_t id); /* advertised client address; empty: not heard of */
bool node_is_voting(const struct node *n);
struct replica *node_replica(struct node *n, uint32_t shard); /* NULL: none here, or not started yet */
struct peers *node_peers(struct node *n);

/* About what the states and logs of all replicas take, in bytes, as of the last node_turn(). */
uint64_t node_memory(const struct node *n);

/* The node that leads a shard as far as this one knows; 0: unknown. A hint (from a NOT_LEADER reply) counts
 * for shards without a replica here. */
uint32_t node_leader(const struct node *n, uint32_t shard);
void node_hint(struct node *n, uint32_t shard, uint32_t leader);

/* Pass a request on (see forward_send) and answer one that was passed on to us. */
dkv_err node_forward(struct node *n, struct forward *f) MUST_CHECK;
void node_answer(struct node *n, uint32_t to, uint64_t id, const struct reply *reply);

#endif
