/* mem.h - the one door to the allocator.
 *
 * Library code returns DKV_NO_MEMORY when these return NULL. A server calls mem_abort_when_out() once: a
 * replica that fails alone to apply an entry has diverged, so it stops instead. Tests make the n-th
 * allocation fail. */
#ifndef DKV_BASE_MEM_H
#define DKV_BASE_MEM_H

#include "base/ensure.h"
#include "base/slice.h"

#include <stddef.h>

/* len bytes, undefined content; len 0 gives a valid pointer. NULL: no memory. */
void *mem_alloc(size_t len) MUST_CHECK;

/* n zeroed elements of size bytes. NULL: no memory, or n * size overflows. */
void *mem_zalloc(size_t n, size_t size) MUST_CHECK;

/* Grow or shrink p (NULL is fine). NULL: no memory, p is untouched. */
void *mem_realloc(void *p, size_t len) MUST_CHECK;

/* A copy of s with a NUL behind it. NULL: no memory. */
char *mem_text(struct slice s) MUST_CHECK;

void mem_free(void *p); /* NULL is fine */

/* For a process that holds much data and frees some of it all the time: give memory back to the kernel
 * rarely, because one such moment took 30 ms after a million deletes (doc/notes/store.md). */
void mem_keep_freed(void);

/* From now on running out of memory ends the process with a message. */
void mem_abort_when_out(void);

/* Tests: the allocation after the next n ones fails, and every later one; -1 switches it off. */
void mem_fail_after(int n);

#endif
