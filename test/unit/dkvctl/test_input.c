/* test_input.c - lines and whole files from descriptors, however the bytes arrive. */
#include "suites.h"

#include "base/rng.h"
#include "dkvctl/input.h"

#include <unistd.h>

/* Lines that arrive in pieces of random size are the lines that were written. */
START_TEST(lines_do_not_depend_on_how_the_bytes_arrive)
{
    static const char text[] =
        "one\n\nthree three\n4\na line that is quite a bit longer than the others\nlast";
    static const char *const lines[] = {
        "one", "", "three three", "4", "a line that is quite a bit longer than the others", "last"};
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rng rng = {.state = seed};
        int ends[2];
        size_t written = 0;
        size_t taken = 0;
        dkv_err err = DKV_MORE;
        ck_assert_int_eq(pipe(ends), 0);
        struct input in = {.fd = ends[0]};
        while (err != DKV_NOT_FOUND) {
            struct slice line;
            err = input_next_line(&in, 100, &line);
            if (err == DKV_OK) {
                ck_assert(slice_eq(line, slice_str(lines[taken++])));
            } else if (err == DKV_MORE && written < sizeof text - 1) {
                size_t left = sizeof text - 1 - written;
                size_t n = 1 + (size_t)rng_below(&rng, left < 9 ? left : 9);
                ck_assert_int_eq(write(ends[1], text + written, n), (ssize_t)n);
                written += n;
                input_fill(&in);
            } else if (err == DKV_MORE) {
                close(ends[1]);
                input_fill(&in);
            }
        }
        ck_assert_msg(taken == 6, "seed %llu", (unsigned long long)seed);
        close(ends[0]);
        input_fini(&in);
    }
}
END_TEST

START_TEST(a_line_over_its_bound_is_refused)
{
    int ends[2];
    struct slice line;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "12345\n123456\n", 13), 13);
    struct input in = {.fd = ends[0]};
    input_fill(&in);
    ck_assert_int_eq(input_next_line(&in, 5, &line), DKV_OK);
    ck_assert_int_eq(input_next_line(&in, 5, &line), DKV_TOO_LARGE);
    close(ends[0]);
    close(ends[1]);
    input_fini(&in);
}
END_TEST

START_TEST(a_line_over_its_bound_can_be_skipped)
{
    int ends[2];
    struct slice line;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "123456", 6), 6);
    struct input in = {.fd = ends[0]};
    input_fill(&in);
    ck_assert_int_eq(input_next_line(&in, 5, &line), DKV_TOO_LARGE);
    ck_assert_int_eq(input_skip_line(&in), DKV_MORE);
    ck_assert_int_eq(write(ends[1], "7\n8\n9", 5), 5);
    input_fill(&in);
    ck_assert_int_eq(input_skip_line(&in), DKV_OK);
    ck_assert_int_eq(input_next_line(&in, 5, &line), DKV_OK);
    ck_assert(slice_eq(line, slice_str("8")));
    ck_assert_uint_eq(in.taken, 10);
    close(ends[1]);
    input_fill(&in);
    ck_assert_int_eq(input_skip_line(&in), DKV_NOT_FOUND);
    ck_assert_uint_eq(in.taken, 11);
    close(ends[0]);
    input_fini(&in);
}
END_TEST

START_TEST(a_read_that_fails_is_told)
{
    struct input in = {.fd = -1};
    struct slice line;
    input_fill(&in);
    ck_assert(in.failed);
    ck_assert_int_eq(input_next_line(&in, 5, &line), DKV_NOT_FOUND);
    input_fini(&in);
}
END_TEST

START_TEST(a_whole_file_is_read_up_to_its_bound)
{
    for (size_t max = 4; max <= 6; max++) {
        int ends[2];
        struct buf out = {0};
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], "12345", 5), 5);
        close(ends[1]);
        ck_assert_int_eq(input_read_all(ends[0], max, &out), max < 5 ? DKV_TOO_LARGE : DKV_OK);
        ck_assert(max < 5 || slice_eq(buf_slice(&out), slice_str("12345")));
        close(ends[0]);
        buf_fini(&out);
    }
}
END_TEST

Suite *input_suite(void)
{
    Suite *s = suite_create("input");
    TCase *t = tcase_create("all");
    tcase_add_test(t, lines_do_not_depend_on_how_the_bytes_arrive);
    tcase_add_test(t, a_line_over_its_bound_is_refused);
    tcase_add_test(t, a_line_over_its_bound_can_be_skipped);
    tcase_add_test(t, a_read_that_fails_is_told);
    tcase_add_test(t, a_whole_file_is_read_up_to_its_bound);
    suite_add_tcase(s, t);
    return s;
}
