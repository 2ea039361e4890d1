/* shard_view.h - the shards as a STATUS answer tells them. */
#ifndef DKV_DKVCTL_SHARD_VIEW_H
#define DKV_DKVCTL_SHARD_VIEW_H

#include "base/err.h"
#include "base/limits.h"
#include "proto/pack.h"

struct ctl;
struct reply;

/* Slices point into the answer. */
struct shard_view {
    uint64_t id;
    struct slice leader; /* empty: none, or not known */
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t last;
    uint64_t lag;
    uint64_t keys;
    uint64_t bytes;
    struct slice replicas[REPLICAS_MAX];
    size_t replica_count;
};

/* An answer being read; all zero is a fresh one. */
struct status_view {
    struct pack_doc *doc;
    const struct pack_value *shards;
    uint32_t count;
    uint64_t epoch;
    struct slice node; /* who gathered it */
};

/* Ask and read. The views live until the session's next call. rep->err says what went wrong; DKV_MALFORMED
 * too. */
dkv_err status_view_fetch(struct ctl *ctl, struct status_view *s, struct reply *rep);
/* Read an answer that was got otherwise; it has to outlive the views. */
dkv_err status_view_read(struct status_view *s, const struct reply *rep) MUST_CHECK;

/* The i-th shard of the answer; false: it says no shard number. */
bool status_view_at(const struct status_view *s, uint32_t i, struct shard_view *out);

/* False: the answer does not have that shard. */
bool status_view_find(const struct status_view *s, uint64_t shard, struct shard_view *out);
void status_view_fini(struct status_view *s);

#endif
