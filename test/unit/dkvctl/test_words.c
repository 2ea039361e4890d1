/* test_words.c - cutting lines into words. */
#include "suites.h"

#include "base/mem.h"
#include "dkvctl/words.h"

/* words: joined with '|'; NULL: refused. */
static const struct {
    const char *line;
    const char *words;
} lines[] = {
    {"", ""},
    {" \t\r\n", ""},
    {"# a comment", ""},
    {"get key", "get|key"},
    {"get key\n", "get|key"},
    {"  put\tkey  value ", "put|key|value"},
    {"put key #5", "put|key|#5"},
    {"put k \"hello world\"", "put|k|hello world"},
    {"put k 'hello \\ world'", "put|k|hello \\ world"},
    {"put k \"\"", "put|k|"},
    {"put k ''", "put|k|"},
    {"put k a\\ b", "put|k|a b"},
    {"put k a\"b c\"d", "put|k|ab cd"},
    {"put k \"a\\nb\\tc\\rd\\\\e\\\"f\"", "put|k|a\nb\tc\rd\\e\"f"},
    {"put k \"\\x41\\x7e\"", "put|k|A~"},
    {"put k \"caf\xc3\xa9\"", "put|k|caf\xc3\xa9"},
    {"put k \\", "put|k|\\"},
    {"put k \"open", NULL},
    {"put k 'open", NULL},
    {"put k \"\\x4\"", NULL},
    {"put k \"\\x00\"", NULL},
    {"put k \"\\xzz\"", NULL},
    {"put k \"ends with \\", NULL},
};

static void join(const struct words *w, struct buf *out)
{
    for (int i = 1; i < w->argc; i++) {
        buf_put_text(out, i > 1 ? "|" : "");
        buf_put_text(out, w->argv[i]);
    }
}

START_TEST(lines_are_cut_as_a_shell_would)
{
    struct words w;
    struct buf why = {0};
    struct buf joined = {0};
    dkv_err err = words_split(slice_str(lines[_i].line), &w, &why);
    if (lines[_i].words == NULL) {
        ck_assert_int_eq(err, DKV_CONFIG);
        ck_assert_uint_gt(why.len, 0);
    } else {
        ck_assert_int_eq(err, DKV_OK);
        ck_assert_str_eq(w.argv[0], "dkvctl");
        ck_assert_ptr_null(w.argv[w.argc]);
        join(&w, &joined);
        ck_assert(slice_eq(buf_slice(&joined), slice_str(lines[_i].words)));
    }
    words_fini(&w);
    buf_fini(&why);
    buf_fini(&joined);
}
END_TEST

START_TEST(a_nul_byte_and_too_many_words_are_refused)
{
    struct words w;
    struct buf why = {0};
    struct buf line = {0};
    ck_assert_int_eq(words_split(slice_of("put a\0b", 7), &w, &why), DKV_CONFIG);
    words_fini(&w);
    for (int i = 0; i < WORDS_MAX; i++) {
        buf_put_text(&line, "x ");
    }
    ck_assert_int_eq(words_split(buf_slice(&line), &w, &why), DKV_CONFIG);
    words_fini(&w);
    buf_fini(&why);
    buf_fini(&line);
}
END_TEST

START_TEST(it_survives_every_failed_allocation)
{
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 100);
        struct words w;
        struct buf why = {0};
        mem_fail_after(n);
        err = words_split(
            slice_str("put key \"a long enough value to make the buffer grow once or twice\" x"), &w, &why);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
        words_fini(&w);
        buf_fini(&why);
    }
}
END_TEST

Suite *words_suite(void)
{
    Suite *s = suite_create("words");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, lines_are_cut_as_a_shell_would, 0, sizeof lines / sizeof lines[0]);
    tcase_add_test(t, a_nul_byte_and_too_many_words_are_refused);
    tcase_add_test(t, it_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
