/* test_hash.c - the hash is part of the formats, so its values are fixed here. */
#include "suites.h"

#include "base/hash.h"

START_TEST(the_values_never_change)
{
    ck_assert_uint_eq(hash64((struct slice){0}), 0x2d06800538d394c2ull);
    ck_assert_uint_eq(hash64(slice_str("")), 0x2d06800538d394c2ull);
    ck_assert_uint_eq(hash64(slice_str("a")), 0xe6c632b61e964e1full);
    ck_assert_uint_eq(hash64(slice_str("abc")), 0x78af5f94892f3950ull);
}
END_TEST

Suite *hash_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *cases = tcase_create("hash");
    tcase_add_test(cases, the_values_never_change);
    suite_add_tcase(suite, cases);
    return suite;
}
