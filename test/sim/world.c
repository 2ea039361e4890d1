/* world.c - one seed: a stretch of time with faults and load, then healing and what must hold after it. */
#include "base/log.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTY_MS 20000u
#define HEALED_MS 10000u /* within it: a leader, progress, all replicas equal */
#define SETTLE_MS 1500u  /* of it, without load, for the followers to learn the last commit index */

uint64_t world_below(struct sim_world *w, uint64_t n)
{
    return rng_below(&w->rng, n);
}

bool world_chance(struct sim_world *w, unsigned percent)
{
    return rng_below(&w->rng, 100) < percent;
}

void world_trace(const struct sim_world *w, const char *format, ...)
{
    if (!w->options.trace) {
        return;
    }
    va_list args;
    va_start(args, format);
    printf("%8" PRIu64 " ", w->now);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void world_violation(const struct sim_world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "violation at %" PRIu64 " ms: ", w->now);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    fflush(NULL);
    _Exit(3);
}

/* ---- faults ------------------------------------------------------------------------------------------- */

struct faults {
    unsigned crash_per_100000; /* per node and ms */
    uint64_t partition_at_ms;
    uint64_t heal_at_ms;   /* 0: not partitioned */
    unsigned load_percent; /* of milliseconds with a proposal, per group */
};

static void world_cut(struct sim_world *w)
{
    uint64_t kind = world_below(w, 3);
    uint64_t alone = 1 + world_below(w, w->nodes_n);
    uint64_t side = rng_next(&w->rng);
    for (uint64_t a = 1; a <= w->nodes_n; a++) {
        for (uint64_t b = 1; b <= w->nodes_n; b++) {
            bool one_way = kind == 0 && world_chance(w, 35);
            bool halves = kind == 1 && ((side >> a) & 1) != ((side >> b) & 1);
            bool single = kind == 2 && (a == alone || b == alone);
            w->cut[a][b] = a != b && (one_way || halves || single);
        }
    }
    world_trace(w, "partition of kind %" PRIu64, kind);
}

static void world_partition(struct sim_world *w, struct faults *f)
{
    if (w->now >= f->partition_at_ms) {
        world_cut(w);
        f->heal_at_ms = w->now + 100 + world_below(w, 1500);
        f->partition_at_ms = f->heal_at_ms + 200 + world_below(w, 2500);
    }
    if (f->heal_at_ms != 0 && w->now >= f->heal_at_ms) {
        memset(w->cut, 0, sizeof(w->cut));
        f->heal_at_ms = 0;
        world_trace(w, "the partition heals");
    }
}

static void world_crashes(struct sim_world *w, const struct faults *f)
{
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        struct sim_node *n = &w->nodes[id];
        if (n->state == NODE_DOWN && w->now >= n->back_at_ms) {
            node_start(n);
        } else if (n->state != NODE_DOWN && world_below(w, 100000) < f->crash_per_100000) {
            node_crash(n);
        }
    }
}

static void world_load(struct sim_world *w, const struct faults *f)
{
    for (size_t g = 0; g < w->groups_n; g++) {
        bool proposes = world_chance(w, f->load_percent);
        bool transfers = world_below(w, 10000) < 5;
        for (uint64_t id = 1; id <= w->nodes_n; id++) {
            if (proposes) {
                node_propose(&w->nodes[id], g); /* whoever believes to lead */
            }
            if (transfers) {
                node_transfer(&w->nodes[id], g);
            }
        }
    }
}

static void world_turn(struct sim_world *w)
{
    net_deliver(w);
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        node_turn(&w->nodes[id]);
    }
    w->now++;
}

/* ---- after healing ------------------------------------------------------------------------------------ */

/* The ready leader of the highest term; NULL: none. */
static struct sim_node *world_leader(struct sim_world *w, size_t group)
{
    struct sim_node *best = NULL;
    uint64_t term = 0;
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        struct group_status status = {0};
        if (w->nodes[id].state == NODE_UP) {
            group_status(w->nodes[id].replicas[group].group, &status);
        }
        if (status.ready && status.term > term) {
            best = &w->nodes[id];
            term = status.term;
        }
    }
    return best;
}

static void world_dump(const struct sim_world *w, size_t group)
{
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        struct group_status s = {0};
        if (w->nodes[id].state == NODE_UP) {
            group_status(w->nodes[id].replicas[group].group, &s);
        }
        fprintf(stderr,
                "node %" PRIu64 " up=%d role=%d term=%" PRIu64 " leader=%" PRIu64 " last=%" PRIu64
                " commit=%" PRIu64 " applied=%" PRIu64 "\n",
                id, w->nodes[id].state == NODE_UP, (int)s.role, s.term, s.leader, s.last, s.commit,
                s.applied);
    }
}

static void world_check_healed(struct sim_world *w, size_t group, uint64_t committed_before)
{
    struct sim_node *leader = world_leader(w, group);
    uint64_t committed = oracle_committed(w->oracle, group);
    if (leader == NULL || committed <= committed_before) {
        world_dump(w, group);
        world_violation(w, "group %zu: no %s %u ms after healing", group,
                        leader == NULL ? "leader" : "progress", HEALED_MS);
    }
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        struct group_status s;
        group_status(w->nodes[id].replicas[group].group, &s);
        if (s.applied != committed || s.last != committed) {
            world_dump(w, group);
            world_violation(
                w, "group %zu: node %" PRIu64 " applied %" PRIu64 " of %" PRIu64 " %u ms after healing",
                group, id, s.applied, committed, HEALED_MS);
        }
    }
}

static void world_heal(struct sim_world *w)
{
    uint64_t before[SIM_GROUPS_MAX] = {0};
    memset(w->cut, 0, sizeof(w->cut));
    w->healed = true;
    world_trace(w, "all faults end");
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        if (w->nodes[id].state == NODE_DOWN) {
            node_start(&w->nodes[id]);
        }
    }
    for (size_t g = 0; g < w->groups_n; g++) {
        before[g] = oracle_committed(w->oracle, g);
    }
    for (uint64_t end = w->now + HEALED_MS; w->now < end;) {
        world_turn(w);
        for (size_t g = 0; g < w->groups_n && w->now + SETTLE_MS < end; g++) {
            struct sim_node *leader = w->now % 100 == 0 ? world_leader(w, g) : NULL;
            if (leader != NULL) {
                node_propose(leader, g);
            }
        }
    }
    for (size_t g = 0; g < w->groups_n; g++) {
        world_check_healed(w, g, before[g]);
    }
}

void world_run(const struct sim_options *options, struct sim_totals *totals)
{
    static struct sim_world world;
    struct sim_world *w = &world;
    *w =
        (struct sim_world){.options = *options, .rng = {options->seed * 0x9E3779B97F4A7C15ull + 1}, .now = 1};
    w->nodes_n = 3 + world_below(w, 3);
    w->groups_n = 1 + world_below(w, SIM_GROUPS_MAX);
    w->net = net_new();
    w->oracle = oracle_new();
    struct faults faults = {
        .crash_per_100000 = (unsigned)world_below(w, 60),
        .partition_at_ms = world_chance(w, 80) ? 500 + world_below(w, 2000) : UINT64_MAX,
        .load_percent = 3 + (unsigned)world_below(w, 40),
    };
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        node_init(w, id);
        node_start(&w->nodes[id]);
    }
    while (w->now < FAULTY_MS) {
        world_turn(w);
        world_partition(w, &faults);
        world_crashes(w, &faults);
        world_load(w, &faults);
    }
    world_heal(w);
    for (uint64_t id = 1; id <= w->nodes_n; id++) {
        node_fini(&w->nodes[id]);
    }
    net_free(w->net);
    oracle_free(w->oracle);
    *totals = w->totals;
}
