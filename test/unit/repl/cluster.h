/* cluster.h - a few replicas of one group in one process, over a network that is a queue and disks that are
 * durable when the test says so. For tests of group.c; faults and journals are the simulator's. */
#ifndef DKV_TEST_UNIT_REPL_CLUSTER_H
#define DKV_TEST_UNIT_REPL_CLUSTER_H

#include "base/buf.h"
#include "repl/group.h"

#define CLUSTER_NODES_MAX   3u
#define CLUSTER_APPLIED_MAX 25000u
#define CLUSTER_GROUP       7u

struct cluster_node {
    struct group *group; /* NULL: down */
    uint64_t batch;      /* the last put */
    bool slow;           /* nothing gets durable */
    bool cut;            /* neither hears nor is heard */
    uint64_t term;       /* what the disk holds */
    uint64_t vote;
    struct entry entries[CLUSTER_APPLIED_MAX]; /* data is owned */
    size_t entries_n;
    uint64_t applied;
    unsigned roles;        /* how many EFFECT_ROLE */
    unsigned sent;         /* how many EFFECT_SEND */
    uint64_t longest_send; /* bytes */
};

struct cluster {
    struct cluster_node nodes[CLUSTER_NODES_MAX + 1]; /* by replica id */
    size_t n;
    uint64_t now;
    struct buf wire; /* messages under way: u64 to, blob */
};

struct cluster *cluster_new(size_t n);
void cluster_free(struct cluster *c);

/* Carry out what the node wants done. */
void cluster_drain(struct cluster *c, uint64_t id);

/* Deliver all messages and fire due timers until ms have passed. */
void cluster_run(struct cluster *c, uint64_t ms);

/* Run until there is a ready leader; its id. Fails the test after a minute. */
uint64_t cluster_elect(struct cluster *c);

dkv_err cluster_propose(struct cluster *c, uint64_t id, const char *text, size_t n);

void cluster_crash(struct cluster *c, uint64_t id);
void cluster_restart(struct cluster *c, uint64_t id, uint64_t commit);

#endif
