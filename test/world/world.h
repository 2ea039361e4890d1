/* world.h - a whole cluster in one process on one seed: real nodes and routers over simulated disks and
 * wires.
 *
 * Everything above the seams is the code of the server: consensus, journal, links, joining, read rounds,
 * forwarding. Time is virtual and goes in steps from event to event. */
#ifndef DKV_TEST_WORLD_WORLD_H
#define DKV_TEST_WORLD_WORLD_H

#include "front/router.h"
#include "lib/memdisk.h"
#include "world/wire.h"

#define WORLD_ELECTION_MS  200u
#define WORLD_HEARTBEAT_MS 50u

struct host {
    struct world *world;
    uint32_t id;
    bool up;
    struct memdisk *disk;
    struct node *node;     /* NULL: down */
    struct router *router; /* NULL: down */
    uint64_t disk_ms;      /* when the oldest pending write completes; UINT64_MAX: none pending */
    uint64_t pause_until;  /* frozen until then */
    uint64_t restart_ms;   /* down: when to start again */
    bool closed;           /* the abandoned node is gone */
};

struct dial {
    struct link link;
    uint64_t at_ms;
    uint32_t from;
    uint32_t to;
};

struct world {
    uint64_t now_ms;
    struct rng rng;
    struct net_sim *net;
    struct map *map;
    uint32_t node_count;
    struct host hosts[WIRE_NODES_MAX]; /* by node id; 0 unused */
    struct link dials;
    bool slow_disks;
    bool calm;       /* faults are over */
    char fatal[256]; /* a node that ended itself, and why; empty: none did */
};

/* nodes, replicas and shards as given; nothing is started. */
struct world *world_new(uint64_t seed, uint32_t nodes, uint32_t replicas, uint32_t shards);
void world_free(struct world *w); /* kills what is up */

void world_start(struct world *w, uint32_t id);
void world_kill(struct world *w, uint32_t id, bool power); /* power: unsynced data may be lost */

/* Go to the next event and carry it out; false when now would pass until_ms (then now is until_ms). */
bool world_step(struct world *w, uint64_t until_ms);

/* The node leading a shard as most of the nodes that are up see it; 0: none. */
uint32_t world_leader(const struct world *w, uint32_t shard);

#endif
