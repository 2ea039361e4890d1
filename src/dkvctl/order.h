/* order.h - lines in the order of LC_ALL=C sort, made from keys that come in their own order.
 *
 * The two orders nearly agree. The quote that ends a key (0x22) comes after a blank and a '!', so {"key":"a
 * b" goes before {"key":"a"; what is escaped goes where the backslash (0x5c) does; and {"key":{"base64":
 * comes after all strings. So a line is held back while a key still to come could make a lesser one. For most
 * keys that is until the next key is seen; what piles up beyond the bound is written to temporary files and
 * merged.
 *
 * Invariants: nothing handed out is above anything held; each run ascends. */
#ifndef DKV_DKVCTL_ORDER_H
#define DKV_DKVCTL_ORDER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

#define ORDER_BYTES_MAX (32u << 20) /* held in memory */
#define ORDER_RUNS_MAX  16u         /* temporary files; then they are made one */

/* A line on its way. */
struct order_line {
    char *text; /* owned; ends with its newline */
    size_t len;
};

/* A temporary file of ascending lines. */
struct order_run {
    FILE *file;
    char *text; /* the line that comes next, owned by getline */
    size_t room;
    size_t len; /* 0: there is no more */
};

/* All zero but bytes_max is an empty one. */
struct order {
    size_t bytes_max;        /* in: ORDER_BYTES_MAX, or less for a test */
    struct order_line *held; /* private: a heap, the least line on top */
    size_t count;
    size_t room;
    size_t bytes;
    struct order_run runs[ORDER_RUNS_MAX];
    size_t run_count;
};

/* Where lines go. False: stop. */
typedef bool (*order_out_fn)(void *ctx, struct slice line);

/* A text that is not above the line of any key from key on; what is below it can go. */
void order_put_bound(struct slice key, struct buf *out);

/* Hold a line (copied). DKV_NO_MEMORY; DKV_IO: errno, of a temporary file. */
dkv_err order_put(struct order *o, struct slice line) MUST_CHECK;

/* Hand out all lines below bound in order; an empty bound is above everything. DKV_CANCELED: out said stop.
 */
dkv_err order_take(struct order *o, struct slice bound, order_out_fn out, void *ctx) MUST_CHECK;
void order_fini(struct order *o);

#endif
