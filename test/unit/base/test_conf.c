/* test_conf.c - settings files: what is read, what is refused, and that what is written is read alike. */
#include "suites.h"

#include "base/buf.h"
#include "base/conf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>

#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *text;
    size_t len;
    const char *read; /* the settings as [line key|value] */
} good[] = {
    {TEXT(""), ""},
    {TEXT("\n"), ""},
    {TEXT("\n \n\t\n# only a comment\n   # another = one\n"), ""},
    {TEXT("a = b\n"), "[1 a|b]"},
    {TEXT("a=b\n"), "[1 a|b]"},
    {TEXT(" \ta\t =\t b \t\n"), "[1 a|b]"},
    {TEXT("a = b\n\n# c\nd = e\n"), "[1 a|b][4 d|e]"},
    {TEXT("a =\n"), "[1 a|]"},
    {TEXT("a = \"\"\n"), "[1 a|]"},
    {TEXT("a = \" b \"\n"), "[1 a| b ]"},
    {TEXT("a = \"\n"), "[1 a|\"]"},
    {TEXT("a = \"\"b\"\"\n"), "[1 a|\"b\"]"},
    {TEXT("a = b # no comment\n"), "[1 a|b # no comment]"},
    {TEXT("a = n1=h:1,n2=h:2\n"), "[1 a|n1=h:1,n2=h:2]"},
    {TEXT("a = \\n \\\" '\n"), "[1 a|\\n \\\" ']"},
    {TEXT("a = \xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x98\n"), "[1 a|\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x98]"},
    {TEXT("two words = b\n"), "[1 two words|b]"},
    {TEXT("a = b\na = c\n"), "[1 a|b][2 a|c]"}, /* twice: the caller's business */
};

static const struct {
    const char *text;
    size_t len;
    unsigned line;
    const char *why; /* the beginning of the message */
} bad[] = {
    {TEXT("a"), 1, "the last line has no newline"},
    {TEXT("a = b"), 1, "the last line has no newline"},
    {TEXT("a = b\n# cut"), 2, "the last line has no newline"},
    {TEXT("a\n"), 1, "\"a\" is no setting: allowed are key = value"},
    {TEXT("\n\n= b\n"), 3, "\"= b\" is no setting"},
    {TEXT("=\n"), 1, "\"=\" is no setting"},
    {TEXT("[section]\n"), 1, "\"[section]\" is no setting"},
    {TEXT("a: b\n"), 1, "\"a: b\" is no setting"},
    {TEXT("a = b\r\n"), 1, "the line ends with CR LF: allowed is LF alone"},
    {TEXT("\r\n"), 1, "the line ends with CR LF"},
    {TEXT("# c\na = b\rc = d\n"), 2, "there is a control character, 0x0d"},
    {TEXT("\xEF\xBB\xBF"), 1, "the file begins with a byte order mark"},
    {TEXT("\xEF\xBB\xBF"
          "a = b\n"),
     1, "the file begins with a byte order mark"},
    {TEXT("a = b\0c\n"), 1, "there is a control character, 0x00"},
    {TEXT("\0\n"), 1, "there is a control character, 0x00"},
    {TEXT("a = \x1b[31m\n"), 1, "there is a control character, 0x1b"},
    {TEXT("a = \x7f\n"), 1, "there is a control character, 0x7f"},
    {TEXT("# \xff\n"), 1, "this is not UTF-8"},
    {TEXT("a = \xC3\n"), 1, "this is not UTF-8"},
    {TEXT("a = \xED\xA0\x80\n"), 1, "this is not UTF-8"},
    {TEXT("a = \xC0\xAF\n"), 1, "this is not UTF-8"},
};

/* All settings as good[].read shows them; returns why reading ended. */
static dkv_err read_all(struct conf *c, struct slice text, struct buf *read, struct buf *why)
{
    dkv_err err = DKV_OK;
    conf_init(c, text);
    while ((err = conf_next(c, why)) == DKV_OK) {
        buf_printf(read, "[%u ", c->line);
        buf_put(read, c->key);
        buf_put_u8(read, '|');
        buf_put(read, c->value);
        buf_put_u8(read, ']');
    }
    buf_put_u8(read, '\0');
    buf_put_u8(why, '\0');
    return err;
}

START_TEST(settings_are_read_with_their_lines)
{
    struct conf c;
    struct buf read = {0};
    struct buf why = {0};
    dkv_err err = read_all(&c, slice_of(good[_i].text, good[_i].len), &read, &why);
    ck_assert_msg(err == DKV_NOT_FOUND, "%s: %s", good[_i].text, (char *)why.data);
    ck_assert_str_eq((char *)read.data, good[_i].read);
    buf_fini(&read);
    buf_fini(&why);
}
END_TEST

START_TEST(what_is_wrong_is_told_with_its_line)
{
    struct conf c;
    struct buf read = {0};
    struct buf why = {0};
    ck_assert_int_eq(read_all(&c, slice_of(bad[_i].text, bad[_i].len), &read, &why), DKV_CONFIG);
    ck_assert_msg(strncmp((char *)why.data, bad[_i].why, strlen(bad[_i].why)) == 0, "%s", (char *)why.data);
    ck_assert_ptr_null(strchr((char *)why.data, '\n'));
    ck_assert_uint_eq(c.line, bad[_i].line);
    ck_assert_int_eq(conf_next(&c, &why), DKV_NOT_FOUND); /* and that is the end */
    buf_fini(&read);
    buf_fini(&why);
}
END_TEST

START_TEST(a_line_of_ten_megabytes_is_refused_in_one_short_sentence)
{
    enum { HUGE_BYTES = 10 << 20 };
    static char text[HUGE_BYTES + 8];
    struct conf c;
    struct buf read = {0};
    struct buf why = {0};
    memset(text, 'x', sizeof text);
    memcpy(text, "a = b\n", 6);
    text[sizeof text - 1] = '\n';
    ck_assert_int_eq(read_all(&c, slice_of(text, sizeof text), &read, &why), DKV_CONFIG);
    ck_assert_uint_eq(c.line, 2);
    ck_assert_uint_lt(why.len, 100);
    text[6 + CONF_LINE_BYTES_MAX] = '\n'; /* just short enough, but no setting */
    buf_reset(&why);
    ck_assert_int_eq(read_all(&c, slice_of(text, sizeof text), &read, &why), DKV_CONFIG);
    ck_assert_ptr_nonnull(strstr((char *)why.data, "is no setting"));
    ck_assert_uint_lt(why.len, 200);
    buf_fini(&read);
    buf_fini(&why);
}
END_TEST

START_TEST(what_is_written_is_read_alike)
{
    static const char letters[] = "ab =#\"\t,";
    struct rng rng = {4711};
    for (int round = 0; round < 2000; round++) {
        char value[9];
        size_t len = rng_next(&rng) % sizeof value;
        struct buf text = {0};
        struct buf why = {0};
        struct conf c;
        for (size_t i = 0; i < len; i++) {
            value[i] = letters[rng_below(&rng, sizeof letters - 1)];
        }
        conf_put("key", slice_of(value, len), &text);
        conf_init(&c, buf_slice(&text));
        ck_assert_int_eq(conf_next(&c, &why), DKV_OK);
        ck_assert(slice_eq(c.key, slice_str("key")));
        ck_assert_msg(slice_eq(c.value, slice_of(value, len)), "seed 4711, round %d", round);
        ck_assert_int_eq(conf_next(&c, &why), DKV_NOT_FOUND);
        buf_fini(&text);
        buf_fini(&why);
    }
}
END_TEST

START_TEST(any_bytes_are_read_or_refused)
{
    static const char *const pieces[] = {"a", "=",  "\n",           " ",    "\"",
                                         "#", "\r", "\xEF\xBB\xBF", "\xC3", "key = v\n"};
    struct rng rng = {42};
    for (int round = 0; round < 5000; round++) {
        struct buf text = {0};
        struct buf read = {0};
        struct buf why = {0};
        struct conf c;
        for (uint64_t n = rng_next(&rng) % 12; n > 0; n--) {
            buf_put_text(&text, pieces[rng_next(&rng) % (sizeof pieces / sizeof pieces[0])]);
        }
        dkv_err err = read_all(&c, buf_slice(&text), &read, &why);
        ck_assert(err == DKV_NOT_FOUND || err == DKV_CONFIG);
        ck_assert((err == DKV_CONFIG) == (why.len > 1));
        buf_fini(&text);
        buf_fini(&read);
        buf_fini(&why);
    }
}
END_TEST

START_TEST(without_memory_for_the_message_it_is_refused_all_the_same)
{
    struct conf c;
    struct buf why = {0};
    conf_init(&c, slice_str("rubbish\n"));
    mem_fail_after(0);
    dkv_err err = conf_next(&c, &why);
    mem_fail_after(-1);
    ck_assert_int_eq(err, DKV_CONFIG);
    buf_fini(&why);
}
END_TEST

Suite *conf_suite(void)
{
    Suite *suite = suite_create("conf");
    TCase *cases = tcase_create("conf");
    tcase_add_loop_test(cases, settings_are_read_with_their_lines, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_loop_test(cases, what_is_wrong_is_told_with_its_line, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(cases, a_line_of_ten_megabytes_is_refused_in_one_short_sentence);
    tcase_add_test(cases, what_is_written_is_read_alike);
    tcase_add_test(cases, any_bytes_are_read_or_refused);
    tcase_add_test(cases, without_memory_for_the_message_it_is_refused_all_the_same);
    suite_add_tcase(suite, cases);
    return suite;
}
