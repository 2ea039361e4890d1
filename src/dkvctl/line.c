/* line.c - the formats of import. */
#include "dkvctl/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool line_find_format(const char *name, enum line_format *out)
{
    static const char *const names[] = {[LINE_JSONL] = "jsonl", [LINE_TSV] = "tsv", [LINE_KEYS] = "lines"};
    for (int i = LINE_JSONL; i <= LINE_KEYS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum line_format)i;
            return true;
        }
    }
    return false;
}

static dkv_err line_read_tsv(struct slice line, struct line_pair *out, struct buf *why)
{
    const uint8_t *tab = line.len == 0 ? NULL : memchr(line.data, '\t', line.len);
    if (tab == NULL) {
        buf_put_text(why, "there is no tab between key and value");
        return DKV_MALFORMED;
    }
    out->key = slice_of(line.data, (size_t)(tab - line.data));
    out->value = slice_of(tab + 1, line.len - out->key.len - 1);
    return DKV_OK;
}

static dkv_err line_read_keys(struct line_reader *r, struct slice line, uint64_t n, struct line_pair *out)
{
    int len = snprintf(r->number, sizeof r->number, "%" PRIu64, n);
    out->key = line;
    out->value = slice_of(r->number, (size_t)len);
    return DKV_OK;
}

static dkv_err line_check(const struct line_pair *pair, struct buf *why)
{
    if (pair->key.len == 0) {
        buf_put_text(why, "the key is empty");
        return DKV_MALFORMED;
    }
    if (pair->key.len > KEY_BYTES_MAX) {
        buf_printf(why, "the key has %zu bytes, more than %u", pair->key.len, KEY_BYTES_MAX);
        return DKV_TOO_LARGE;
    }
    if (pair->value.len > VALUE_BYTES_MAX) {
        buf_printf(why, "the value has %zu bytes, more than %u", pair->value.len, VALUE_BYTES_MAX);
        return DKV_TOO_LARGE;
    }
    return DKV_OK;
}

dkv_err line_read(struct line_reader *r, struct slice line, uint64_t n, struct line_pair *out,
                  struct buf *why)
{
    dkv_err err = DKV_OK;
    *out = (struct line_pair){0};
    if (r->format == LINE_GUESS) {
        r->format = line.len > 0 && line.data[0] == '{' ? LINE_JSONL : LINE_TSV;
        r->guessed = true;
    }
    if (r->format == LINE_JSONL) {
        err = jsonl_parse(&r->json, line, &out->key, &out->value, why);
    } else if (r->format == LINE_TSV) {
        err = line_read_tsv(line, out, why);
    } else {
        err = line_read_keys(r, line, n, out);
    }
    if (err == DKV_MALFORMED && r->guessed && n == 1) {
        buf_put_text(why, r->format == LINE_JSONL
                              ? " (taken for JSON because it begins with \"{\"; see --format)"
                              : " (and it does not begin as JSON; see --format)");
    }
    return err == DKV_OK ? line_check(out, why) : err;
}

void line_reader_fini(struct line_reader *r)
{
    jsonl_fini(&r->json);
}
