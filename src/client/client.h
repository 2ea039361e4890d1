/* client.h - a client of the cluster: tries endpoints, keeps deadlines, never repeats what may have happened.
 *
 * The core (client.c) is pure: it is told what connections do and says what to send where, so the simulator
 * can run it. client/uv.c is its transport on a libuv loop; client_call_wait() is the blocking face of both.
 *
 * Every connection begins with a HELLO, and nothing else is sent before its answer: what listens on a wrong
 * port or belongs to another cluster never sees a write, so that failing over from it is no unknown outcome.
 *
 * Retries: a request whose answer says "not applied" (UNAVAILABLE, NOT_LEADER, WRONG_SHARD, a refused
 * connection) goes to the next endpoint after a short back-off (10 ms doubling to 200, with jitter) until the
 * deadline. A read is also repeated when the connection broke. A write that was sent and not answered is
 * DKV_UNKNOWN, at once: it is not repeated until the store can tell a repetition (exactly-once). An endpoint
 * that leaves requests unanswered for a third of the timeout (2 s at most) is left for the next one: its
 * reads move, its writes go on waiting. */
#ifndef DKV_CLIENT_CLIENT_H
#define DKV_CLIENT_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/text.h"
#include "proto/request.h"

struct client;      /* opaque */
struct client_call; /* below */

struct client_config {
    const struct address *endpoints; /* in: copied */
    size_t endpoint_count;
    uint64_t timeout_ms; /* of a call, with all its retries */
    size_t first;        /* which endpoint to prefer; modulo their number */
    bool learn;          /* ask the first node that answers for the other endpoints */
};

typedef void (*client_cb)(struct client_call *call);

struct client_call {
    /* in: what it points to is kept alive by the caller until cb. timeout_ms: of this call with all its
     * retries, 0: as configured; the server is told what is left of it. */
    struct request request;
    struct reply reply; /* out: valid inside cb only; err DKV_UNAVAILABLE or DKV_UNKNOWN at the deadline */
    client_cb cb;       /* in */
    struct address endpoint; /* out: who answered last */
    unsigned attempts;       /* out: how often it was sent */
    bool sent;               /* out: on its way and not answered, so that a write may happen */

    struct link order;      /* private: all calls, by deadline */
    struct link queue;      /* private: waiting, or in flight on one connection */
    uint64_t deadline_ms;   /* private */
    uint64_t not_before_ms; /* private: end of its back-off */
    size_t cost;            /* private: bytes counted as in flight */
    uint32_t id;            /* private: of the message, while sent */
    unsigned conn;          /* private: which connection, while sent */
};

/* client/uv.c. loop: a uv_loop_t, borrowed, and kept running until client_close(). Calls are pipelined over
 * one connection; a second one exists only while a left one still owes answers. NULL: no memory. */
struct client *client_uv_new(void *loop, const struct client_config *config);

/* Start a call; the callback fires exactly once, after this has returned, and possibly just before the loop
 * would wait: who runs the loop step by step calls uv_stop() in it. */
void client_call(struct client *c, struct client_call *call);

/* Cancel all calls (DKV_CANCELED), close, then free; the callback may be NULL. No call may be started any
 * more. */
void client_close(struct client *c, void (*cb)(void *ctx), void *ctx);

/* Copy a reply so that it outlives the callback: its slices live in keep. Without memory to->err alone is
 * set. */
void client_keep_reply(const struct reply *from, struct reply *to, struct buf *keep);

/* Blocking: run one request on a loop of its own. The reply's slices live in keep, which the caller finishes.
 * Returns reply->err. */
dkv_err client_call_wait(const struct client_config *config, const struct request *req, struct reply *rep,
                         struct buf *keep) MUST_CHECK;

#endif
