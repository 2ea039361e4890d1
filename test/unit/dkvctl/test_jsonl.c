/* test_jsonl.c - lines of JSON, canonical and not. */
#include "suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "dkvctl/jsonl.h"

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }

/* What is written so is read so, and the other way round. */
static const struct {
    struct slice key;
    struct slice value;
    const char *line;
} canonical[] = {
    {BYTES("city"), BYTES("Ulm"), "{\"key\":\"city\",\"value\":\"Ulm\"}\n"},
    {BYTES("k"), BYTES(""), "{\"key\":\"k\",\"value\":\"\"}\n"},
    {BYTES("a b/c"), BYTES("</>\x7f"), "{\"key\":\"a b/c\",\"value\":\"</>\x7f\"}\n"},
    {BYTES("\"\\"), BYTES("\b\t\n\f\r"), "{\"key\":\"\\\"\\\\\",\"value\":\"\\b\\t\\n\\f\\r\"}\n"},
    {BYTES("\0"), BYTES("\x01\x0b\x1f"), "{\"key\":\"\\u0000\",\"value\":\"\\u0001\\u000b\\u001f\"}\n"},
    {BYTES("Gr\xc3\xbc\xc3\x9f"), BYTES("\xf0\x9f\x98\x80"),
     "{\"key\":\"Gr\xc3\xbc\xc3\x9f\",\"value\":\"\xf0\x9f\x98\x80\"}\n"},
    {BYTES("\xff"), BYTES("a\xc3"), "{\"key\":{\"base64\":\"/w==\"},\"value\":{\"base64\":\"YcM=\"}}\n"},
    {BYTES("{\"base64\":\"/w==\"}"), BYTES("17"),
     "{\"key\":\"{\\\"base64\\\":\\\"/w==\\\"}\",\"value\":\"17\"}\n"},
};

START_TEST(the_canonical_line_of_a_pair_is_as_written_here_and_reads_back)
{
    struct jsonl j = {0};
    struct buf out = {0};
    struct buf why = {0};
    struct slice key;
    struct slice value;
    jsonl_put(canonical[_i].key, canonical[_i].value, &out);
    ck_assert(slice_eq(buf_slice(&out), slice_str(canonical[_i].line)));
    ck_assert_int_eq(jsonl_parse(&j, slice_of(out.data, out.len - 1), &key, &value, &why), DKV_OK);
    ck_assert(slice_eq(key, canonical[_i].key));
    ck_assert(slice_eq(value, canonical[_i].value));
    jsonl_fini(&j);
    buf_fini(&out);
    buf_fini(&why);
}
END_TEST

/* NULL key: refused. */
static const struct {
    const char *line;
    const char *key;
    const char *value;
} lines[] = {
    {"{\"key\":\"k\",\"value\":\"v\"}", "k", "v"},
    {" { \"value\" : \"v\" , \"key\" : \"k\" } \r", "k", "v"},
    {"{\"\\u006bey\":\"\\u006b\",\"v\\u0061lue\":\"\\/\"}", "k", "/"},
    {"{\"key\":\"k\",\"value\":\"v\",\"id\":12,\"version\":3}", "k", "v"},
    {"{\"key\":{\"base64\":\"aw==\"},\"value\":{\"base64\":\"\"}}", "k", ""},

    /* values that are no strings: their own text, without blanks */
    {"{\"key\":\"k\",\"value\":17}", "k", "17"},
    {"{\"key\":\"k\",\"value\": 1.10 }", "k", "1.10"},
    {"{\"key\":\"k\",\"value\":1e3}", "k", "1e3"},
    {"{\"key\":\"k\",\"value\":true}", "k", "true"},
    {"{\"key\":\"k\",\"value\":null}", "k", "null"},
    {"{\"key\":\"k\",\"value\":{}}", "k", "{}"},
    {"{\"value\": { \"a b\" : [ 1 , \"}, \\\" ]\" , {} ] } ,\"key\":\"k\"}", "k",
     "{\"a b\":[1,\"}, \\\" ]\",{}]}"},
    {"{\"key\":\"k\",\"v\\u0061lue\":[ 1 ]}", "k", "[1]"},

    {"", NULL, NULL},
    {"x", NULL, NULL},
    {"{", NULL, NULL},
    {"17", NULL, NULL},
    {"null", NULL, NULL},
    {"\"key\"", NULL, NULL},
    {"[\"key\",\"value\"]", NULL, NULL},
    {"{}", NULL, NULL},
    {"{\"key\":\"k\"}", NULL, NULL},
    {"{\"value\":\"v\"}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"v\"} {}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"v\"},", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"v\",}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"v\",\"ttl\":5}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"v\",\"value\":\"w\"}", NULL, NULL},
    {"{\"key\":17,\"value\":\"v\"}", NULL, NULL},
    {"{\"key\":null,\"value\":\"v\"}", NULL, NULL},
    {"{\"key\":{\"base64\":\"?\"},\"value\":\"v\"}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":{\"base64\":\"?\"}}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":{\"base64\":5}}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":{\"base64\":\"\",\"x\":1}}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"\\ud800\"}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"\xff\"}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":\"\t\"}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":01}", NULL, NULL},
    {"{\"key\":\"k\",\"value\":NaN}", NULL, NULL},
    {"\xef\xbb\xbf{\"key\":\"k\",\"value\":\"v\"}", NULL, NULL},
};

START_TEST(a_line_is_read_as_written_here_or_refused_with_a_reason)
{
    struct jsonl j = {0};
    struct buf why = {0};
    struct slice key;
    struct slice value;
    bool good = lines[_i].key != NULL;
    dkv_err err = jsonl_parse(&j, slice_str(lines[_i].line), &key, &value, &why);
    ck_assert_msg(err == (good ? DKV_OK : DKV_MALFORMED), "%s: %d", lines[_i].line, (int)err);
    ck_assert_int_eq(why.len > 0, !good);
    ck_assert(!good || slice_eq(key, slice_str(lines[_i].key)));
    ck_assert_msg(!good || slice_eq(value, slice_str(lines[_i].value)), "%s", lines[_i].line);
    jsonl_fini(&j);
    buf_fini(&why);
}
END_TEST

START_TEST(any_bytes_come_back_from_their_line)
{
    struct jsonl j = {0};
    struct buf out = {0};
    struct buf why = {0};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct rng rng = {.state = seed};
        uint8_t bytes[24];
        struct slice key;
        struct slice value;
        size_t len = 1 + (size_t)rng_below(&rng, sizeof bytes);
        size_t split = (size_t)rng_below(&rng, len);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)rng_below(&rng, rng_below(&rng, 2) == 0 ? 128 : 256);
        }
        buf_reset(&out);
        jsonl_put(slice_of(bytes, split), slice_of(bytes + split, len - split), &out);
        dkv_err err = jsonl_parse(&j, slice_of(out.data, out.len - 1), &key, &value, &why);
        ck_assert_msg(err == DKV_OK && slice_eq(key, slice_of(bytes, split)) &&
                          slice_eq(value, slice_of(bytes + split, len - split)),
                      "seed %llu", (unsigned long long)seed);
    }
    jsonl_fini(&j);
    buf_fini(&out);
    buf_fini(&why);
}
END_TEST

/* A string that could not be copied looks malformed to the parser (proto/json.h), so that is fine, too. */
START_TEST(reading_survives_every_failed_allocation)
{
    static const char line[] = "{\"key\":{\"base64\":\"/w==\"},\"v\\u0061lue\":[1,2]}";
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 200);
        struct jsonl j = {0};
        struct buf why = {0};
        struct slice key;
        struct slice value;
        mem_fail_after(n);
        err = jsonl_parse(&j, slice_str(line), &key, &value, &why);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY || err == DKV_MALFORMED);
        ck_assert(err != DKV_OK || slice_eq(value, slice_str("[1,2]")));
        jsonl_fini(&j);
        buf_fini(&why);
    }
}
END_TEST

Suite *jsonl_suite(void)
{
    Suite *s = suite_create("jsonl");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, the_canonical_line_of_a_pair_is_as_written_here_and_reads_back, 0,
                        sizeof canonical / sizeof canonical[0]);
    tcase_add_loop_test(t, a_line_is_read_as_written_here_or_refused_with_a_reason, 0,
                        sizeof lines / sizeof lines[0]);
    tcase_add_test(t, any_bytes_come_back_from_their_line);
    tcase_add_test(t, reading_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
