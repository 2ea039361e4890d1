/* session.h - the requests of one dkvctl: one client on one loop, kept for all commands of the process. */
#ifndef DKV_DKVCTL_SESSION_H
#define DKV_DKVCTL_SESSION_H

#include "client/client.h"

struct ctl;
struct session;

/* Monotonic. */
uint64_t session_now_us(void);

/* The time of a command begins anew: --timeout is for the whole of it, with its retries. */
void session_renew(struct ctl *ctl);

/* Send one request and wait. The reply lives until the next call. Ctrl-C meanwhile ends the process: 6 when a
 * write was on its way, else 130. Returns rep->err. */
dkv_err session_call(struct ctl *ctl, const struct request *req, struct reply *rep);

/* Close the connections, if there are any; nothing may be in flight. */
void session_close(struct ctl *ctl);

/* For commands that keep many requests in flight: the loop (a uv_loop_t) and the client of the session; NULL:
 * no memory. */
void *session_loop(struct ctl *ctl);
struct client *session_client(struct ctl *ctl);

/* Tell of one answer on stderr, when --trace or --verbose ask for it. */
void session_trace(const struct ctl *ctl, const struct client_call *call, uint64_t begun_us);

/* From now until session_unguard() Ctrl-C ends the process, with 6 when at_risk(ctx) says that a write is on
 * its way, else with 130. */
void session_guard(struct ctl *ctl, bool (*at_risk)(void *ctx), void *ctx);
void session_unguard(struct ctl *ctl);

/* All endpoints of the cluster: those given and those the first node names. At least one; at most max. */
size_t session_endpoints(struct ctl *ctl, struct address *out, size_t max);

#endif
