/* words.c - cutting a line into words. */
#include "dkvctl/words.h"

#include "base/mem.h"

#define WORDS_PROGRAM "dkvctl"

struct words_cut {
    struct slice line;
    size_t at;
    struct buf *why;
};

static bool words_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static dkv_err words_refuse(struct words_cut *cut, const char *what)
{
    buf_put_text(cut->why, what);
    return DKV_CONFIG;
}

static unsigned words_hex(uint8_t c)
{
    unsigned digit = (unsigned)c - '0';
    unsigned letter = (unsigned)(c | 32) - 'a';
    return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

/* What stands behind a backslash within double quotes. */
static dkv_err words_take_escape(struct words_cut *cut, struct buf *out)
{
    static const char names[] = "ntr";
    static const char bytes[] = "\n\t\r";
    uint8_t c = cut->line.data[cut->at++];
    if (c == 'x') {
        unsigned high = cut->at < cut->line.len ? words_hex(cut->line.data[cut->at]) : 16;
        unsigned low = cut->at + 1 < cut->line.len ? words_hex(cut->line.data[cut->at + 1]) : 16;
        if (high > 15 || low > 15 || (high | low) == 0) {
            return words_refuse(cut, "\\x needs two hex digits that are not 00");
        }
        cut->at += 2;
        buf_put_u8(out, (uint8_t)(high << 4 | low));
        return DKV_OK;
    }
    const char *name = strchr(names, c);
    buf_put_u8(out, name != NULL ? (uint8_t)bytes[name - names] : c);
    return DKV_OK;
}

/* Up to the closing quote, which is eaten. */
static dkv_err words_take_quoted(struct words_cut *cut, uint8_t quote, struct buf *out)
{
    dkv_err err = DKV_OK;
    while (err == DKV_OK && cut->at < cut->line.len) {
        uint8_t c = cut->line.data[cut->at++];
        if (c == quote) {
            return DKV_OK;
        }
        if (c == '\\' && quote == '"' && cut->at < cut->line.len) {
            err = words_take_escape(cut, out);
        } else {
            buf_put_u8(out, c);
        }
    }
    return err != DKV_OK ? err : words_refuse(cut, "a quote has no end");
}

static dkv_err words_take_word(struct words_cut *cut, struct buf *out)
{
    dkv_err err = DKV_OK;
    while (err == DKV_OK && cut->at < cut->line.len && !words_is_space(cut->line.data[cut->at])) {
        uint8_t c = cut->line.data[cut->at++];
        if (c == '"' || c == '\'') {
            err = words_take_quoted(cut, c, out);
        } else if (c == '\\' && cut->at < cut->line.len) {
            buf_put_u8(out, cut->line.data[cut->at++]);
        } else {
            buf_put_u8(out, c);
        }
    }
    buf_put_u8(out, '\0');
    return err;
}

static dkv_err words_take_all(struct words_cut *cut, struct words *out)
{
    dkv_err err = DKV_OK;
    while (err == DKV_OK) {
        while (cut->at < cut->line.len && words_is_space(cut->line.data[cut->at])) {
            cut->at++;
        }
        bool comment = out->argc == 1 && cut->at < cut->line.len && cut->line.data[cut->at] == '#';
        if (cut->at == cut->line.len || comment) {
            break;
        }
        if (out->argc == WORDS_MAX) {
            return words_refuse(cut, "too many words");
        }
        err = words_take_word(cut, &out->text);
        out->argc++;
    }
    return err;
}

dkv_err words_split(struct slice line, struct words *out, struct buf *why)
{
    *out = (struct words){.argc = 1};
    struct words_cut cut = {.line = line, .why = why};
    if (line.len > 0 && memchr(line.data, '\0', line.len) != NULL) {
        return words_refuse(&cut, "a command cannot hold a NUL byte");
    }
    buf_put(&out->text, slice_of(WORDS_PROGRAM, sizeof WORDS_PROGRAM));
    dkv_err err = words_take_all(&cut, out);
    if (err != DKV_OK) {
        return err;
    }
    out->argv = mem_zalloc((size_t)out->argc + 1, sizeof out->argv[0]);
    if (out->argv == NULL || !buf_ok(&out->text)) {
        return DKV_NO_MEMORY;
    }
    char *next = (char *)out->text.data;
    for (int i = 0; i < out->argc; i++) {
        out->argv[i] = next;
        next += strlen(next) + 1;
    }
    return DKV_OK;
}

void words_fini(struct words *w)
{
    mem_free(w->argv);
    buf_fini(&w->text);
    *w = (struct words){0};
}
