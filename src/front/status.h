/* status.h - every shard as its leader sees it, gathered from all nodes that can be reached.
 *
 * Of a shard the row of the leader with the highest term counts; without one, that of the replica that
 * applied most. A node that does not answer within STATUS_WAIT_MS is left out. */
#ifndef DKV_FRONT_STATUS_H
#define DKV_FRONT_STATUS_H

#include "front/router.h"

#define STATUS_WAIT_MS 1000u

/* Answer later; a request passed on by another node is answered at once with this node's own rows. */
void status_gather(struct router_call *call);

#endif
