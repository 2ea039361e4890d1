/* info.h - what a node can say of itself and of the cluster at once. Bodies: PROTOCOL.md. */
#ifndef DKV_FRONT_INFO_H
#define DKV_FRONT_INFO_H

#include "front/router.h"

/* Each answers the call before it returns. */
void info_hello(struct router_call *call, const char *version);
void info_members(struct router_call *call);
void info_ring(struct router_call *call);
void info_health(struct router_call *call);

#endif
