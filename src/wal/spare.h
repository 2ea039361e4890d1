/* spare.h - the next segment of a journal, made ready in the background.
 *
 *   NONE -- spare_make --> MAKING (zeroes, written through) --> HEADING (its header) --> READY
 *   NONE -- spare_adopt ---------------------------------------> HEADING
 *   READY -- spare_take --> NONE; a failure leads there from everywhere
 *
 * A segment is ready only when its header is durable, so a batch in it proves that there was a header. */
#ifndef DKV_WAL_SPARE_H
#define DKV_WAL_SPARE_H

#include "base/buf.h"
#include "base/disk.h"
#include "base/err.h"
#include "wal/segment.h"

struct spare;

/* It became ready, or it never will. From the loop. */
typedef void (*spare_cb)(struct spare *s, dkv_err err);

enum spare_state { SPARE_NONE, SPARE_MAKING, SPARE_HEADING, SPARE_READY };
#define SPARE_STATES 4

/* Private, but for reading state and header. */
struct spare {
    enum spare_state state;
    struct segment_header header; /* unless NONE */
    struct disk *disk;            /* borrowed */
    struct disk_file *file;
    char name[SEGMENT_NAME_BYTES];
    struct buf head; /* the encoded header, and zeroes where the first batch goes */
    struct disk_make make;
    struct disk_write write;
    spare_cb cb;
};

/* All memory is had here. On an error s is still to be given to spare_fini(). */
dkv_err spare_init(struct spare *s, struct disk *disk, spare_cb cb) MUST_CHECK;
void spare_fini(struct spare *s); /* nothing may be pending */

/* Make a new segment. */
void spare_make(struct spare *s, const struct segment_header *header);

/* Use an empty segment that was found at start-up, for the reasons in replay.h as if its header had never
 * been written: once more, and zeroes behind it. Takes the file. */
void spare_adopt(struct spare *s, const struct segment_header *header, struct disk_file *file);

/* Something is on its way in the seam. */
bool spare_is_busy(const struct spare *s);

/* The file of a ready one; the caller closes it. */
struct disk_file *spare_take(struct spare *s);

#endif
