/* ledger.h - what one key may answer: the judge of the hammer, without clock or network.
 *
 * Every key has one writer that writes 1, 2, 3, ... and begins a number only after the last one has ended.
 * Once a write's outcome is unknown it may still take effect at any later time, so the key is *retired*:
 * never written again, but still read. Begins and ends are told in the order in which they happened on one
 * clock.
 *
 * Then a linearizable store owes every read a number v with
 *   floor <= v <= begun   floor: the highest number that had been acknowledged, or seen by any read, when
 * this read began (smaller: a lost write, or time going back) v not in not_applied  a write that "was not
 * applied" must not be there where 0 stands for "not found".
 *
 * Invariant: floor <= begun, and not_applied is sorted. */
#ifndef DKV_TEST_TOOLS_LEDGER_H
#define DKV_TEST_TOOLS_LEDGER_H

#include "base/ensure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger {
    uint64_t begun;        /* highest number whose write has begun */
    uint64_t floor;        /* no read that begins now may answer less */
    uint64_t *not_applied; /* owned: numbers whose write is known to have done nothing */
    size_t not_applied_count;
    size_t not_applied_cap; /* private */
    bool writing;           /* the write of begun has not ended */
    bool retired;
};

enum ledger_outcome { LEDGER_ACKED, LEDGER_NOT_APPLIED, LEDGER_UNKNOWN };

/* All zero is a key that nobody has written. */
void ledger_fini(struct ledger *l);

/* The number to write next. The key is neither retired nor being written. */
uint64_t ledger_write_begin(struct ledger *l);

/* How the write ended. Returns NULL, or what is wrong, as a phrase. */
const char *ledger_write_end(struct ledger *l, enum ledger_outcome outcome) MUST_CHECK;

/* A read begins; hand the result to its ledger_read_end(). */
uint64_t ledger_read_begin(const struct ledger *l);

/* A read that began at floor has answered value. Returns NULL, or what is wrong, as a phrase. */
const char *ledger_read_end(struct ledger *l, uint64_t floor, uint64_t value) MUST_CHECK;

#endif
