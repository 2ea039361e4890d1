/* json.c - a struct json is jansson's json_t under another name. */
#include "proto/json.h"

#include "base/mem.h"
#include "base/text.h"

#include <jansson.h>

/* jansson keeps its allocator in a global, to be set before its first use. */
__attribute__((constructor)) static void json_use_mem(void)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
}

static json_t *json_inner(const struct json *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct json *json_outer(json_t *v)
{
    return (struct json *)(void *)v;
}

struct json *json_new_object(void)
{
    return json_outer(json_object());
}

struct json *json_new_array(void)
{
    return json_outer(json_array());
}

struct json *json_new_number(uint64_t v)
{
    return v <= JSON_NUMBER_MAX ? json_outer(json_integer((json_int_t)v)) : NULL;
}

struct json *json_new_bool(bool v)
{
    return json_outer(json_boolean(v));
}

struct json *json_new_null(void)
{
    return json_outer(json_null());
}

static struct json *json_new_string(struct slice s)
{
    return json_outer(json_stringn(s.len == 0 ? "" : (const char *)s.data, s.len));
}

struct json *json_new_bytes(struct slice s)
{
    if (text_is_utf8(s)) {
        return json_new_string(s);
    }
    struct buf base64 = {0};
    text_put_base64(s, &base64);
    struct json *object = json_new_object();
    json_set(object, "base64", buf_ok(&base64) ? json_new_string(buf_slice(&base64)) : NULL);
    buf_fini(&base64);
    return object;
}

/* A container that lost something holds a second reference to itself: the one mark that needs no memory.
 * Values without a count of their own (true, false, null) cannot lose anything. */
static bool json_is_lost(const struct json *v)
{
    const json_t *inner = json_inner(v);
    return inner == NULL || ((json_is_object(inner) || json_is_array(inner)) && inner->refcount > 1);
}

static void json_mark_lost(struct json *v)
{
    if (!json_is_lost(v)) {
        json_incref(json_inner(v));
    }
}

void json_free(struct json *root)
{
    if (root != NULL && json_is_lost(root)) {
        json_decref(json_inner(root));
    }
    json_decref(json_inner(root));
}

void json_set(struct json *object, const char *name, struct json *value)
{
    if (json_is_lost(value)) {
        json_free(value);
        json_mark_lost(object);
    } else if (json_object_set_new(json_inner(object), name, json_inner(value)) != 0) {
        json_mark_lost(object); /* jansson has freed value */
    }
}

void json_add(struct json *array, struct json *value)
{
    if (json_is_lost(value)) {
        json_free(value);
        json_mark_lost(array);
    } else if (json_array_append_new(json_inner(array), json_inner(value)) != 0) {
        json_mark_lost(array); /* jansson has freed value */
    }
}

static int json_write(const char *bytes, size_t len, void *data)
{
    struct buf *out = data;
    buf_put(out, slice_of(bytes, len));
    return buf_ok(out) ? 0 : -1;
}

dkv_err json_dump(struct json *root, struct buf *out)
{
    size_t before = out->len;
    bool done = !json_is_lost(root) &&
                json_dump_callback(json_inner(root), json_write, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
    if (!done) {
        out->len = before;
    }
    json_free(root);
    return done ? DKV_OK : DKV_NO_MEMORY;
}

/* jansson parses by recursion, so depth is bounded before it sees the text. Brackets within strings do not
 * count; whether they match is jansson's business. Returns the line of the first bracket too deep, 0: there
 * is none. */
static unsigned json_find_too_deep(struct slice in)
{
    unsigned line = 1;
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        if (c == '\n') {
            line++;
        } else if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            depth++;
        } else if (!quoted && (c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > JSON_DEPTH_MAX) {
            return line;
        }
    }
    return 0;
}

dkv_err json_parse(struct slice in, struct json **out, struct buf *why)
{
    unsigned line = json_find_too_deep(in);
    if (line != 0) {
        buf_printf(why, "line %u: more than %u levels", line, JSON_DEPTH_MAX);
        return DKV_MALFORMED;
    }
    json_error_t error;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *root = json_loadb(in.len == 0 ? "" : (const char *)in.data, in.len, flags, &error);
    if (root != NULL) {
        *out = json_outer(root);
        return DKV_OK;
    }
    /* When it has no memory for a value, jansson says nothing at all. */
    if (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory) {
        return DKV_NO_MEMORY;
    }
    buf_printf(why, "line %d: ", error.line);
    text_escape(slice_str(error.text), sizeof error.text, why);
    return DKV_MALFORMED;
}

const struct json *json_get(const struct json *object, const char *name)
{
    return json_outer(json_object_get(json_inner(object), name));
}

size_t json_len(const struct json *array)
{
    return json_array_size(json_inner(array));
}

const struct json *json_at(const struct json *array, size_t i)
{
    return json_outer(json_array_get(json_inner(array), i));
}

bool json_get_number(const struct json *v, uint64_t *out)
{
    const json_t *inner = json_inner(v);
    if (!json_is_integer(inner) || json_integer_value(inner) < 0) {
        return false;
    }
    *out = (uint64_t)json_integer_value(inner);
    return true;
}

bool json_get_bytes(const struct json *v, struct slice *out, struct buf *scratch)
{
    const json_t *inner = json_inner(v);
    if (json_is_string(inner)) {
        *out = slice_of(json_string_value(inner), json_string_length(inner));
        return true;
    }
    const json_t *text = json_object_get(inner, "base64");
    if (json_object_size(inner) != 1 || !json_is_string(text)) {
        return false;
    }
    buf_reset(scratch);
    struct slice base64 = slice_of(json_string_value(text), json_string_length(text));
    if (base64.len > 0 && text_parse_base64(base64, scratch) != DKV_OK) {
        return false;
    }
    *out = buf_slice(scratch);
    return true;
}
