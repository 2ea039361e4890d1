/* test_mem.c - the one door to the allocator. */
#include "suites.h"

#include "base/mem.h"

#include <signal.h>

START_TEST(an_allocation_of_nothing_is_a_valid_pointer)
{
    void *a = mem_alloc(0);
    void *b = mem_zalloc(0, 8);
    void *c = mem_zalloc(8, 0);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_nonnull(c);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
}
END_TEST

/* Read by the address sanitizer, which would rather abort than let an allocation fail. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer chose the name */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

START_TEST(a_product_that_overflows_is_refused)
{
    volatile size_t huge = SIZE_MAX / 2; /* volatile: compilers warn of what they can see */
    ck_assert_ptr_null(mem_zalloc(huge, 4));
}
END_TEST

START_TEST(a_text_is_a_copy_with_a_nul)
{
    char *text = mem_text(slice_of("abcdef", 3));
    char *empty = mem_text((struct slice){0});
    ck_assert_str_eq(text, "abc");
    ck_assert_str_eq(empty, "");
    mem_free(text);
    mem_free(empty);
}
END_TEST

START_TEST(the_chosen_allocation_and_all_later_ones_fail)
{
    mem_fail_after(1);
    void *first = mem_alloc(1);
    void *second = mem_alloc(1);
    char *third = mem_text(slice_str("x"));
    void *grown = mem_realloc(first, 100);
    mem_fail_after(-1);
    void *later = mem_alloc(1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_ptr_null(third);
    ck_assert_ptr_null(grown);
    ck_assert_ptr_nonnull(later);
    mem_free(first);
    mem_free(later);
}
END_TEST

START_TEST(a_server_without_memory_aborts)
{
    mem_abort_when_out();
    mem_fail_after(0);
    void *p = mem_alloc(1);
    mem_free(p);
}
END_TEST

Suite *mem_suite(void)
{
    Suite *suite = suite_create("mem");
    TCase *cases = tcase_create("mem");
    tcase_add_test(cases, an_allocation_of_nothing_is_a_valid_pointer);
    tcase_add_test(cases, a_product_that_overflows_is_refused);
    tcase_add_test(cases, a_text_is_a_copy_with_a_nul);
    tcase_add_test(cases, the_chosen_allocation_and_all_later_ones_fail);
    tcase_add_test_raise_signal(cases, a_server_without_memory_aborts, SIGABRT);
    suite_add_tcase(suite, cases);
    return suite;
}
