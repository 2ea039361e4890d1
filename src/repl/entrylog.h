/* entrylog.h - the entries of one group in memory, from index 1, in chunks that never move.
 *
 * Entries are copied in; their data lies in one block per append and chunk, freed with the chunk. What a cut
 * leaves of a block stays until then: cuts are rare and at most the entries in flight long. */
#ifndef DKV_REPL_ENTRYLOG_H
#define DKV_REPL_ENTRYLOG_H

#include "base/err.h"
#include "proto/entry.h"

struct entrylog_chunk;

/* All zero is a valid empty log. Everything but last and bytes is private. */
struct entrylog {
    struct entrylog_chunk **chunks;
    size_t chunks_n;
    size_t chunks_cap;
    uint64_t last;  /* index of the last entry; 0: empty */
    uint64_t bytes; /* about what all of it takes */
};

/* Free all entries; the log is empty again. */
void entrylog_fini(struct entrylog *log);

/* Copy n entries behind the last. DKV_NO_MEMORY: the log is as before. */
dkv_err entrylog_append(struct entrylog *log, const struct entry *entries, size_t n) MUST_CHECK;

/* Forget from (>= 1) and everything after it; from above last + 1 is a bug. */
void entrylog_cut(struct entrylog *log, uint64_t from);

/* NULL: not in the log. Valid until it is cut. */
const struct entry *entrylog_at(const struct entrylog *log, uint64_t index);

/* The entries from first on that lie side by side in memory, at most max; *n says how many (0: none). */
const struct entry *entrylog_run(const struct entrylog *log, uint64_t first, size_t max, size_t *n);

#endif
