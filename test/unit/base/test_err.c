/* test_err.c - the numbers of errors, and what they look like. */
#include "suites.h"

#include "base/err.h"

#include <errno.h>
#include <stddef.h>

/* A copy on purpose: these numbers travel, so a change has to be made twice, and noticed. */
static const struct {
    dkv_err err;
    int number;
    int exit_code;
} rows[] = {
    {DKV_OK, 0, 0},         {DKV_NO_MEMORY, 1, 8},   {DKV_CANCELED, 2, 1},
    {DKV_NOT_FOUND, 10, 3}, {DKV_CONDITION, 11, 4},  {DKV_BAD_REQUEST, 20, 2},
    {DKV_TOO_LARGE, 21, 8}, {DKV_LIMIT, 22, 8},      {DKV_UNSUPPORTED, 23, 1},
    {DKV_MALFORMED, 24, 1}, {DKV_MORE, 25, 1},       {DKV_UNAVAILABLE, 30, 5},
    {DKV_UNKNOWN, 31, 6},   {DKV_NOT_LEADER, 32, 5}, {DKV_WRONG_SHARD, 33, 5},
    {DKV_REFUSED, 34, 5},   {DKV_AUTH, 40, 7},       {DKV_IO, 50, 1},
    {DKV_CORRUPT, 51, 10},  {DKV_LOCKED, 52, 1},     {DKV_ADDRESS_IN_USE, 53, 1},
    {DKV_NO_SPACE, 54, 8},  {DKV_CONFIG, 60, 2},
};

START_TEST(numbers_and_exit_codes_never_change)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(rows[i].err, rows[i].number);
        ck_assert_int_eq(err_exit_code(rows[i].err), rows[i].exit_code);
        ck_assert_str_ne(err_text(rows[i].err), "unknown error");
    }
}
END_TEST

START_TEST(any_number_has_a_text)
{
    ck_assert_str_eq(err_text((dkv_err)9999), "unknown error");
    ck_assert_int_eq(err_exit_code((dkv_err)9999), 1);
}
END_TEST

START_TEST(errno_becomes_the_nearest_error)
{
    ck_assert_int_eq(err_from_errno(0), DKV_OK);
    ck_assert_int_eq(err_from_errno(ENOMEM), DKV_NO_MEMORY);
    ck_assert_int_eq(err_from_errno(ENOSPC), DKV_NO_SPACE);
    ck_assert_int_eq(err_from_errno(EADDRINUSE), DKV_ADDRESS_IN_USE);
    ck_assert_int_eq(err_from_errno(EIO), DKV_IO);
}
END_TEST

Suite *err_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *cases = tcase_create("err");
    tcase_add_test(cases, numbers_and_exit_codes_never_change);
    tcase_add_test(cases, any_number_has_a_text);
    tcase_add_test(cases, errno_becomes_the_nearest_error);
    suite_add_tcase(suite, cases);
    return suite;
}
