/* jsonl.c - lines of JSON.
 *
 * Reading is the JSON parser's business. Only a value that is kept as JSON text is cut out of the line
 * itself, because the parsed form no longer knows how a number was written (0.10, 1e3). */
#include "dkvctl/jsonl.h"

#include "base/text.h"
#include "proto/json.h"

#include <string.h>

/* ---- writing ------------------------------------------------------------------------------------------ */

static bool jsonl_is_plain(uint8_t c)
{
    return c >= ' ' && c != '"' && c != '\\';
}

static void jsonl_put_special(uint8_t c, struct buf *out)
{
    static const char names[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    if (names[c] != '\0') {
        buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)names[c]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

void jsonl_put_escaped(struct slice s, struct buf *out)
{
    size_t i = 0;
    while (i < s.len) {
        size_t begin = i;
        while (i < s.len && jsonl_is_plain(s.data[i])) {
            i++;
        }
        buf_put(out, slice_of(s.data + begin, i - begin));
        if (i < s.len) {
            jsonl_put_special(s.data[i++], out);
        }
    }
}

static void jsonl_put_bytes(struct slice s, struct buf *out)
{
    if (text_is_utf8(s)) {
        buf_put_u8(out, '"');
        jsonl_put_escaped(s, out);
        buf_put_u8(out, '"');
    } else {
        buf_put_text(out, "{\"base64\":\"");
        text_put_base64(s, out);
        buf_put_text(out, "\"}");
    }
}

void jsonl_put(struct slice key, struct slice value, struct buf *out)
{
    buf_put_text(out, "{\"key\":");
    jsonl_put_bytes(key, out);
    buf_put_text(out, ",\"value\":");
    jsonl_put_bytes(value, out);
    buf_put_text(out, "}\n");
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* Where the string that begins at i ends: behind its quote. The text is known to be valid. */
static size_t jsonl_skip_string(struct slice text, size_t i)
{
    for (i++; text.data[i] != '"'; i++) {
        i += text.data[i] == '\\';
    }
    return i + 1;
}

/* Where the member of the outermost object that holds i ends: at its comma or brace. */
static size_t jsonl_skip_value(struct slice text, size_t i)
{
    unsigned depth = 0;
    for (;;) {
        uint8_t c = text.data[i];
        if (c == '"') {
            i = jsonl_skip_string(text, i);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}')) {
            return i;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        i++;
    }
}

static bool jsonl_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A name without its quotes, in scratch when it is written with escapes. */
static struct slice jsonl_read_name(struct slice quoted, struct buf *scratch)
{
    struct slice name = slice_of(quoted.data + 1, quoted.len - 2);
    struct json *parsed = NULL;
    if (memchr(quoted.data, '\\', quoted.len) != NULL && json_parse(quoted, &parsed, scratch) == DKV_OK &&
        json_get_bytes(parsed, &name, scratch)) {
        buf_reset(scratch);
        buf_put(scratch, name);
        name = buf_slice(scratch);
    }
    json_free(parsed);
    return name;
}

/* Look at the members of a valid object: one not known is refused; *value is the text of "value". */
static bool jsonl_check_members(struct slice line, struct slice *value, struct buf *scratch)
{
    static const char *const known[] = {"key", "value", "id", "version"};
    size_t i = 0;
    do {
        while (line.data[i] != '"') { /* the brace or comma, and blanks */
            i++;
        }
        size_t name_end = jsonl_skip_string(line, i);
        const uint8_t *colon = memchr(line.data + name_end, ':', line.len - name_end);
        size_t value_at = (size_t)(colon - line.data) + 1;
        struct slice name = jsonl_read_name(slice_of(line.data + i, name_end - i), scratch);
        size_t k = 0;
        while (k < 4 && !slice_eq(name, slice_str(known[k]))) {
            k++;
        }
        if (k == 4) {
            return false;
        }
        i = jsonl_skip_value(line, value_at);
        *value = k == 1 ? slice_of(line.data + value_at, i - value_at) : *value;
    } while (line.data[i] != '}');
    return true;
}

/* JSON text without what means nothing. */
static void jsonl_compact(struct slice text, struct buf *out)
{
    size_t i = 0;
    while (i < text.len) {
        size_t end = text.data[i] == '"' ? jsonl_skip_string(text, i) : i + 1;
        if (!jsonl_is_blank(text.data[i])) {
            buf_put(out, slice_of(text.data + i, end - i));
        }
        i = end;
    }
}

static dkv_err jsonl_refuse(struct buf *why, const char *what)
{
    buf_put_text(why, what);
    return DKV_MALFORMED;
}

/* The parser counts lines; here it always sees one, and says so for nothing. */
static dkv_err jsonl_parse_json(struct jsonl *j, struct slice line, struct buf *why)
{
    static const char first[] = "line 1: ";
    size_t len = sizeof first - 1;
    struct buf said = {0};
    json_free(j->root);
    j->root = NULL;
    dkv_err err = json_parse(line, &j->root, &said);
    bool counted = said.len > len && memcmp(said.data, first, len) == 0;
    buf_consume(&said, counted ? len : 0);
    buf_put(why, buf_slice(&said));
    buf_fini(&said);
    return err;
}

static dkv_err jsonl_read_value(struct jsonl *j, struct slice text, struct slice *value, struct buf *why)
{
    const struct json *v = json_get(j->root, "value");
    if (json_get_bytes(v, value, &j->value)) {
        return buf_ok(&j->value) ? DKV_OK : DKV_NO_MEMORY;
    }
    if (json_get(v, "base64") != NULL) {
        return jsonl_refuse(why, "the value's \"base64\" is no base64, or not alone");
    }
    buf_reset(&j->value);
    jsonl_compact(text, &j->value);
    *value = buf_slice(&j->value);
    return buf_ok(&j->value) ? DKV_OK : DKV_NO_MEMORY;
}

dkv_err jsonl_parse(struct jsonl *j, struct slice line, struct slice *key, struct slice *value,
                    struct buf *why)
{
    struct slice text = {0};
    dkv_err err = jsonl_parse_json(j, line, why);
    if (err != DKV_OK) {
        return err;
    }
    if (json_get(j->root, "key") == NULL || json_get(j->root, "value") == NULL) {
        return jsonl_refuse(why, "it is no object with \"key\" and \"value\"");
    }
    if (!jsonl_check_members(line, &text, &j->value)) {
        return jsonl_refuse(why, "it has a member beside \"key\", \"value\", \"id\" and \"version\"");
    }
    if (!json_get_bytes(json_get(j->root, "key"), key, &j->key)) {
        return jsonl_refuse(why, "the key is no string and no {\"base64\":\"...\"}");
    }
    return buf_ok(&j->key) ? jsonl_read_value(j, text, value, why) : DKV_NO_MEMORY;
}

void jsonl_fini(struct jsonl *j)
{
    json_free(j->root);
    buf_fini(&j->key);
    buf_fini(&j->value);
    *j = (struct jsonl){0};
}
