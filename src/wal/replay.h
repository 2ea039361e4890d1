/* replay.h - reading a journal back at start-up.
 *
 * Segments are read in order of generation, one in memory at a time, batches in order of number. The first
 * batch that is not there whole ends the journal, and one of two things is true. Either it was being written
 * when the process or the power went: nobody was ever told that it is durable. Or the disk lost what it had
 * promised to keep. A later trace tells: one batch is in flight at a time, so a batch header that says
 * "synced through" it, or any batch header in the segment behind, was written only after it was durable. Then
 * it is DKV_CORRUPT.
 *
 * What was cut never comes back, nor does a later reader take it for such a trace, because the bytes where
 * the next batch goes are zeroed durably before anything else is written. There, and nowhere else behind the
 * end, can a header stand: the one write in flight began there. Without its header a batch is only noise,
 * which no checksum fits. They are zeroed even if they look zero, for a process that was killed while zeroing
 * may have left zeroes in the page cache and the header on the disk. */
#ifndef DKV_WAL_REPLAY_H
#define DKV_WAL_REPLAY_H

#include "wal/journal.h"
#include "wal/segment.h"

/* Where a journal ends, that is where it goes on. */
struct replay_end {
    uint64_t *commits; /* in: SHARDS_MAX + 1 zeroes; out: the highest commit index of each group */

    /* out; all zero and NULL for a new directory */
    struct segment_header last;   /* the segment that goes on; generation 0: none, the directory is new */
    struct disk_file *file;       /* open; the caller closes it even after an error */
    uint64_t offset;              /* where the next batch goes */
    uint64_t number;              /* of the last batch */
    uint64_t content;             /* of the last batch that holds more than marks */
    uint64_t vouched;             /* the highest number that a batch calls durable */
    uint64_t floor;               /* the oldest generation */
    struct segment_header spare;  /* an empty segment, made for later; generation 0: none */
    struct disk_file *spare_file; /* open; the caller closes it even after an error */

    /* To be written at mend_at of file before anything rests on what was read: the last batch (or the
     * segment's header, if it has none) once more, then zeroes. The reader cannot know whether that batch
     * came from the disk or from the page cache of a machine whose dkvd was killed before its write was
     * synced. Written again, it is durable; torn, it is replaced by itself. A spare segment comes first: once
     * the seal before it is zeroed, a header left in it would be taken for a trace. */
    uint64_t mend_at;
    struct buf mend; /* the caller frees it even after an error */
};

/* Errors as of journal_open(). A segment whose making was cut short by a crash is removed. */
dkv_err replay_run(const struct journal_config *config, const struct journal_replay *to,
                   struct replay_end *end, struct buf *why) MUST_CHECK;

#endif
