/* sim.h - a whole cluster in one process and in virtual time: the real consensus over the real journal.
 *
 * Everything follows from the seed: timers, delays, losses, crashes, what a crash leaves on a disk. A world
 * has a few nodes; a node has one journal on one memory disk and one replica of every group. The oracle
 * (oracle.h) watches every effect and ends the process with the violation at once.
 *
 *   main.c   options, one forked child per seed, totals
 *   world.c  the clock, faults, client load, healing and what must hold afterwards
 *   node.c   a node: its journal, its groups, their effects
 *   net.c    messages under way
 *   oracle.c what must never happen */
#ifndef DKV_TEST_SIM_SIM_H
#define DKV_TEST_SIM_SIM_H

#include "base/buf.h"
#include "base/rng.h"
#include "lib/memdisk.h"
#include "repl/group.h"
#include "wal/journal.h"

#define SIM_NODES_MAX  5u
#define SIM_GROUPS_MAX 3u

struct sim_options {
    uint64_t seed;
    uint32_t guards_off;
    bool trace;
};

/* What a run adds up to. */
struct sim_totals {
    uint64_t applied;
    uint64_t crashes;
    uint64_t elections;
    uint64_t changes;
};

/* One entry of a replica's log as it was handed to the journal. */
struct sim_entry {
    uint64_t term;
    uint64_t hash;  /* of this entry and all before it */
    uint64_t batch; /* that carries it; 0: durable before this start */
};

/* A vote record on its way to the disk. */
struct sim_vote {
    uint64_t term;
    uint64_t vote;
    uint64_t batch;
};

struct sim_replica {
    struct group *group; /* NULL: the node is down */
    struct sim_entry
        *log; /* index i at i - 1; kept while the node is down, to be compared with what it finds */
    size_t log_n;
    size_t log_cap;
    uint64_t applied;
    uint64_t commit;
    uint64_t lead_term;      /* last term seen leading */
    struct sim_vote durable; /* vote record known durable */
    struct sim_vote pending[64];
    size_t pending_n;
};

enum node_state { NODE_DOWN, NODE_STARTING, NODE_UP };

struct sim_node {
    struct sim_world *world;
    uint64_t id;
    enum node_state state;
    struct memdisk *disk;
    struct journal *journal;
    uint64_t durable;    /* batch */
    uint64_t disk_at_ms; /* when the oldest pending write completes; 0: none timed */
    uint64_t back_at_ms; /* when it restarts */
    struct sim_replica replicas[SIM_GROUPS_MAX];

    /* what replay found, per group */
    struct entry *found[SIM_GROUPS_MAX]; /* data owned */
    size_t found_n[SIM_GROUPS_MAX];
    size_t found_cap[SIM_GROUPS_MAX];
    struct group_saved saved[SIM_GROUPS_MAX];
};

struct sim_net; /* net.h */
struct oracle;  /* oracle.h */

struct sim_world {
    struct sim_options options;
    struct sim_totals totals;
    struct rng rng;
    uint64_t now;
    bool healed;
    size_t nodes_n;
    size_t groups_n;
    struct sim_node nodes[SIM_NODES_MAX + 1]; /* by id */
    bool cut[SIM_NODES_MAX + 1][SIM_NODES_MAX + 1];
    struct sim_net *net;
    struct oracle *oracle;
    uint64_t commands; /* proposed, for their content */
};

/* world.c: run one seed; a violation ends the process. */
void world_run(const struct sim_options *options, struct sim_totals *totals);

/* A number below n, and true in percent of all cases. */
uint64_t world_below(struct sim_world *w, uint64_t n);
bool world_chance(struct sim_world *w, unsigned percent);

/* With --trace only. */
void world_trace(const struct sim_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print a violation and exit. */
_Noreturn void world_violation(const struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* node.c */
void node_init(struct sim_world *w, uint64_t id);
void node_fini(struct sim_node *n);
void node_start(struct sim_node *n); /* from what its disk holds */
void node_crash(struct sim_node *n); /* power or process */
void node_turn(struct sim_node *n);  /* one millisecond: disk, timers, end of the turn */
void node_receive(struct sim_node *n, struct slice body);
void node_propose(struct sim_node *n, size_t group);  /* something, if it leads */
void node_transfer(struct sim_node *n, size_t group); /* away, if it leads */

/* net.c */
struct sim_net *net_new(void);
void net_free(struct sim_net *net);
void net_send(struct sim_world *w, uint64_t from, uint64_t to, struct slice body);
void net_deliver(struct sim_world *w); /* what is due now */

#endif
