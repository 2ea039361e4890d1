/* command.h - the payload of a log entry: what a shard's state machine applies.
 *
 * Versioned from the first day; drawn in PROTOCOL.md. It carries the request's identity (for exactly-once)
 * and the leader's log time, so that applying needs nothing but the entry. An unknown version or operation is
 * never skipped: the node stops. */
#ifndef DKV_PROTO_COMMAND_H
#define DKV_PROTO_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/request.h"

enum command_op {
    COMMAND_PUT = 1,
    COMMAND_DELETE = 2,
    COMMAND_MAP = 3, /* group 0: value is an encoded cluster map */
};

struct command {
    enum command_op op;
    uint64_t log_time; /* ms, never goes back within a log */
    struct write_id id;
    struct slice key;
    struct slice value;
};

/* As PROTOCOL.md draws it. */
void command_encode(const struct command *c, struct buf *out);

/* Slices point into in. DKV_UNSUPPORTED: newer version or operation. DKV_MALFORMED. */
dkv_err command_decode(struct slice in, struct command *out) MUST_CHECK;

#endif
