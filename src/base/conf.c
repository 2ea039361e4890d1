/* conf.c - settings files. */
#include "base/conf.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"

#define CONF_SHOWN_MAX 64u /* bytes of a file that a message repeats */

static const char conf_mark[] = "\xEF\xBB\xBF";

void conf_init(struct conf *c, struct slice text)
{
    *c = (struct conf){.rest = text};
}

static bool conf_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice conf_trim(struct slice s)
{
    while (s.len > 0 && conf_is_blank(s.data[0])) {
        s = slice_of(s.data + 1, s.len - 1);
    }
    while (s.len > 0 && conf_is_blank(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

static bool conf_is_control(uint8_t c)
{
    return (c < ' ' && c != '\t') || c == 0x7f;
}

bool conf_is_text(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (conf_is_control(value.data[i])) {
            return false;
        }
    }
    return text_is_utf8(value);
}

static dkv_err conf_check_line(struct slice line, struct buf *why)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == '\r' && i + 1 == line.len) {
            buf_put_text(why, "the line ends with CR LF: allowed is LF alone");
            return DKV_CONFIG;
        }
        if (conf_is_control(line.data[i])) {
            buf_printf(why, "there is a control character, 0x%02x: allowed is text", line.data[i]);
            return DKV_CONFIG;
        }
    }
    if (!text_is_utf8(line)) {
        buf_put_text(why, "this is not UTF-8: nothing else is allowed");
        return DKV_CONFIG;
    }
    return DKV_OK;
}

/* Cut the next line off, without its newline. */
static dkv_err conf_cut(struct conf *c, struct slice *line, struct buf *why)
{
    const uint8_t *end = memchr(c->rest.data, '\n', c->rest.len);
    size_t len = end == NULL ? c->rest.len : (size_t)(end - c->rest.data);
    c->line++;
    if (c->line == 1 && slice_has_prefix(c->rest, slice_str(conf_mark))) {
        buf_put_text(why, "the file begins with a byte order mark: allowed is UTF-8 without one");
        return DKV_CONFIG;
    }
    if (len > CONF_LINE_BYTES_MAX) {
        buf_printf(why, "the line has %zu bytes: allowed are up to %u", len, CONF_LINE_BYTES_MAX);
        return DKV_CONFIG;
    }
    *line = slice_of(c->rest.data, len);
    dkv_err err = conf_check_line(*line, why);
    if (err == DKV_OK && end == NULL) {
        buf_put_text(why, "the last line has no newline, so the file may have been cut off: end it with one");
        err = DKV_CONFIG;
    }
    if (err == DKV_OK) {
        c->rest = slice_of(end + 1, c->rest.len - len - 1);
    }
    return err;
}

static bool conf_is_quoted(struct slice value)
{
    return value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
}

static dkv_err conf_split(struct conf *c, struct slice line, struct buf *why)
{
    const uint8_t *equals = memchr(line.data, '=', line.len);
    size_t before = equals == NULL ? 0 : (size_t)(equals - line.data);
    c->key = conf_trim(slice_of(line.data, before));
    if (c->key.len == 0) {
        buf_put_u8(why, '"');
        text_escape(line, CONF_SHOWN_MAX, why);
        buf_put_text(why, "\" is no setting: allowed are key = value and, on lines of their own, # comments");
        return DKV_CONFIG;
    }
    c->value = conf_trim(slice_of(equals + 1, line.len - before - 1));
    if (conf_is_quoted(c->value)) {
        c->value = slice_of(c->value.data + 1, c->value.len - 2);
    }
    return DKV_OK;
}

dkv_err conf_next(struct conf *c, struct buf *why)
{
    dkv_err err = DKV_NOT_FOUND;
    while (c->rest.len > 0) {
        struct slice line;
        err = conf_cut(c, &line, why);
        if (err != DKV_OK) {
            break;
        }
        line = conf_trim(line);
        if (line.len > 0 && line.data[0] != '#') {
            err = conf_split(c, line, why);
            break;
        }
        err = DKV_NOT_FOUND;
    }
    if (err == DKV_CONFIG) {
        c->rest = (struct slice){0};
    }
    return err;
}

void conf_put(const char *key, struct slice value, struct buf *out)
{
    bool quote = value.len == 0 || conf_trim(value).len < value.len || conf_is_quoted(value);
    buf_printf(out, "%s = %s", key, quote ? "\"" : "");
    buf_put(out, value);
    buf_put_text(out, quote ? "\"\n" : "\n");
}
