#include "world/world.h"

#include "base/deadline.h"
#include "base/mem.h"

#include <stdio.h>

struct world *world_new(uint64_t seed, uint32_t nodes, uint32_t replicas, uint32_t shards)
{
    struct world *w = mem_zalloc(1, sizeof *w);
    struct buf text = {0};
    struct buf why = {0};
    ensure(w != NULL && nodes < WIRE_NODES_MAX);
    w->rng.state = seed;
    w->now_ms = 1000;
    w->node_count = nodes;
    w->net = net_sim_new(rng_next(&w->rng), &w->now_ms);
    list_init(&w->dials);
    for (uint32_t i = 1; i <= nodes; i++) {
        buf_printf(&text, "%sn%u=127.0.0.1:%u", i == 1 ? "" : ",", i, 7000 + i);
        w->hosts[i] = (struct host){.world = w, .id = i, .disk_ms = UINT64_MAX, .disk = memdisk_new()};
        ensure(w->hosts[i].disk != NULL);
    }
    buf_put_u8(&text, 0);
    struct map_plan plan = {(const char *)text.data, "", shards, replicas, 16};
    dkv_err err = map_bootstrap(&plan, &w->map, &why);
    ensure(err == DKV_OK);
    buf_fini(&text);
    buf_fini(&why);
    return w;
}

void world_free(struct world *w)
{
    for (uint32_t i = 1; i <= w->node_count; i++) {
        if (w->hosts[i].up) {
            world_kill(w, i, true);
        }
        memdisk_free(w->hosts[i].disk);
    }
    w->now_ms += 1000000;
    net_sim_heal(w->net);
    for (uint32_t i = 1; i <= w->node_count; i++) {
        while (net_sim_deliver(w->net, i)) {
        }
    }
    net_sim_free(w->net);
    map_free(w->map);
    mem_free(w);
}

/* ---- what a node is handed ---------------------------------------------------------------------------- */

static uint64_t host_now(void *ctx)
{
    const struct host *h = ctx;
    return h->world->now_ms;
}

static void host_dial(void *ctx, uint32_t node, const struct address *to)
{
    struct host *h = ctx;
    struct dial *d = mem_zalloc(1, sizeof *d);
    (void)to;
    ensure(d != NULL);
    *d = (struct dial){
        .at_ms = h->world->now_ms + net_sim_delay(h->world->net),
        .from = h->id,
        .to = node,
    };
    list_push(&h->world->dials, &d->link);
}

static void host_on_request(void *ctx, uint32_t from, uint64_t id, struct slice body)
{
    struct host *h = ctx;
    router_forwarded(h->router, from, id, body);
}

static void host_on_change(void *ctx)
{
    struct host *h = ctx;
    if (h->router != NULL) {
        router_changed(h->router);
    }
}

static void host_on_fatal(void *ctx, enum fatal code, const char *why)
{
    struct host *h = ctx;
    snprintf(h->world->fatal, sizeof h->world->fatal, "node %u: exit %d: %s", h->id, (int)code, why);
}

/* ---- turns -------------------------------------------------------------------------------------------- */

/* A write begins: decide when it will be done. */
static void host_watch_disk(struct host *h)
{
    struct world *w = h->world;
    if (h->disk_ms != UINT64_MAX || memdisk_pending(h->disk) == 0) {
        return;
    }
    uint64_t delay = rng_below(&w->rng, 3);
    if (w->slow_disks && rng_below(&w->rng, 20) == 0) {
        delay += rng_below(&w->rng, 150);
    }
    h->disk_ms = w->now_ms + delay;
}

static void host_turn(struct host *h)
{
    bool more = true;
    for (int i = 0; more && i < 8; i++) {
        more = router_turn(h->router);
        node_turn(h->node);
        more = more || router_deadline(h->router) == 0;
    }
    host_watch_disk(h);
}

/* ---- life --------------------------------------------------------------------------------------------- */

void world_start(struct world *w, uint32_t id)
{
    struct host *h = &w->hosts[id];
    struct buf why = {0};
    struct node_config config = {
        .self = id,
        .map = w->map,
        .disk = memdisk_disk(h->disk),
        .election_ms = WORLD_ELECTION_MS,
        .heartbeat_ms = WORLD_HEARTBEAT_MS,
        .seed = rng_next(&w->rng),
        .boot = rng_next(&w->rng),
        .client_address = "127.0.0.1:1",
        .ctx = h,
        .now_ms = host_now,
        .dial = host_dial,
        .on_request = host_on_request,
        .on_change = host_on_change,
        .on_fatal = host_on_fatal,
    };
    uint64_t random[2] = {rng_next(&w->rng), rng_next(&w->rng)};
    memcpy(config.incarnation, random, sizeof config.incarnation);
    dkv_err err = node_open(&config, &h->node, &why);
    if (err != DKV_OK) {
        snprintf(w->fatal, sizeof w->fatal, "node %u does not start: %.*s", id, (int)why.len,
                 (const char *)why.data);
        buf_fini(&why);
        return;
    }
    struct router_config router = {
        .node = h->node, .election_ms = WORLD_ELECTION_MS, .version = "sim", .ctx = h, .now_ms = host_now};
    h->router = router_new(&router);
    ensure(h->router != NULL);
    h->up = true;
    h->pause_until = 0;
    node_start(h->node);
    host_turn(h);
    buf_fini(&why);
}

static void host_on_closed(void *ctx)
{
    struct host *h = ctx;
    h->closed = true;
}

/* Deliver the dead node's own news until its memory is free. */
static void world_reap(struct world *w, struct host *h)
{
    uint64_t now = w->now_ms;
    w->now_ms += 1000000; /* its own closing takes no time */
    for (int i = 0; i < 100000 && !h->closed; i++) {
        net_sim_deliver(w->net, h->id);
    }
    w->now_ms = now;
    ensure(h->closed);
}

/* Its calls for a connection fail with it. */
static void world_drop_dials(struct world *w, const struct host *h)
{
    struct link *next;
    for (struct link *item = w->dials.next; item != &w->dials; item = next) {
        struct dial *d = CONTAINER(item, struct dial, link);
        next = item->next;
        if (d->from == h->id) {
            list_remove(item);
            node_dialed(h->node, d->to, NULL);
            mem_free(d);
        }
    }
}

void world_kill(struct world *w, uint32_t id, bool power)
{
    struct host *h = &w->hosts[id];
    uint64_t seed = rng_next(&w->rng);
    h->up = false;
    h->closed = false;
    h->disk_ms = UINT64_MAX;
    net_sim_die(w->net, id);
    if (power) {
        memdisk_crash(h->disk, seed);
    } else {
        memdisk_kill(h->disk, seed);
    }
    router_stop(h->router);
    while (router_turn(h->router)) { /* answers what waits; the rest is answered when the node goes */
    }
    world_drop_dials(w, h);
    node_abandon(h->node, host_on_closed, h);
    router_free(h->router);
    h->router = NULL;
    h->node = NULL;
    world_reap(w, h);
}

/* ---- steps -------------------------------------------------------------------------------------------- */

static uint64_t host_due(const struct host *h)
{
    if (!h->up) {
        return UINT64_MAX;
    }
    uint64_t at = deadline_earlier(node_deadline(h->node), router_deadline(h->router));
    at = deadline_earlier(at, deadline_earlier(h->disk_ms, net_sim_due(h->world->net, h->id)));
    return at > h->pause_until ? at : h->pause_until;
}

static void host_run(struct host *h)
{
    struct world *w = h->world;
    if (h->disk_ms <= w->now_ms) {
        h->disk_ms = UINT64_MAX;
        memdisk_step(h->disk);
    }
    for (int i = 0; i < 16 && h->up && net_sim_deliver(w->net, h->id); i++) {
    }
    host_turn(h);
}

static void world_dialed(struct world *w, struct dial *d)
{
    struct host *from = &w->hosts[d->from];
    struct host *to = &w->hosts[d->to];
    struct stream *a = NULL;
    struct stream *b = NULL;
    if (to->up && !net_sim_is_cut(w->net, d->from, d->to) && !net_sim_is_cut(w->net, d->to, d->from)) {
        net_sim_pair(w->net, d->from, d->to, &a, &b);
        node_accepted(to->node, b);
    }
    node_dialed(from->node, d->to, a);
    host_turn(from);
}

static struct dial *world_next_dial(const struct world *w)
{
    struct dial *best = NULL;
    for (struct link *item = w->dials.next; item != &w->dials; item = item->next) {
        struct dial *d = CONTAINER(item, struct dial, link);
        best = best == NULL || d->at_ms < best->at_ms ? d : best;
    }
    return best;
}

bool world_step(struct world *w, uint64_t until_ms)
{
    struct dial *dial = world_next_dial(w);
    struct host *next = NULL;
    uint64_t at = dial == NULL ? UINT64_MAX : dial->at_ms;
    uint32_t first = (uint32_t)rng_below(&w->rng, w->node_count); /* no node is always served first */
    for (uint32_t i = 0; i < w->node_count; i++) {
        struct host *h = &w->hosts[1 + (first + i) % w->node_count];
        uint64_t due = host_due(h);
        if (due < at) {
            at = due;
            next = h;
        }
    }
    if (at > until_ms) {
        w->now_ms = until_ms;
        return false;
    }
    w->now_ms = at > w->now_ms ? at : w->now_ms;
    if (next != NULL) {
        host_run(next);
    } else {
        ensure(dial != NULL); /* or nothing would be due */
        list_remove(&dial->link);
        world_dialed(w, dial);
        mem_free(dial);
    }
    return true;
}

uint32_t world_leader(const struct world *w, uint32_t shard)
{
    for (uint32_t i = 1; i <= w->node_count; i++) {
        struct replica *r = w->hosts[i].up ? node_replica(w->hosts[i].node, shard) : NULL;
        if (r != NULL && replica_status(r)->ready) {
            return i;
        }
    }
    return 0;
}
