/* rig.h - a client core with a virtual clock and a transport that does what the test says. */
#ifndef DKV_TEST_CLIENT_RIG_H
#define DKV_TEST_CLIENT_RIG_H

#include "client/client_internal.h"

#define RIG_ENDPOINTS 3
#define RIG_TIMEOUT   3000u
#define RIG_CLUSTER   77u

/* A connection as the network sees it. */
struct rig_conn {
    bool open;       /* dialed, not hung up, not broken */
    size_t endpoint; /* index among the configured ones; RIG_ENDPOINTS and above: learned */
};

/* A request on the wire that is no HELLO. */
struct rig_sent {
    uint32_t id;
    unsigned conn;
    uint32_t timeout_ms;
};

struct rig {
    struct client_core core;
    uint64_t now_ms;
    uint64_t wake_ms;
    struct rig_conn conns[CLIENT_CONNS];
    unsigned dials;
    unsigned last_dialed; /* connection */
    unsigned requests;    /* sent so far, without HELLOs */
    struct rig_sent last;
    bool hello_out[CLIENT_CONNS]; /* asked and not answered */
    uint32_t hello_id[CLIENT_CONNS];
    void (*on_request)(struct rig *r, const struct rig_sent *sent,
                       const struct request *req); /* NULL: none */
    void *ctx;
};

/* endpoint_count of 127.0.0.1:5001, :5002, ... */
void rig_init(struct rig *r, size_t endpoint_count, bool learn);
void rig_fini(struct rig *r);

/* One tick, and carry out what the core wants. */
void rig_tick(struct rig *r);

/* Let time pass, tick by tick, until ms from now. */
void rig_pass(struct rig *r, uint64_t ms);

/* Let time pass until the next dial or request; false: neither came before the clock stood still. */
bool rig_until_dial(struct rig *r);
bool rig_until_request(struct rig *r);

/* What the network does. */
void rig_connect(struct rig *r, unsigned conn);
void rig_close(struct rig *r, unsigned conn, const char *why);
void rig_bytes(struct rig *r, unsigned conn, struct slice bytes);
void rig_greet(struct rig *r, unsigned conn, uint64_t cluster); /* names 127.0.0.1:5001 to :5005 */
void rig_answer(struct rig *r, const struct rig_sent *to, dkv_err err);

#endif
