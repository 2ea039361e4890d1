/* message.h - what the replicas of one group say to each other, in dkv's own words and bytes.
 *
 * Every message names group, sender and receiver replica and the sender's term. Formats: PROTOCOL.md. */
#ifndef DKV_REPL_MESSAGE_H
#define DKV_REPL_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/entry.h"

enum message_kind {
    MESSAGE_APPEND = 1,
    MESSAGE_APPEND_RESULT = 2,
    MESSAGE_VOTE = 3,
    MESSAGE_VOTE_RESULT = 4,
    MESSAGE_TIMEOUT_NOW = 5,
    /* 6 is kept for snapshots */
};

struct message {
    enum message_kind kind;
    uint32_t group;
    uint64_t from; /* replica ids */
    uint64_t to;
    uint64_t term;
    union {
        struct {
            uint64_t prev_index;
            uint64_t prev_term;
            uint64_t commit;
            const struct entry *entries; /* decoding: in the caller's array */
            uint32_t n;
        } append;
        struct {
            uint64_t rejected; /* 0: accepted */
            uint64_t last_index;
        } append_result;
        struct {
            uint64_t candidate;
            uint64_t last_index;
            uint64_t last_term;
            bool disrupt;
            bool pre_vote;
        } vote;
        struct {
            bool granted;
            bool pre_vote;
        } vote_result;
        struct {
            uint64_t last_index;
            uint64_t last_term;
        } timeout_now;
    };
};

/* As PROTOCOL.md draws it. */
void message_encode(const struct message *m, struct buf *out);

/* Slices point into in; entries go to the caller's array of at most max. DKV_MALFORMED: anything that does
 * not fit, a claimed count over what is there, an unknown kind or entry type, a zero id; nothing is
 * allocated. */
dkv_err message_decode(struct slice in, struct message *out, struct entry *entries, size_t max) MUST_CHECK;

/* For an APPEND: terms do not fall along it and end at most at the sender's, configurations can be read.
 * Nothing else comes from a correct leader. */
bool message_append_is_sound(const struct message *m);

/* Just the addressing, of any message: for dispatch before the rest is decoded. */
dkv_err message_peek(struct slice in, uint32_t *group, uint64_t *from, uint64_t *to) MUST_CHECK;

#endif
