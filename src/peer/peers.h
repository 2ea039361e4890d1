/* peers.h - the links of a node to all others: dialing, handshake, queues, one write per loop turn.
 *
 * One connection per pair and direction: what this node sends goes over the connection it dialed, what it
 * hears comes over the one the other dialed. A link is up when the handshake of the dialed connection is
 * done. Queues are bounded: over LINK_QUEUE_BYTES_MAX bulk is dropped (a dropped append costs a probe,
 * nothing more); urgent frames never wait behind bulk that has not been handed to the stream.
 *
 * The newest connection of a peer wins: when a second one is welcomed, the first is closed and nothing of it
 * is heard any more: Raft must never see what an older connection says after a newer one came up. */
#ifndef DKV_PEER_PEERS_H
#define DKV_PEER_PEERS_H

#include "base/err.h"
#include "base/limits.h"
#include "base/stream.h"
#include "base/text.h"
#include "peer/frame.h"

struct peers;     /* opaque */
struct handshake; /* opaque: a caller waiting for an answer */

#define PEER_INCARNATION_BYTES 16

/* Who a node is; travels in HELLO and WELCOME. */
struct peer_identity {
    uint64_t cluster;
    uint32_t node; /* node id in the map */
    char name[NODE_NAME_MAX + 1];
    uint8_t incarnation[PEER_INCARNATION_BYTES]; /* of the data directory */
    uint64_t boot;                               /* random, new at every start */
    uint64_t epoch;                              /* of its map */
    bool voting;                                 /* it has begun to vote: not a new directory any more */
    char client[ADDRESS_MAX + 8];                /* advertised client address; empty: none */
};

/* How a hello was answered; valid during the call. */
struct peer_answer {
    const struct peer_identity *who; /* of the node that answered */
    dkv_err err;         /* DKV_OK: welcome; else refused, with what its peers_answer() was given */
    bool knew;           /* welcome: it had our incarnation on record before */
    struct slice detail; /* refused: one sentence */
};

struct peers_config {
    void *ctx;
    /* Open a connection to that address; exactly one call of peers_dialed() follows, later. */
    void (*dial)(void *ctx, uint32_t node, const struct address *to);
    /* Someone says hello. Answer with peers_answer(), now or later. */
    void (*on_hello)(void *ctx, const struct peer_identity *who, struct handshake *h);
    /* Our own hello was answered. */
    void (*on_answer)(void *ctx, uint32_t node, const struct peer_answer *answer);
    /* The link is up (frames can be sent) or went down. */
    void (*on_link)(void *ctx, uint32_t node, bool up);
    /* A frame of kind RAFT or above from a welcomed peer; the body is valid during the call only. */
    void (*on_frame)(void *ctx, uint32_t node, const struct frame *f);
};

/* self is copied. NULL: no memory. */
struct peers *peers_new(const struct peers_config *config, const struct peer_identity *self);

/* Change what later handshakes say of us (epoch, voting). */
void peers_set_identity(struct peers *p, const struct peer_identity *self);

/* Say hello again to everyone: close the dialed connections and dial anew at the next tick. */
void peers_rehello(struct peers *p);

/* Dial that node from the next tick on, and again whenever the link is lost: at least LINK_RETRY_MS after the
 * last dial ended (so at once, if it stood for long), or a second after a refusal. One that is there already
 * gets this name and address for its next dial. DKV_NO_MEMORY. */
dkv_err peers_add(struct peers *p, uint32_t node, const char *name, const struct address *to) MUST_CHECK;

/* The outcome of a dial: a fresh stream, taken, or NULL when it failed. */
void peers_dialed(struct peers *p, uint32_t node, struct stream *s, uint64_t now_ms);

/* A stream was accepted on the peer port; taken. */
void peers_accepted(struct peers *p, struct stream *s, uint64_t now_ms);

/* Answer a hello. DKV_OK: welcome; knew says that we knew this very incarnation before. Else refused with
 * detail (one sentence, copied). A caller that has gone meanwhile makes this a no-op; h is void afterwards.
 */
void peers_answer(struct peers *p, struct handshake *h, dkv_err err, bool knew, struct slice detail);

/* Queue a frame; false: the link is down or the queue is full (dropped). */
bool peers_send(struct peers *p, uint32_t node, const struct frame *f, bool urgent);

/* Frames to that node can be queued now. */
bool peers_up(const struct peers *p, uint32_t node);

/* The identity a peer last gave in a handshake that was welcomed, in either direction; NULL: none since we
 * started. */
const struct peer_identity *peers_identity(const struct peers *p, uint32_t node);

/* End of a loop turn: one write per link with anything queued. */
void peers_flush(struct peers *p);

/* Redials and handshake deadlines. */
void peers_tick(struct peers *p, uint64_t now_ms);
uint64_t peers_deadline(const struct peers *p);

/* Counters since the start. */
struct peers_stats {
    uint64_t bad_input;      /* connections closed for what came over them, or did not come in time */
    uint64_t refused;        /* callers refused, by peers_answer() or for naming the wrong node */
    uint64_t refused_by;     /* refusals of our own calls */
    uint64_t dropped_frames; /* by peers_send(), over a queue's bound */
    uint64_t dropped_bytes;
};
const struct peers_stats *peers_stats(const struct peers *p);

/* Close every stream; no other callback fires any more. The callback fires when all streams are gone and
 * every dial under way was reported (within this call, when there are none); then the memory may go with
 * peers_free(). */
void peers_close(struct peers *p, void (*cb)(void *ctx), void *ctx);
void peers_free(struct peers *p); /* after peers_close's callback, or before any stream */

#endif
