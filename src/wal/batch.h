/* batch.h - a batch of the journal: what is written and synced at once.
 *
 * The header has a checksum of its own over all its other fields, the body's checksum among them. So a length
 * is believed only when it is checksummed, looking for later batches costs one short checksum per candidate
 * whatever the bytes are, and even a batch whose body was torn testifies to what was durable when it was
 * begun.
 *
 * A seal is a header alone: the segment ends here, and the next one exists with a durable header. It takes no
 * batch number; it bears that of the batch to come. */
#ifndef DKV_WAL_BATCH_H
#define DKV_WAL_BATCH_H

#include "base/buf.h"
#include "base/err.h"

#define BATCH_HEAD_BYTES 48u
#define BATCH_SEAL       BIT(0) /* flag */

struct batch_header {
    uint32_t length;         /* of header and body; a multiple of 8 */
    uint32_t flags;          /* BATCH_SEAL */
    uint64_t generation;     /* of the segment it was written to */
    uint64_t number;         /* 1, 2, ... without a gap, over all segments and restarts */
    uint64_t synced_through; /* all batches up to this one were durable before this one was written */
    uint32_t body_crc;       /* private to batch.c */
};

/* Room for the header at the begin of an empty b; the body is put after it. */
void batch_begin(struct buf *b);

/* Write the header, h->length apart, which is that of b. b is sound and holds a multiple of 8 bytes. */
void batch_finish(struct buf *b, const struct batch_header *h, uint32_t seed);

/* Read a header at the begin of at. False: there is none that is intact, of this segment and within at. */
bool batch_decode(struct slice at, uint32_t seed, uint64_t generation, struct batch_header *out) MUST_CHECK;

/* Is the body that follows the header at at intact too? Only after batch_decode() of the same bytes. */
bool batch_has_body(struct slice at, const struct batch_header *h) MUST_CHECK;

#endif
