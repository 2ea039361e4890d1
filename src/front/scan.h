/* scan.h - pages of keys in order: of one shard from its state, of all shards by merging theirs.
 *
 * A page of all shards is cut at the lowest key any shard did not return, so nothing is skipped; each shard's
 * part is a consistent picture of that shard. Bounded: SCAN_KEYS_MAX keys and SCAN_BYTES_MAX bytes a page; a
 * shard is asked for twice its fair share of either, and always gives one key. */
#ifndef DKV_FRONT_SCAN_H
#define DKV_FRONT_SCAN_H

#include "front/router.h"

/* Answer with a page of this state, before returning. */
void scan_shard(struct router_call *call, const struct state *state);

/* Ask all shards and answer with the merged page, later. */
void scan_gather(struct router_call *call);

#endif
