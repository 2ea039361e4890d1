/* test_meta.c - the replicated cluster map. */
#include "shard/meta.h"

#include "topo/map.h"
#include "unit/shard/suites.h"

static struct map *some_map(const char *token)
{
    struct buf why = {0};
    struct map *map = NULL;
    struct map_plan plan = {"n1=127.0.0.1:7000", token, 2, 1, 16};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    buf_fini(&why);
    return map;
}

static dkv_err apply_map(struct meta *m, uint64_t index, const struct map *map)
{
    struct buf encoded = {0};
    struct state_result result;
    map_encode(map, &encoded);
    struct command c = {.op = COMMAND_MAP, .log_time = index, .value = buf_slice(&encoded)};
    meta_apply(m, index, &c, &result);
    buf_fini(&encoded);
    return result.err;
}

START_TEST(the_first_map_in_the_log_must_be_the_one_all_nodes_computed)
{
    struct map *ours = some_map("");
    struct map *other = some_map("another");
    struct meta *m = meta_new(ours);
    ck_assert(!meta_is_written(m));
    ck_assert_int_eq(apply_map(m, 1, other), DKV_CONDITION);
    ck_assert(!meta_is_written(m));
    ck_assert_int_eq(apply_map(m, 2, ours), DKV_OK);
    ck_assert(meta_is_written(m));
    ck_assert_uint_eq(meta_index(m), 2);
    ck_assert_uint_eq(meta_log_time(m), 2);
    meta_free(m);
    map_free(ours);
    map_free(other);
}
END_TEST

START_TEST(a_later_map_must_be_the_next_epoch)
{
    struct map *map = some_map("");
    struct meta *m = meta_new(map);
    ck_assert_int_eq(apply_map(m, 1, map), DKV_OK);
    ck_assert_int_eq(apply_map(m, 2, map), DKV_CONDITION);
    map->epoch = 3;
    ck_assert_int_eq(apply_map(m, 3, map), DKV_CONDITION);
    map->epoch = 2;
    ck_assert_int_eq(apply_map(m, 4, map), DKV_OK);
    meta_free(m);
    map_free(map);
}
END_TEST

START_TEST(a_command_of_a_shard_is_refused_and_a_broken_map_too)
{
    struct map *map = some_map("");
    struct meta *m = meta_new(map);
    struct state_result result;
    struct command put = {.op = COMMAND_PUT, .key = slice_str("k"), .value = slice_str("v")};
    meta_apply(m, 1, &put, &result);
    ck_assert_int_eq(result.err, DKV_UNSUPPORTED);
    struct command broken = {.op = COMMAND_MAP, .value = slice_str("no map")};
    meta_apply(m, 2, &broken, &result);
    ck_assert_int_ne(result.err, DKV_OK);
    ck_assert(!meta_is_written(m));
    meta_free(m);
    map_free(map);
}
END_TEST

Suite *meta_suite(void)
{
    Suite *s = suite_create("meta");
    TCase *t = tcase_create("meta");
    tcase_add_test(t, the_first_map_in_the_log_must_be_the_one_all_nodes_computed);
    tcase_add_test(t, a_later_map_must_be_the_next_epoch);
    tcase_add_test(t, a_command_of_a_shard_is_refused_and_a_broken_map_too);
    suite_add_tcase(s, t);
    return s;
}
