/* group.h - one Raft group's replica on this node: events in, effects out, no I/O of its own.
 *
 * Give it an event (a message, a deadline, proposals, a durable batch), then drain the effects with
 * group_next() and carry them out in order. Time is milliseconds of a clock that never goes back.
 *
 *   group_receive / group_tick / group_propose / group_durable / group_transfer
 *        -> while (group_next(g, &e)) carry out e, and group_saved_in(g, batch) after what is persisted
 *
 * Inside: core (raft_step behind its guards), the entry log in memory, messages held until the vote they rest
 * on is durable (G8), an own commit index that never goes back.
 *
 * Invariants:
 *   1. APPLY effects come in index order without gaps, and only for committed entries;
 *   2. an entry that was applied is never cut;
 *   3. a message leaves only after the term and vote it speaks of are durable;
 *   4. an index counts as stored here only after its batch is durable. */
#ifndef DKV_REPL_GROUP_H
#define DKV_REPL_GROUP_H

#include "base/err.h"
#include "proto/entry.h"
#include "repl/message.h"

struct group; /* opaque */

struct group_config {
    uint32_t id;
    uint64_t self;          /* own replica id */
    const uint64_t *voters; /* the first configuration: replica ids; the log may hold a later one */
    size_t voter_count;
    uint64_t election_ms; /* randomized from 1 to 2 times this */
    uint64_t heartbeat_ms;
    uint64_t seed;       /* of the election timer */
    uint32_t guards_off; /* tests: BIT(n) switches guard Gn off; 0 in production */
};

/* What the journal knew of the group; entries are copied. All zero: a group that never was. */
struct group_saved {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;             /* entries up to here are applied at start */
    const struct entry *entries; /* from index 1 */
    size_t n;
};

/* Start a replica. A group that never was gets its first configuration as entry 1 (an ENTRIES effect), alike
 * on every replica. Drain the effects afterwards. NULL: no memory, or the saved state contradicts itself
 * (logged). */
struct group *group_new(const struct group_config *config, const struct group_saved *saved, uint64_t now_ms);
void group_free(struct group *g); /* NULL is fine */

enum effect_kind {
    EFFECT_VOTE,    /* persist term and vote */
    EFFECT_ENTRIES, /* persist entries; what the journal had from first on is void */
    EFFECT_SEND,    /* hand body to the node of replica to */
    EFFECT_APPLY,   /* apply one committed entry */
    EFFECT_ROLE,    /* role, term, known leader or readiness changed: see group_status() */
};

struct effect {
    enum effect_kind kind;
    union {
        struct {
            uint64_t term;
            uint64_t vote;
        } vote;
        struct {
            uint64_t first;
            const struct entry *entries;
            size_t n;
        } entries;
        struct {
            uint64_t to;       /* replica id */
            struct slice body; /* an encoded message */
            bool urgent;       /* votes, results, heartbeats: not behind bulk */
        } send;
        struct {
            uint64_t index;
            struct entry entry;
        } apply;
    };
};

/* The next effect, in the order they must be carried out; false: none left. Whatever an effect points to is
 * valid until the next call of any function of this group but group_saved_in(). */
bool group_next(struct group *g, struct effect *out);

/* What the VOTE or ENTRIES effect taken last asked to persist went into this journal batch (of several: the
 * last). Must be called before the next group_next(). */
void group_saved_in(struct group *g, uint64_t batch);

/* A message for this replica came in. Decoded slices are copied if kept. Messages for another group or
 * replica, results from a replica that is no member, and whatever no correct replica sends are dropped and
 * counted. Requests are heard from anyone: a replica behind in its log may not know a new member yet. */
void group_receive(struct group *g, uint64_t now_ms, const struct message *m);

/* now >= group_deadline(). */
void group_tick(struct group *g, uint64_t now_ms);
uint64_t group_deadline(const struct group *g);

/* All journal batches up to this one are durable. */
void group_durable(struct group *g, uint64_t now_ms, uint64_t batch);

/* Append commands to the log as leader; *first gets the index of the first. Data is copied.
 * DKV_NOT_LEADER: not the leader, or handing over. DKV_LIMIT: too much is in flight. Either way nothing
 * happened. */
dkv_err group_propose(struct group *g, uint64_t now_ms, const struct slice *commands, size_t n,
                      uint64_t *first) MUST_CHECK;

/* Hand leadership to that voter, or to the most caught-up one when to is 0. DKV_NOT_LEADER; DKV_NOT_FOUND: no
 * such voter. Given up after an election timeout. */
dkv_err group_transfer(struct group *g, uint64_t now_ms, uint64_t to) MUST_CHECK;

enum role { ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER };

struct group_status {
    enum role role;
    uint64_t term;
    uint64_t leader; /* replica id; 0: unknown */
    uint64_t last;   /* last index of the log */
    uint64_t commit;
    uint64_t applied;
    uint64_t dropped;  /* messages, since start */
    bool ready;        /* leader, and an entry of its own term is applied: may serve reads and changes */
    bool transferring; /* leader, handing over */
};

/* As of the last event. */
void group_status(const struct group *g, struct group_status *out);

/* About how much memory the log takes. */
uint64_t group_log_bytes(const struct group *g);

/* Term of an entry; 0: not in the log. */
uint64_t group_term_at(const struct group *g, uint64_t index);

/* The voters of the latest configuration; at most REPLICAS_MAX ids. Returns how many. */
size_t group_voters(const struct group *g, uint64_t *ids);

/* For read rounds (Ongaro 2014, 6.4): does this replica still take leader for the leader of exactly this
 * term? Yes as long as its own term is that term. */
bool group_confirms(const struct group *g, uint64_t term, uint64_t leader);

/* How far a follower is known to be, as leader; false: not leader or no such member. */
bool group_match(const struct group *g, uint64_t replica, uint64_t *index);

#endif
