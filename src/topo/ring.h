/* ring.h - which shard owns a key: consistent hashing with virtual nodes (Karger et al. 1997).
 *
 * Built once per epoch of the cluster map, then only read. A key's position is the hash of what stands
 * between its first '{' and the next '}' when that is not empty (the tag), else of the whole key; its owner
 * is the shard of the first point at or after that position, wrapping around.
 *
 * Invariants:
 *   1. points are sorted by hash, and no two are equal (of two equal hashes the lower shard keeps the point);
 *   2. every shard in the map but the meta group owns at least one point. */
#ifndef DKV_TOPO_RING_H
#define DKV_TOPO_RING_H

#include "base/slice.h"

struct map;
struct ring; /* opaque */

/* Build the ring of a map. Keeps no reference to the map. NULL: no memory. */
struct ring *ring_new(const struct map *map);
void ring_free(struct ring *r); /* NULL is fine */

/* The shard that owns key. Cannot fail. */
uint32_t ring_find(const struct ring *r, struct slice key);

/* The key's position on the ring. */
uint64_t ring_position(struct slice key);

/* The points, sorted by position, for display. */
struct ring_point {
    uint64_t position;
    uint32_t shard;
};
size_t ring_points(const struct ring *r, const struct ring_point **points);

/* The share of all positions that shard owns, in parts per million. */
uint32_t ring_share_ppm(const struct ring *r, uint32_t shard);

#endif
