/* core.h - the raft library behind its guards: the one module that knows it.
 *
 * The library decides (elections, what to send, what is committed); it does no I/O and keeps no entries. What
 * it gets wrong is fenced off here, one small function per guard; doc/notes/raft-library.md lists the bugs,
 * the guards and who owns which memory. A library call that fails in a way the guards do not foresee ends the
 * process: a replica that has lost an invariant must stop, not guess.
 *
 * Events go in as calls, decisions come out as calls of the host, in the order they must be carried out and
 * only while an event is being handled. The host must not call back into the core.
 *
 * Invariants:
 *   1. the commit index never goes back and never passes the log's end (the library's own does both);
 *   2. nothing at or below it is ever cut;
 *   3. the library sees no message that its assertions (compiled out in Debian's build) would not stand. */
#ifndef DKV_REPL_CORE_H
#define DKV_REPL_CORE_H

#include "base/err.h"
#include "proto/entry.h"
#include "repl/members.h"
#include "repl/message.h"

struct core; /* opaque */

/* Bits of guards_off. G-numbers as in doc/notes/raft-library.md; those without a number follow. */
enum core_guard {
    GUARD_SPLIT = 1,        /* G1 */
    GUARD_CONFIRM = 2,      /* G2 */
    GUARD_OWN_ENTRY = 3,    /* G3 */
    GUARD_STALE_REJECT = 5, /* G5 */
    GUARD_HOLD = 8,         /* G8, in group.c */
    GUARD_VOTE_RESULT = 9,  /* G9 */
    GUARD_DENIED_TERM = 13, /* G13 */
    GUARD_NON_VOTER = 14,   /* G14 */
    GUARD_STALE_TERM = 16,  /* G16 */
    GUARD_SOLE_VOTER = 20,  /* a sole voter starts in a new term */
    GUARD_TIMER = 21,       /* the timer never spins */
    GUARD_COMMIT = 22,      /* the commit index never goes back */
    GUARD_HINT = 23,        /* a rejection names where the conflict begins */
};

/* What the core asks of, and tells, its owner. */
struct core_host {
    void *ctx;
    /* The entry at index as the owner's log has it; NULL: none. The only one called outside events, too. */
    const struct entry *(*entry)(void *ctx, uint64_t index);
    /* Persist term and vote before anything after it. */
    void (*on_vote)(void *ctx, uint64_t term, uint64_t vote);
    /* Cut the log from first on, append these and persist them. Valid during the call. */
    void (*on_entries)(void *ctx, uint64_t first, const struct entry *entries, size_t n);
    /* Send; of an APPEND only prev, commit and n are set: the entries are those of the log after prev. */
    void (*on_send)(void *ctx, const struct message *m);
    /* Entries up to index are committed. */
    void (*on_commit)(void *ctx, uint64_t index);
};

struct core_config {
    uint32_t group;
    uint64_t self;
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t seed;
    uint32_t guards_off;   /* tests: BIT(guard) */
    struct core_host host; /* copied */
};

struct core_saved {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    const struct entry
        *entries; /* from index 1, the first a configuration; the host's log has them already */
    size_t n;     /* at least 1 */
};

/* Start. Calls the host. NULL: no memory, or a configuration among the entries cannot be read. */
struct core *core_new(const struct core_config *config, const struct core_saved *saved, uint64_t now_ms);
void core_free(struct core *c); /* NULL is fine */

/* A decoded message for this replica. What cannot come from a correct replica is dropped and counted. */
void core_receive(struct core *c, uint64_t now_ms, const struct message *m);

/* The timer: call at the deadline, earlier does nothing. */
void core_tick(struct core *c, uint64_t now_ms);
uint64_t core_deadline(const struct core *c);

/* The entries of the log up to index are durable as they are now; not above what was stored: nothing happens.
 */
void core_stored(struct core *c, uint64_t now_ms, uint64_t index);

/* Append n >= 1 commands as leader. DKV_NOT_LEADER: not the leader, or handing over; nothing happened. */
dkv_err core_submit(struct core *c, uint64_t now_ms, const struct slice *commands, size_t n) MUST_CHECK;

/* Append a new configuration as leader, at most one member different from the one before. DKV_NOT_LEADER;
 * DKV_LIMIT: another change, or the first entry of this term, is not committed yet; DKV_BAD_REQUEST: not one
 * change, or fewer than two voters would be left. */
dkv_err core_change(struct core *c, uint64_t now_ms, const struct members *members) MUST_CHECK;

/* Hand over; to 0: whoever is most caught up. DKV_NOT_LEADER (or already handing over), DKV_NOT_FOUND. */
dkv_err core_transfer(struct core *c, uint64_t now_ms, uint64_t to) MUST_CHECK;

enum core_state { CORE_FOLLOWER, CORE_CANDIDATE, CORE_LEADER };

struct core_status {
    enum core_state state;
    uint64_t term;
    uint64_t leader; /* 0: unknown */
    uint64_t commit;
    uint64_t dropped; /* messages that no correct replica sends, or that a guard keeps from the library */
    bool transferring;
};

/* As of the last event. */
void core_status(const struct core *c, struct core_status *out);

/* Our own commit index, which never goes back. */
uint64_t core_commit(const struct core *c);

/* The configuration in use: the latest in the log, committed or not. */
void core_members(const struct core *c, struct members *out);

/* As leader: up to where that member is known to have the log. */
bool core_match(const struct core *c, uint64_t id, uint64_t *index);

/* Tests: does the library still hold a configuration for uncommitted, and at which index; 0: none. */
uint64_t core_uncommitted_change(const struct core *c);

#endif
