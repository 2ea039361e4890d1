/* peers_internal.h - what the two sides of a connection share.
 *
 *   dialed.c    the link to one peer: dial, HELLO, wait for WELCOME, then send
 *   accepted.c  a connection of somebody else: wait for HELLO, ask the owner, WELCOME or REFUSE, then hear
 *   peers.c     the door: finds the side a call is for, keeps time, counts and logs
 *
 * Streams end in their on_close event alone; whatever wants one gone calls its close and waits for that. */
#ifndef DKV_PEER_PEERS_INTERNAL_H
#define DKV_PEER_PEERS_INTERNAL_H

#include "base/list.h"
#include "peer/greeting.h"
#include "peer/peers.h"
#include "peer/queue.h"

/* After a refusal, or rubbish, there is no hurry. */
#define REFUSED_RETRY_MS 1000u

#define REPORT_EVERY_MS 1000u /* one line of log per kind of trouble */

enum dialed_state {
    DIALED_IDLE,     /* until at_ms, then dial */
    DIALED_DIALING,  /* peers_dialed() is due */
    DIALED_GREETING, /* HELLO is sent; at most until at_ms */
    DIALED_UP,       /* welcomed */
    DIALED_CLOSING,  /* on_close is due */
    DIALED_STATES
};

struct accepted;

struct dialed {
    struct peers *peers;
    uint32_t node;
    char name[NODE_NAME_MAX + 1];
    struct address to;
    enum dialed_state state;
    uint64_t at_ms;
    uint64_t dialed_ms;    /* when the last dial ended, well or not */
    uint64_t retry_ms;     /* CLOSING: how long after dialed_ms to dial again */
    struct stream *stream; /* GREETING to CLOSING */
    bool announced;        /* the owner was told that it is up */
    uint64_t downs;        /* how often it went down: see accepted.c */
    struct buf input;      /* the begin of a frame */
    struct queue queue;
    struct accepted *heard; /* the welcomed connection of this peer; NULL: none */
    bool has_identity;
    struct peer_identity identity;
};

/* Something that happened often enough to be counted, and logged once per REPORT_EVERY_MS. */
struct report {
    uint64_t pending; /* since the last line */
    uint64_t logged_ms;
    bool has_logged;
    char about[160]; /* the latest one, for the line */
};

struct peers {
    struct peers_config config;
    struct peer_identity self;
    struct dialed *dialed[NODES_MAX];
    size_t dialed_count;
    struct link greeting; /* of struct accepted: not welcomed yet, oldest first */
    struct link settled;  /* of struct accepted: the others */
    size_t greeting_count;
    size_t streams;  /* taken and not yet closed */
    size_t dials;    /* peers_dialed() is due */
    uint64_t now_ms; /* as last told */
    bool closing;
    void (*close_cb)(void *ctx);
    void *close_ctx;
    struct report bad_input;
    struct report refused;
    struct report dropped;
    struct peers_stats stats;
};

/* NULL: not added. Linear; at most 64. */
struct dialed *peers_find(const struct peers *p, uint32_t node);

/* A stream that was taken is gone; last thing in an on_close event: afterwards the owner may have freed it
 * all. */
void peers_stream_gone(struct peers *p);

/* Take the whole frames off kept + bytes, keep the rest. on_frame returns false to stop for good. */
typedef bool (*peers_frame_fn)(void *side, const struct frame *f);
dkv_err peers_input(struct buf *kept, struct slice bytes, peers_frame_fn on_frame, void *side) MUST_CHECK;

/* Count, and log once per REPORT_EVERY_MS. */
void peers_note_bad_input(struct peers *p, const struct stream *s, const char *what);
void peers_note_refused(struct peers *p, const struct stream *s, const char *why);
void peers_note_drop(struct peers *p, const struct dialed *d, size_t bytes);

/* dialed.c */
struct dialed *dialed_new(struct peers *p, uint32_t node); /* NULL: no memory */
void dialed_free(struct dialed *d);
void dialed_tick(struct dialed *d);
uint64_t dialed_deadline(const struct dialed *d);
void dialed_take(struct dialed *d, struct stream *s);   /* NULL: the dial failed */
void dialed_close(struct dialed *d, uint64_t retry_ms); /* in any state; without a stream: just be idle */
bool dialed_send(struct dialed *d, const struct frame *f, bool urgent);

/* accepted.c */
void accepted_new(struct peers *p, struct stream *s);
void accepted_tick(struct peers *p);
uint64_t accepted_deadline(const struct peers *p);
void accepted_close_all(struct peers *p);
void accepted_free_all(struct peers *p);

/* Close a stream that no side will have. */
void peers_turn_away(struct peers *p, struct stream *s);

#endif
