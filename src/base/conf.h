/* conf.h - settings files, read strictly, one "key = value" at a time.
 *
 *   # a comment has a line of its own
 *   data-dir = /var/lib/dkv
 *   cluster-token = " kept with its blanks "
 *
 * Blanks around key and value do not count. A value that begins and ends with a double quote loses these two
 * and is taken as it is, without escapes. A file is UTF-8 whose every line ends with a newline: without the
 * last one it may have been cut off in the middle of a number. CR LF, a byte order mark, other control
 * characters and lines over CONF_LINE_BYTES_MAX are refused. An empty file is fine. What keys there are, and
 * whether one comes twice, is the caller's business. */
#ifndef DKV_BASE_CONF_H
#define DKV_BASE_CONF_H

#include "base/err.h"
#include "base/slice.h"

struct buf;

struct conf {
    unsigned line;      /* out: from 1; of this setting, or of what was refused */
    struct slice key;   /* out: as written, not empty */
    struct slice value; /* out: points into the text, may be empty */
    struct slice rest;  /* private */
};

/* Begin to read text, which is borrowed. */
void conf_init(struct conf *c, struct slice text);

/* The next setting. DKV_NOT_FOUND: there is none left. DKV_CONFIG: why says in one line what is wrong and
 * what is allowed; the rest of the text is not read. */
dkv_err conf_next(struct conf *c, struct buf *why) MUST_CHECK;

/* Append "key = value" and a newline so that conf_next() reads the same. The value is UTF-8 without control
 * characters. */
void conf_put(const char *key, struct slice value, struct buf *out);

/* What a value may hold: UTF-8 without control characters other than tabs. */
bool conf_is_text(struct slice value);

#endif
