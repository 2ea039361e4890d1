/* router.c - one request: its route, its attempts, its answer. */
#include "front/router.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/info.h"
#include "front/scan.h"
#include "front/status.h"
#include "proto/native.h"

#define TIMEOUT_MS_DEFAULT 5000u
#define RETRY_MS           10u

struct router {
    struct router_config config;
    struct link fresh;
    struct link waiting;
    uint32_t pending;
    uint64_t pending_bytes; /* that the puts among them will take */
    bool full;              /* memory: over the limit when last looked at */
    bool changed;
    bool stopped;
    uint64_t retry_ms; /* earliest retry among waiting; UINT64_MAX: none */
    struct pack_doc *doc;
};

struct router *router_new(const struct router_config *config)
{
    struct router *r = mem_zalloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->config = *config;
    router_set_limits(r, &config->limits);
    r->retry_ms = UINT64_MAX;
    list_init(&r->fresh);
    list_init(&r->waiting);
    r->doc = pack_doc_new();
    if (r->doc == NULL) {
        router_free(r);
        return NULL;
    }
    return r;
}

void router_free(struct router *r)
{
    if (r != NULL) {
        ensure(r->pending == 0);
        pack_doc_free(r->doc);
        mem_free(r);
    }
}

struct node *router_node(const struct router *r)
{
    return r->config.node;
}

uint64_t router_now(const struct router *r)
{
    return r->config.now_ms(r->config.ctx);
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static struct slice router_node_name(const struct router *r, uint32_t id)
{
    const struct map_node *node = map_node(node_map(r->config.node), id);
    return node == NULL ? slice_of(NULL, 0) : slice_str(node->name);
}

void router_answer(struct router_call *call, struct reply *reply)
{
    struct router *r = call->router;
    if (!reply->forwarded) {
        reply->node = slice_str(node_name(r->config.node));
        reply->epoch = node_map(r->config.node)->epoch;
        reply->shard = call->shard;
        reply->leader = router_node_name(r, node_leader(r->config.node, call->shard));
    }
    r->pending--;
    r->pending_bytes -= call->bytes;
    call->cb(call, reply);
}

void router_fail(struct router_call *call, dkv_err err, const char *detail)
{
    struct reply reply = {.err = err, .detail = detail == NULL ? slice_of(NULL, 0) : slice_str(detail)};
    router_answer(call, &reply);
}

/* Not applied, so far: look again soon, unless patience is at its end. */
static void router_wait(struct router_call *call)
{
    struct router *r = call->router;
    uint64_t now = router_now(r);
    if (now >= call->patience_ms || r->stopped) {
        router_fail(call, DKV_UNAVAILABLE, "the shard has no leader that can be reached");
        return;
    }
    call->retry_ms = now + RETRY_MS;
    r->retry_ms = call->retry_ms < r->retry_ms ? call->retry_ms : r->retry_ms;
    list_push(&r->waiting, &call->link);
}

/* An attempt ended without effect. */
static void router_again(struct router_call *call, dkv_err err)
{
    if (call->request.forwarded || err == DKV_UNAVAILABLE || err == DKV_CANCELED) {
        router_fail(call, err == DKV_CANCELED ? DKV_UNAVAILABLE : err,
                    err == DKV_NOT_LEADER ? NULL : "the shard has no leader that can be reached");
    } else {
        router_wait(call);
    }
}

/* ---- limits ------------------------------------------------------------------------------------------- */

void router_set_limits(struct router *r, const struct router_limits *limits)
{
    r->config.limits = (struct router_limits){
        .key = limits->key == 0 ? KEY_BYTES_MAX : limits->key,
        .value = limits->value == 0 ? VALUE_BYTES_MAX : limits->value,
        .memory = limits->memory == 0 ? UINT64_MAX : limits->memory,
    };
}

uint64_t router_memory(const struct router *r)
{
    return node_memory(r->config.node) + r->pending_bytes;
}

/* The figure on its way up and down again, once each. */
static void router_note_memory(struct router *r, uint64_t used, bool full)
{
    if (full != r->full) {
        r->full = full;
        log_warn("event=memory_limit state=%s used=%llu max_memory=%llu", full ? "over" : "below",
                 (unsigned long long)used, (unsigned long long)r->config.limits.memory);
    }
}

static void router_refuse(struct router_call *call, dkv_err err, struct buf *why)
{
    struct reply reply = {.err = err, .detail = buf_slice(why)};
    router_answer(call, &reply);
    buf_fini(why);
}

/* False: the put was refused. */
static bool router_has_memory(struct router_call *call)
{
    struct router *r = call->router;
    uint64_t used = router_memory(r); /* this put is counted in it */
    bool full = used > r->config.limits.memory;
    router_note_memory(r, used, full);
    if (full) {
        struct buf why = {0};
        buf_printf(&why, "node %s holds %llu bytes and may hold %llu (--max-memory): puts are refused",
                   node_name(r->config.node), (unsigned long long)(used - call->bytes),
                   (unsigned long long)r->config.limits.memory);
        router_refuse(call, DKV_LIMIT, &why);
    }
    return !full;
}

/* False: the put was refused. */
static bool router_fits(struct router_call *call)
{
    const struct router_limits *limits = &call->router->config.limits;
    const struct request *q = &call->request;
    bool key = q->key.len > limits->key;
    if (!key && q->value.len <= limits->value) {
        return true;
    }
    struct buf why = {0};
    buf_printf(&why, "the %s has %zu bytes: allowed are up to %u (--max-%s of node %s)",
               key ? "key" : "value", key ? q->key.len : q->value.len, key ? limits->key : limits->value,
               key ? "key" : "value", node_name(call->router->config.node));
    router_refuse(call, DKV_TOO_LARGE, &why);
    return false;
}

/* ---- on this node ------------------------------------------------------------------------------------- */

static void router_on_written(struct replica_write *op, dkv_err err)
{
    struct router_call *call = CONTAINER(op, struct router_call, write);
    struct reply reply = {.err = op->result.err, .index = op->index};
    if (err == DKV_UNKNOWN) {
        router_fail(call, DKV_UNKNOWN, "the write is in the log, but was not seen to commit in time");
    } else if (err != DKV_OK) {
        router_again(call, err);
    } else {
        reply.id = op->result.id;
        reply.version = op->result.version;
        router_answer(call, &reply);
    }
}

static void router_write_here(struct router_call *call, struct replica *replica)
{
    const struct request *q = &call->request;
    if (q->op == OP_PUT && !router_has_memory(call)) {
        return;
    }
    call->write = (struct replica_write){
        .op = q->op == OP_PUT ? COMMAND_PUT : COMMAND_DELETE,
        .key = q->key,
        .value = q->value,
        .id = q->id,
        .queue_deadline_ms = call->patience_ms,
        .deadline_ms = call->deadline_ms,
        .cb = router_on_written,
    };
    replica_write(replica, &call->write);
}

/* The local state may answer now. */
static void router_serve(struct router_call *call, struct replica *replica)
{
    const struct state *state = replica_state(replica);
    struct reply reply = {.consistency = call->request.consistency, .index = state_index(state)};
    struct state_item item;
    if (call->request.op == OP_SCAN) {
        scan_shard(call, state);
        return;
    }
    reply.err = state_get(state, call->request.key, &item);
    if (reply.err == DKV_OK) {
        reply.value = item.value;
        reply.id = item.id;
        reply.version = item.version;
    }
    router_answer(call, &reply);
}

static void router_on_readable(struct replica_read *op, dkv_err err)
{
    struct router_call *call = CONTAINER(op, struct router_call, read);
    struct reply reply = {.index = op->index};
    struct replica *replica = node_replica(call->router->config.node, call->shard);
    if (err != DKV_OK) {
        router_again(call, err);
    } else if (call->request.op == OP_READ_INDEX) {
        router_answer(call, &reply);
    } else {
        router_serve(call, replica);
    }
}

static void router_read_here(struct router_call *call, struct replica *replica)
{
    call->read = (struct replica_read){
        .deadline_ms = call->patience_ms < call->deadline_ms ? call->patience_ms : call->deadline_ms,
        .index_only = call->request.op == OP_READ_INDEX,
        .cb = router_on_readable,
    };
    replica_read(replica, &call->read);
}

/* ---- on another node ---------------------------------------------------------------------------------- */

static void router_on_forwarded(struct forward *f, const struct reply *reply)
{
    struct router_call *call = CONTAINER(f, struct router_call, forward);
    struct router *r = call->router;
    if (reply->err == DKV_NOT_LEADER) {
        const struct map_node *leader = map_node_named(node_map(r->config.node), reply->leader);
        node_hint(r->config.node, call->shard, leader == NULL ? 0 : leader->id);
        router_wait(call);
        return;
    }
    if (reply->err == DKV_UNAVAILABLE && router_now(r) < call->patience_ms) {
        node_hint(r->config.node, call->shard, 0);
        router_wait(call);
        return;
    }
    struct reply passed = *reply;
    passed.forwarded = reply->node.len > 0; /* else it was made here: the link broke */
    router_answer(call, &passed);
}

/* Any node that has a replica of the shard and can be reached; another one at each attempt. 0: none. */
static uint32_t router_any_replica(const struct router_call *call)
{
    struct node *n = call->router->config.node;
    const struct map_shard *shard = map_shard(node_map(n), call->shard);
    for (uint32_t i = 0; i < shard->replica_count; i++) {
        uint32_t node = shard->replicas[(call->attempts + i) % shard->replica_count].node;
        if (node != node_self(n) && peers_up(node_peers(n), node)) {
            return node;
        }
    }
    return 0;
}

static void router_pass_on(struct router_call *call)
{
    struct node *n = call->router->config.node;
    uint32_t to = node_leader(n, call->shard);
    bool here = node_replica(n, call->shard) != NULL;
    if (call->request.forwarded) {
        router_fail(call, DKV_NOT_LEADER, NULL);
        return;
    }
    if (to == 0 || to == node_self(n) || !peers_up(node_peers(n), to)) {
        to = here
                 ? 0
                 : router_any_replica(call); /* with a replica here we shall hear of a new leader ourselves */
    }
    call->attempts++;
    call->forward = (struct forward){
        .node = to,
        .request = call->request,
        .deadline_ms = call->deadline_ms,
        .cb = router_on_forwarded,
    };
    if (to == 0 || node_forward(n, &call->forward) != DKV_OK) {
        router_wait(call);
    }
}

/* ---- routes ------------------------------------------------------------------------------------------- */

static void router_route_keyed(struct router_call *call)
{
    struct node *n = call->router->config.node;
    const struct request *q = &call->request;
    struct replica *replica = node_replica(n, call->shard);
    bool leads = replica != NULL && replica_status(replica)->role == ROLE_LEADER;
    bool for_leader = op_is_write(q->op) || q->op == OP_READ_INDEX;
    if (q->op == OP_PUT && !router_fits(call)) {
        return;
    }
    if (!node_is_voting(n)) {
        router_wait(call);
    } else if (replica == NULL || (for_leader && !leads)) {
        router_pass_on(call);
    } else if (op_is_write(q->op)) {
        router_write_here(call, replica);
    } else if (q->op != OP_READ_INDEX && q->consistency == READ_STALE) {
        router_serve(call, replica);
    } else {
        router_read_here(call, replica);
    }
}

/* The shard a request is about; false: it was answered, there is no such shard. */
static bool router_find_shard(struct router_call *call)
{
    const struct request *q = &call->request;
    struct node *n = call->router->config.node;
    bool by_number = q->op == OP_SCAN || q->op == OP_READ_INDEX;
    call->shard = by_number ? q->shard : ring_find(node_ring(n), q->key);
    bool meta = call->shard == META_GROUP;
    if (map_shard(node_map(n), call->shard) == NULL || (meta && q->op != OP_READ_INDEX)) {
        router_fail(call, DKV_BAD_REQUEST, "there is no such shard");
        return false;
    }
    return true;
}

static void router_route(struct router_call *call)
{
    switch (call->request.op) {
    case OP_HELLO:
        info_hello(call, call->router->config.version);
        break;
    case OP_MEMBERS:
        info_members(call);
        break;
    case OP_RING:
        info_ring(call);
        break;
    case OP_HEALTH:
        info_health(call);
        break;
    case OP_STATUS:
        status_gather(call);
        break;
    case OP_SCAN:
        if (call->request.shard == 0) {
            scan_gather(call);
            break;
        }
        /* fallthrough */
    case OP_GET:
    case OP_PUT:
    case OP_DELETE:
    case OP_READ_INDEX:
        if (router_find_shard(call)) {
            router_route_keyed(call);
        }
        break;
    }
}

/* ---- turns -------------------------------------------------------------------------------------------- */

/* What a put will take: once in the log, once in the state. */
static uint64_t router_put_bytes(const struct request *q)
{
    return 2 * ((uint64_t)q->key.len + q->value.len);
}

void router_submit(struct router *r, struct router_call *call)
{
    uint64_t timeout = call->request.timeout_ms == 0 ? TIMEOUT_MS_DEFAULT : call->request.timeout_ms;
    uint64_t now = router_now(r);
    call->router = r;
    call->shard = 0;
    call->attempts = 0;
    call->bytes = call->request.op == OP_PUT ? router_put_bytes(&call->request) : 0;
    call->deadline_ms = now + (timeout < TIMEOUT_MS_MAX ? timeout : TIMEOUT_MS_MAX);
    call->patience_ms = now + r->config.election_ms;
    if (call->patience_ms > call->deadline_ms) {
        call->patience_ms = call->deadline_ms;
    }
    r->pending++;
    r->pending_bytes += call->bytes;
    list_push(&r->fresh, &call->link);
}

void router_changed(struct router *r)
{
    r->changed = true;
}

static void router_run(struct router *r, struct link *list)
{
    struct link *item;
    while ((item = list_pop(list)) != NULL) {
        struct router_call *call = CONTAINER(item, struct router_call, link);
        if (r->stopped) {
            router_fail(call, DKV_UNAVAILABLE, "the node is shutting down");
        } else if (r->pending > NODE_PENDING_MAX) {
            router_fail(call, DKV_LIMIT, "too many requests are waiting at this node");
        } else {
            router_route(call);
        }
    }
}

bool router_turn(struct router *r)
{
    struct link now;
    if (r->changed || r->stopped || router_now(r) >= r->retry_ms) {
        r->changed = false;
        r->retry_ms = UINT64_MAX;
        list_detach(&r->waiting, &now);
        router_run(r, &now);
    }
    list_detach(&r->fresh, &now);
    router_run(r, &now);
    return !list_empty(&r->fresh);
}

uint64_t router_deadline(const struct router *r)
{
    return list_empty(&r->fresh) ? r->retry_ms : 0;
}

void router_stop(struct router *r)
{
    r->stopped = true;
}

bool router_is_idle(const struct router *r)
{
    return r->pending == 0;
}

/* ---- requests of other nodes -------------------------------------------------------------------------- */

struct guest {
    struct router_call call;
    uint32_t from;
    uint64_t id;
};

static void guest_done(struct router_call *call, const struct reply *reply)
{
    struct guest *g = CONTAINER(call, struct guest, call);
    node_answer(call->router->config.node, g->from, g->id, reply);
    mem_free(g);
}

void router_forwarded(struct router *r, uint32_t from, uint64_t id, struct slice body)
{
    struct guest *g = mem_alloc(sizeof *g + body.len);
    if (g == NULL) {
        return; /* the asker's deadline answers */
    }
    uint8_t *copy = (uint8_t *)(g + 1);
    *g = (struct guest){.call = {.cb = guest_done}, .from = from, .id = id};
    memcpy(copy, body.data, body.len);
    uint32_t ignored = 0;
    dkv_err err = native_parse_request(r->doc, slice_of(copy, body.len), &ignored, &g->call.request, NULL);
    if (err != DKV_OK) {
        struct reply reply = {.err = err,
                              .detail = slice_str("a request passed on by another node made no sense")};
        node_answer(r->config.node, from, id, &reply);
        mem_free(g);
        return;
    }
    g->call.request.forwarded = true;
    router_submit(r, &g->call);
}
