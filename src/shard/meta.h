/* meta.h - the state machine of group 0: the cluster map.
 *
 * Its first state is the map every node computes from --initial-cluster; the first leader writes that map
 * into the log, so that from then on it is replicated like any data. A later map must be the next epoch. */
#ifndef DKV_SHARD_META_H
#define DKV_SHARD_META_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/command.h"
#include "store/state.h"

struct map;
struct meta; /* opaque */

/* map: the bootstrap map, borrowed. NULL: no memory. */
struct meta *meta_new(const struct map *map);
void meta_free(struct meta *m); /* NULL is fine */

/* Apply one command of group 0's log. DKV_CONDITION: a map that is not the next epoch, refused alike
 * everywhere; DKV_UNSUPPORTED: no command of group 0. */
void meta_apply(struct meta *m, uint64_t index, const struct command *c, struct state_result *out);
void meta_skip(struct meta *m, uint64_t index);

uint64_t meta_index(const struct meta *m);    /* last applied */
uint64_t meta_log_time(const struct meta *m); /* ms */
bool meta_is_written(const struct meta *m);   /* a map stands in the log */
struct slice meta_map(const struct meta *m);  /* the encoded map */

#endif
