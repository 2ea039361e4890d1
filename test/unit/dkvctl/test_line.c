/* test_line.c - the formats of import. */
#include "suites.h"

#include "dkvctl/line.h"

static const struct {
    enum line_format format;
    const char *line;
    dkv_err err;
    const char *key;
    const char *value;
} cases[] = {
    {LINE_TSV, "a\tone", DKV_OK, "a", "one"},
    {LINE_TSV, "a\t", DKV_OK, "a", ""},
    {LINE_TSV, "a\tone\ttwo", DKV_OK, "a", "one\ttwo"},
    {LINE_TSV, "{a}\tone", DKV_OK, "{a}", "one"},
    {LINE_TSV, "a", DKV_MALFORMED, NULL, NULL},
    {LINE_TSV, "", DKV_MALFORMED, NULL, NULL},
    {LINE_TSV, "\tone", DKV_MALFORMED, NULL, NULL},
    {LINE_KEYS, "a\tone", DKV_OK, "a\tone", "7"},
    {LINE_KEYS, "{\"key\":\"a\",\"value\":\"one\"}", DKV_OK, "{\"key\":\"a\",\"value\":\"one\"}", "7"},
    {LINE_KEYS, "", DKV_MALFORMED, NULL, NULL},
    {LINE_JSONL, "{\"key\":\"a\",\"value\":\"one\"}", DKV_OK, "a", "one"},
    {LINE_JSONL, "{\"key\":\"\",\"value\":\"one\"}", DKV_MALFORMED, NULL, NULL},
    {LINE_JSONL, "a\tone", DKV_MALFORMED, NULL, NULL},
    {LINE_GUESS, "{\"key\":\"a\",\"value\":\"one\"}", DKV_OK, "a", "one"},
    {LINE_GUESS, "a\tone", DKV_OK, "a", "one"},
    {LINE_GUESS, " {\"key\":\"a\"\t}", DKV_OK, " {\"key\":\"a\"", "}"},
    {LINE_GUESS, "{a}\tone", DKV_MALFORMED, NULL, NULL},
};

START_TEST(a_line_is_a_pair_in_its_format_or_refused_with_a_reason)
{
    struct line_reader r = {.format = cases[_i].format};
    struct line_pair pair;
    struct buf why = {0};
    ck_assert_int_eq(line_read(&r, slice_str(cases[_i].line), 7, &pair, &why), cases[_i].err);
    ck_assert_int_eq(why.len > 0, cases[_i].err != DKV_OK);
    if (cases[_i].err == DKV_OK) {
        ck_assert(slice_eq(pair.key, slice_str(cases[_i].key)));
        ck_assert(slice_eq(pair.value, slice_str(cases[_i].value)));
    }
    line_reader_fini(&r);
    buf_fini(&why);
}
END_TEST

START_TEST(the_first_line_decides_for_all)
{
    struct line_reader r = {.format = LINE_GUESS};
    struct line_pair pair;
    struct buf why = {0};
    ck_assert_int_eq(line_read(&r, slice_str("a\tone"), 1, &pair, &why), DKV_OK);
    ck_assert_int_eq(line_read(&r, slice_str("{\"key\":\"b\"\t"), 2, &pair, &why), DKV_OK);
    ck_assert(slice_eq(pair.key, slice_str("{\"key\":\"b\"")));
    line_reader_fini(&r);
    buf_fini(&why);
}
END_TEST

START_TEST(keys_and_values_have_their_bounds)
{
    static uint8_t line[KEY_BYTES_MAX + 1 + 1 + VALUE_BYTES_MAX + 1];
    static const struct {
        size_t key;
        size_t value;
        dkv_err err;
    } sizes[] = {{KEY_BYTES_MAX, VALUE_BYTES_MAX, DKV_OK},
                 {KEY_BYTES_MAX + 1, 1, DKV_TOO_LARGE},
                 {1, VALUE_BYTES_MAX + 1, DKV_TOO_LARGE}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct line_reader r = {.format = LINE_TSV};
        struct line_pair pair;
        struct buf why = {0};
        memset(line, 'x', sizeof line);
        line[sizes[i].key] = '\t';
        struct slice text = slice_of(line, sizes[i].key + 1 + sizes[i].value);
        ck_assert_int_eq(line_read(&r, text, 1, &pair, &why), sizes[i].err);
        buf_fini(&why);
    }
}
END_TEST

START_TEST(formats_are_found_by_their_exact_names)
{
    static const char *const bad[] = {"", "json", "JSONL", "jsonl ", "guess"};
    enum line_format format = LINE_GUESS;
    ck_assert(line_find_format("jsonl", &format) && format == LINE_JSONL);
    ck_assert(line_find_format("tsv", &format) && format == LINE_TSV);
    ck_assert(line_find_format("lines", &format) && format == LINE_KEYS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert(!line_find_format(bad[i], &format));
    }
}
END_TEST

Suite *line_suite(void)
{
    Suite *s = suite_create("line");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, a_line_is_a_pair_in_its_format_or_refused_with_a_reason, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_test(t, the_first_line_decides_for_all);
    tcase_add_test(t, keys_and_values_have_their_bounds);
    tcase_add_test(t, formats_are_found_by_their_exact_names);
    suite_add_tcase(s, t);
    return s;
}
