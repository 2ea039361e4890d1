/* forward.h - requests this node passes to another and whose answers it awaits.
 *
 * An answer that was on its way when the link broke is lost: a write is then DKV_UNKNOWN, a read
 * DKV_UNAVAILABLE. What never left is DKV_UNAVAILABLE. Bounded by NODE_PENDING_MAX. */
#ifndef DKV_SHARD_FORWARD_H
#define DKV_SHARD_FORWARD_H

#include "base/err.h"
#include "proto/request.h"

struct forward;
struct forwards; /* opaque: all that are on their way */
struct peers;

/* reply is valid during the call. */
typedef void (*forward_cb)(struct forward *f, const struct reply *reply);

struct forward {
    uint32_t node;          /* in: to whom */
    struct request request; /* in: alive until forward_send returned */
    uint64_t deadline_ms;   /* in */
    forward_cb cb;          /* in */
    uint32_t slot;          /* private */
};

struct forwards *forwards_new(struct peers *peers); /* NULL: no memory */
void forwards_free(struct forwards *fs);            /* answers all first; NULL is fine */

/* Send it. DKV_OK: the callback fires once, later. DKV_UNAVAILABLE: the link is down or its queue full;
 * DKV_LIMIT: too many on their way. Then nothing was sent and the callback never fires. */
dkv_err forward_send(struct forwards *fs, struct forward *f, uint64_t now_ms) MUST_CHECK;

/* A reply frame came from that node. Unknown ids (answered meanwhile by the deadline) are ignored. */
void forwards_reply(struct forwards *fs, uint32_t node, uint64_t id, struct slice body);

/* The link to that node broke. */
void forwards_link_down(struct forwards *fs, uint32_t node);

/* Answer what is past its deadline. */
void forwards_sweep(struct forwards *fs, uint64_t now_ms);
bool forwards_is_waiting(const struct forwards *fs);

#endif
