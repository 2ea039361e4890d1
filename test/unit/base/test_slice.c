/* test_slice.c - order and prefixes of borrowed bytes. */
#include "suites.h"

#include "base/slice.h"

/* In order, each below the next. */
static const struct slice ordered[] = {
    {NULL, 0},
    {(const uint8_t *)"\0", 1},
    {(const uint8_t *)"\0\0", 2},
    {(const uint8_t *)"a", 1},
    {(const uint8_t *)"a\0", 2},
    {(const uint8_t *)"ab", 2},
    {(const uint8_t *)"b", 1},
    {(const uint8_t *)"\xff", 1},
};
#define ORDERED (sizeof ordered / sizeof ordered[0])

START_TEST(the_order_is_that_of_unsigned_bytes_a_prefix_first)
{
    for (size_t i = 0; i < ORDERED; i++) {
        for (size_t j = 0; j < ORDERED; j++) {
            int order = slice_cmp(ordered[i], ordered[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
            ck_assert(slice_eq(ordered[i], ordered[j]) == (i == j));
        }
    }
}
END_TEST

START_TEST(a_prefix_is_what_something_begins_with)
{
    ck_assert(slice_has_prefix(slice_str("abc"), slice_str("ab")));
    ck_assert(slice_has_prefix(slice_str("abc"), slice_str("abc")));
    ck_assert(slice_has_prefix(slice_str("abc"), (struct slice){0}));
    ck_assert(slice_has_prefix((struct slice){0}, (struct slice){0}));
    ck_assert(!slice_has_prefix(slice_str("ab"), slice_str("abc")));
    ck_assert(!slice_has_prefix(slice_str("abc"), slice_str("b")));
}
END_TEST

Suite *slice_suite(void)
{
    Suite *suite = suite_create("slice");
    TCase *cases = tcase_create("slice");
    tcase_add_test(cases, the_order_is_that_of_unsigned_bytes_a_prefix_first);
    tcase_add_test(cases, a_prefix_is_what_something_begins_with);
    suite_add_tcase(suite, cases);
    return suite;
}
