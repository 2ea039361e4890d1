/* test_progress.c - the progress line. */
#include "suites.h"

#include "dkvctl/progress.h"

static const struct {
    uint64_t total;
    uint64_t done;
    uint64_t count;
    uint64_t elapsed_ms;
    unsigned columns;
    const char *line;
} cases[] = {
    {0, 0, 0, 0, 79, "0 keys  0/s"},
    {0, 500, 500, 2000, 79, "500 keys  250/s"},
    {1000, 0, 0, 0, 60, "[>                                     ]   0%  0 keys  0/s"},
    {1000, 250, 250, 1000, 48, "[===>         ]  25%  250 keys  250/s  0:03 left"},
    {1000, 250, 250, 1000, 40, "[=>   ]  25%  250 keys  250/s  0:03 left"},
    {1000, 250, 250, 1000, 39, " 25%  250 keys  250/s  0:03 left"},
    {1000, 250, 250, 1000, 12, " 25%  250 ke"},
    {1000, 1000, 7, 61000, 52, "[=====================] 100%  7 keys  0/s  0:00 left"},
    {1000, 1, 1, 61000, 48, "[>            ]   0%  1 keys  0/s  16:55:39 left"},
    {1000, 1200, 1200, 1000, 40, "100%  1200 keys  1200/s  0:00 left"},
};

START_TEST(the_line_is_as_written_here)
{
    struct progress p = {
        .unit = "keys", .total = cases[_i].total, .done = cases[_i].done, .count = cases[_i].count};
    struct buf out = {0};
    progress_format(&p, cases[_i].elapsed_ms * 1000, cases[_i].columns, &out);
    ck_assert_msg(slice_eq(buf_slice(&out), slice_str(cases[_i].line)), "\"%.*s\"", (int)out.len,
                  (const char *)out.data);
    ck_assert_uint_le(out.len, cases[_i].columns);
    buf_fini(&out);
}
END_TEST

Suite *progress_suite(void)
{
    Suite *s = suite_create("progress");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, the_line_is_as_written_here, 0, sizeof cases / sizeof cases[0]);
    suite_add_tcase(s, t);
    return s;
}
