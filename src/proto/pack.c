/* pack.c - walking, reading and writing msgpack; the only file that includes msgpack.h. */
#include "proto/pack.h"

#include "base/mem.h"

#include <msgpack.h>

/* What the first bytes of an object say about it. */
struct pack_head {
    size_t bytes;      /* of the head itself: the type, and a length or count */
    uint64_t body;     /* bytes that follow and belong to this object alone */
    uint64_t children; /* objects that follow and belong to it */
};

enum pack_shape {
    PACK_REFUSED, /* 0xc1 and the extension types */
    PACK_FIXED,   /* size is that of the body */
    PACK_BYTES,   /* size is that of the length; the body follows */
    PACK_ARRAY,   /* size is that of the count */
    PACK_MAP
};

/* The types 0xc0 to 0xdf, which say their shape by a number of their own. */
static const struct {
    uint8_t shape;
    uint8_t size;
} pack_types[32] = {
    [0x00] = {PACK_FIXED, 0},                                                     /* nil */
    [0x02] = {PACK_FIXED, 0},                                                     /* false */
    [0x03] = {PACK_FIXED, 0},                                                     /* true */
    [0x04] = {PACK_BYTES, 1},                                                     /* bin */
    [0x05] = {PACK_BYTES, 2}, [0x06] = {PACK_BYTES, 4}, [0x0a] = {PACK_FIXED, 4}, /* float */
    [0x0b] = {PACK_FIXED, 8}, [0x0c] = {PACK_FIXED, 1},                           /* uint */
    [0x0d] = {PACK_FIXED, 2}, [0x0e] = {PACK_FIXED, 4}, [0x0f] = {PACK_FIXED, 8},
    [0x10] = {PACK_FIXED, 1}, /* int */
    [0x11] = {PACK_FIXED, 2}, [0x12] = {PACK_FIXED, 4}, [0x13] = {PACK_FIXED, 8},
    [0x19] = {PACK_BYTES, 1}, /* str */
    [0x1a] = {PACK_BYTES, 2}, [0x1b] = {PACK_BYTES, 4}, [0x1c] = {PACK_ARRAY, 2},
    [0x1d] = {PACK_ARRAY, 4}, [0x1e] = {PACK_MAP, 2},   [0x1f] = {PACK_MAP, 4},
};

/* The head of a type 0xc0 to 0xdf. */
static dkv_err pack_read_long_head(struct slice in, struct pack_head *head)
{
    size_t size = pack_types[in.data[0] & 31].size;
    enum pack_shape shape = (enum pack_shape)pack_types[in.data[0] & 31].shape;
    if (shape == PACK_REFUSED) {
        return DKV_MALFORMED;
    }
    if (shape == PACK_FIXED) {
        *head = (struct pack_head){.bytes = 1, .body = size};
        return DKV_OK;
    }
    if (in.len < 1 + size) {
        return DKV_MORE;
    }
    uint64_t n = 0;
    for (size_t i = 1; i <= size; i++) {
        n = n << 8 | in.data[i];
    }
    *head = (struct pack_head){.bytes = 1 + size};
    if (shape == PACK_BYTES) {
        head->body = n;
    } else {
        head->children = shape == PACK_MAP ? 2 * n : n;
    }
    return DKV_OK;
}

/* The head at the begin of in, which is not empty. DKV_MORE: it is cut. */
static dkv_err pack_read_head(struct slice in, struct pack_head *head)
{
    uint8_t type = in.data[0];
    *head = (struct pack_head){.bytes = 1};
    if (type >= 0xc0 && type <= 0xdf) {
        return pack_read_long_head(in, head);
    }
    if ((type & 0xf0) == 0x80) { /* short map */
        head->children = 2 * (uint64_t)(type & 15);
    } else if ((type & 0xf0) == 0x90) { /* short array */
        head->children = type & 15;
    } else if ((type & 0xe0) == 0xa0) { /* short str */
        head->body = type & 31;
    }
    return DKV_OK;
}

/* Go over one object: into its children, or past it and all that it completes. DKV_OK: past the root. */
static dkv_err pack_step(struct pack_scan *scan, const struct pack_head *head)
{
    if (head->children > 0) {
        if (scan->depth == PACK_DEPTH_MAX) {
            return DKV_MALFORMED;
        }
        scan->left[scan->depth++] = (uint32_t)head->children;
        return DKV_MORE;
    }
    while (scan->depth > 0 && --scan->left[scan->depth - 1] == 0) {
        scan->depth--;
    }
    return scan->depth == 0 ? DKV_OK : DKV_MORE;
}

struct pack_limits {
    size_t bytes;
    size_t items;
};

static dkv_err pack_walk(struct pack_scan *scan, struct slice in, const struct pack_limits *limits,
                         size_t *len)
{
    dkv_err err = DKV_MORE;
    while (err == DKV_MORE) {
        ensure(scan->at <= in.len);
        struct pack_head head;
        size_t there = in.len - scan->at;
        if (there == 0) {
            return DKV_MORE;
        }
        err = pack_read_head(slice_of(in.data + scan->at, there), &head);
        if (err != DKV_OK) {
            return err;
        }
        /* Nothing overflows: a head claims below 2^33, and at is below limits->bytes. */
        if (scan->items + head.children > limits->items) {
            return DKV_MALFORMED;
        }
        if (scan->at + head.bytes + head.body + head.children > limits->bytes) {
            return DKV_TOO_LARGE;
        }
        if (there < head.bytes + head.body) {
            return DKV_MORE;
        }
        err = pack_step(scan, &head);
        if (err == DKV_MALFORMED) {
            return err;
        }
        scan->items += (uint32_t)head.children;
        scan->at += head.bytes + (size_t)head.body;
    }
    *len = scan->at;
    *scan = (struct pack_scan){0};
    return DKV_OK;
}

dkv_err pack_scan(struct pack_scan *scan, struct slice in, size_t max, size_t *len)
{
    const struct pack_limits limits = {.bytes = max, .items = PACK_ITEMS_MAX};
    return pack_walk(scan, in, &limits, len);
}

struct pack_doc {
    msgpack_zone zone;
    msgpack_object root;
};

struct pack_doc *pack_doc_new(void)
{
    struct pack_doc *doc = mem_zalloc(1, sizeof *doc);
    if (doc != NULL && !msgpack_zone_init(&doc->zone, MSGPACK_ZONE_CHUNK_SIZE)) {
        mem_free(doc);
        doc = NULL;
    }
    return doc;
}

void pack_doc_free(struct pack_doc *doc)
{
    if (doc != NULL) {
        msgpack_zone_destroy(&doc->zone);
        mem_free(doc);
    }
}

/* A pack_value is a msgpack_object under another name, so that no other file needs to know msgpack-c. */
static const struct pack_value *pack_value_of(const msgpack_object *object)
{
    return (const struct pack_value *)(const void *)object;
}

/* NULL when v is of another type. */
static const msgpack_object *pack_object(const struct pack_value *v, msgpack_object_type type)
{
    const msgpack_object *object = (const void *)v;
    return object != NULL && object->type == type ? object : NULL;
}

dkv_err pack_parse(struct pack_doc *doc, struct slice in, const struct pack_value **out)
{
    /* The bytes are all here, so a count is bounded by them and the memory by 24 times their number. */
    const struct pack_limits limits = {.bytes = in.len, .items = in.len};
    struct pack_scan scan = {0};
    size_t len = 0;
    if (pack_walk(&scan, in, &limits, &len) != DKV_OK || len != in.len) {
        return DKV_MALFORMED;
    }
    /* msgpack_unpack() is called obsolete, but msgpack_unpack_next() would allocate a zone per message. */
    size_t at = 0;
    msgpack_zone_clear(&doc->zone);
    switch (msgpack_unpack((const char *)in.data, in.len, &at, &doc->zone, &doc->root)) {
    case MSGPACK_UNPACK_SUCCESS:
        *out = pack_value_of(&doc->root);
        return DKV_OK;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        return DKV_NO_MEMORY;
    case MSGPACK_UNPACK_EXTRA_BYTES:
    case MSGPACK_UNPACK_CONTINUE:
    case MSGPACK_UNPACK_PARSE_ERROR:
        break;
    }
    return DKV_MALFORMED;
}

bool pack_is_nil(const struct pack_value *v)
{
    return pack_object(v, MSGPACK_OBJECT_NIL) != NULL;
}

bool pack_get_u64(const struct pack_value *v, uint64_t *out)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_POSITIVE_INTEGER);
    if (object == NULL) {
        return false;
    }
    *out = object->via.u64;
    return true;
}

bool pack_get_bool(const struct pack_value *v, bool *out)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_BOOLEAN);
    if (object == NULL) {
        return false;
    }
    *out = object->via.boolean;
    return true;
}

/* A str, which clients must use for names. */
static bool pack_get_str(const struct pack_value *v, struct slice *out)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_STR);
    if (object == NULL) {
        return false;
    }
    *out = slice_of(object->via.str.ptr, object->via.str.size);
    return true;
}

bool pack_get_bytes(const struct pack_value *v, struct slice *out)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_BIN);
    if (object == NULL) {
        return pack_get_str(v, out);
    }
    *out = slice_of(object->via.bin.ptr, object->via.bin.size);
    return true;
}

bool pack_get_array(const struct pack_value *v, uint32_t *n)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_ARRAY);
    if (object == NULL) {
        return false;
    }
    *n = object->via.array.size;
    return true;
}

bool pack_get_map(const struct pack_value *v, uint32_t *n)
{
    const msgpack_object *object = pack_object(v, MSGPACK_OBJECT_MAP);
    if (object == NULL) {
        return false;
    }
    *n = object->via.map.size;
    return true;
}

const struct pack_value *pack_at(const struct pack_value *array, uint32_t i)
{
    const msgpack_object *object = pack_object(array, MSGPACK_OBJECT_ARRAY);
    return object != NULL && i < object->via.array.size ? pack_value_of(&object->via.array.ptr[i]) : NULL;
}

const struct pack_value *pack_find(const struct pack_value *map, const char *key)
{
    const msgpack_object *object = pack_object(map, MSGPACK_OBJECT_MAP);
    struct slice wanted = slice_str(key);
    for (uint32_t i = 0; object != NULL && i < object->via.map.size; i++) {
        struct slice name;
        const msgpack_object_kv *pair = &object->via.map.ptr[i];
        if (pack_get_str(pack_value_of(&pair->key), &name) && slice_eq(name, wanted)) {
            return pack_value_of(&pair->val);
        }
    }
    return NULL;
}

/* True when none of the first n keys of map is name. */
static bool pack_is_new_key(const msgpack_object_map *map, uint32_t n, struct slice name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (slice_eq(slice_of(map->ptr[i].key.via.str.ptr, map->ptr[i].key.via.str.size), name)) {
            return false;
        }
    }
    return true;
}

bool pack_map_is_sound(const struct pack_value *map)
{
    const msgpack_object *object = pack_object(map, MSGPACK_OBJECT_MAP);
    if (object == NULL || object->via.map.size > PACK_KEYS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        struct slice name;
        if (!pack_get_str(pack_value_of(&object->via.map.ptr[i].key), &name) ||
            !pack_is_new_key(&object->via.map, i, name)) {
            return false;
        }
    }
    return true;
}

static int pack_write(void *data, const char *bytes, size_t len)
{
    struct buf *out = data;
    buf_put(out, slice_of(bytes, len));
    return buf_ok(out) ? 0 : -1;
}

static msgpack_packer pack_packer(struct buf *out)
{
    return (msgpack_packer){.data = out, .callback = pack_write};
}

void pack_put_nil(struct buf *out)
{
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_nil(&packer);
}

void pack_put_u64(struct buf *out, uint64_t v)
{
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_uint64(&packer, v);
}

void pack_put_bool(struct buf *out, bool v)
{
    msgpack_packer packer = pack_packer(out);
    if (v) {
        msgpack_pack_true(&packer);
    } else {
        msgpack_pack_false(&packer);
    }
}

void pack_put_str(struct buf *out, const char *text)
{
    pack_put_text(out, slice_str(text));
}

void pack_put_text(struct buf *out, struct slice text)
{
    ensure(text.len <= UINT32_MAX);
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_str(&packer, text.len);
    msgpack_pack_str_body(&packer, text.data, text.len);
}

void pack_put_bin(struct buf *out, struct slice bytes)
{
    ensure(bytes.len <= UINT32_MAX);
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_bin(&packer, bytes.len);
    msgpack_pack_bin_body(&packer, bytes.data, bytes.len);
}

void pack_put_array(struct buf *out, uint32_t n)
{
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_array(&packer, n);
}

void pack_put_map(struct buf *out, uint32_t n)
{
    msgpack_packer packer = pack_packer(out);
    msgpack_pack_map(&packer, n);
}
