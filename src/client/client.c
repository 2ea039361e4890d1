/* client.c - the core of a client: which endpoint, what to repeat, when to give up.
 *
 * Happy path:
 *   1. client_core_call() queues a call; the tick finds no connection and dials the next endpoint;
 *   2. connected, HELLO goes out; its answer makes the connection UP and may tell more endpoints;
 *   3. the tick sends what waits; an answer finds its call by id and finishes it.
 *
 * What can go wrong:
 *   - refused, silent or rubbish while dialing or greeting: nothing was sent, the next endpoint after a
 * back-off;
 *   - an answer says "not applied": the call waits for its back-off, and the connection is left for the next
 * one;
 *   - the connection breaks: its reads wait again, its writes are DKV_UNKNOWN;
 *   - calls go unanswered for too long: the connection is left, its reads wait again, its writes stay with
 * it;
 *   - the deadline: DKV_UNKNOWN for a write that was sent, DKV_UNAVAILABLE for all else. */
#include "client/client_internal.h"

#include "base/deadline.h"
#include "base/mem.h"
#include "client/hello.h"
#include "proto/native.h"

#include <stdio.h>

static struct client_call *client_of_queue(struct link *item)
{
    return CONTAINER(item, struct client_call, queue);
}

static struct client_call *client_of_order(struct link *item)
{
    return CONTAINER(item, struct client_call, order);
}

/* Half to all of 10 ms doubling to 200, so that clients that failed together do not come back together. */
static uint64_t client_backoff_ms(struct client_core *core, unsigned failures)
{
    unsigned doublings = failures < 1 ? 0 : failures - 1;
    uint64_t ms = doublings > 5 ? CLIENT_BACKOFF_MAX_MS : CLIENT_BACKOFF_MIN_MS << doublings;
    ms = ms > CLIENT_BACKOFF_MAX_MS ? CLIENT_BACKOFF_MAX_MS : ms;
    return ms / 2 + rng_below(&core->rng, ms / 2 + 1);
}

/* What went wrong at an endpoint: trouble with the connection, or what the node there said. */
static void client_note(struct client_core *core, const struct client_conn *conn, struct slice what,
                        bool answer)
{
    if (core->last_is_answer && !answer) {
        return;
    }
    core->last_is_answer = answer;
    const struct address *at = &core->endpoints[conn->endpoint];
    snprintf(core->last, sizeof core->last, "%s:%u: %.*s", at->host, (unsigned)at->port, (int)what.len,
             (const char *)what.data);
}

/* ---- connections -------------------------------------------------------------------------------------- */

static void client_conn_move(struct client_conn *conn, enum client_conn_state to)
{
    static const unsigned next[CONN_STATES] = {
        [CONN_NONE] = BIT(CONN_DIALING),
        [CONN_DIALING] = BIT(CONN_NONE) | BIT(CONN_GREETING),
        [CONN_GREETING] = BIT(CONN_NONE) | BIT(CONN_UP),
        [CONN_UP] = BIT(CONN_NONE) | BIT(CONN_LEAVING),
        [CONN_LEAVING] = BIT(CONN_NONE),
    };
    ensure(next[conn->state] & BIT(to));
    conn->state = to;
}

/* The connection that takes new calls, or will when it is up. NULL: none. */
static struct client_conn *client_current(struct client_core *core)
{
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        struct client_conn *conn = &core->conns[i];
        if (conn->state != CONN_NONE && conn->state != CONN_LEAVING) {
            return conn;
        }
    }
    return NULL;
}

static struct client_conn *client_spare(struct client_core *core)
{
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        if (core->conns[i].state == CONN_NONE) {
            return &core->conns[i];
        }
    }
    return NULL;
}

/* The connection is over. Its calls must have been taken from it. */
static void client_conn_end(struct client_conn *conn, bool hangup)
{
    ensure(list_empty(&conn->inflight));
    buf_fini(&conn->in);
    buf_fini(&conn->out);
    conn->scan = (struct pack_scan){0};
    conn->dial = false;
    conn->hangup = conn->hangup || hangup;
    client_conn_move(conn, CONN_NONE);
}

static void client_choose_next(struct client_core *core, const struct client_conn *conn)
{
    core->next_endpoint = (conn->endpoint + 1) % core->endpoint_count;
}

/* ---- calls -------------------------------------------------------------------------------------------- */

/* Take a call out of where it is queued. */
static void client_take(struct client_core *core, struct client_call *call)
{
    if (call->sent) {
        core->slots[call->id % CONN_INFLIGHT_MAX] = NULL;
        core->inflight--;
        core->inflight_bytes -= call->cost;
        call->sent = false;
    }
    list_remove(&call->queue);
}

static void client_finish(struct client_core *core, struct client_call *call)
{
    client_take(core, call);
    list_remove(&call->order);
    call->cb(call);
}

/* Finish without an answer. */
static void client_fail(struct client_core *core, struct client_call *call, dkv_err err, const char *why)
{
    snprintf(core->detail, sizeof core->detail, "%s", why);
    call->reply = (struct reply){.err = err, .detail = slice_str(core->detail)};
    client_finish(core, call);
}

/* A write was sent and there will be no answer. */
static void client_lose(struct client_core *core, struct client_call *call, const char *why)
{
    const struct address *at = &core->endpoints[core->conns[call->conn].endpoint];
    char text[CLIENT_WHY_BYTES];
    snprintf(text, sizeof text, "%s:%u: %s; the write may have happened or may yet happen", at->host,
             (unsigned)at->port, why);
    call->endpoint = *at;
    client_fail(core, call, DKV_UNKNOWN, text);
}

static void client_wait_again(struct client_core *core, struct client_call *call, uint64_t now_ms)
{
    client_take(core, call);
    call->not_before_ms = now_ms + client_backoff_ms(core, call->attempts);
    list_push(&core->waiting, &call->queue);
}

/* Send the reads of a list again; what is left are writes. */
static void client_move_reads(struct client_core *core, struct link *calls, uint64_t now_ms)
{
    struct link *next;
    for (struct link *item = calls->next; item != calls; item = next) {
        next = item->next;
        if (!op_is_write(client_of_queue(item)->request.op)) {
            client_wait_again(core, client_of_queue(item), now_ms);
        }
    }
}

/* The connection broke, or is given up: it is over before any caller hears of it. */
static void client_lost(struct client_core *core, struct client_conn *conn, const char *why, uint64_t now_ms)
{
    struct link orphans;
    list_detach(&conn->inflight, &orphans);
    if (conn->state != CONN_LEAVING) {
        core->failures++;
        core->dial_at_ms = now_ms + client_backoff_ms(core, core->failures);
        client_note(core, conn, slice_str(why), false);
        client_choose_next(core, conn);
    }
    client_conn_end(conn, true);
    client_move_reads(core, &orphans, now_ms);
    while (!list_empty(&orphans)) {
        client_lose(core, client_of_queue(orphans.next), why);
    }
}

/* Go on at the next endpoint, if there is one and no connection is being left already. */
static bool client_leave(struct client_core *core, struct client_conn *conn, uint64_t now_ms)
{
    if (core->endpoint_count < 2 || conn->state != CONN_UP || client_spare(core) == NULL) {
        return false;
    }
    client_conn_move(conn, CONN_LEAVING);
    client_choose_next(core, conn);
    core->dial_at_ms = now_ms;
    return true;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static bool client_may_repeat(const struct client_call *call, dkv_err err)
{
    if (err == DKV_UNKNOWN) {
        return !op_is_write(call->request.op); /* a read changes nothing, whatever became of it */
    }
    return err == DKV_UNAVAILABLE || err == DKV_NOT_LEADER || err == DKV_WRONG_SHARD;
}

static void client_learn(struct client_core *core, const struct address *at)
{
    for (size_t i = 0; i < core->endpoint_count; i++) {
        if (core->endpoints[i].port == at->port && strcmp(core->endpoints[i].host, at->host) == 0) {
            return;
        }
    }
    if (core->endpoint_count < CLIENT_ENDPOINTS_MAX) {
        core->endpoints[core->endpoint_count++] = *at;
    }
}

static dkv_err client_take_greeting(struct client_core *core, struct client_conn *conn,
                                    const struct reply *rep)
{
    struct hello hello;
    dkv_err err = rep->err != DKV_OK ? rep->err : hello_decode(core->doc, rep->value, &hello);
    if (err != DKV_OK) {
        return err;
    }
    if (core->cluster_known && core->cluster != hello.cluster) {
        return DKV_REFUSED;
    }
    core->cluster_known = true;
    core->cluster = hello.cluster;
    for (size_t i = 0; core->learn && i < hello.endpoint_count; i++) {
        client_learn(core, &hello.endpoints[i]);
    }
    core->learn = false;
    core->failures = 0;
    core->last[0] = '\0';
    client_conn_move(conn, CONN_UP);
    return DKV_OK;
}

static void client_take_answer(struct client_core *core, struct client_conn *conn, struct client_call *call,
                               const struct reply *rep)
{
    call->endpoint = core->endpoints[conn->endpoint];
    if (!client_may_repeat(call, rep->err)) {
        call->reply = *rep;
        client_finish(core, call);
        return;
    }
    client_note(core, conn, rep->detail.len > 0 ? rep->detail : slice_str(err_text(rep->err)), true);
    client_wait_again(core, call, conn->heard_ms);
    client_leave(core, conn, conn->heard_ms);
}

/* One whole message. */
static dkv_err client_take_message(struct client_core *core, struct client_conn *conn, struct slice message)
{
    struct reply rep;
    uint32_t id = 0;
    dkv_err err = native_parse_reply(core->doc, message, &id, &rep);
    if (err != DKV_OK) {
        return err;
    }
    if (conn->state == CONN_GREETING && id != conn->hello_id) {
        return DKV_MALFORMED;
    }
    if (conn->state == CONN_GREETING) {
        return client_take_greeting(core, conn, &rep);
    }
    struct client_call *call = core->slots[id % CONN_INFLIGHT_MAX];
    bool wanted = call != NULL && call->id == id && &core->conns[call->conn] == conn;
    if (wanted) { /* else the answer came too late: after the deadline, or the read has moved */
        client_take_answer(core, conn, call, &rep);
    }
    return DKV_OK;
}

/* Every whole message at the begin of in. The connection is not ended meanwhile: messages point into its
 * buffer. */
static dkv_err client_take_messages(struct client_core *core, struct client_conn *conn, struct slice *in)
{
    dkv_err err = DKV_OK;
    while (err == DKV_OK && in->len > 0 && !core->stopped) {
        size_t len = 0;
        err = pack_scan(&conn->scan, *in, CLIENT_REPLY_BYTES_MAX, &len);
        if (err == DKV_OK) {
            conn->scan = (struct pack_scan){0};
            err = client_take_message(core, conn, slice_of(in->data, len));
            *in = slice_of(in->data + len, in->len - len);
        }
    }
    return err == DKV_MORE ? DKV_OK : err;
}

static const char *client_why(dkv_err err)
{
    if (err == DKV_MALFORMED) {
        return "the answer is no dkv protocol (is it the client port?)";
    }
    return err == DKV_REFUSED ? "belongs to another cluster" : err_text(err);
}

void client_core_on_bytes(struct client_core *core, unsigned conn_no, struct slice bytes, uint64_t now_ms)
{
    struct client_conn *conn = &core->conns[conn_no];
    ensure(conn->state != CONN_NONE);
    conn->heard_ms = now_ms;
    bool kept = conn->in.len > 0;
    if (kept) {
        buf_put(&conn->in, bytes);
    }
    struct slice rest = kept ? buf_slice(&conn->in) : bytes;
    dkv_err err = buf_ok(&conn->in) ? client_take_messages(core, conn, &rest) : DKV_NO_MEMORY;
    if (err == DKV_OK && kept) {
        buf_consume(&conn->in, conn->in.len - rest.len);
    } else if (err == DKV_OK) {
        buf_put(&conn->in, rest);
        err = buf_ok(&conn->in) ? DKV_OK : DKV_NO_MEMORY;
    }
    if (err != DKV_OK) {
        client_lost(core, conn, client_why(err), now_ms);
    }
}

void client_core_on_connected(struct client_core *core, unsigned conn_no, uint64_t now_ms)
{
    (void)now_ms; /* greeting shares the patience of dialing */
    struct client_conn *conn = &core->conns[conn_no];
    client_conn_move(conn, CONN_GREETING);
    conn->hello_id = ++core->last_id;
    native_put_request(&conn->out, conn->hello_id, &(struct request){.op = OP_HELLO});
}

void client_core_on_closed(struct client_core *core, unsigned conn_no, const char *why, uint64_t now_ms)
{
    client_lost(core, &core->conns[conn_no], why, now_ms);
    core->conns[conn_no].hangup = false;
}

/* ---- time --------------------------------------------------------------------------------------------- */

static void client_expire(struct client_core *core, struct client_call *call)
{
    if (call->sent && op_is_write(call->request.op)) {
        client_lose(core, call, "no answer in time");
        return;
    }
    if (call->sent) {
        client_note(core, &core->conns[call->conn], slice_str("no answer in time"), false);
    }
    client_fail(core, call, DKV_UNAVAILABLE,
                core->last[0] != '\0' ? core->last : "no endpoint answered in time");
}

static void client_watch(struct client_core *core, struct client_conn *conn, uint64_t now_ms)
{
    bool impatient = now_ms >= conn->heard_ms + core->patience_ms;
    switch (conn->state) {
    case CONN_NONE:
        break;
    case CONN_DIALING:
    case CONN_GREETING:
        if (impatient) {
            client_lost(core, conn, conn->state == CONN_DIALING ? "cannot connect" : "does not answer",
                        now_ms);
        }
        break;
    case CONN_UP:
        if (impatient && !list_empty(&conn->inflight)) {
            client_note(core, conn, slice_str("does not answer"), false);
            conn->heard_ms = now_ms; /* asked again later when it cannot be left */
            if (client_leave(core, conn, now_ms)) {
                /* Reads that hang are better asked elsewhere; a write has to be waited for. */
                client_move_reads(core, &conn->inflight, now_ms);
            }
        }
        break;
    case CONN_LEAVING:
        if (list_empty(&conn->inflight)) {
            client_conn_end(conn, true);
        }
        break;
    }
}

static void client_dial(struct client_core *core, uint64_t now_ms)
{
    if (client_current(core) != NULL || list_empty(&core->waiting) || now_ms < core->dial_at_ms) {
        return;
    }
    struct client_conn *conn = client_spare(core);
    ensure(conn != NULL);
    conn->endpoint = core->next_endpoint;
    conn->heard_ms = now_ms;
    conn->dial = true;
    client_conn_move(conn, CONN_DIALING);
}

/* What the server may take: a little less than is left, so that its "not applied" still arrives. */
static uint32_t client_server_ms(uint64_t left_ms)
{
    uint64_t margin = left_ms / 8 < 250 ? left_ms / 8 : 250;
    uint64_t ms = left_ms - margin;
    return ms > TIMEOUT_MS_MAX ? TIMEOUT_MS_MAX : ms < 1 ? 1 : (uint32_t)ms;
}

/* An id whose slot is free; there is one, as fewer than all are in flight. */
static uint32_t client_new_id(struct client_core *core)
{
    do {
        core->last_id++;
    } while (core->slots[core->last_id % CONN_INFLIGHT_MAX] != NULL);
    return core->last_id;
}

/* False: out of memory, nothing was sent. */
static bool client_send_one(struct client_core *core, struct client_conn *conn, struct client_call *call,
                            uint64_t now_ms)
{
    uint32_t id = client_new_id(core);
    struct request req = call->request;
    req.timeout_ms = client_server_ms(call->deadline_ms - now_ms);
    native_put_request(&conn->out, id, &req);
    if (!buf_ok(&conn->out)) {
        return false;
    }
    if (list_empty(&conn->inflight)) {
        conn->heard_ms = now_ms; /* its silence begins now */
    }
    list_remove(&call->queue);
    list_push(&conn->inflight, &call->queue);
    call->id = id;
    call->conn = (unsigned)(conn - core->conns);
    call->sent = true;
    call->attempts++;
    core->slots[id % CONN_INFLIGHT_MAX] = call;
    core->inflight++;
    core->inflight_bytes += call->cost;
    return true;
}

static bool client_has_room(const struct client_core *core, const struct client_call *call)
{
    return core->inflight < CONN_INFLIGHT_MAX &&
           (core->inflight == 0 || core->inflight_bytes + call->cost <= CONN_INFLIGHT_BYTES);
}

/* Send what may go. Returns when the first of the others may; UINT64_MAX: when something else happens. */
static uint64_t client_send(struct client_core *core, uint64_t now_ms)
{
    struct client_conn *conn = client_current(core);
    if (conn == NULL || conn->state != CONN_UP) {
        return UINT64_MAX;
    }
    uint64_t ready_ms = UINT64_MAX;
    struct link *next;
    for (struct link *item = core->waiting.next; item != &core->waiting; item = next) {
        next = item->next;
        struct client_call *call = client_of_queue(item);
        if (call->not_before_ms > now_ms) {
            ready_ms = call->not_before_ms < ready_ms ? call->not_before_ms : ready_ms;
        } else if (!client_has_room(core, call)) {
            break;
        } else if (!client_send_one(core, conn, call, now_ms)) {
            client_lost(core, conn, err_text(DKV_NO_MEMORY), now_ms);
            return core->dial_at_ms;
        }
    }
    return ready_ms;
}

static uint64_t client_wake(struct client_core *core, uint64_t ready_ms)
{
    uint64_t wake = ready_ms;
    if (!list_empty(&core->refused)) {
        return 0;
    }
    if (!list_empty(&core->order)) {
        wake = deadline_earlier(wake, client_of_order(core->order.next)->deadline_ms);
    }
    if (!list_empty(&core->waiting) && client_current(core) == NULL) {
        wake = deadline_earlier(wake, core->dial_at_ms);
    }
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        const struct client_conn *conn = &core->conns[i];
        bool watched = conn->state == CONN_DIALING || conn->state == CONN_GREETING ||
                       (conn->state == CONN_UP && !list_empty(&conn->inflight));
        if (watched) {
            wake = deadline_earlier(wake, conn->heard_ms + core->patience_ms);
        }
    }
    return wake;
}

uint64_t client_core_tick(struct client_core *core, uint64_t now_ms)
{
    struct link *item;
    struct link refused;
    list_detach(&core->refused, &refused); /* new ones wait for the next tick */
    while (!core->stopped && (item = refused.next) != &refused) {
        struct client_call *call = client_of_queue(item);
        client_fail(core, call, call->reply.err, "key or value is over the limit");
    }
    while (!core->stopped && (item = core->order.next) != &core->order &&
           client_of_order(item)->deadline_ms <= now_ms) {
        client_expire(core, client_of_order(item));
    }
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        client_watch(core, &core->conns[i], now_ms);
    }
    client_dial(core, now_ms);
    uint64_t ready_ms = client_send(core, now_ms);
    return client_wake(core, ready_ms);
}

void client_core_output(struct client_core *core, unsigned conn_no, struct client_output *out)
{
    struct client_conn *conn = &core->conns[conn_no];
    *out = (struct client_output){
        .hangup = conn->hangup,
        .dial = conn->dial ? &core->endpoints[conn->endpoint] : NULL,
        .send = &conn->out,
    };
    conn->hangup = false;
    conn->dial = false;
}

/* ---- begin and end ------------------------------------------------------------------------------------ */

void client_core_call(struct client_core *core, struct client_call *call, uint64_t now_ms)
{
    uint64_t timeout_ms = call->request.timeout_ms != 0 ? call->request.timeout_ms : core->timeout_ms;
    call->reply = (struct reply){0};
    call->endpoint = (struct address){0};
    call->attempts = 0;
    call->sent = false;
    call->not_before_ms = 0;
    call->deadline_ms = now_ms + timeout_ms;
    call->cost = call->request.key.len + call->request.value.len + call->request.from.len;
    core->last_is_answer = core->last_is_answer && !list_empty(&core->order); /* of calls still under way */
    struct link *before = core->order.prev; /* almost always the last: timeouts are alike */
    while (before != &core->order && client_of_order(before)->deadline_ms > call->deadline_ms) {
        before = before->prev;
    }
    list_push(before->next, &call->order);
    bool fits = call->request.key.len <= KEY_BYTES_MAX && call->request.from.len <= KEY_BYTES_MAX &&
                call->request.value.len <= VALUE_BYTES_MAX;
    call->reply.err = fits ? DKV_OK : DKV_TOO_LARGE;
    list_push(fits ? &core->waiting : &core->refused, &call->queue);
}

void client_core_cancel(struct client_core *core)
{
    core->stopped = true;
    while (!list_empty(&core->order)) {
        client_fail(core, client_of_order(core->order.next), DKV_CANCELED, "canceled");
    }
}

dkv_err client_core_init(struct client_core *core, const struct client_config *config, uint64_t seed)
{
    *core = (struct client_core){
        .timeout_ms = config->timeout_ms, .learn = config->learn, .rng = {.state = seed}};
    uint64_t patience = config->timeout_ms / 3;
    patience = patience > CLIENT_PATIENCE_MAX_MS ? CLIENT_PATIENCE_MAX_MS : patience;
    core->patience_ms = patience < CLIENT_PATIENCE_MIN_MS ? CLIENT_PATIENCE_MIN_MS : patience;
    list_init(&core->refused);
    list_init(&core->waiting);
    list_init(&core->order);
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        list_init(&core->conns[i].inflight);
    }
    if (config->endpoint_count == 0 || config->endpoint_count > CLIENT_ENDPOINTS_MAX) {
        return DKV_CONFIG;
    }
    core->doc = pack_doc_new();
    core->endpoints = mem_zalloc(CLIENT_ENDPOINTS_MAX, sizeof core->endpoints[0]);
    if (core->doc == NULL || core->endpoints == NULL) {
        return DKV_NO_MEMORY;
    }
    memcpy(core->endpoints, config->endpoints, config->endpoint_count * sizeof core->endpoints[0]);
    core->endpoint_count = config->endpoint_count;
    core->next_endpoint = config->first % config->endpoint_count;
    return DKV_OK;
}

void client_core_fini(struct client_core *core)
{
    ensure(list_empty(&core->order));
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        buf_fini(&core->conns[i].in);
        buf_fini(&core->conns[i].out);
    }
    pack_doc_free(core->doc);
    mem_free(core->endpoints);
    *core = (struct client_core){0};
}
