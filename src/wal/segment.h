/* segment.h - segment files of the journal: their names and their headers.
 *
 * The header says whose segment it is. Batches are checksummed starting from that identity, so bytes of
 * another node, or of this node's life before its disk was lost, never pass for a part of this journal. */
#ifndef DKV_WAL_SEGMENT_H
#define DKV_WAL_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "wal/journal.h"

#define SEGMENT_VERSION     1u
#define SEGMENT_HEAD_BYTES  64u
#define SEGMENT_NAME_BYTES  25u        /* 20 digits, ".seg" and a NUL */
#define SEGMENT_BYTES_LEAST 4096u      /* a smaller one is refused, */
#define SEGMENT_BYTES_MOST  (1u << 30) /* and a larger one: one is read into memory at a time */

/* Who writes the journal. */
struct segment_owner {
    uint64_t cluster;
    uint32_t node;
    uint8_t incarnation[INCARNATION_BYTES];
};

struct segment_header {
    uint32_t version;
    struct segment_owner owner;
    uint64_t generation; /* 1, 2, ... in journal order; also the file's name */
    uint64_t bytes;      /* of the whole file */
    uint64_t floor;      /* the oldest generation that was still needed when this segment was made */
};

/* The file's name; false: not the name of any segment. */
void segment_name(uint64_t generation, char name[SEGMENT_NAME_BYTES]);
bool segment_parse_name(const char *name, uint64_t *generation);

/* SEGMENT_HEAD_BYTES bytes are added to out. */
void segment_encode(const struct segment_header *h, struct buf *out);

/* False: image does not begin with an intact header. Of any version: the header's layout never changes. */
bool segment_decode(struct slice image, struct segment_header *out) MUST_CHECK;

/* The same cluster, node and incarnation. */
bool segment_owner_eq(const struct segment_owner *a, const struct segment_owner *b);

/* What the checksums of the owner's batches begin from. */
uint32_t segment_seed(const struct segment_owner *owner);

/* Where the last byte of image that is not zero ends, rounded up to 8; 0: all is zero. */
size_t segment_used(struct slice image);

#endif
