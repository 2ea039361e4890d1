/* test_histogram.c - percentiles. */
#include "suites.h"

#include "base/rng.h"
#include "dkvctl/histogram.h"

#include <stdlib.h>

START_TEST(an_empty_one_answers_zero)
{
    static struct histogram h;
    ck_assert_uint_eq(histogram_at(&h, 500000), 0);
    ck_assert_uint_eq(histogram_at(&h, 1000000), 0);
}
END_TEST

START_TEST(the_extremes_fit)
{
    static struct histogram h;
    histogram_put(&h, 0);
    histogram_put(&h, UINT64_MAX);
    ck_assert_uint_eq(histogram_at(&h, 500000), 0);
    ck_assert_uint_eq(histogram_at(&h, 1000000), UINT64_MAX);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(percentiles_are_those_of_the_sorted_values_and_at_most_a_64th_larger)
{
    enum { VALUES = 5000 };
    static const uint32_t wanted[] = {1, 10000, 500000, 990000, 999000, 1000000};
    static uint64_t values[VALUES];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static struct histogram h;
        struct rng rng = {.state = seed};
        h = (struct histogram){0};
        for (unsigned i = 0; i < VALUES; i++) {
            values[i] = rng_next(&rng) >> rng_below(&rng, 64);
            histogram_put(&h, values[i]);
        }
        qsort(values, VALUES, sizeof values[0], by_value);
        for (unsigned k = 0; k < sizeof wanted / sizeof wanted[0]; k++) {
            uint64_t rank = ((uint64_t)VALUES * wanted[k] + 999999) / 1000000;
            uint64_t exact = values[rank - 1];
            uint64_t got = histogram_at(&h, wanted[k]);
            ck_assert_msg(got >= exact && got - exact <= exact / 64, "seed %llu", (unsigned long long)seed);
        }
    }
}
END_TEST

Suite *histogram_suite(void)
{
    Suite *s = suite_create("histogram");
    TCase *t = tcase_create("all");
    tcase_add_test(t, an_empty_one_answers_zero);
    tcase_add_test(t, the_extremes_fit);
    tcase_add_test(t, percentiles_are_those_of_the_sorted_values_and_at_most_a_64th_larger);
    suite_add_tcase(s, t);
    return s;
}
