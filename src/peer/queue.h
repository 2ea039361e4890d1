/* queue.h - what waits to be sent over one link: urgent frames, and bulk in chunks of whole frames.
 *
 * Bulk is handed to the stream only as far as the stream has room, so that an urgent frame queued later still
 * goes before it. */
#ifndef DKV_PEER_QUEUE_H
#define DKV_PEER_QUEUE_H

#include "base/buf.h"
#include "base/list.h"
#include "peer/frame.h"

struct stream;

struct queue {
    struct buf urgent;
    struct link chunks; /* of bulk, oldest first */
    size_t bulk_bytes;  /* in all chunks */
};

/* The caller's memory, empty. */
void queue_init(struct queue *q);
void queue_drop(struct queue *q); /* empty again, all memory freed */

/* DKV_LIMIT: over its bound, not taken. DKV_NO_MEMORY: nothing in the queue can be trusted, drop it. */
dkv_err queue_put(struct queue *q, const struct frame *f, bool urgent) MUST_CHECK;

/* Write what the stream has room for. */
void queue_flush(struct queue *q, struct stream *s);

#endif
