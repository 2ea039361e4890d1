/* reader.h - the one bounds-checked reader for binary input.
 *
 * A reader that ran short returns zeroes and empty slices from then on; a decoder checks reader_done() or
 * reader_ok() once, at the end. Nothing is copied: slices point into the input. Numbers are little-endian. */
#ifndef DKV_BASE_READER_H
#define DKV_BASE_READER_H

#include "base/slice.h"

struct reader {
    struct slice in; /* what is left */
    bool failed;
};

static inline struct reader reader_of(struct slice in)
{
    return (struct reader){.in = in};
}

/* Everything read so far was there. */
static inline bool reader_ok(const struct reader *r)
{
    return !r->failed;
}

/* Everything read was there, and nothing is left over. */
static inline bool reader_done(const struct reader *r)
{
    return !r->failed && r->in.len == 0;
}

/* Give the input up as malformed. */
static inline void reader_fail(struct reader *r)
{
    *r = (struct reader){.failed = true};
}

/* The next bytes of the input; integers little-endian. After too short an input: 0 or empty. */
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct slice reader_bytes(struct reader *r, size_t n);

/* u32 length, then that many bytes; over max fails. */
struct slice reader_blob(struct reader *r, size_t max);

#endif
