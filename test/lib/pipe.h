/* pipe.h - an in-memory pair of streams (base/stream.h), for tests and the simulator.
 *
 * Nothing moves by itself: what one end writes is on the way until pipe_deliver() hands it to the other, so
 * that whoever drives the pipe decides when, in which pieces, and whether at all. Each end keeps the contract
 * of a stream: no event before its owner is set, none from inside a call of the owner, on_close exactly once
 * and last. */
#ifndef DKV_TEST_PIPE_H
#define DKV_TEST_PIPE_H

#include "base/stream.h"

struct pipe; /* opaque */

enum pipe_end { PIPE_A, PIPE_B, PIPE_ENDS };

struct pipe *pipe_new(void);    /* NULL: no memory */
void pipe_free(struct pipe *p); /* in any state but from inside an event; NULL is fine */

/* The stream of one end, to be handed to its owner. */
struct stream *pipe_stream(struct pipe *p, enum pipe_end end);

/* Let the first bytes on the way be in the kernel's hands: they do not count as unsent. 0 at first. */
void pipe_set_window(struct pipe *p, size_t bytes);

/* Bytes on the way to that end. */
size_t pipe_pending(const struct pipe *p, enum pipe_end to);

/* Bring up to max bytes to that end (unless it paused), tell the writer when it has drained, and bring the
 * closes that are due at that end. True: something happened. */
bool pipe_deliver(struct pipe *p, enum pipe_end to, size_t max);

/* Both ways until nothing happens. */
void pipe_run(struct pipe *p);

/* The connection is lost with all that is on the way; each end hears of it at its next pipe_deliver(). */
void pipe_break(struct pipe *p);

/* Both ends have had their on_close, or never had an owner. */
bool pipe_is_closed(const struct pipe *p);

#endif
