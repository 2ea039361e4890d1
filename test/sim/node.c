/* node.c - one node: a journal on a disk that forgets, and a replica of every group. */
#include "sim/sim.h"

#include "base/limits.h"
#include "base/mem.h"
#include "sim/oracle.h"

#include <inttypes.h>

#define ELECTION_MS       150u
#define HEARTBEAT_MS      30u
#define SEGMENT_SMALL     (64u << 10)
#define COMMAND_BYTES_MAX 300u

static const uint64_t node_ids[] = {1, 2, 3, 4, 5};

void node_init(struct sim_world *w, uint64_t id)
{
    struct sim_node *n = &w->nodes[id];
    n->world = w;
    n->id = id;
    n->disk = memdisk_new();
    ensure(n->disk != NULL);
}

/* ---- what the journal replays ------------------------------------------------------------------------- */

static dkv_err node_found_vote(void *ctx, uint32_t group, uint64_t term, uint64_t vote)
{
    struct sim_node *n = ctx;
    n->saved[group].term = term;
    n->saved[group].vote = vote;
    return DKV_OK;
}

static void node_drop_found(struct sim_node *n, uint32_t group, uint64_t from)
{
    while (n->found_n[group] >= from) {
        mem_free((void *)(uintptr_t)n->found[group][--n->found_n[group]].data.data);
    }
}

static dkv_err node_found_entry(void *ctx, uint32_t group, uint64_t index, const struct entry *entry)
{
    struct sim_node *n = ctx;
    if (index == 0 || index > n->found_n[group] + 1) {
        return DKV_CORRUPT;
    }
    node_drop_found(n, group, index);
    if (n->found_n[group] == n->found_cap[group]) {
        n->found_cap[group] = 2 * n->found_cap[group] + 64;
        n->found[group] = mem_realloc(n->found[group], n->found_cap[group] * sizeof(struct entry));
        ensure(n->found[group] != NULL);
    }
    struct entry *copy = &n->found[group][n->found_n[group]++];
    *copy = *entry;
    copy->data.data = (const uint8_t *)mem_text(entry->data);
    return DKV_OK;
}

static dkv_err node_found_truncate(void *ctx, uint32_t group, uint64_t from)
{
    node_drop_found(ctx, group, from);
    return DKV_OK;
}

static dkv_err node_found_commit(void *ctx, uint32_t group, uint64_t index)
{
    struct sim_node *n = ctx;
    n->saved[group].commit = index;
    return DKV_OK;
}

static dkv_err node_found_note(void *ctx, uint32_t key, struct slice value)
{
    (void)ctx;
    (void)key;
    (void)value;
    return DKV_OK;
}

static void node_forget_found(struct sim_node *n)
{
    for (uint32_t g = 0; g < SIM_GROUPS_MAX; g++) {
        node_drop_found(n, g, 1);
        mem_free(n->found[g]);
        n->found[g] = NULL;
        n->found_cap[g] = 0;
        n->saved[g] = (struct group_saved){0};
    }
}

/* ---- effects ------------------------------------------------------------------------------------------ */

static void node_carry_out(struct sim_node *n, size_t group, const struct effect *e)
{
    struct sim_replica *r = &n->replicas[group];
    switch (e->kind) {
    case EFFECT_VOTE: {
        struct sim_vote vote = {.term = e->vote.term, .vote = e->vote.vote};
        vote.batch = journal_put_vote(n->journal, (uint32_t)group, vote.term, vote.vote);
        oracle_vote(n, group, &vote);
        group_saved_in(r->group, vote.batch);
        break;
    }
    case EFFECT_ENTRIES: {
        uint64_t batch = journal_put_entries(n->journal, (uint32_t)group, e->entries.first,
                                             e->entries.entries, e->entries.n);
        oracle_entries(n, group, e, batch);
        group_saved_in(r->group, batch);
        break;
    }
    case EFFECT_SEND:
        oracle_send(n, group, e->send.body);
        net_send(n->world, n->id, e->send.to, e->send.body);
        break;
    case EFFECT_APPLY:
        oracle_apply(n, group, e->apply.index, &e->apply.entry);
        break;
    case EFFECT_ROLE:
        break;
    }
}

static void node_drain(struct sim_node *n, size_t group)
{
    struct sim_replica *r = &n->replicas[group];
    struct effect e;
    oracle_status(n, group);
    while (group_next(r->group, &e)) {
        node_carry_out(n, group, &e);
    }
    oracle_status(n, group);
    if (r->commit > 0) {
        journal_set_commit(n->journal, (uint32_t)group, r->commit);
    }
}

/* ---- start and crash ---------------------------------------------------------------------------------- */

static void node_start_group(struct sim_node *n, size_t group)
{
    struct group_saved *saved = &n->saved[group];
    saved->entries = n->found[group];
    saved->n = n->found_n[group];
    oracle_found(n, group, saved);
    struct group_config config = {
        .id = (uint32_t)group,
        .self = n->id,
        .voters = node_ids,
        .voter_count = n->world->nodes_n,
        .election_ms = ELECTION_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .seed = rng_next(&n->world->rng),
        .guards_off = n->world->options.guards_off,
    };
    n->replicas[group].group = group_new(&config, saved, n->world->now);
    if (n->replicas[group].group == NULL) {
        world_violation(n->world, "node %" PRIu64 " cannot start group %zu", n->id, group);
    }
    node_drain(n, group);
}

static void node_on_started(void *ctx, dkv_err err)
{
    struct sim_node *n = ctx;
    ensure(err == DKV_OK);
    n->state = NODE_UP;
    n->durable = journal_durable(n->journal);
    for (size_t g = 0; g < n->world->groups_n; g++) {
        node_start_group(n, g);
    }
    node_forget_found(n);
}

static void node_on_durable(void *ctx, uint64_t batch)
{
    struct sim_node *n = ctx;
    oracle_durable(n, batch);
    for (size_t g = 0; g < n->world->groups_n; g++) {
        group_durable(n->replicas[g].group, n->world->now, batch);
        node_drain(n, g);
    }
}

static void node_on_failure(void *ctx, dkv_err err)
{
    struct sim_node *n = ctx;
    world_violation(n->world, "node %" PRIu64 " journal: %s", n->id, err_text(err));
}

void node_start(struct sim_node *n)
{
    struct journal_config config = {
        .disk = memdisk_disk(n->disk),
        .cluster = 1,
        .node = (uint32_t)n->id,
        .incarnation = {1},
        .segment_bytes = SEGMENT_SMALL,
        .ctx = n,
        .on_durable = node_on_durable,
        .on_failure = node_on_failure,
    };
    struct journal_replay replay = {.ctx = n,
                                    .vote = node_found_vote,
                                    .entry = node_found_entry,
                                    .truncate = node_found_truncate,
                                    .commit = node_found_commit,
                                    .note = node_found_note};
    struct buf why = {0};
    dkv_err err = journal_open(&config, &replay, &n->journal, &why);
    if (err != DKV_OK) {
        world_violation(n->world, "node %" PRIu64 " journal: %s: %.*s", n->id, err_text(err), (int)why.len,
                        (const char *)why.data);
    }
    buf_fini(&why);
    world_trace(n->world, "node %" PRIu64 " starts", n->id);
    n->state = NODE_STARTING;
    journal_start(n->journal, node_on_started);
}

static void node_stop(struct sim_node *n)
{
    for (size_t g = 0; g < n->world->groups_n; g++) {
        group_free(n->replicas[g].group);
        n->replicas[g].group = NULL;
    }
    journal_abandon(n->journal);
    n->journal = NULL;
    n->disk_at_ms = 0;
    n->state = NODE_DOWN;
    node_forget_found(n);
}

void node_crash(struct sim_node *n)
{
    struct sim_world *w = n->world;
    bool power = world_chance(w, 70);
    world_trace(w, "node %" PRIu64 " %s", n->id, power ? "loses power" : "is killed");
    w->totals.crashes++;
    if (power) {
        memdisk_crash(n->disk, rng_next(&w->rng));
    } else {
        memdisk_kill(n->disk, rng_next(&w->rng));
    }
    node_stop(n);
    n->back_at_ms = w->now + 20 + world_below(w, 3000);
}

void node_fini(struct sim_node *n)
{
    if (n->state != NODE_DOWN) {
        memdisk_crash(n->disk, 1);
        node_stop(n);
    }
    for (size_t g = 0; g < SIM_GROUPS_MAX; g++) {
        mem_free(n->replicas[g].log);
    }
    memdisk_free(n->disk);
}

/* ---- events ------------------------------------------------------------------------------------------- */

static void node_turn_disk(struct sim_node *n)
{
    struct sim_world *w = n->world;
    if (memdisk_pending(n->disk) == 0) {
        n->disk_at_ms = 0;
        return;
    }
    if (n->disk_at_ms == 0) {
        n->disk_at_ms = w->now + 1 + world_below(w, 6);
        n->disk_at_ms += !w->healed && world_chance(w, 3) ? world_below(w, 400) : 0;
    }
    if (w->now >= n->disk_at_ms) {
        n->disk_at_ms = 0;
        (void)memdisk_step(n->disk);
    }
}

void node_turn(struct sim_node *n)
{
    if (n->state == NODE_DOWN) {
        return;
    }
    node_turn_disk(n);
    for (size_t g = 0; n->state == NODE_UP && g < n->world->groups_n; g++) {
        if (group_deadline(n->replicas[g].group) <= n->world->now) {
            group_tick(n->replicas[g].group, n->world->now);
            node_drain(n, g);
            if (group_deadline(n->replicas[g].group) <= n->world->now) {
                world_violation(n->world, "node %" PRIu64 " timer spins", n->id);
            }
        }
    }
    journal_turn(n->journal, n->world->now);
}

void node_receive(struct sim_node *n, struct slice body)
{
    static struct entry entries[APPEND_ENTRIES_MAX];
    uint32_t group;
    uint64_t from;
    uint64_t to;
    struct message m;
    if (n->state != NODE_UP) {
        return;
    }
    if (message_peek(body, &group, &from, &to) != DKV_OK ||
        message_decode(body, &m, entries, APPEND_ENTRIES_MAX) != DKV_OK || m.group != group || to != n->id) {
        world_violation(n->world, "a message cannot be read");
    }
    group_receive(n->replicas[group].group, n->world->now, &m);
    node_drain(n, group);
}

static bool node_leads(const struct sim_node *n, size_t group)
{
    struct group_status status;
    if (n->state != NODE_UP) {
        return false;
    }
    group_status(n->replicas[group].group, &status);
    return status.role == ROLE_LEADER;
}

void node_propose(struct sim_node *n, size_t group)
{
    struct sim_world *w = n->world;
    struct slice commands[8];
    uint8_t data[COMMAND_BYTES_MAX];
    if (!node_leads(n, group)) {
        return;
    }
    memset(data, (int)world_below(w, 256), sizeof(data));
    w->commands++;
    memcpy(data, &w->commands, sizeof(w->commands));
    size_t count = 1 + world_below(w, 8);
    for (size_t i = 0; i < count; i++) {
        commands[i] =
            slice_of(data, sizeof(w->commands) + world_below(w, sizeof(data) - sizeof(w->commands)));
    }
    uint64_t first;
    dkv_err err = group_propose(n->replicas[group].group, w->now, commands, count, &first);
    if (err != DKV_OK && err != DKV_LIMIT && err != DKV_NOT_LEADER) {
        world_violation(w, "node %" PRIu64 " refuses with %s", n->id, err_text(err));
    }
    node_drain(n, group);
}

void node_transfer(struct sim_node *n, size_t group)
{
    if (!node_leads(n, group)) {
        return;
    }
    uint64_t to = world_chance(n->world, 50) ? 0 : 1 + world_below(n->world, n->world->nodes_n);
    dkv_err err = group_transfer(n->replicas[group].group, n->world->now, to);
    world_trace(n->world, "group %zu: node %" PRIu64 " hands over to %" PRIu64 ": %s", group, n->id, to,
                err_text(err));
    node_drain(n, group);
}
