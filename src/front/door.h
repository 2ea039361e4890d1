/* door.h - the client port: connections, their requests in flight, their limits.
 *
 * The first byte tells the protocol: 0x94 is MessagePack-RPC (proto/native.h); anything else is closed, until
 * there is another protocol. Requests of one connection are answered as they finish, told apart by their ids.
 *
 * Bounds: CONNS_MAX connections, or as many as door_set_conns_max() says: one more is closed at once; a
 * connection with CONN_INFLIGHT_MAX requests or CONN_INFLIGHT_BYTES of them in flight, or
 * CONN_OUTPUT_BYTES_MAX of unread answers, is not read from until that is less. A connection that sends
 * nothing for CONN_FIRST_BYTE_MS at first, does not finish a message within CONN_MESSAGE_MS and a
 * millisecond for each of its bytes, or does not read for CONN_WRITE_STALL_MS, is closed. */
#ifndef DKV_FRONT_DOOR_H
#define DKV_FRONT_DOOR_H

#include "base/stream.h"
#include "front/router.h"

struct door; /* opaque */

/* router is borrowed. NULL: no memory. */
struct door *door_new(struct router *router);

/* Take up to max connections from now on; those that are there stay. */
void door_set_conns_max(struct door *d, uint32_t max);

/* A connection came in; taken. */
void door_accept(struct door *d, struct stream *s);

/* End of a loop turn: send what was answered. */
void door_turn(struct door *d);

/* When door_turn wants to be called for deadlines; UINT64_MAX: none. */
uint64_t door_deadline(const struct door *d);

/* Stop taking requests; what is in flight is still answered. */
void door_stop(struct door *d);
bool door_is_idle(const struct door *d); /* nothing in flight or unsent */

/* Close every connection; free when all are gone and no request is in flight, then call back. */
void door_close(struct door *d, void (*cb)(void *ctx), void *ctx);

#endif
