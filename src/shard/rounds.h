/* rounds.h - read rounds: one question to every other node for all groups with waiting reads.
 *
 * A leader asks the voters of each group "are you still at term T, for which I, replica R, lead?"; a majority
 * of yes to a question asked after the reads arrived confirms them (Ongaro 2014, 6.4). Reads that come during
 * a round ride the next. A question without an answer is asked again every heartbeat. Bodies are drawn in
 * PROTOCOL.md. */
#ifndef DKV_SHARD_ROUNDS_H
#define DKV_SHARD_ROUNDS_H

#include "base/slice.h"

#include <stdint.h>

struct node;

/* Ask for all replicas that want it; end of a loop turn. */
void rounds_turn(struct node *n, uint64_t now_ms);

/* A question of another node: answer it. */
void rounds_asked(struct node *n, uint32_t from, uint64_t round, struct slice body);

/* An answer to one of our questions. */
void rounds_answered(struct node *n, uint32_t from, uint64_t round, struct slice body);

#endif
