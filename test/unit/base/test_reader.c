/* test_reader.c - the bounds-checked reader. */
#include "suites.h"

#include "base/buf.h"
#include "base/reader.h"

START_TEST(what_was_written_is_read_back)
{
    struct buf b = {0};
    buf_put_u8(&b, 0xfe);
    buf_put_u16(&b, 0xfedc);
    buf_put_u32(&b, 0xfedcba98);
    buf_put_u64(&b, 0xfedcba9876543210ull);
    buf_put_blob(&b, slice_str("blob"));
    buf_put_blob(&b, (struct slice){0});
    struct reader r = reader_of(buf_slice(&b));
    ck_assert_uint_eq(reader_u8(&r), 0xfe);
    ck_assert_uint_eq(reader_u16(&r), 0xfedc);
    ck_assert_uint_eq(reader_u32(&r), 0xfedcba98);
    ck_assert_uint_eq(reader_u64(&r), 0xfedcba9876543210ull);
    ck_assert(!reader_done(&r));
    ck_assert(slice_eq(reader_blob(&r, 4), slice_str("blob")));
    ck_assert_uint_eq(reader_blob(&r, 4).len, 0);
    ck_assert(reader_done(&r));
    buf_fini(&b);
}
END_TEST

START_TEST(a_reader_that_ran_short_gives_zeroes_for_ever)
{
    for (size_t len = 0; len < 8; len++) {
        struct reader r = reader_of(slice_of("\xff\xff\xff\xff\xff\xff\xff\xff", len));
        ck_assert_uint_eq(reader_u64(&r), 0);
        ck_assert(!reader_ok(&r));
        ck_assert_uint_eq(reader_u8(&r), 0);
        ck_assert_uint_eq(reader_bytes(&r, 1).len, 0);
        ck_assert(!reader_done(&r));
    }
}
END_TEST

START_TEST(a_blob_over_its_bound_or_its_input_fails)
{
    static const struct {
        const char *bytes;
        size_t len;
        size_t max;
        bool good;
    } cases[] = {
        {"\2\0\0\0ab", 6, 2, true},
        {"\0\0\0\0", 4, 0, true},
        {"\2\0\0\0ab", 6, 1, false},       /* over the bound */
        {"\2\0\0\0a", 5, 9, false},        /* cut in the body */
        {"\2\0\0", 3, 9, false},           /* cut in the length */
        {"\xff\xff\xff\xff", 4, 9, false}, /* a huge claim */
        {"\xff\xff\xff\xff", 4, SIZE_MAX, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader r = reader_of(slice_of(cases[i].bytes, cases[i].len));
        reader_blob(&r, cases[i].max);
        ck_assert_msg(reader_done(&r) == cases[i].good, "case %zu", i);
    }
}
END_TEST

START_TEST(a_slice_points_into_the_input)
{
    const char *text = "abc";
    struct reader r = reader_of(slice_str(text));
    ck_assert_ptr_eq(reader_bytes(&r, 2).data, text);
    ck_assert_ptr_eq(reader_bytes(&r, 1).data, text + 2);
}
END_TEST

Suite *reader_suite(void)
{
    Suite *suite = suite_create("reader");
    TCase *cases = tcase_create("reader");
    tcase_add_test(cases, what_was_written_is_read_back);
    tcase_add_test(cases, a_reader_that_ran_short_gives_zeroes_for_ever);
    tcase_add_test(cases, a_blob_over_its_bound_or_its_input_fails);
    tcase_add_test(cases, a_slice_points_into_the_input);
    suite_add_tcase(suite, cases);
    return suite;
}
