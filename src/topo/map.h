/* map.h - the cluster map: which nodes there are and which replica of which shard lives where.
 *
 * Numbered by epoch. Epoch 1 is computed alike by every node from the same --initial-cluster text; later ones
 * are the state of group 0. A map is built once and then only read.
 *
 * Invariants (kept by map_bootstrap, checked by map_decode):
 *   1. node ids are 1..n in order, names unique, every name and address one that text.h takes;
 *   2. shards[0] is the meta group, at least one more follows, ids ascend and are below SHARDS_MAX;
 *   3. each shard has 1 to REPLICAS_MAX replicas, on different nodes of the map;
 *   4. replica ids are unique in the whole map, from 1 and below next_replica;
 *   5. epoch is not 0, vnodes is 1 to VNODES_MAX. */
#ifndef DKV_TOPO_MAP_H
#define DKV_TOPO_MAP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"

/* What a map may make use of; a node refuses a map with a higher level than it knows. */
#define MAP_FEATURE_LEVEL 1u

struct map_node {
    uint32_t id; /* from 1; never reused */
    char name[NODE_NAME_MAX + 1];
    struct address peer;
};

struct map_replica {
    uint64_t id; /* from 1; never reused in this cluster */
    uint32_t node;
};

struct map_shard {
    uint32_t id; /* 0: the meta group */
    uint32_t replica_count;
    struct map_replica replicas[REPLICAS_MAX];
};

struct map {
    uint64_t epoch;
    uint64_t cluster; /* cluster id */
    uint32_t feature_level;
    uint32_t vnodes; /* ring points per shard */
    uint64_t next_replica;
    uint32_t node_count;
    uint32_t shard_count; /* with the meta group: shards + 1 */
    struct map_node *nodes;
    struct map_shard *shards;
};

/* What all nodes are started with. */
struct map_plan {
    const char *initial_cluster; /* "n1=host:7000,n2=host:7000", any order */
    const char *token;           /* --cluster-token; may be empty */
    uint32_t shards;
    uint32_t replicas; /* per shard; odd, at most the number of nodes */
    uint32_t vnodes;
};

/* Epoch 1. The cluster id is the hash of the canonical plan: nodes sorted by name, shards, replicas, vnodes,
 * token. Replica k of shard s is on node (s - 1 + k) mod n; the meta group is on the first nodes, as many as
 * the largest of 1, 3, 5 that fits. DKV_CONFIG: why says in one line what is wrong and what is allowed.
 * DKV_NO_MEMORY. */
dkv_err map_bootstrap(const struct map_plan *plan, struct map **out, struct buf *why) MUST_CHECK;
void map_free(struct map *map); /* NULL is fine */

/* Versioned bytes, drawn in PROTOCOL.md. Decoding checks every invariant: DKV_MALFORMED, DKV_UNSUPPORTED (a
 * newer version or feature level), DKV_NO_MEMORY. */
void map_encode(const struct map *map, struct buf *out);
dkv_err map_decode(struct slice in, struct map **out) MUST_CHECK;

/* NULL: no such node, shard or replica. */
const struct map_node *map_node(const struct map *map, uint32_t id);
const struct map_node *map_node_named(const struct map *map, struct slice name);
const struct map_shard *map_shard(const struct map *map, uint32_t id);
const struct map_replica *map_replica_on(const struct map_shard *shard, uint32_t node);
const struct map_replica *map_replica(const struct map_shard *shard, uint64_t id);

#endif
