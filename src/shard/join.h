/* join.h - who may speak in this cluster, and when this node may vote.
 *
 * A data directory gets a random incarnation on first start; every other node keeps it durably with the
 * node's name. So a node that lost its disk and comes back under its old name is known for another, and is
 * refused: a lost disk never votes as its former self. An empty directory begins to vote only when no one can
 * have known a former self:
 *
 *   a majority of all nodes (this one counted) has answered, and everyone who can be reached is new itself or
 * knows this very incarnation; or every other node has answered, and none knows another one.
 *
 * A node that votes does not record the incarnation of one that does not vote yet (else asking twice would be
 * proof). Pure decisions; node.c carries them out. */
#ifndef DKV_SHARD_JOIN_H
#define DKV_SHARD_JOIN_H

#include "base/err.h"
#include "base/limits.h"
#include "peer/peers.h"
#include "topo/map.h"

enum join_answer { JOIN_SILENT, JOIN_NEW, JOIN_KNOWS_US, JOIN_STRANGER };

struct join {
    const struct map *map; /* borrowed */
    uint32_t self;
    bool voting;
    struct {
        bool known;
        uint8_t incarnation[PEER_INCARNATION_BYTES];
        enum join_answer answer; /* to our last hello that was answered */
        bool up;                 /* the link we asked over still stands */
    } nodes[NODES_MAX + 1];      /* by node id */
};

/* The caller's memory; nobody is known yet, save self. */
void join_init(struct join *j, const struct map *map, uint32_t self);

/* What the journal remembers. */
void join_remember(struct join *j, uint32_t node, const uint8_t incarnation[PEER_INCARNATION_BYTES]);

enum join_verdict {
    JOIN_WELCOME,       /* known, or new and not to be recorded */
    JOIN_RECORD,        /* welcome once its incarnation is durable: then join_remember() */
    JOIN_OTHER_CLUSTER, /* refuse: another cluster id */
    JOIN_UNKNOWN_NODE,  /* refuse: no node of this map has that name and id */
    JOIN_IMPOSTOR,      /* refuse: the name is known with another incarnation */
};

/* Judge a node by what its handshake says. */
enum join_verdict join_judge(const struct join *j, const struct peer_identity *who);

/* May Raft messages of that node be heard: its incarnation is recorded. */
bool join_hears(const struct join *j, uint32_t node);

/* Our hello was answered by who; knows_us: it had our incarnation on record. */
void join_answered(struct join *j, const struct peer_identity *who, bool knows_us);
void join_link(struct join *j, uint32_t node, bool up);

/* True when a node that does not vote yet may begin. */
bool join_may_vote(const struct join *j);

#endif
