/* test_rng.c - seeded numbers: a seed that was printed must give the same run years later. */
#include "suites.h"

#include "base/rng.h"

#include <stdbool.h>

START_TEST(a_seed_gives_the_same_numbers_for_ever)
{
    struct rng rng = {.state = 1234567};
    ck_assert_uint_eq(rng_next(&rng), 6457827717110365317ull);
    ck_assert_uint_eq(rng_next(&rng), 3203168211198807973ull);
    ck_assert_uint_eq(rng_next(&rng), 9817491932198370423ull);
}
END_TEST

START_TEST(below_stays_below)
{
    struct rng rng = {.state = 1};
    ck_assert_uint_eq(rng_below(&rng, 0), 0);
    bool seen[3] = {false};
    for (int i = 0; i < 1000; i++) {
        uint64_t n = rng_below(&rng, 3);
        ck_assert_uint_lt(n, 3);
        seen[n] = true;
    }
    ck_assert(seen[0] && seen[1] && seen[2]);
}
END_TEST

Suite *rng_suite(void)
{
    Suite *suite = suite_create("rng");
    TCase *cases = tcase_create("rng");
    tcase_add_test(cases, a_seed_gives_the_same_numbers_for_ever);
    tcase_add_test(cases, below_stays_below);
    suite_add_tcase(suite, cases);
    return suite;
}
