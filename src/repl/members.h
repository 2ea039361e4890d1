/* members.h - a group's configuration as the data of an ENTRY_CHANGE: who belongs to it, and as what.
 *
 * The form on disk and on the wire is dkv's own (PROTOCOL.md), so no file depends on the raft library. */
#ifndef DKV_REPL_MEMBERS_H
#define DKV_REPL_MEMBERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* The numbers are part of the format. */
enum member_role {
    MEMBER_VOTER = 1,   /* replicates and votes */
    MEMBER_STANDBY = 2, /* replicates only */
    MEMBER_SPARE = 3,   /* known, but not replicated to */
};

struct member {
    uint64_t id; /* replica id, never 0 */
    enum member_role role;
};

/* At most REPLICAS_MAX members, no id twice. */
struct members {
    struct member at[REPLICAS_MAX];
    size_t n;
};

/* True: between 1 and REPLICAS_MAX members, no id 0 or twice. */
bool members_are_valid(const struct members *m);

/* NULL: no such member. */
const struct member *members_find(const struct members *m, uint64_t id);

size_t members_voters(const struct members *m); /* how many */

/* How many were added, removed or given another role between the two. */
size_t members_difference(const struct members *a, const struct members *b);

/* As PROTOCOL.md draws it. */
void members_encode(const struct members *m, struct buf *out);

/* DKV_MALFORMED: anything that is no valid configuration. */
dkv_err members_decode(struct slice in, struct members *out) MUST_CHECK;

#endif
