/* notation.h - msgpack written as words, so that a table of messages can be read.
 *
 *   [N {N      an array of N values, a map of N pairs; the values follow
 *   12 nil true false
 *   'text      a str: the rest of the word
 *   #6162      a bin: two hex digits per byte; "#" is the empty one
 *   *N         a bin of N bytes
 *   xC1        bytes as they are
 *
 * Words stand between single blanks. */
#ifndef DKV_TEST_PROTO_NOTATION_H
#define DKV_TEST_PROTO_NOTATION_H

#include "base/buf.h"

void notation_put(struct buf *out, const char *words);

#endif
