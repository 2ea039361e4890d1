/* client_internal.h - the core of a client: between its callers and a transport.
 *
 * Pure: no socket, clock or randomness of its own. A transport (client/uv.c, the simulator) tells it what its
 * connections do, then calls client_core_tick() and carries out client_core_output() of each connection: hang
 * up, dial, send, in this order. After an on_closed, and after a hang-up, no event of that connection may
 * come until it is dialed again. Callers' callbacks fire from inside on_bytes, on_closed, tick and cancel,
 * never from inside client_core_call; they may call client_core_call.
 *
 * At most one connection takes new calls, the current one. One more may be leaving: it gets no new calls and
 * is hung up when what it owes has been answered.
 *
 *   NONE -> DIALING -> GREETING -> UP -> LEAVING -> NONE     (and to NONE from everywhere, when it breaks)
 *
 * Invariants:
 *   1. a call is in exactly one of: refused, waiting, in flight on one connection; and always in order;
 *   2. slots[id mod CONN_INFLIGHT_MAX] is the call in flight with that id;
 *   3. order is sorted by deadline. */
#ifndef DKV_CLIENT_CLIENT_INTERNAL_H
#define DKV_CLIENT_CLIENT_INTERNAL_H

#include "base/list.h"
#include "base/rng.h"
#include "client/client.h"
#include "proto/pack.h"

#define CLIENT_CONNS           2u
#define CLIENT_REPLY_BYTES_MAX (REQUEST_BYTES_MAX + SCAN_BYTES_MAX)
#define CLIENT_BACKOFF_MIN_MS  10u
#define CLIENT_BACKOFF_MAX_MS  200u
#define CLIENT_PATIENCE_MIN_MS 20u
#define CLIENT_PATIENCE_MAX_MS 2000u
#define CLIENT_ENDPOINTS_MAX   ((size_t)2 * NODES_MAX) /* configured and learned */
#define CLIENT_WHY_BYTES       384u

enum client_conn_state { CONN_NONE, CONN_DIALING, CONN_GREETING, CONN_UP, CONN_LEAVING };
#define CONN_STATES 5

struct client_conn {
    enum client_conn_state state;
    bool dial;   /* for output: dial endpoint */
    bool hangup; /* for output */
    size_t endpoint;
    uint32_t hello_id;
    struct buf in;         /* the beginning of an answer */
    struct buf out;        /* not yet taken by the transport */
    struct pack_scan scan; /* how far into in */
    struct link inflight;
    uint64_t heard_ms; /* last sign of life; while dialing and greeting: its begin */
};

struct client_core {
    uint64_t timeout_ms;
    uint64_t patience_ms;
    bool learn;
    bool stopped; /* canceled: answers are no longer delivered */
    bool cluster_known;
    uint64_t cluster;          /* id told by the first HELLO */
    struct address *endpoints; /* owned */
    size_t endpoint_count;
    size_t next_endpoint; /* dialed next */
    unsigned failures;    /* connections in a row that came to nothing */
    uint64_t dial_at_ms;  /* end of their back-off */
    struct client_conn conns[CLIENT_CONNS];
    struct link refused;
    struct link waiting;
    struct link order;
    struct client_call *slots[CONN_INFLIGHT_MAX];
    uint32_t inflight;
    size_t inflight_bytes;
    uint32_t last_id;
    struct pack_doc *doc;
    struct rng rng;
    char last[CLIENT_WHY_BYTES];   /* the last failure, for messages, */
    bool last_is_answer;           /* by a node: it says more than one that cannot be reached */
    char detail[CLIENT_WHY_BYTES]; /* of the reply being delivered */
};

/* What a transport has to do for one connection. */
struct client_output {
    bool hangup;
    const struct address *dial; /* NULL: nothing to dial; valid until the next event */
    struct buf *send;           /* never NULL; the transport consumes or takes its content */
};

/* DKV_NO_MEMORY; DKV_CONFIG: no endpoint, or more than CLIENT_ENDPOINTS_MAX. Finish it in any case. */
dkv_err client_core_init(struct client_core *core, const struct client_config *config,
                         uint64_t seed) MUST_CHECK;
void client_core_fini(struct client_core *core); /* no call may be left */

/* As client_call(). */
void client_core_call(struct client_core *core, struct client_call *call, uint64_t now_ms);

/* All calls end with DKV_CANCELED. */
void client_core_cancel(struct client_core *core);

/* What became of a connection that was asked for, what came over it, and its end. */
void client_core_on_connected(struct client_core *core, unsigned conn, uint64_t now_ms);
void client_core_on_bytes(struct client_core *core, unsigned conn, struct slice bytes, uint64_t now_ms);
void client_core_on_closed(struct client_core *core, unsigned conn, const char *why, uint64_t now_ms);

/* Let time pass and decide what to do. Returns when to call again if nothing happens; UINT64_MAX: never. */
uint64_t client_core_tick(struct client_core *core, uint64_t now_ms);
void client_core_output(struct client_core *core, unsigned conn, struct client_output *out);

#endif
