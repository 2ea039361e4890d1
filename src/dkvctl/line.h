/* line.h - a line of import as a key and a value, in each of its formats. */
#ifndef DKV_DKVCTL_LINE_H
#define DKV_DKVCTL_LINE_H

#include "dkvctl/jsonl.h"

#define LINE_BYTES_MAX JSONL_LINE_MAX /* the longest of all formats */

enum line_format {
    LINE_GUESS, /* by the first byte of the first line: "{" is JSON, all else has a tab */
    LINE_JSONL,
    LINE_TSV,  /* key, tab, value */
    LINE_KEYS, /* the line is the key, its number the value */
};

struct line_pair {
    struct slice key;
    struct slice value;
};

/* A fresh one is all zero but format. */
struct line_reader {
    enum line_format format; /* in */
    bool guessed;            /* private */
    struct jsonl json;       /* private */
    char number[24];         /* private: value of a line that is a key */
};

/* "jsonl", "tsv", "lines". False: no such format. */
bool line_find_format(const char *name, enum line_format *out);

/* Read line number n, counted from 1. Key and value live until the next call or as long as the line.
 * DKV_MALFORMED, DKV_TOO_LARGE: why says what is wrong. DKV_NO_MEMORY. */
dkv_err line_read(struct line_reader *r, struct slice line, uint64_t n, struct line_pair *out,
                  struct buf *why) MUST_CHECK;
void line_reader_fini(struct line_reader *r);

#endif
