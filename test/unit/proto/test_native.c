/* test_native.c - the client protocol: random messages come back, hostile ones do not get in. */
#include "suites.h"

#include "notation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "proto/native.h"

#define NOISE_BYTES 4096u

/* What the random messages point into. */
static uint8_t noise[NOISE_BYTES];

static struct slice random_slice(struct rng *rng, size_t min, size_t max)
{
    size_t len = min + rng_below(rng, max - min + 1);
    if (rng_below(rng, 20) == 0) {
        len = max;
    }
    return len == 0 ? slice_of(NULL, 0) : slice_of(noise + rng_below(rng, NOISE_BYTES - len + 1), len);
}

static uint64_t random_number(struct rng *rng)
{
    return rng_below(rng, 2) == 0 ? 0 : rng_next(rng) >> rng_below(rng, 64);
}

/* A request within all limits whose fields are those its operation has. */
static struct request random_request(struct rng *rng)
{
    struct request req = {.op = (enum op)(1 + rng_below(rng, OPS_END - 1))};
    req.timeout_ms = (uint32_t)(random_number(rng) % (TIMEOUT_MS_MAX + 1));
    req.forwarded = rng_below(rng, 2) == 0;
    bool keyed = req.op == OP_GET || op_is_write(req.op);
    if (keyed || req.op == OP_SCAN) {
        req.key = random_slice(rng, keyed ? 1 : 0, KEY_BYTES_MAX);
    }
    if (req.op == OP_PUT) {
        req.value = random_slice(rng, 0, NOISE_BYTES);
    }
    if (op_is_write(req.op) && rng_below(rng, 2) == 0) {
        memcpy(req.id.client, noise, sizeof req.id.client);
        req.id.sequence = random_number(rng);
        req.id.lowest_unanswered = random_number(rng);
        req.id.not_after = random_number(rng);
    }
    if (req.op == OP_GET || req.op == OP_SCAN) {
        req.consistency = (enum consistency)rng_below(rng, 2);
    }
    if (req.op == OP_SCAN || req.op == OP_READ_INDEX) {
        req.shard = (uint32_t)rng_below(rng, SHARDS_MAX + 1);
    }
    if (req.op == OP_SCAN) {
        req.from = random_slice(rng, 0, KEY_BYTES_MAX);
        req.limit = (uint32_t)rng_below(rng, SCAN_KEYS_MAX + 1);
        req.limit_bytes = (uint32_t)rng_below(rng, SCAN_BYTES_MAX + 1);
        req.keys_only = rng_below(rng, 2) == 0;
    }
    return req;
}

static void check_same_request(const struct request *a, const struct request *b)
{
    ck_assert_int_eq(a->op, b->op);
    ck_assert(slice_eq(a->key, b->key));
    ck_assert(slice_eq(a->value, b->value));
    ck_assert_int_eq(a->consistency, b->consistency);
    ck_assert_uint_eq(a->timeout_ms, b->timeout_ms);
    ck_assert_uint_eq(a->shard, b->shard);
    ck_assert(slice_eq(a->from, b->from));
    ck_assert_uint_eq(a->limit, b->limit);
    ck_assert_uint_eq(a->limit_bytes, b->limit_bytes);
    ck_assert(a->keys_only == b->keys_only);
    ck_assert(a->forwarded == b->forwarded);
    ck_assert_mem_eq(&a->id, &b->id, sizeof a->id);
}

static struct reply random_reply(struct rng *rng)
{
    static const dkv_err errors[] = {DKV_OK,      DKV_NOT_FOUND,   DKV_UNAVAILABLE, DKV_NOT_LEADER,
                                     DKV_UNKNOWN, DKV_WRONG_SHARD, DKV_CONFIG};
    struct reply rep = {.err = errors[rng_below(rng, sizeof errors / sizeof errors[0])]};
    if (rep.err != DKV_OK) {
        rep.detail = random_slice(rng, 0, 200);
    }
    rep.value = random_slice(rng, 0, NOISE_BYTES);
    rep.id = random_number(rng);
    rep.version = random_number(rng);
    rep.shard = (uint32_t)random_number(rng);
    rep.index = random_number(rng);
    rep.epoch = random_number(rng);
    rep.node = random_slice(rng, 0, NODE_NAME_MAX);
    rep.leader = random_slice(rng, 0, NODE_NAME_MAX);
    rep.consistency = (enum consistency)rng_below(rng, 2);
    rep.forwarded = rng_below(rng, 2) == 0;
    return rep;
}

static void check_same_reply(const struct reply *a, const struct reply *b)
{
    ck_assert_int_eq(a->err, b->err);
    ck_assert(slice_eq(a->detail, b->detail));
    ck_assert(slice_eq(a->value, b->value));
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->version, b->version);
    ck_assert_uint_eq(a->shard, b->shard);
    ck_assert_uint_eq(a->index, b->index);
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert(slice_eq(a->node, b->node));
    ck_assert(slice_eq(a->leader, b->leader));
    ck_assert_int_eq(a->consistency, b->consistency);
    ck_assert(a->forwarded == b->forwarded);
}

static struct pack_doc *doc;

static void open_doc(void)
{
    struct rng rng = {.state = 99};
    for (size_t i = 0; i < NOISE_BYTES; i++) {
        noise[i] = (uint8_t)rng_next(&rng);
    }
    doc = pack_doc_new();
    ck_assert_ptr_nonnull(doc);
}

static void close_doc(void)
{
    pack_doc_free(doc);
}

/* The message is one object to the scan, and every cut of it a good beginning. */
static void check_scan(struct slice message)
{
    struct pack_scan bytewise = {0};
    size_t len = 0;
    size_t wrong = 0;
    for (size_t cut = 0; cut < message.len; cut++) {
        struct pack_scan fresh = {0};
        struct slice head = slice_of(message.data, cut);
        bool more = pack_scan(&fresh, head, REQUEST_BYTES_MAX, &len) == DKV_MORE &&
                    pack_scan(&bytewise, head, REQUEST_BYTES_MAX, &len) == DKV_MORE;
        wrong += more ? 0 : 1; /* an assertion a byte would take minutes */
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(pack_scan(&bytewise, message, REQUEST_BYTES_MAX, &len), DKV_OK);
    ck_assert_uint_eq(len, message.len);
}

START_TEST(a_random_request_comes_back)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct request req = random_request(&rng);
    uint32_t id = (uint32_t)random_number(&rng);
    struct buf bytes = {0};
    native_put_request(&bytes, id, &req);
    ck_assert_int_eq(bytes.data[0], 0x94); /* how the port tells this protocol from others */
    check_scan(buf_slice(&bytes));

    struct request back;
    uint32_t back_id = 0;
    ck_assert_int_eq(native_parse_request(doc, buf_slice(&bytes), &back_id, &back, NULL), DKV_OK);
    ck_assert_uint_eq(back_id, id);
    check_same_request(&back, &req);
    buf_fini(&bytes);
}
END_TEST

START_TEST(a_random_reply_comes_back)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct reply rep = random_reply(&rng);
    uint32_t id = (uint32_t)random_number(&rng);
    struct buf bytes = {0};
    native_put_reply(&bytes, id, &rep);
    check_scan(buf_slice(&bytes));

    struct reply back;
    uint32_t back_id = 0;
    ck_assert_int_eq(native_parse_reply(doc, buf_slice(&bytes), &back_id, &back), DKV_OK);
    ck_assert_uint_eq(back_id, id);
    check_same_reply(&back, &rep);
    buf_fini(&bytes);
}
END_TEST

START_TEST(the_largest_put_fits_a_request)
{
    struct buf value = {0};
    uint8_t *at = buf_extend(&value, VALUE_BYTES_MAX);
    ck_assert_ptr_nonnull(at);
    memset(at, 'v', VALUE_BYTES_MAX);
    struct request req = {.op = OP_PUT, .key = slice_of(noise, KEY_BYTES_MAX), .value = buf_slice(&value)};
    struct request back;
    uint32_t id = 0;
    size_t len = 0;
    struct pack_scan scan = {0};
    struct buf bytes = {0};
    native_put_request(&bytes, 1, &req);
    ck_assert_int_eq(pack_scan(&scan, buf_slice(&bytes), REQUEST_BYTES_MAX, &len), DKV_OK);
    ck_assert_int_eq(native_parse_request(doc, buf_slice(&bytes), &id, &back, NULL), DKV_OK);
    check_same_request(&back, &req);
    buf_fini(&bytes);
    buf_fini(&value);
}
END_TEST

/* Formats on the wire: what these say must be said for ever. */
START_TEST(messages_look_as_the_protocol_says)
{
    static const uint8_t client[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct request put = {.op = OP_PUT, .key = slice_str("k"), .id = {.sequence = 5, .lowest_unanswered = 4}};
    memcpy(put.id.client, client, sizeof client);
    struct request scan = {.op = OP_SCAN, .key = slice_str("p"), .limit = 10, .consistency = READ_STALE};
    struct request health = {.op = OP_HEALTH};
    struct reply found = {.value = slice_str("v"), .id = 12, .shard = 3, .node = slice_str("n1")};
    struct reply lost = {.err = DKV_UNAVAILABLE, .detail = slice_str("d"), .shard = 3, .forwarded = true};
    struct buf got = {0};
    struct buf expected = {0};
    native_put_request(&got, 1, &put);
    notation_put(&expected,
                 "[4 0 1 'put {5 'key #6b 'value # 'client #0102030405060708090a0b0c0d0e0f10 'seq 5 'low 4");
    native_put_request(&got, 2, &scan);
    notation_put(&expected, "[4 0 2 'scan {3 'prefix #70 'limit 10 'consistency 'stale");
    native_put_request(&got, 3, &health);
    notation_put(&expected, "[4 0 3 'health {0");
    native_put_reply(&got, 4, &found);
    notation_put(&expected, "[4 1 4 nil {4 'value #76 'id 12 'shard 3 'node 'n1");
    native_put_reply(&got, 5, &lost);
    notation_put(&expected, "[4 1 5 {3 'code 30 'text 'unavailable 'detail 'd {2 'shard 3 'forwarded true");
    ck_assert(slice_eq(buf_slice(&got), buf_slice(&expected)));
    buf_fini(&got);
    buf_fini(&expected);
}
END_TEST

#define NO_ID UINT32_MAX

/* Requests, good and bad side by side. */
static const struct {
    const char *words;
    dkv_err err;
    const char *why;
} request_cases[] = {
    {"[4 0 7 'get {1 'key #6b", DKV_OK, ""},
    {"[4 0 7 'get {1 'key 'k", DKV_OK, ""}, /* str and bin alike */
    {"[4 0 7 #676574 {1 'key 'k", DKV_OK, ""},
    {"[4 xcf0000000000000000 xce00000007 'get {1 'key 'k", DKV_OK, ""}, /* longer numbers than need be */
    {"xdc0004 0 7 'get {1 'key 'k", DKV_OK, ""},
    {"[4 0 7 'get {1 'key #000a0dff", DKV_OK, ""},                                  /* any bytes are a key */
    {"[4 0 7 'get {3 'key 'k 'colour 'red 'shape xcb7ff8000000000000", DKV_OK, ""}, /* unknown: ignored */
    {"[4 0 7 'get {2 'key 'k 'value *1048577", DKV_OK, ""}, /* no field of get: unknown */
    {"[4 0 7 'put {2 'key 'k 'value #", DKV_OK, ""},
    {"[4 0 7 'get {1 'key *4096", DKV_OK, ""},
    {"[4 0 7 'get {2 'key 'k 'consistency 'linearizable", DKV_OK, ""},
    {"[4 0 7 'get {2 'key 'k 'timeout_ms 600000", DKV_OK, ""},
    {"[4 0 7 'scan {0", DKV_OK, ""},
    {"[4 0 7 'scan {2 'limit 1000 'shard 4096", DKV_OK, ""},
    {"[4 0 7 'delete {3 'key 'k 'seq 18446744073709551615 'client #000102030405060708090a0b0c0d0e0f", DKV_OK,
     ""},

    /* no request at all */
    {"7", DKV_MALFORMED, ""},
    {"nil", DKV_MALFORMED, ""},
    {"{0", DKV_MALFORMED, ""},
    {"[0", DKV_MALFORMED, ""},
    {"[3 0 7 'get", DKV_MALFORMED, ""},
    {"[5 0 7 'get {1 'key 'k nil", DKV_MALFORMED, ""},
    {"[3 2 'get {1 'key 'k", DKV_MALFORMED, ""}, /* a notification */
    {"[4 1 7 nil {0", DKV_MALFORMED, ""},        /* a response from a client */
    {"[4 3 7 'get {1 'key 'k", DKV_MALFORMED, ""},
    {"[4 '0 7 'get {1 'key 'k", DKV_MALFORMED, ""},
    {"[4 0 nil 'get {1 'key 'k", DKV_MALFORMED, ""},
    {"[4 0 xff 'get {1 'key 'k", DKV_MALFORMED, ""}, /* -1 */
    {"[4 0 4294967296 'get {1 'key 'k", DKV_MALFORMED, ""},
    {"[4 0 xcb401c000000000000 'get {1 'key 'k", DKV_MALFORMED, ""}, /* 7.0 */
    {"[4 0 7 'get {1 'key xc1", DKV_MALFORMED, ""},
    {"[4 0 7 'get {1 'key 'k 1", DKV_MALFORMED, ""}, /* something behind it */
    {"[4 0 7 'get {2 'key 'k", DKV_MALFORMED, ""},   /* something missing */

    /* methods */
    {"[4 0 7 'frob {0", DKV_UNSUPPORTED, "unknown method \"frob\""},
    {"[4 0 7 'GET {1 'key 'k", DKV_UNSUPPORTED, "unknown method \"GET\""},
    {"[4 0 7 ' {0", DKV_UNSUPPORTED, "unknown method \"\""},
    {"[4 0 7 #0a1b22 {0", DKV_UNSUPPORTED, "unknown method \"\\x0a\\x1b\\\"\""},
    {"[4 0 7 1 {0", DKV_BAD_REQUEST, "the method is no text"},
    {"[4 0 7 nil {0", DKV_BAD_REQUEST, "the method is no text"},

    /* params */
    {"[4 0 7 'get nil", DKV_BAD_REQUEST, "the params are no map of at most 64 different text keys"},
    {"[4 0 7 'get [1 'k", DKV_BAD_REQUEST, "the params are no map of at most 64 different text keys"},
    {"[4 0 7 'get {2 'key 'k 'key 'k", DKV_BAD_REQUEST,
     "the params are no map of at most 64 different text keys"},
    {"[4 0 7 'get {2 'key 'k 1 2", DKV_BAD_REQUEST,
     "the params are no map of at most 64 different text keys"},
    {"[4 0 7 'get {1 #6b6579 'k", DKV_BAD_REQUEST, "the params are no map of at most 64 different text keys"},
    {"[4 0 7 'get {0", DKV_BAD_REQUEST, "key is missing: it must be 1 to 4096 bytes"},
    {"[4 0 7 'get {1 'key nil", DKV_BAD_REQUEST,
     "key is of the wrong type or out of range: it must be 1 to 4096 bytes"},
    {"[4 0 7 'get {1 'key 1", DKV_BAD_REQUEST,
     "key is of the wrong type or out of range: it must be 1 to 4096 bytes"},
    {"[4 0 7 'get {1 'key #", DKV_BAD_REQUEST, "key is too short: it must be 1 to 4096 bytes"},
    {"[4 0 7 'get {1 'key *4097", DKV_TOO_LARGE, "key is too long: it must be 1 to 4096 bytes"},
    {"[4 0 7 'put {1 'key 'k", DKV_BAD_REQUEST, "value is missing: it must be 0 to 1048576 bytes"},
    {"[4 0 7 'put {2 'key 'k 'value nil", DKV_BAD_REQUEST,
     "value is of the wrong type or out of range: it must be 0 to 1048576 bytes"},
    {"[4 0 7 'put {2 'key 'k 'value *1048577", DKV_TOO_LARGE,
     "value is too long: it must be 0 to 1048576 bytes"},
    {"[4 0 7 'get {2 'key 'k 'consistency 'eventual", DKV_BAD_REQUEST,
     "consistency is of the wrong type or out of range: it must be linearizable or stale"},
    {"[4 0 7 'get {2 'key 'k 'consistency 1", DKV_BAD_REQUEST,
     "consistency is of the wrong type or out of range: it must be linearizable or stale"},
    {"[4 0 7 'get {2 'key 'k 'timeout_ms 600001", DKV_BAD_REQUEST,
     "timeout_ms is of the wrong type or out of range: it must be a whole number up to 600000"},
    {"[4 0 7 'get {2 'key 'k 'timeout_ms xff", DKV_BAD_REQUEST,
     "timeout_ms is of the wrong type or out of range: it must be a whole number up to 600000"},
    {"[4 0 7 'get {2 'key 'k 'timeout_ms 9223372036854775808", DKV_BAD_REQUEST,
     "timeout_ms is of the wrong type or out of range: it must be a whole number up to 600000"},
    {"[4 0 7 'get {2 'key 'k 'fwd 1", DKV_BAD_REQUEST,
     "fwd is of the wrong type or out of range: it must be true or false"},
    {"[4 0 7 'scan {1 'limit 1001", DKV_BAD_REQUEST,
     "limit is of the wrong type or out of range: it must be a whole number up to 1000"},
    {"[4 0 7 'scan {1 'limit 1000000000", DKV_BAD_REQUEST,
     "limit is of the wrong type or out of range: it must be a whole number up to 1000"},
    {"[4 0 7 'scan {1 'shard 4097", DKV_BAD_REQUEST,
     "shard is of the wrong type or out of range: it must be a whole number up to 4096"},
    {"[4 0 7 'scan {1 'from *4097", DKV_TOO_LARGE, "from is too long: it must be 0 to 4096 bytes"},
    {"[4 0 7 'delete {2 'key 'k 'client #00", DKV_BAD_REQUEST,
     "client is of the wrong type or out of range: it must be 16 bytes"},
    {"[4 0 7 'delete {2 'key 'k 'seq xff", DKV_BAD_REQUEST,
     "seq is of the wrong type or out of range: it must be a whole number up to 18446744073709551615"},
};

START_TEST(a_request_is_taken_or_refused_in_words)
{
    struct buf bytes = {0};
    struct buf why = {0};
    struct request req;
    uint32_t id = NO_ID;
    notation_put(&bytes, request_cases[_i].words);
    dkv_err err = native_parse_request(doc, buf_slice(&bytes), &id, &req, &why);
    ck_assert_msg(err == request_cases[_i].err, "%s: %s", request_cases[_i].words, err_text(err));
    buf_put_u8(&why, '\0');
    ck_assert_str_eq((char *)why.data, request_cases[_i].why);
    ck_assert_uint_eq(id, err == DKV_MALFORMED ? NO_ID : 7); /* whoever can be answered is answered */

    uint32_t silent_id = NO_ID;
    ck_assert_int_eq(native_parse_request(doc, buf_slice(&bytes), &silent_id, &req, NULL), err);
    ck_assert_uint_eq(silent_id, id);
    buf_fini(&bytes);
    buf_fini(&why);
}
END_TEST

START_TEST(a_huge_method_name_is_cut_in_the_words)
{
    struct buf bytes = {0};
    struct buf why = {0};
    struct request req;
    uint32_t id = 0;
    notation_put(&bytes, "[4 0 7 *10240 {0");
    ck_assert_int_eq(native_parse_request(doc, buf_slice(&bytes), &id, &req, &why), DKV_UNSUPPORTED);
    ck_assert_uint_lt(why.len, 100);
    buf_fini(&bytes);
    buf_fini(&why);
}
END_TEST

START_TEST(params_of_more_keys_than_any_request_has_are_refused)
{
    struct buf bytes = {0};
    struct request req;
    uint32_t id = 0;
    notation_put(&bytes, "[4 0 7 'health {65");
    for (int i = 0; i < 65; i++) {
        struct buf name = {0};
        buf_printf(&name, "k%d", i);
        pack_put_text(&bytes, buf_slice(&name));
        pack_put_nil(&bytes);
        buf_fini(&name);
    }
    ck_assert_int_eq(native_parse_request(doc, buf_slice(&bytes), &id, &req, NULL), DKV_BAD_REQUEST);
    buf_fini(&bytes);
}
END_TEST

/* Replies, good and bad side by side. */
static const struct {
    const char *words;
    bool good;
} reply_cases[] = {
    {"[4 1 7 nil nil", true},
    {"[4 1 7 nil {0", true},
    {"[4 1 7 nil {2 'value 'v 'id 18446744073709551615", true},
    {"[4 1 7 nil {2 'mood 'good 'shape [1 nil", true},
    {"[4 1 7 {1 'code 10 nil", true},
    {"[4 1 7 {2 'code 10 'text 'gone {1 'shard 3", true},
    {"[4 1 7 {2 'code 99 'text 'new nil", true}, /* an error of a later version */
    {"[4 1 7 {2 'code 10 'detail 'd nil", true},
    {"7", false},
    {"[4 0 7 nil nil", false},
    {"[4 2 7 nil nil", false},
    {"[3 1 7 nil", false},
    {"[5 1 7 nil nil nil", false},
    {"[4 1 nil nil nil", false},
    {"[4 1 4294967296 nil nil", false},
    {"[4 1 7 'bad nil", false},
    {"[4 1 7 {0 nil", false},
    {"[4 1 7 {1 'code 0 nil", false}, /* an error that is none */
    {"[4 1 7 {1 'code 256 nil", false},
    {"[4 1 7 {1 'code 'x nil", false},
    {"[4 1 7 {2 'code 10 'code 11 nil", false},
    {"[4 1 7 {2 'code 10 'detail 1 nil", false},
    {"[4 1 7 nil [0", false},
    {"[4 1 7 nil {2 'id 1 'id 1", false},
    {"[4 1 7 nil {1 'id 'x", false},
    {"[4 1 7 nil {1 'id xff", false},
    {"[4 1 7 nil {1 'value 1", false},
    {"[4 1 7 nil {1 'shard 4294967296", false},
    {"[4 1 7 nil {1 'forwarded 1", false},
    {"[4 1 7 nil {1 'consistency 'eventual", false},
    {"[4 1 7 nil {1 'node nil", false},
    {"[4 1 7 nil {1 'node 'n1 1", false},
};

START_TEST(a_reply_is_taken_or_refused)
{
    struct buf bytes = {0};
    struct reply rep;
    uint32_t id = 0;
    notation_put(&bytes, reply_cases[_i].words);
    dkv_err err = native_parse_reply(doc, buf_slice(&bytes), &id, &rep);
    ck_assert_msg(err == (reply_cases[_i].good ? DKV_OK : DKV_MALFORMED), "%s", reply_cases[_i].words);
    ck_assert(err != DKV_OK || id == 7);
    buf_fini(&bytes);
}
END_TEST

START_TEST(a_damaged_message_does_no_harm)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct request req = random_request(&rng);
    struct reply rep = random_reply(&rng);
    struct buf why = {0};
    for (int round = 0; round < 100; round++) {
        struct buf bytes = {0};
        uint32_t id;
        struct request got_req;
        struct reply got_rep;
        native_put_request(&bytes, 1, &req);
        bytes.data[rng_below(&rng, bytes.len < 100 ? bytes.len : 100)] = (uint8_t)rng_next(&rng);
        dkv_err err = native_parse_request(doc, buf_slice(&bytes), &id, &got_req, &why);
        ck_assert(err == DKV_OK || err == DKV_MALFORMED || err == DKV_UNSUPPORTED || err == DKV_BAD_REQUEST ||
                  err == DKV_TOO_LARGE);
        buf_reset(&bytes);
        native_put_reply(&bytes, 1, &rep);
        bytes.data[rng_below(&rng, bytes.len < 100 ? bytes.len : 100)] = (uint8_t)rng_next(&rng);
        err = native_parse_reply(doc, buf_slice(&bytes), &id, &got_rep);
        ck_assert(err == DKV_OK || err == DKV_MALFORMED);
        buf_fini(&bytes);
    }
    buf_fini(&why);
}
END_TEST

START_TEST(encoding_survives_every_failed_allocation)
{
    struct request req = {.op = OP_PUT, .key = slice_of(noise, 1000), .value = slice_of(noise, 4000)};
    struct reply rep = {.err = DKV_NOT_FOUND, .detail = slice_of(noise, 500), .node = slice_str("n1")};
    bool done = false;
    for (int n = 0; !done; n++) {
        ck_assert_int_lt(n, 100);
        struct buf bytes = {0};
        mem_fail_after(n);
        native_put_request(&bytes, 1, &req);
        native_put_reply(&bytes, 1, &rep);
        mem_fail_after(-1);
        done = buf_ok(&bytes);
        buf_fini(&bytes);
    }
}
END_TEST

Suite *native_suite(void)
{
    Suite *suite = suite_create("native");
    TCase *cases = tcase_create("native");
    tcase_add_checked_fixture(cases, open_doc, close_doc);
    tcase_add_loop_test(cases, a_random_request_comes_back, 0, 200);
    tcase_add_loop_test(cases, a_random_reply_comes_back, 0, 200);
    tcase_add_test(cases, the_largest_put_fits_a_request);
    tcase_add_test(cases, messages_look_as_the_protocol_says);
    tcase_add_loop_test(cases, a_request_is_taken_or_refused_in_words, 0,
                        (int)(sizeof request_cases / sizeof request_cases[0]));
    tcase_add_test(cases, a_huge_method_name_is_cut_in_the_words);
    tcase_add_test(cases, params_of_more_keys_than_any_request_has_are_refused);
    tcase_add_loop_test(cases, a_reply_is_taken_or_refused, 0,
                        (int)(sizeof reply_cases / sizeof reply_cases[0]));
    tcase_add_loop_test(cases, a_damaged_message_does_no_harm, 0, 20);
    tcase_add_test(cases, encoding_survives_every_failed_allocation);
    suite_add_tcase(suite, cases);
    return suite;
}
