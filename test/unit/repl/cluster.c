/* cluster.c - replicas of one group over a queue and disks of the test's making. */
#include "unit/repl/cluster.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/reader.h"

#include <check.h>

static const uint64_t cluster_ids[] = {1, 2, 3};

static struct group *cluster_group(const struct cluster *c, uint64_t id, const struct group_saved *saved)
{
    struct group_config config = {
        .id = CLUSTER_GROUP,
        .self = id,
        .voters = cluster_ids,
        .voter_count = c->n,
        .election_ms = 1000,
        .heartbeat_ms = 100,
        .seed = id * 77,
    };
    return group_new(&config, saved, c->now);
}

struct cluster *cluster_new(size_t n)
{
    struct cluster *c = mem_zalloc(1, sizeof(*c));
    ck_assert_ptr_nonnull(c);
    c->n = n;
    for (uint64_t id = 1; id <= n; id++) {
        struct group_saved saved = {0};
        c->nodes[id].group = cluster_group(c, id, &saved);
        ck_assert_ptr_nonnull(c->nodes[id].group);
        cluster_drain(c, id);
    }
    return c;
}

static void cluster_cut(struct cluster_node *node, uint64_t from)
{
    while (node->entries_n >= from) {
        mem_free((void *)(uintptr_t)node->entries[--node->entries_n].data.data);
    }
}

void cluster_free(struct cluster *c)
{
    for (uint64_t id = 1; id <= c->n; id++) {
        group_free(c->nodes[id].group);
        cluster_cut(&c->nodes[id], 1);
    }
    buf_fini(&c->wire);
    mem_free(c);
}

static void cluster_store(struct cluster_node *node, const struct effect *e)
{
    ck_assert_uint_le(e->entries.first, node->entries_n + 1);
    cluster_cut(node, e->entries.first);
    for (size_t i = 0; i < e->entries.n; i++) {
        struct entry *copy = &node->entries[node->entries_n++];
        *copy = e->entries.entries[i];
        copy->data.data = (const uint8_t *)mem_text(copy->data);
    }
}

static void cluster_send(struct cluster *c, struct cluster_node *node, const struct effect *e)
{
    node->sent++;
    node->longest_send = e->send.body.len > node->longest_send ? e->send.body.len : node->longest_send;
    if (!node->cut) {
        buf_put_u64(&c->wire, e->send.to);
        buf_put_blob(&c->wire, e->send.body);
    }
}

static void cluster_carry_out(struct cluster *c, struct cluster_node *node, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_VOTE:
        ck_assert_uint_ge(e->vote.term, node->term);
        node->term = e->vote.term;
        node->vote = e->vote.vote;
        group_saved_in(node->group, ++node->batch);
        break;
    case EFFECT_ENTRIES:
        ck_assert_uint_gt(e->entries.first, node->applied);
        cluster_store(node, e);
        group_saved_in(node->group, ++node->batch);
        break;
    case EFFECT_SEND:
        cluster_send(c, node, e);
        break;
    case EFFECT_APPLY:
        ck_assert_uint_eq(e->apply.index, node->applied + 1);
        node->applied = e->apply.index;
        break;
    case EFFECT_ROLE:
        node->roles++;
        break;
    }
}

void cluster_drain(struct cluster *c, uint64_t id)
{
    struct cluster_node *node = &c->nodes[id];
    uint64_t before = UINT64_MAX;
    while (before != node->batch) {
        struct effect e;
        while (group_next(node->group, &e)) {
            cluster_carry_out(c, node, &e);
        }
        before = node->batch;
        if (!node->slow) {
            group_durable(node->group, c->now, node->batch);
            while (group_next(node->group, &e)) {
                cluster_carry_out(c, node, &e);
            }
        }
    }
}

static void cluster_deliver(struct cluster *c, uint64_t to, struct slice body)
{
    static struct entry entries[APPEND_ENTRIES_MAX];
    struct cluster_node *node = &c->nodes[to];
    struct message m;
    ck_assert_int_eq(message_decode(body, &m, entries, APPEND_ENTRIES_MAX), DKV_OK);
    if (node->group != NULL && !node->cut) {
        group_receive(node->group, c->now, &m);
        cluster_drain(c, to);
    }
}

static void cluster_deliver_all(struct cluster *c)
{
    while (c->wire.len > 0) {
        struct buf wire = c->wire;
        c->wire = (struct buf){0};
        struct reader r = reader_of(buf_slice(&wire));
        while (r.in.len > 0) {
            uint64_t to = reader_u64(&r);
            cluster_deliver(c, to, reader_blob(&r, FRAME_BYTES_MAX));
        }
        ck_assert(reader_done(&r));
        buf_fini(&wire);
    }
}

void cluster_run(struct cluster *c, uint64_t ms)
{
    for (uint64_t end = c->now + ms; c->now < end; c->now++) {
        cluster_deliver_all(c);
        for (uint64_t id = 1; id <= c->n; id++) {
            struct group *g = c->nodes[id].group;
            if (g != NULL && group_deadline(g) <= c->now) {
                group_tick(g, c->now);
                cluster_drain(c, id);
            }
        }
    }
    cluster_deliver_all(c);
}

uint64_t cluster_elect(struct cluster *c)
{
    for (uint64_t end = c->now + 60000; c->now < end;) {
        cluster_run(c, 10);
        for (uint64_t id = 1; id <= c->n; id++) {
            struct group_status status = {0};
            if (c->nodes[id].group != NULL && !c->nodes[id].cut) {
                group_status(c->nodes[id].group, &status);
            }
            if (status.ready) {
                return id;
            }
        }
    }
    ck_abort_msg("no leader within a minute");
}

dkv_err cluster_propose(struct cluster *c, uint64_t id, const char *text, size_t n)
{
    static struct slice commands[GROUP_INFLIGHT_ENTRIES + 1];
    for (size_t i = 0; i < n; i++) {
        commands[i] = slice_str(text);
    }
    uint64_t first;
    dkv_err err = group_propose(c->nodes[id].group, c->now, commands, n, &first);
    cluster_drain(c, id);
    return err;
}

void cluster_crash(struct cluster *c, uint64_t id)
{
    group_free(c->nodes[id].group);
    c->nodes[id].group = NULL;
}

void cluster_restart(struct cluster *c, uint64_t id, uint64_t commit)
{
    struct cluster_node *node = &c->nodes[id];
    struct group_saved saved = {.term = node->term,
                                .vote = node->vote,
                                .commit = commit,
                                .entries = node->entries,
                                .n = node->entries_n};
    node->applied = 0;
    node->group = cluster_group(c, id, &saved);
    ck_assert_ptr_nonnull(node->group);
    cluster_drain(c, id);
}
