/* buf.h - owned bytes that grow, written once and checked at the end.
 *
 * A buf that could not grow remembers it and ignores later writes, so an encoder checks buf_ok() once.
 * All zero is a valid empty buf. Numbers are little-endian. */
#ifndef DKV_BASE_BUF_H
#define DKV_BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *data; /* owned */
    size_t len;
    size_t cap;  /* private */
    bool failed; /* private */
};

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

/* The content; valid until the next write. */
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->data, b->len);
}

void buf_fini(struct buf *b);  /* leaves a valid empty buf */
void buf_reset(struct buf *b); /* empty again, memory kept */

/* n undefined bytes at the end, for the caller to fill. NULL: could not grow. */
uint8_t *buf_extend(struct buf *b, size_t n);

/* Drop the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* Add to the end; integers little-endian. Check buf_ok() after the last. */
void buf_put(struct buf *b, struct slice s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_blob(struct buf *b, struct slice s); /* u32 length, then the bytes */
void buf_put_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Overwrite four bytes written before. */
void buf_patch_u32(struct buf *b, size_t at, uint32_t v);

#endif
