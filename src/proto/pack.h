/* pack.h - the one door to msgpack-c.
 *
 * msgpack-c reserves memory by claimed counts, so nothing reaches it before pack_scan has walked the whole
 * object with every count, length and depth checked against what is really there.
 *
 * Writing goes straight to a buf; a failure shows in buf_ok(). */
#ifndef DKV_PROTO_PACK_H
#define DKV_PROTO_PACK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* Finds the end of one msgpack object in a stream, resuming where it stopped: a peer that sends byte by byte
 * costs O(bytes). All zero is the start of a new object. */
struct pack_scan {
    size_t at;                     /* private: bytes walked so far */
    uint32_t left[PACK_DEPTH_MAX]; /* private: objects still to come at each level */
    unsigned depth;                /* private */
    uint32_t items;                /* private */
};

/* DKV_OK: *len bytes of in are one complete object, and scan is ready for the next. DKV_MORE: a good
 * beginning; call again with the same bytes and more behind them. DKV_MALFORMED: 0xc1, an extension type,
 * deeper than PACK_DEPTH_MAX, more than PACK_ITEMS_MAX items. DKV_TOO_LARGE: it would be longer than max
 * bytes, told as soon as a length claims it. */
dkv_err pack_scan(struct pack_scan *scan, struct slice in, size_t max, size_t *len) MUST_CHECK;

/* A parsed object. Slices point into the input. */
struct pack_value;
struct pack_doc; /* owns the memory of one parse, reusable */

struct pack_doc *pack_doc_new(void); /* NULL: no memory */
void pack_doc_free(struct pack_doc *doc);

/* Parse exactly one object (walked again inside, so it need not come from pack_scan: a body within a reply
 * may have more than PACK_ITEMS_MAX items, and takes at most 24 times its bytes). The values live until the
 * next parse with the same doc. DKV_MALFORMED, DKV_NO_MEMORY. */
dkv_err pack_parse(struct pack_doc *doc, struct slice in, const struct pack_value **out) MUST_CHECK;

/* Typed access. Each returns false when the value is of another type or out of range; v may be NULL (false).
 */
bool pack_is_nil(const struct pack_value *v);
bool pack_get_u64(const struct pack_value *v, uint64_t *out); /* no accessor takes a float */
bool pack_get_bool(const struct pack_value *v, bool *out);
bool pack_get_bytes(const struct pack_value *v, struct slice *out); /* str and bin alike */
bool pack_get_array(const struct pack_value *v, uint32_t *n);
bool pack_get_map(const struct pack_value *v, uint32_t *n);
const struct pack_value *pack_at(const struct pack_value *array, uint32_t i); /* NULL: no such element */

#define PACK_KEYS_MAX 64u

/* The value under a text key; NULL: none. pack_map_is_sound() is false when a key is no text or comes twice,
 * or when there are more than PACK_KEYS_MAX. */
const struct pack_value *pack_find(const struct pack_value *map, const char *key);
bool pack_map_is_sound(const struct pack_value *map);

/* Writing. */
void pack_put_nil(struct buf *out);
void pack_put_u64(struct buf *out, uint64_t v);
void pack_put_bool(struct buf *out, bool v);
void pack_put_str(struct buf *out, const char *text);
void pack_put_text(struct buf *out, struct slice text); /* str */
void pack_put_bin(struct buf *out, struct slice bytes);
void pack_put_array(struct buf *out, uint32_t n); /* n values follow */
void pack_put_map(struct buf *out, uint32_t n);   /* n pairs follow */

#endif
