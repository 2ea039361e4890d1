/* jsonl.h - a key and its value as one line of JSON, and back.
 *
 *   {"key":"city","value":"Ulm"}      {"key":{"base64":"/w=="},"value":"bytes that are no UTF-8"}
 *
 * The form written is canonical: equal bytes give equal lines, and reading a canonical line gives the bytes
 * it was written from. Strings are escaped as RFC 8785 says: only what JSON demands, \b \t \n \f \r by their
 * short names, other control characters as \u00xx in lower case. Bytes that are no UTF-8 are
 * {"base64":"..."}. */
#ifndef DKV_DKVCTL_JSONL_H
#define DKV_DKVCTL_JSONL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* A line whose every byte is escaped as \u00xx, with blanks between its parts. */
#define JSONL_LINE_MAX (6 * (KEY_BYTES_MAX + VALUE_BYTES_MAX) + 1024u)

struct json;

/* The line, with its newline. */
void jsonl_put(struct slice key, struct slice value, struct buf *out);

/* The inside of a JSON string: s escaped, without the quotes. */
void jsonl_put_escaped(struct slice s, struct buf *out);

/* A line being read; all zero is a fresh one. */
struct jsonl {
    struct json *root; /* private: what key and value point into, as do the next two */
    struct buf key;    /* private */
    struct buf value;  /* private */
};

/* Read a line in any valid form. Key and value live until the next call. A value that is no string and no
 * {"base64":"..."} is taken as its own JSON text without the blanks between its tokens. The members "id" and
 * "version" are ignored, so that what `scan -o jsonl` prints can be read.
 * DKV_MALFORMED: why says what is wrong. DKV_NO_MEMORY. */
dkv_err jsonl_parse(struct jsonl *j, struct slice line, struct slice *key, struct slice *value,
                    struct buf *why) MUST_CHECK;
void jsonl_fini(struct jsonl *j);

#endif
