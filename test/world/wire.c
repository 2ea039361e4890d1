#include "world/wire.h"

#include "base/list.h"
#include "base/mem.h"

#include <stdio.h>

/* What is on its way to one end: bytes, or the news that the connection is gone. */
struct segment {
    struct link link;
    uint64_t at_ms;
    struct buf bytes;
    bool close;
    dkv_err err;
};

struct end {
    struct stream stream;
    struct net_sim *net;
    struct end *other; /* NULL: the other end is gone */
    struct link link;  /* all ends of the network */
    struct link in;    /* segments, by time */
    uint32_t node;     /* whose end this is */
    uint32_t far;      /* whose the other is */
    bool paused;
    bool closed; /* by its owner: nothing but on_close reaches it */
    bool dead;   /* its node died: nobody hears */
};

struct net_sim {
    struct rng rng;
    const uint64_t *now_ms;
    struct link ends;
    bool cut[WIRE_NODES_MAX][WIRE_NODES_MAX];
};

struct net_sim *net_sim_new(uint64_t seed, const uint64_t *now_ms)
{
    struct net_sim *n = mem_zalloc(1, sizeof *n);
    ensure(n != NULL);
    n->rng.state = seed;
    n->now_ms = now_ms;
    list_init(&n->ends);
    return n;
}

void net_sim_free(struct net_sim *n)
{
    ensure(list_empty(&n->ends));
    mem_free(n);
}

uint64_t net_sim_delay(struct net_sim *n)
{
    uint64_t delay = rng_below(&n->rng, 3);
    return rng_below(&n->rng, 50) == 0 ? delay + rng_below(&n->rng, 60) : delay;
}

/* Queue a segment for an end, never before what was sent earlier. */
static void end_push(struct end *to, struct segment *s)
{
    s->at_ms = *to->net->now_ms + net_sim_delay(to->net);
    if (!list_empty(&to->in)) {
        uint64_t last = CONTAINER(to->in.prev, struct segment, link)->at_ms;
        s->at_ms = s->at_ms < last ? last : s->at_ms;
    }
    list_push(&to->in, &s->link);
}

static void end_push_close(struct end *to, dkv_err err)
{
    struct segment *s = mem_zalloc(1, sizeof *s);
    ensure(s != NULL);
    s->close = true;
    s->err = err;
    end_push(to, s);
}

static void end_lose_input(struct end *e)
{
    struct link *item;
    while ((item = list_pop(&e->in)) != NULL) {
        struct segment *s = CONTAINER(item, struct segment, link);
        buf_fini(&s->bytes);
        mem_free(s);
    }
}

static void end_write(struct stream *stream, struct buf *data)
{
    struct end *e = CONTAINER(stream, struct end, stream);
    if (e->other == NULL || e->dead || e->closed) {
        buf_fini(data);
        return;
    }
    struct segment *s = mem_zalloc(1, sizeof *s);
    ensure(s != NULL);
    s->bytes = *data;
    *data = (struct buf){0};
    end_push(e->other, s);
}

static void end_pause(struct stream *stream, bool paused)
{
    CONTAINER(stream, struct end, stream)->paused = paused;
}

static void end_close(struct stream *stream, bool linger)
{
    struct end *e = CONTAINER(stream, struct end, stream);
    (void)linger;
    if (e->closed) {
        return;
    }
    e->closed = true;
    end_lose_input(e);
    end_push_close(e, DKV_CANCELED);
    if (e->other != NULL && !e->dead) {
        end_push_close(e->other, DKV_OK);
    }
}

static const struct stream_ops end_ops = {.write = end_write, .pause = end_pause, .close = end_close};

static struct end *end_new(struct net_sim *n, uint32_t node, uint32_t far)
{
    struct end *e = mem_zalloc(1, sizeof *e);
    ensure(e != NULL);
    *e = (struct end){.stream = {.ops = &end_ops}, .net = n, .node = node, .far = far};
    snprintf(e->stream.peer, sizeof e->stream.peer, "node %u", far);
    list_init(&e->in);
    list_push(&n->ends, &e->link);
    return e;
}

void net_sim_pair(struct net_sim *n, uint32_t from, uint32_t to, struct stream **at_from,
                  struct stream **at_to)
{
    struct end *a = end_new(n, from, to);
    struct end *b = end_new(n, to, from);
    a->other = b;
    b->other = a;
    *at_from = &a->stream;
    *at_to = &b->stream;
}

void net_sim_cut(struct net_sim *n, uint32_t from, uint32_t to, bool cut)
{
    n->cut[from][to] = cut;
}

void net_sim_heal(struct net_sim *n)
{
    memset(n->cut, 0, sizeof n->cut);
}

bool net_sim_is_cut(const struct net_sim *n, uint32_t from, uint32_t to)
{
    return n->cut[from][to];
}

void net_sim_reset(struct net_sim *n, uint32_t a, uint32_t b)
{
    for (struct link *item = n->ends.next; item != &n->ends; item = item->next) {
        struct end *e = CONTAINER(item, struct end, link);
        if (((e->node == a && e->far == b) || (e->node == b && e->far == a)) && !e->closed && !e->dead) {
            end_lose_input(e);
            end_push_close(e, DKV_IO);
            e->closed = true;
        }
    }
}

void net_sim_die(struct net_sim *n, uint32_t node)
{
    for (struct link *item = n->ends.next; item != &n->ends; item = item->next) {
        struct end *e = CONTAINER(item, struct end, link);
        if (e->node == node && !e->dead) {
            e->dead = true;
            if (e->other != NULL) {
                end_push_close(e->other, DKV_IO); /* behind what it had sent */
            }
        }
    }
}

static void end_gone(struct end *e, dkv_err err)
{
    list_remove(&e->link);
    end_lose_input(e);
    if (e->other != NULL) {
        e->other->other = NULL;
    }
    e->stream.events->on_close(&e->stream, err);
    mem_free(e);
}

/* A close is news of this end's own machine when its owner asked for it; all else crosses the network. */
static bool end_is_held(const struct end *e, const struct segment *s)
{
    return (e->paused && !s->close) || (e->net->cut[e->far][e->node] && !(s->close && e->closed));
}

static struct segment *end_next(const struct end *e)
{
    if (list_empty(&e->in)) {
        return NULL;
    }
    struct segment *s = CONTAINER(e->in.next, struct segment, link);
    return end_is_held(e, s) ? NULL : s;
}

static struct end *net_sim_next(const struct net_sim *n, uint32_t node, uint64_t *at_ms)
{
    struct end *best = NULL;
    *at_ms = UINT64_MAX;
    for (struct link *item = n->ends.next; item != &n->ends; item = item->next) {
        struct end *e = CONTAINER(item, struct end, link);
        const struct segment *s = e->node == node ? end_next(e) : NULL;
        if (s != NULL && s->at_ms < *at_ms) {
            best = e;
            *at_ms = s->at_ms;
        }
    }
    return best;
}

uint64_t net_sim_due(const struct net_sim *n, uint32_t node)
{
    uint64_t at_ms;
    net_sim_next(n, node, &at_ms);
    return at_ms;
}

bool net_sim_deliver(struct net_sim *n, uint32_t node)
{
    uint64_t at_ms;
    struct end *e = net_sim_next(n, node, &at_ms);
    if (e == NULL || at_ms > *n->now_ms) {
        return false;
    }
    struct segment *s = CONTAINER(list_pop(&e->in), struct segment, link);
    struct buf bytes = s->bytes;
    bool close = s->close;
    dkv_err err = s->err;
    mem_free(s);
    if (close) {
        end_gone(e, err);
    } else {
        e->stream.events->on_data(&e->stream, buf_slice(&bytes));
        buf_fini(&bytes);
    }
    return true;
}
