/* test_machine.c - what the kernel says of memory and descriptors. */
#include "dkvd/machine.h"
#include "suites.h"

#include <sys/resource.h>

START_TEST(memory_is_known_and_plausible)
{
    ck_assert_uint_gt(machine_memory(), 16u << 20);
    ck_assert_uint_lt(machine_memory(), 1ull << 50);
}
END_TEST

START_TEST(the_soft_limit_of_files_rises_as_far_as_the_hard_one)
{
    struct rlimit limit = {.rlim_cur = 50, .rlim_max = 100}; /* each test has a process of its own */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(machine_files(40), 50);
    ck_assert_uint_eq(machine_files(80), 80);
    ck_assert_uint_eq(machine_files(1000), 100);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 100);
}
END_TEST

Suite *machine_suite(void)
{
    Suite *suite = suite_create("machine");
    TCase *cases = tcase_create("machine");
    tcase_add_test(cases, memory_is_known_and_plausible);
    tcase_add_test(cases, the_soft_limit_of_files_rises_as_far_as_the_hard_one);
    suite_add_tcase(suite, cases);
    return suite;
}
