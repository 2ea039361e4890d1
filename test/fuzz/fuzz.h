/* fuzz.h - what the fuzz targets share.
 *
 * A target is one function: it takes any bytes and must return. What may not happen is an ensure(), a finding
 * of a sanitizer, or a hang. libFuzzer looks for such bytes (scripts/fuzz); without it replay.c feeds the
 * target what libFuzzer once found worth keeping (corpus/), so that `make check` walks every path that is
 * known. */
#ifndef DKV_TEST_FUZZ_FUZZ_H
#define DKV_TEST_FUZZ_FUZZ_H

#include "base/buf.h"
#include "base/slice.h"

/* The target; the name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the length of s, so that a sanitizer sees who reads past its end; the caller frees it
 * with mem_free(). */
uint8_t *fuzz_copy(struct slice s);

/* Is s empty, or a part of in? */
bool fuzz_is_within(struct slice s, struct slice in);

/* Texts for people and logs: no control bytes. */
bool fuzz_is_printable(struct slice s);

#endif
