/* native.c - requests and replies as MessagePack-RPC (PROTOCOL.md, "client"), each driven by a table of
 * fields. */
#include "proto/native.h"

#include "base/text.h"

#include <inttypes.h>

#define NATIVE_REQUEST  0u
#define NATIVE_RESPONSE 1u
#define NATIVE_PARTS    4u /* of either message */

#define NATIVE_CODE_MAX 255u /* of an error; the numbers of dkv_err stay below */

#define NATIVE_NAME_SHOWN 64 /* bytes of an unknown method that a message repeats */

enum native_kind {
    NATIVE_BIN,         /* struct slice, written as bin */
    NATIVE_TEXT,        /* struct slice, written as str */
    NATIVE_U32,         /* uint32_t */
    NATIVE_U64,         /* uint64_t */
    NATIVE_BOOL,        /* bool */
    NATIVE_CONSISTENCY, /* enum consistency */
    NATIVE_CLIENT,      /* uint8_t[16] */
};

/* One field of struct request or struct reply and its name on the wire. What is zero or empty is not sent,
 * unless it is required. */
struct native_field {
    const char *name;
    enum native_kind kind;
    size_t offset;
    uint64_t min; /* bytes; more than 0 only where required */
    uint64_t max; /* bytes, or the number itself */
    unsigned ops; /* BIT() of the operations that have it */
    bool required;
};

#define NATIVE_KEYED  (BIT(OP_GET) | BIT(OP_PUT) | BIT(OP_DELETE))
#define NATIVE_WRITES (BIT(OP_PUT) | BIT(OP_DELETE))
#define NATIVE_ALL    (BIT(OPS_END) - 1)

#define REQUEST_AT(member) offsetof(struct request, member)
#define REPLY_AT(member)   offsetof(struct reply, member)

static const struct native_field native_params[] = {
    {"key", NATIVE_BIN, REQUEST_AT(key), 1, KEY_BYTES_MAX, NATIVE_KEYED, true},
    {"value", NATIVE_BIN, REQUEST_AT(value), 0, VALUE_BYTES_MAX, BIT(OP_PUT), true},
    {"prefix", NATIVE_BIN, REQUEST_AT(key), 0, KEY_BYTES_MAX, BIT(OP_SCAN), false},
    {"from", NATIVE_BIN, REQUEST_AT(from), 0, KEY_BYTES_MAX, BIT(OP_SCAN), false},
    {"limit", NATIVE_U32, REQUEST_AT(limit), 0, SCAN_KEYS_MAX, BIT(OP_SCAN), false},
    {"limit_bytes", NATIVE_U32, REQUEST_AT(limit_bytes), 0, SCAN_BYTES_MAX, BIT(OP_SCAN), false},
    {"keys_only", NATIVE_BOOL, REQUEST_AT(keys_only), 0, 1, BIT(OP_SCAN), false},
    {"shard", NATIVE_U32, REQUEST_AT(shard), 0, SHARDS_MAX, BIT(OP_SCAN) | BIT(OP_READ_INDEX), false},
    {"consistency", NATIVE_CONSISTENCY, REQUEST_AT(consistency), 0, 0, BIT(OP_GET) | BIT(OP_SCAN), false},
    {"timeout_ms", NATIVE_U32, REQUEST_AT(timeout_ms), 0, TIMEOUT_MS_MAX, NATIVE_ALL, false},
    {"client", NATIVE_CLIENT, REQUEST_AT(id.client), 0, 0, NATIVE_WRITES, false},
    {"seq", NATIVE_U64, REQUEST_AT(id.sequence), 0, UINT64_MAX, NATIVE_WRITES, false},
    {"low", NATIVE_U64, REQUEST_AT(id.lowest_unanswered), 0, UINT64_MAX, NATIVE_WRITES, false},
    {"not_after", NATIVE_U64, REQUEST_AT(id.not_after), 0, UINT64_MAX, NATIVE_WRITES, false},
    {"fwd", NATIVE_BOOL, REQUEST_AT(forwarded), 0, 1, NATIVE_ALL, false},
};
#define NATIVE_PARAMS (sizeof native_params / sizeof native_params[0])

static const struct native_field native_results[] = {
    {"value", NATIVE_BIN, REPLY_AT(value), 0, UINT32_MAX, NATIVE_ALL, false},
    {"id", NATIVE_U64, REPLY_AT(id), 0, UINT64_MAX, NATIVE_ALL, false},
    {"version", NATIVE_U64, REPLY_AT(version), 0, UINT64_MAX, NATIVE_ALL, false},
    {"shard", NATIVE_U32, REPLY_AT(shard), 0, UINT32_MAX, NATIVE_ALL, false},
    {"index", NATIVE_U64, REPLY_AT(index), 0, UINT64_MAX, NATIVE_ALL, false},
    {"epoch", NATIVE_U64, REPLY_AT(epoch), 0, UINT64_MAX, NATIVE_ALL, false},
    {"node", NATIVE_TEXT, REPLY_AT(node), 0, UINT32_MAX, NATIVE_ALL, false},
    {"leader", NATIVE_TEXT, REPLY_AT(leader), 0, UINT32_MAX, NATIVE_ALL, false},
    {"consistency", NATIVE_CONSISTENCY, REPLY_AT(consistency), 0, 0, NATIVE_ALL, false},
    {"forwarded", NATIVE_BOOL, REPLY_AT(forwarded), 0, 1, NATIVE_ALL, false},
};
#define NATIVE_RESULTS (sizeof native_results / sizeof native_results[0])

static const char *const native_consistencies[] = {
    [READ_LINEARIZABLE] = "linearizable",
    [READ_STALE] = "stale",
};

#define NATIVE_CLIENT_BYTES sizeof(((struct write_id *)NULL)->client)

static bool native_is_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= p[i];
    }
    return any == 0;
}

/* Whether the field, at p, has anything to say. */
static bool native_is_sent(const struct native_field *f, const void *p)
{
    switch (f->kind) {
    case NATIVE_BIN:
    case NATIVE_TEXT:
        return f->required || ((const struct slice *)p)->len > 0;
    case NATIVE_U32:
        return *(const uint32_t *)p != 0;
    case NATIVE_U64:
        return *(const uint64_t *)p != 0;
    case NATIVE_BOOL:
        return *(const bool *)p;
    case NATIVE_CONSISTENCY:
        return *(const enum consistency *)p != READ_LINEARIZABLE;
    case NATIVE_CLIENT:
        return !native_is_zero(p, NATIVE_CLIENT_BYTES);
    }
    return false;
}

static void native_put_field(const struct native_field *f, const void *p, struct buf *out)
{
    pack_put_str(out, f->name);
    switch (f->kind) {
    case NATIVE_BIN:
        pack_put_bin(out, *(const struct slice *)p);
        return;
    case NATIVE_TEXT:
        pack_put_text(out, *(const struct slice *)p);
        return;
    case NATIVE_U32:
        pack_put_u64(out, *(const uint32_t *)p);
        return;
    case NATIVE_U64:
        pack_put_u64(out, *(const uint64_t *)p);
        return;
    case NATIVE_BOOL:
        pack_put_bool(out, *(const bool *)p);
        return;
    case NATIVE_CONSISTENCY:
        pack_put_str(out, native_consistencies[*(const enum consistency *)p]);
        return;
    case NATIVE_CLIENT:
        pack_put_bin(out, slice_of(p, NATIVE_CLIENT_BYTES));
        return;
    }
}

/* A table of fields, of which those of an operation count. */
struct native_table {
    const struct native_field *fields;
    size_t n;
    unsigned ops;
};

static const struct native_table native_reply_table = {native_results, NATIVE_RESULTS, NATIVE_ALL};

static struct native_table native_request_table(enum op op)
{
    return (struct native_table){native_params, NATIVE_PARAMS, BIT(op)};
}

/* The fields of the struct at base that have something to say, as a map. */
static void native_put_fields(const struct native_table *table, const void *base, struct buf *out)
{
    const struct native_field *sent[NATIVE_PARAMS + NATIVE_RESULTS];
    uint32_t n = 0;
    for (size_t i = 0; i < table->n; i++) {
        const struct native_field *f = &table->fields[i];
        if ((f->ops & table->ops) != 0 && native_is_sent(f, (const char *)base + f->offset)) {
            sent[n++] = f;
        }
    }
    pack_put_map(out, n);
    for (uint32_t i = 0; i < n; i++) {
        native_put_field(sent[i], (const char *)base + sent[i]->offset, out);
    }
}

void native_put_request(struct buf *out, uint32_t id, const struct request *req)
{
    ensure(op_name(req->op) != NULL);
    struct native_table table = native_request_table(req->op);
    pack_put_array(out, NATIVE_PARTS);
    pack_put_u64(out, NATIVE_REQUEST);
    pack_put_u64(out, id);
    pack_put_str(out, op_name(req->op));
    native_put_fields(&table, req, out);
}

static void native_put_error(struct buf *out, const struct reply *rep)
{
    if (rep->err == DKV_OK) {
        pack_put_nil(out);
        return;
    }
    pack_put_map(out, rep->detail.len > 0 ? 3 : 2);
    pack_put_str(out, "code");
    pack_put_u64(out, (uint64_t)rep->err);
    pack_put_str(out, "text");
    pack_put_str(out, err_text(rep->err));
    if (rep->detail.len > 0) {
        pack_put_str(out, "detail");
        pack_put_text(out, rep->detail);
    }
}

void native_put_reply(struct buf *out, uint32_t id, const struct reply *rep)
{
    pack_put_array(out, NATIVE_PARTS);
    pack_put_u64(out, NATIVE_RESPONSE);
    pack_put_u64(out, id);
    native_put_error(out, rep);
    native_put_fields(&native_reply_table, rep, out);
}

static bool native_get_consistency(const struct pack_value *v, enum consistency *out)
{
    struct slice name;
    for (int i = READ_LINEARIZABLE; i <= READ_STALE; i++) {
        if (pack_get_bytes(v, &name) && slice_eq(name, slice_str(native_consistencies[i]))) {
            *out = (enum consistency)i;
            return true;
        }
    }
    return false;
}

static bool native_get_client(const struct pack_value *v, uint8_t *out)
{
    struct slice client;
    if (!pack_get_bytes(v, &client) || client.len != NATIVE_CLIENT_BYTES) {
        return false;
    }
    memcpy(out, client.data, client.len);
    return true;
}

static bool native_get_number(const struct native_field *f, const struct pack_value *v, uint64_t *out)
{
    return pack_get_u64(v, out) && *out <= f->max;
}

/* Read v into the field at p; false: of the wrong type or out of range. Lengths are not checked here. */
static bool native_get_field(const struct native_field *f, const struct pack_value *v, void *p)
{
    uint64_t n = 0;
    switch (f->kind) {
    case NATIVE_BIN:
    case NATIVE_TEXT:
        return pack_get_bytes(v, p);
    case NATIVE_U32:
        if (!native_get_number(f, v, &n)) {
            return false;
        }
        *(uint32_t *)p = (uint32_t)n;
        return true;
    case NATIVE_U64:
        return native_get_number(f, v, p);
    case NATIVE_BOOL:
        return pack_get_bool(v, p);
    case NATIVE_CONSISTENCY:
        return native_get_consistency(v, p);
    case NATIVE_CLIENT:
        return native_get_client(v, p);
    }
    return false;
}

/* What a right value of the field is. */
static void native_put_allowed(const struct native_field *f, struct buf *why)
{
    switch (f->kind) {
    case NATIVE_BIN:
    case NATIVE_TEXT:
        buf_printf(why, "%" PRIu64 " to %" PRIu64 " bytes", f->min, f->max);
        return;
    case NATIVE_U32:
    case NATIVE_U64:
        buf_printf(why, "a whole number up to %" PRIu64, f->max);
        return;
    case NATIVE_BOOL:
        buf_put_text(why, "true or false");
        return;
    case NATIVE_CONSISTENCY:
        buf_put_text(why, "linearizable or stale");
        return;
    case NATIVE_CLIENT:
        buf_printf(why, "%zu bytes", NATIVE_CLIENT_BYTES);
        return;
    }
}

/* Say what is wrong with a field and what would be right. */
static dkv_err native_refuse(dkv_err err, const struct native_field *f, const char *wrong, struct buf *why)
{
    if (why != NULL) {
        buf_printf(why, "%s %s: it must be ", f->name, wrong);
        native_put_allowed(f, why);
    }
    return err;
}

static dkv_err native_take_field(const struct native_field *f, const struct pack_value *params, void *p,
                                 struct buf *why)
{
    const struct pack_value *v = pack_find(params, f->name);
    if (v == NULL) {
        return f->required ? native_refuse(DKV_BAD_REQUEST, f, "is missing", why) : DKV_OK;
    }
    if (!native_get_field(f, v, p)) {
        return native_refuse(DKV_BAD_REQUEST, f, "is of the wrong type or out of range", why);
    }
    if (f->kind != NATIVE_BIN && f->kind != NATIVE_TEXT) {
        return DKV_OK;
    }
    size_t len = ((struct slice *)p)->len;
    if (len < f->min) {
        return native_refuse(DKV_BAD_REQUEST, f, "is too short", why);
    }
    return len <= f->max ? DKV_OK : native_refuse(DKV_TOO_LARGE, f, "is too long", why);
}

/* Fill the struct at base from a map; what it lacks stays zero. */
static dkv_err native_take_fields(const struct native_table *table, const struct pack_value *map, void *base,
                                  struct buf *why)
{
    dkv_err err = DKV_OK;
    for (size_t i = 0; i < table->n && err == DKV_OK; i++) {
        const struct native_field *f = &table->fields[i];
        if ((f->ops & table->ops) != 0) {
            err = native_take_field(f, map, (char *)base + f->offset, why);
        }
    }
    return err;
}

/* The envelope both messages share. */
static dkv_err native_open(struct pack_doc *doc, struct slice in, uint64_t type, uint32_t *id,
                           const struct pack_value **message)
{
    dkv_err err = pack_parse(doc, in, message);
    if (err != DKV_OK) {
        return err;
    }
    uint32_t parts = 0;
    uint64_t got_type = 0;
    uint64_t got_id = 0;
    if (!pack_get_array(*message, &parts) || parts != NATIVE_PARTS ||
        !pack_get_u64(pack_at(*message, 0), &got_type) || got_type != type ||
        !pack_get_u64(pack_at(*message, 1), &got_id) || got_id > UINT32_MAX) {
        return DKV_MALFORMED;
    }
    *id = (uint32_t)got_id;
    return DKV_OK;
}

static dkv_err native_take_method(const struct pack_value *v, enum op *op, struct buf *why)
{
    struct slice name;
    if (!pack_get_bytes(v, &name)) {
        if (why != NULL) {
            buf_put_text(why, "the method is no text");
        }
        return DKV_BAD_REQUEST;
    }
    *op = op_find(name);
    if (*op == 0) {
        if (why != NULL) {
            buf_put_text(why, "unknown method \"");
            text_escape(name, NATIVE_NAME_SHOWN, why);
            buf_put_text(why, "\"");
        }
        return DKV_UNSUPPORTED;
    }
    return DKV_OK;
}

dkv_err native_parse_request(struct pack_doc *doc, struct slice in, uint32_t *id, struct request *req,
                             struct buf *why)
{
    *req = (struct request){0};
    const struct pack_value *message = NULL;
    dkv_err err = native_open(doc, in, NATIVE_REQUEST, id, &message);
    if (err == DKV_OK) {
        err = native_take_method(pack_at(message, 2), &req->op, why);
    }
    if (err != DKV_OK) {
        return err;
    }
    const struct pack_value *params = pack_at(message, 3);
    if (!pack_map_is_sound(params)) {
        if (why != NULL) {
            buf_printf(why, "the params are no map of at most %u different text keys", PACK_KEYS_MAX);
        }
        return DKV_BAD_REQUEST;
    }
    struct native_table table = native_request_table(req->op);
    return native_take_fields(&table, params, req, why);
}

/* nil, or a map with a code other than DKV_OK. A code that this version does not know is kept as it is. */
static bool native_take_error(const struct pack_value *v, struct reply *rep)
{
    if (pack_is_nil(v)) {
        return true;
    }
    uint64_t code = 0;
    const struct pack_value *detail = pack_find(v, "detail");
    if (!pack_map_is_sound(v) || !pack_get_u64(pack_find(v, "code"), &code) || code == DKV_OK ||
        code > NATIVE_CODE_MAX) {
        return false;
    }
    rep->err = (dkv_err)code;
    return detail == NULL || pack_get_bytes(detail, &rep->detail);
}

dkv_err native_parse_reply(struct pack_doc *doc, struct slice in, uint32_t *id, struct reply *rep)
{
    *rep = (struct reply){0};
    const struct pack_value *message = NULL;
    dkv_err err = native_open(doc, in, NATIVE_RESPONSE, id, &message);
    if (err != DKV_OK) {
        return err;
    }
    const struct pack_value *result = pack_at(message, 3);
    if (!native_take_error(pack_at(message, 2), rep)) {
        return DKV_MALFORMED;
    }
    if (pack_is_nil(result)) {
        return DKV_OK;
    }
    if (!pack_map_is_sound(result)) {
        return DKV_MALFORMED;
    }
    err = native_take_fields(&native_reply_table, result, rep, NULL);
    return err == DKV_OK ? DKV_OK : DKV_MALFORMED;
}
