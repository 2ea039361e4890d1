/* test_ring.c - who owns a key, and how little that changes. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "topo/map.h"
#include "topo/ring.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Suite *ring_suite(void);

static struct ring *ring_with(uint32_t shards, uint32_t vnodes)
{
    struct map_plan plan = {
        .initial_cluster = "n1=h:1", .token = "", .shards = shards, .replicas = 1, .vnodes = vnodes};
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    struct ring *r = ring_new(map);
    ck_assert_ptr_nonnull(r);
    map_free(map); /* the ring keeps no reference */
    buf_fini(&why);
    return r;
}

static struct slice numbered(uint64_t i, char text[32])
{
    return slice_of(text, (size_t)snprintf(text, 32, "key:%llu", (unsigned long long)i));
}

static const struct {
    const char *key;
    const char *place; /* what is hashed */
} tags[] = {
    {"user", "user"},   {"{a}", "a"},   {"{a}x", "a"},      {"x{a}", "a"},    {"a{b}c", "b"},
    {"{a}{b}", "a"},    {"{}", "{}"},   {"{}{a}", "{}{a}"}, {"a{}b", "a{}b"}, {"a{b", "a{b"},
    {"a}b{c", "a}b{c"}, {"a}{b}", "b"}, {"{{a}}", "{a"},    {"{a", "{a"},     {"a}", "a}"},
    {"{", "{"},         {"}", "}"},     {"{ }", " "},       {"x{", "x{"},     {"", ""},
};

START_TEST(a_tag_decides_the_place_of_the_whole_key)
{
    ck_assert_uint_eq(ring_position(slice_str(tags[_i].key)), hash64(slice_str(tags[_i].place)));
}
END_TEST

START_TEST(positions_never_change_from_release_to_release)
{
    ck_assert_uint_eq(ring_position(slice_str("mykey")), 0xf4370c38de3ec954u);
    struct ring *r = ring_with(2, 1);
    const struct ring_point *points;
    ck_assert_uint_eq(ring_points(r, &points), 2);
    ck_assert_uint_eq(points[0].position, 0xc9292feae49a5dfu);
    ck_assert_uint_eq(points[0].shard, 2);
    ck_assert_uint_eq(points[1].position, 0xc079e72ea786aff0u);
    ck_assert_uint_eq(points[1].shard, 1);
    ring_free(r);
}
END_TEST

/* Walk from the first point on. */
static uint32_t naive_find(const struct ring *r, struct slice key)
{
    const struct ring_point *points;
    size_t n = ring_points(r, &points);
    for (size_t i = 0; i < n; i++) {
        if (points[i].position >= ring_position(key)) {
            return points[i].shard;
        }
    }
    return points[0].shard;
}

START_TEST(finding_agrees_with_walking_the_points)
{
    static const uint32_t sizes[][2] = {{1, 1}, {2, 1}, {3, 1}, {1, 128}, {8, 128}, {64, 7}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct ring *r = ring_with(sizes[s][0], sizes[s][1]);
        char text[32];
        for (uint64_t i = 0; i < 5000; i++) {
            struct slice key = numbered(i, text);
            ck_assert_uint_eq(ring_find(r, key), naive_find(r, key));
        }
        ring_free(r);
    }
}
END_TEST

START_TEST(one_more_shard_takes_its_share_and_nothing_else_moves)
{
    enum { KEYS = 100000 };
    for (uint32_t shards = 1; shards <= 16; shards *= 2) {
        struct ring *before = ring_with(shards, 128);
        struct ring *after = ring_with(shards + 1, 128);
        char text[32];
        unsigned moved = 0;
        for (uint64_t i = 0; i < KEYS; i++) {
            struct slice key = numbered(i, text);
            uint32_t owner = ring_find(after, key);
            if (owner != ring_find(before, key)) {
                ck_assert_uint_eq(owner, shards + 1);
                moved++;
            }
        }
        double share = (double)moved / KEYS * (shards + 1);
        ck_assert_msg(share > 0.75 && share < 1.25, "%u shards: %.3f of an even share", shards, share);
        ring_free(before);
        ring_free(after);
    }
}
END_TEST

START_TEST(shares_spread_by_less_than_an_eighth_at_128_points)
{
    enum { SHARDS = 64 };
    struct ring *r = ring_with(SHARDS, 128);
    double sum = 0;
    double squares = 0;
    for (uint32_t shard = 1; shard <= SHARDS; shard++) {
        double share = ring_share_ppm(r, shard) * (double)SHARDS / 1e6;
        sum += share;
        squares += (share - 1) * (share - 1);
    }
    double deviation = sqrt(squares / SHARDS);
    printf("64 shards of 128 points: standard deviation %.1f %% of an even share\n", 100 * deviation);
    ck_assert_double_eq_tol(sum / SHARDS, 1, 0.0001);
    ck_assert_double_lt(deviation, 0.125); /* in theory 1 / sqrt(128) = 8.8 % */
    ring_free(r);
}
END_TEST

START_TEST(a_lone_shard_owns_the_whole_ring_and_a_stranger_nothing)
{
    struct ring *one = ring_with(1, 1);
    ck_assert_uint_eq(ring_share_ppm(one, 1), 1000000);
    ck_assert_uint_eq(ring_share_ppm(one, 2), 0);
    ring_free(one);
    struct ring *many = ring_with(1, 128);
    ck_assert_uint_eq(ring_share_ppm(many, 1), 1000000);
    ring_free(many);
}
END_TEST

START_TEST(points_are_sorted_and_no_legal_map_has_two_equal_ones)
{
    struct ring *r = ring_with(SHARDS_MAX - 1, VNODES_MAX); /* every point that any map can have */
    const struct ring_point *points;
    size_t n = ring_points(r, &points);
    ck_assert_uint_eq(n, (SHARDS_MAX - 1) * VNODES_MAX);
    for (size_t i = 1; i < n; i++) {
        ensure(points[i - 1].position < points[i].position); /* ck_assert would log four million times */
    }
    ring_free(r);
}
END_TEST

START_TEST(building_survives_a_failed_allocation)
{
    struct map_plan plan = {
        .initial_cluster = "n1=h:1", .token = "", .shards = 3, .replicas = 1, .vnodes = 8};
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    mem_fail_after(0);
    ck_assert_ptr_null(ring_new(map));
    mem_fail_after(-1);
    map_free(map);
    buf_fini(&why);
    ring_free(NULL);
}
END_TEST

Suite *ring_suite(void)
{
    Suite *s = suite_create("ring");
    TCase *t = tcase_create("ring");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_tag_decides_the_place_of_the_whole_key, 0, (int)(sizeof tags / sizeof tags[0]));
    tcase_add_test(t, positions_never_change_from_release_to_release);
    tcase_add_test(t, finding_agrees_with_walking_the_points);
    tcase_add_test(t, one_more_shard_takes_its_share_and_nothing_else_moves);
    tcase_add_test(t, shares_spread_by_less_than_an_eighth_at_128_points);
    tcase_add_test(t, a_lone_shard_owns_the_whole_ring_and_a_stranger_nothing);
    tcase_add_test(t, points_are_sorted_and_no_legal_map_has_two_equal_ones);
    tcase_add_test(t, building_survives_a_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
