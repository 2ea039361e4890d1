/* wire.h - a simulated network of streams in virtual time.
 *
 * Bytes arrive in order after a delay, as over TCP. A cut direction holds back what is sent (it arrives after
 * the cut heals) until a reset breaks the connection; a reset loses what was on its way. Deterministic from
 * the seed. */
#ifndef DKV_TEST_WORLD_WIRE_H
#define DKV_TEST_WORLD_WIRE_H

#include "base/rng.h"
#include "base/stream.h"

#define WIRE_NODES_MAX 8

struct net_sim; /* opaque */

/* now_ms is read whenever something is sent or delivered. */
struct net_sim *net_sim_new(uint64_t seed, const uint64_t *now_ms);
void net_sim_free(struct net_sim *n); /* all ends must be closed */

/* A fresh connection between two nodes: one end for each. */
void net_sim_pair(struct net_sim *n, uint32_t from, uint32_t to, struct stream **at_from,
                  struct stream **at_to);

/* One direction between two nodes: cut or healed. */
void net_sim_cut(struct net_sim *n, uint32_t from, uint32_t to, bool cut);
void net_sim_heal(struct net_sim *n);
bool net_sim_is_cut(const struct net_sim *n, uint32_t from, uint32_t to);

/* Break all connections between two nodes; both ends hear of it. */
void net_sim_reset(struct net_sim *n, uint32_t a, uint32_t b);

/* A node has died: what others hold to it breaks after the usual delay; its own ends are silent from now on.
 */
void net_sim_die(struct net_sim *n, uint32_t node);

/* Delay of one message, ms. */
uint64_t net_sim_delay(struct net_sim *n);

/* Deliver the next thing that is due to that node; false: nothing is due. */
bool net_sim_deliver(struct net_sim *n, uint32_t node);

/* When something is next due to that node; UINT64_MAX: nothing is on its way. */
uint64_t net_sim_due(const struct net_sim *n, uint32_t node);

#endif
