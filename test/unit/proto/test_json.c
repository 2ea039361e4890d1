/* test_json.c - JSON documents, built and parsed. */
#include "suites.h"

#include "base/mem.h"
#include "proto/json.h"

/* Dump root and compare. */
static void check_dump(struct json *root, const char *expected)
{
    struct buf out = {0};
    ck_assert_int_eq(json_dump(root, &out), DKV_OK);
    buf_put_u8(&out, '\0');
    ck_assert_str_eq((char *)out.data, expected);
    buf_fini(&out);
}

static struct json *sample(void)
{
    struct json *replicas = json_new_array();
    json_add(replicas, json_new_bytes(slice_str("n1")));
    json_add(replicas, json_new_bytes(slice_str("n2")));
    struct json *root = json_new_object();
    json_set(root, "shard", json_new_number(3));
    json_set(root, "leader", json_new_bytes(slice_str("n2")));
    json_set(root, "replicas", replicas);
    json_set(root, "up", json_new_bool(true));
    json_set(root, "above", json_new_null());
    json_set(root, "blob", json_new_bytes(slice_of("\xff", 1)));
    return root;
}

START_TEST(a_document_is_compact_and_keeps_its_order)
{
    check_dump(sample(),
               "{\"shard\":3,\"leader\":\"n2\",\"replicas\":[\"n1\",\"n2\"],\"up\":true,\"above\":null,"
               "\"blob\":{\"base64\":\"/w==\"}}");
    check_dump(json_new_object(), "{}");
    check_dump(json_new_array(), "[]");
    check_dump(json_new_bool(false), "false");
}
END_TEST

START_TEST(numbers_are_exact_up_to_their_maximum_and_refused_beyond)
{
    check_dump(json_new_number(0), "0");
    check_dump(json_new_number(9007199254740993), "9007199254740993"); /* no double holds it */
    check_dump(json_new_number(JSON_NUMBER_MAX), "9223372036854775807");
    ck_assert_ptr_null(json_new_number(JSON_NUMBER_MAX + 1));
}
END_TEST

START_TEST(bytes_are_a_string_when_they_are_utf8_and_base64_when_not)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"a\0b\n", 4, "\"a\\u0000b\\n\""},
        {"\xc3\xa4", 2, "\"\xc3\xa4\""},
        {"<script>", 8, "\"<script>\""},
        {"\xff\xfe", 2, "{\"base64\":\"//4=\"}"},
        {"\xed\xa0\x80", 3, "{\"base64\":\"7aCA\"}"}, /* a lone surrogate */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice bytes = slice_of(cases[i].bytes, cases[i].len);
        check_dump(json_new_bytes(bytes), cases[i].json);

        struct json *back = NULL;
        struct buf scratch = {0};
        struct slice read = {0};
        ck_assert_int_eq(json_parse(slice_str(cases[i].json), &back, &scratch), DKV_OK);
        ck_assert(json_get_bytes(back, &read, &scratch));
        ck_assert(slice_eq(read, bytes));
        json_free(back);
        buf_fini(&scratch);
    }
}
END_TEST

START_TEST(whatever_is_lost_shows_when_the_document_is_dumped)
{
    struct buf out = {0};
    buf_put_text(&out, "before");
    struct json *inner = json_new_array();
    json_add(inner, json_new_number(UINT64_MAX));
    json_add(inner, json_new_number(UINT64_MAX)); /* losing twice is as losing once */
    json_add(inner, json_new_number(1));
    struct json *root = json_new_object();
    json_set(root, "inner", inner);
    json_set(root, "more", json_new_number(1));
    ck_assert_int_eq(json_dump(root, &out), DKV_NO_MEMORY);
    ck_assert_int_eq(json_dump(NULL, &out), DKV_NO_MEMORY);
    ck_assert(slice_eq(buf_slice(&out), slice_str("before")));
    buf_fini(&out);
}
END_TEST

START_TEST(a_lost_document_can_be_freed)
{
    struct json *root = json_new_object();
    json_set(root, "lost", NULL);
    json_free(root);
    json_free(NULL);
    json_set(NULL, "name", json_new_object());
    json_add(NULL, json_new_object());
}
END_TEST

START_TEST(building_survives_every_failed_allocation)
{
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 200);
        struct buf out = {0};
        mem_fail_after(n);
        err = json_dump(sample(), &out);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
        ck_assert(err == DKV_OK || out.len == 0);
        buf_fini(&out);
    }
}
END_TEST

START_TEST(parsing_survives_every_failed_allocation)
{
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 200);
        struct buf why = {0};
        struct json *root = NULL;
        mem_fail_after(n);
        err = json_parse(slice_str("{\"a\":[1,true,\"text\"],\"b\":{\"c\":null}}"), &root, &why);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY || err == DKV_MALFORMED);
        json_free(root);
        buf_fini(&why);
    }
}
END_TEST

/* Texts, and the begin of what is said of the bad ones. */
static const struct {
    const char *text;
    const char *why; /* NULL: a good document */
} parse_cases[] = {
    {"{}", NULL},
    {" [1, -2, 3.5, \"a\\u00e4\", null, true]\n", NULL},
    {"\"text\"", NULL},
    {"9223372036854775807", NULL},
    {"\"\\ud83d\\ude00\"", NULL},
    {"{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}", NULL},
    {"", "line 1: "},
    {"{", "line 1: "},
    {"[1,\n2,\n", "line 3: "},
    {"{} x", "line 1: "},
    {"[1,]", "line 1: "},
    {"{'a':1}", "line 1: "},
    {"{\"a\":1,\"a\":2}", "line 1: "},
    {"NaN", "line 1: "},
    {"9223372036854775808", "line 1: "},
    {"1e999999", "line 1: "},
    {"\"\\ud800\"", "line 1: "},
    {"\"\xff\"", "line 1: "},
    {"\xef\xbb\xbf{}", "line 1: "},
    {"\"\n\"", "line "},
    {"]]]]", "line 1: "},
};

START_TEST(a_document_is_accepted_or_refused_with_its_line)
{
    struct buf why = {0};
    struct json *root = NULL;
    dkv_err err = json_parse(slice_str(parse_cases[_i].text), &root, &why);
    if (parse_cases[_i].why == NULL) {
        ck_assert_msg(err == DKV_OK, "%s", parse_cases[_i].text);
    } else {
        ck_assert_msg(err == DKV_MALFORMED, "%s", parse_cases[_i].text);
        ck_assert_ptr_null(root);
        ck_assert(slice_has_prefix(buf_slice(&why), slice_str(parse_cases[_i].why)));
        ck_assert_uint_lt(why.len, 500);
    }
    json_free(root);
    buf_fini(&why);
}
END_TEST

static dkv_err parse_nested(size_t depth)
{
    struct buf text = {0};
    struct buf why = {0};
    for (size_t i = 0; i < depth; i++) {
        buf_put_text(&text, i % 2 == 0 ? "[" : "{\"a\":");
    }
    buf_put_text(&text, "1");
    for (size_t i = depth; i > 0; i--) {
        buf_put_text(&text, i % 2 == 1 ? "]" : "}");
    }
    struct json *root = NULL;
    dkv_err err = json_parse(buf_slice(&text), &root, &why);
    json_free(root);
    buf_fini(&text);
    buf_fini(&why);
    return err;
}

START_TEST(depth_has_a_limit)
{
    ck_assert_int_eq(parse_nested(1), DKV_OK);
    ck_assert_int_eq(parse_nested(JSON_DEPTH_MAX), DKV_OK);
    ck_assert_int_eq(parse_nested(JSON_DEPTH_MAX + 1), DKV_MALFORMED);
    ck_assert_int_eq(parse_nested(10000), DKV_MALFORMED);
}
END_TEST

START_TEST(access_is_by_type_and_never_fails)
{
    struct json *root = NULL;
    struct buf scratch = {0};
    static const char text[] =
        "{\"n\":7,\"neg\":-1,\"real\":1.0,\"s\":\"x\",\"a\":[1,2],\"b64\":{\"base64\":\"!\"},"
        "\"two\":{\"base64\":\"eA==\",\"x\":1},\"empty\":{\"base64\":\"\"}}";
    ck_assert_int_eq(json_parse(slice_str(text), &root, &scratch), DKV_OK);
    uint64_t n = 0;
    struct slice s = {0};
    ck_assert(json_get_number(json_get(root, "n"), &n) && n == 7);
    ck_assert(!json_get_number(json_get(root, "neg"), &n));
    ck_assert(!json_get_number(json_get(root, "real"), &n));
    ck_assert(!json_get_number(json_get(root, "s"), &n));
    ck_assert(!json_get_number(json_get(root, "none"), &n));
    ck_assert(json_get_bytes(json_get(root, "s"), &s, &scratch) && slice_eq(s, slice_str("x")));
    ck_assert(json_get_bytes(json_get(root, "empty"), &s, &scratch) && s.len == 0);
    ck_assert(!json_get_bytes(json_get(root, "n"), &s, &scratch));
    ck_assert(!json_get_bytes(json_get(root, "b64"), &s, &scratch));
    ck_assert(!json_get_bytes(json_get(root, "two"), &s, &scratch));
    ck_assert_uint_eq(json_len(json_get(root, "a")), 2);
    ck_assert_uint_eq(json_len(root), 0);
    ck_assert(json_get_number(json_at(json_get(root, "a"), 1), &n) && n == 2);
    ck_assert_ptr_null(json_at(json_get(root, "a"), 2));
    ck_assert_ptr_null(json_at(root, 0));
    ck_assert_ptr_null(json_get(json_get(root, "a"), "n"));
    ck_assert_ptr_null(json_get(NULL, "n"));
    json_free(root);
    buf_fini(&scratch);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *cases = tcase_create("json");
    tcase_add_test(cases, a_document_is_compact_and_keeps_its_order);
    tcase_add_test(cases, numbers_are_exact_up_to_their_maximum_and_refused_beyond);
    tcase_add_test(cases, bytes_are_a_string_when_they_are_utf8_and_base64_when_not);
    tcase_add_test(cases, whatever_is_lost_shows_when_the_document_is_dumped);
    tcase_add_test(cases, a_lost_document_can_be_freed);
    tcase_add_test(cases, building_survives_every_failed_allocation);
    tcase_add_test(cases, parsing_survives_every_failed_allocation);
    tcase_add_loop_test(cases, a_document_is_accepted_or_refused_with_its_line, 0,
                        (int)(sizeof parse_cases / sizeof parse_cases[0]));
    tcase_add_test(cases, depth_has_a_limit);
    tcase_add_test(cases, access_is_by_type_and_never_fails);
    suite_add_tcase(suite, cases);
    return suite;
}
