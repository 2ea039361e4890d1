/* test_buf.c - owned bytes that grow. */
#include "suites.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

START_TEST(an_empty_buf_is_valid)
{
    struct buf b = {0};
    ck_assert(buf_ok(&b));
    ck_assert_uint_eq(buf_slice(&b).len, 0);
    buf_put(&b, (struct slice){0});
    buf_consume(&b, 0);
    ck_assert_uint_eq(b.len, 0);
    buf_fini(&b);
    buf_fini(&b);
}
END_TEST

START_TEST(numbers_are_little_endian)
{
    static const uint8_t expected[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
    struct buf b = {0};
    buf_put_u8(&b, 0x01);
    buf_put_u16(&b, 0x0203);
    buf_put_u32(&b, 0x04050607);
    buf_put_u64(&b, 0x08090a0b0c0d0e0full);
    ck_assert(slice_eq(buf_slice(&b), slice_of(expected, sizeof expected)));
    buf_fini(&b);
}
END_TEST

START_TEST(a_blob_is_its_length_and_its_bytes)
{
    struct buf b = {0};
    buf_put_blob(&b, slice_str("ab"));
    buf_put_text(&b, "c");
    ck_assert(slice_eq(buf_slice(&b), slice_of("\2\0\0\0abc", 7)));
    buf_fini(&b);
}
END_TEST

START_TEST(a_patch_overwrites_four_bytes_in_place)
{
    struct buf b = {0};
    buf_put_text(&b, "a....b");
    buf_patch_u32(&b, 1, 0x04030201);
    ck_assert(slice_eq(buf_slice(&b), slice_of("a\1\2\3\4b", 6)));
    buf_fini(&b);
}
END_TEST

START_TEST(printf_appends_any_length)
{
    struct buf b = {0};
    for (int i = 0; i < 300; i++) {
        buf_printf(&b, "%d,", i % 10);
    }
    buf_printf(&b, "%0300d", 7);
    ck_assert_uint_eq(b.len, 900);
    ck_assert_int_eq(b.data[899], '7');
    buf_fini(&b);
}
END_TEST

START_TEST(consuming_and_appending_behaves_as_a_queue)
{
    struct rng rng = {.state = (uint64_t)_i + 1};
    struct buf b = {0};
    uint8_t written = 0;
    uint8_t consumed = 0;
    for (int step = 0; step < 1000; step++) {
        if (rng_below(&rng, 2) == 0) {
            buf_put_u8(&b, written++);
        } else if (b.len > 0) {
            size_t n = rng_below(&rng, b.len) + 1;
            ck_assert_uint_eq(b.data[0], consumed);
            buf_consume(&b, n);
            consumed = (uint8_t)(consumed + n);
        }
        ck_assert_uint_eq((uint8_t)b.len, (uint8_t)(written - consumed));
    }
    buf_fini(&b);
}
END_TEST

START_TEST(a_buf_that_could_not_grow_ignores_later_writes)
{
    struct buf b = {0};
    buf_put_text(&b, "kept");
    mem_fail_after(0);
    ck_assert_ptr_null(buf_extend(&b, 1000));
    mem_fail_after(-1);
    ck_assert(!buf_ok(&b));
    buf_put_u64(&b, 1);
    buf_printf(&b, "%d", 1);
    buf_patch_u32(&b, 0, 1);
    ck_assert(slice_eq(buf_slice(&b), slice_str("kept")));
    buf_reset(&b);
    buf_put_text(&b, "again");
    ck_assert(buf_ok(&b));
    buf_fini(&b);
}
END_TEST

START_TEST(a_length_beyond_all_memory_is_refused)
{
    struct buf b = {0};
    buf_put_u8(&b, 1);
    ck_assert_ptr_null(buf_extend(&b, SIZE_MAX));
    ck_assert(!buf_ok(&b));
    buf_fini(&b);
}
END_TEST

Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *cases = tcase_create("buf");
    tcase_add_test(cases, an_empty_buf_is_valid);
    tcase_add_test(cases, numbers_are_little_endian);
    tcase_add_test(cases, a_blob_is_its_length_and_its_bytes);
    tcase_add_test(cases, a_patch_overwrites_four_bytes_in_place);
    tcase_add_test(cases, printf_appends_any_length);
    tcase_add_loop_test(cases, consuming_and_appending_behaves_as_a_queue, 0, 10);
    tcase_add_test(cases, a_buf_that_could_not_grow_ignores_later_writes);
    tcase_add_test(cases, a_length_beyond_all_memory_is_refused);
    suite_add_tcase(suite, cases);
    return suite;
}
