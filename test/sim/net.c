/* net.c - messages under way: late, lost, doubled, overtaking each other, cut off in one or both directions.
 */
#include "sim/sim.h"

#include "base/list.h"
#include "base/mem.h"

#define NET_SLOTS 8192u /* milliseconds ahead; a power of two above any delay */

struct net_message {
    struct link link;
    uint64_t from;
    uint64_t to;
    size_t len;
    uint8_t body[];
};

struct sim_net {
    struct link slots[NET_SLOTS]; /* by the millisecond they arrive in */
};

struct sim_net *net_new(void)
{
    struct sim_net *net = mem_zalloc(1, sizeof(*net));
    ensure(net != NULL);
    for (size_t i = 0; i < NET_SLOTS; i++) {
        list_init(&net->slots[i]);
    }
    return net;
}

void net_free(struct sim_net *net)
{
    for (size_t i = 0; i < NET_SLOTS; i++) {
        for (struct link *l = list_pop(&net->slots[i]); l != NULL; l = list_pop(&net->slots[i])) {
            mem_free(CONTAINER(l, struct net_message, link));
        }
    }
    mem_free(net);
}

static void net_put(struct sim_world *w, uint64_t from, uint64_t to, struct slice body, uint64_t delay)
{
    struct net_message *m = mem_alloc(sizeof(*m) + body.len);
    ensure(m != NULL);
    *m = (struct net_message){.from = from, .to = to, .len = body.len};
    memcpy(m->body, body.data, body.len);
    list_push(&w->net->slots[(w->now + delay) % NET_SLOTS], &m->link);
}

void net_send(struct sim_world *w, uint64_t from, uint64_t to, struct slice body)
{
    uint64_t delay = 1 + world_below(w, 8);
    if (w->healed) {
        net_put(w, from, to, body, delay);
        return;
    }
    if (w->cut[from][to] || world_chance(w, 4)) {
        return;
    }
    if (world_chance(w, 10)) {
        delay += world_below(w, 60);
    }
    if (world_below(w, 1000) < 5) {
        delay += world_below(w, 3000);
    }
    net_put(w, from, to, body, delay);
    if (world_chance(w, 3)) {
        net_put(w, from, to, body, 1 + world_below(w, world_chance(w, 20) ? 4000 : 100));
    }
}

void net_deliver(struct sim_world *w)
{
    struct link due;
    list_detach(&w->net->slots[w->now % NET_SLOTS], &due);
    for (struct link *l = list_pop(&due); l != NULL; l = list_pop(&due)) {
        struct net_message *m = CONTAINER(l, struct net_message, link);
        if (w->healed || !w->cut[m->from][m->to]) {
            node_receive(&w->nodes[m->to], slice_of(m->body, m->len));
        }
        mem_free(m);
    }
}
