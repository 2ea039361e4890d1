/* native.c - fuzz target: the client protocol, from the stream to the request.
 *
 * Input: [1 seed of the splits][1 bound: even: the real one, odd: a small one][stream]
 *
 * The stream is cut into messages twice, as a whole and piece by piece: the cuts must be the same. Each
 * message is read as a request and as a reply; what was understood is written again and must then say the
 * same. */
#include "base/mem.h"
#include "base/reader.h"
#include "base/rng.h"
#include "fuzz/fuzz.h"
#include "proto/native.h"

#define SMALL_BYTES   48u
#define WHY_BYTES_MAX 512u

static struct pack_doc *doc;

/* What pack_scan() says of in when it grows by a few bytes at a time. */
static dkv_err native_scan_pieces(struct rng *rng, struct slice in, size_t max, size_t *len)
{
    struct pack_scan scan = {0};
    dkv_err err = DKV_MORE;
    for (size_t fed = 0; err == DKV_MORE && fed < in.len;) {
        fed += 1 + rng_below(rng, 1 + rng_below(rng, 64));
        fed = fed < in.len ? fed : in.len;
        uint8_t *piece = fuzz_copy(slice_of(in.data, fed));
        err = pack_scan(&scan, slice_of(piece, fed), max, len);
        mem_free(piece);
    }
    return err;
}

static bool native_is_same_request(const struct request *a, const struct request *b)
{
    return a->op == b->op && slice_eq(a->key, b->key) && slice_eq(a->value, b->value) &&
           a->consistency == b->consistency && a->timeout_ms == b->timeout_ms && a->shard == b->shard &&
           slice_eq(a->from, b->from) && a->limit == b->limit && a->limit_bytes == b->limit_bytes &&
           a->keys_only == b->keys_only && a->forwarded == b->forwarded &&
           memcmp(&a->id, &b->id, sizeof a->id) == 0;
}

static bool native_is_same_reply(const struct reply *a, const struct reply *b)
{
    return a->err == b->err && slice_eq(a->detail, b->detail) && slice_eq(a->value, b->value) &&
           a->id == b->id && a->version == b->version && a->shard == b->shard && a->index == b->index &&
           a->epoch == b->epoch && slice_eq(a->node, b->node) && slice_eq(a->leader, b->leader) &&
           a->consistency == b->consistency && a->forwarded == b->forwarded;
}

static void native_try_request(struct slice message)
{
    struct request req;
    struct request again;
    struct buf why = {0};
    struct buf bytes = {0};
    uint32_t id = 0;
    uint32_t again_id = 0;
    dkv_err err = native_parse_request(doc, message, &id, &req, &why);
    ensure(err == DKV_OK || err == DKV_MALFORMED || err == DKV_UNSUPPORTED || err == DKV_BAD_REQUEST ||
           err == DKV_TOO_LARGE);
    ensure(err != DKV_OK || why.len == 0);
    ensure(fuzz_is_printable(buf_slice(&why)));
    ensure(why.len <= WHY_BYTES_MAX);
    if (err == DKV_OK) {
        ensure(fuzz_is_within(req.key, message));
        ensure(fuzz_is_within(req.value, message));
        ensure(fuzz_is_within(req.from, message));
        ensure(req.key.len <= KEY_BYTES_MAX && req.value.len <= VALUE_BYTES_MAX);
        native_put_request(&bytes, id, &req);
        ensure(bytes.len <= REQUEST_BYTES_MAX);
        ensure(native_parse_request(doc, buf_slice(&bytes), &again_id, &again, NULL) == DKV_OK);
        ensure(again_id == id && native_is_same_request(&req, &again));
    }
    buf_fini(&bytes);
    buf_fini(&why);
}

static void native_try_reply(struct slice message)
{
    struct reply rep;
    struct reply again;
    struct buf bytes = {0};
    uint32_t id = 0;
    uint32_t again_id = 0;
    dkv_err err = native_parse_reply(doc, message, &id, &rep);
    ensure(err == DKV_OK || err == DKV_MALFORMED);
    if (err == DKV_OK) {
        ensure(fuzz_is_within(rep.detail, message));
        ensure(fuzz_is_within(rep.value, message));
        ensure(fuzz_is_within(rep.node, message));
        ensure(fuzz_is_within(rep.leader, message));
        rep.detail = rep.err == DKV_OK ? slice_of(NULL, 0) : rep.detail; /* goes with an error only */
        native_put_reply(&bytes, id, &rep);
        ensure(native_parse_reply(doc, buf_slice(&bytes), &again_id, &again) == DKV_OK);
        ensure(again_id == id && native_is_same_reply(&rep, &again));
    }
    buf_fini(&bytes);
}

/* The bytes, whole or not, are one message. */
static void native_try(struct slice bytes)
{
    uint8_t *copy = fuzz_copy(bytes);
    native_try_request(slice_of(copy, bytes.len));
    native_try_reply(slice_of(copy, bytes.len));
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (doc == NULL) {
        doc = pack_doc_new();
        ensure(doc != NULL);
    }
    struct reader r = reader_of(slice_of(data, size));
    struct rng rng = {.state = reader_u8(&r)};
    size_t max = reader_u8(&r) % 2 == 0 ? REQUEST_BYTES_MAX : SMALL_BYTES;
    struct slice in = r.in;
    while (in.len > 0) {
        struct pack_scan scan = {0};
        size_t len = 0;
        size_t pieces_len = 0;
        dkv_err err = pack_scan(&scan, in, max, &len);
        ensure(native_scan_pieces(&rng, in, max, &pieces_len) == err);
        ensure(pieces_len == len);
        if (err != DKV_OK) {
            native_try(in);
            break;
        }
        ensure(len > 0 && len <= in.len && len <= max);
        native_try(slice_of(in.data, len));
        in = slice_of(in.data + len, in.len - len);
    }
    return 0;
}
