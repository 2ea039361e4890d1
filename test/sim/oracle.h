/* oracle.h - what must never happen, checked at every effect. A violation ends the process (world_violation).
 */
#ifndef DKV_TEST_SIM_ORACLE_H
#define DKV_TEST_SIM_ORACLE_H

#include "sim/sim.h"

struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);

/* A vote record was put into batch: terms do not go back. */
void oracle_vote(struct sim_node *n, size_t group, const struct sim_vote *vote);

/* Entries were put into batch. Log matching; nothing applied or committed is cut. */
void oracle_entries(struct sim_node *n, size_t group, const struct effect *e, uint64_t batch);

/* A message leaves: what it claims is durable. */
void oracle_send(struct sim_node *n, size_t group, struct slice body);

/* An entry is applied: the same everywhere, and durable on a majority before that. */
void oracle_apply(struct sim_node *n, size_t group, uint64_t index, const struct entry *entry);

/* After each event of a replica: one leader per term, leader completeness, the commit index does not go back.
 */
void oracle_status(struct sim_node *n, size_t group);

/* All batches up to this one are durable. */
void oracle_durable(struct sim_node *n, uint64_t batch);

/* A node found this after a crash: nothing durable is missing. Becomes its log. */
void oracle_found(struct sim_node *n, size_t group, const struct group_saved *saved);

/* The highest index applied anywhere. */
uint64_t oracle_committed(const struct oracle *o, size_t group);

#endif
