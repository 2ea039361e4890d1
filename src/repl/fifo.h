/* fifo.h - a queue of elements of one size, in one array that grows and is reused. */
#ifndef DKV_REPL_FIFO_H
#define DKV_REPL_FIFO_H

#include "base/ensure.h"

#include <stddef.h>
#include <stdint.h>

struct fifo {
    uint8_t *data; /* private */
    size_t size;   /* in: bytes of an element */
    size_t cap;    /* private: a power of two, or 0 */
    size_t head;   /* private */
    size_t n;      /* elements */
};

/* Free the elements' memory; what they point to is the caller's. */
void fifo_fini(struct fifo *f);

/* A new last element, for the caller to fill. NULL: no memory. */
void *fifo_push(struct fifo *f);

/* The first and the last element; NULL: empty. Valid until the next push. */
void *fifo_front(const struct fifo *f);
void *fifo_back(const struct fifo *f);

/* Drop the first or the last element of a queue that has one. */
void fifo_pop_front(struct fifo *f);
void fifo_pop_back(struct fifo *f);

#endif
