/* map_internal.h - the nodes of a map as text; shared by map.c and map_nodes.c. */
#ifndef DKV_TOPO_MAP_INTERNAL_H
#define DKV_TOPO_MAP_INTERNAL_H

#include "topo/map.h"

/* How many nodes an initial-cluster text names. */
size_t map_count_nodes(struct slice text);

/* Fill map->nodes, which has room for as many as map_count_nodes() said, sorted by name, with ids from 1.
 * DKV_CONFIG: why says what is wrong and what is allowed. */
dkv_err map_parse_nodes(struct slice text, struct map *map, struct buf *why) MUST_CHECK;

/* Name and address, each with its length before it. */
void map_put_node(const struct map_node *node, struct buf *out);

#endif
