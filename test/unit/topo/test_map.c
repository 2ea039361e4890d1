/* test_map.c - the first map, its refusals, its bytes. */
#include "base/mem.h"
#include "base/rng.h"
#include "topo/map.h"

#include <check.h>
#include <stdlib.h>

Suite *map_suite(void);

#define THREE "n1=127.0.0.1:7000,n2=127.0.0.1:7001,n3=127.0.0.1:7002"

static struct map *bootstrap(const char *cluster, uint32_t shards, uint32_t replicas)
{
    struct map_plan plan = {
        .initial_cluster = cluster, .token = "", .shards = shards, .replicas = replicas, .vnodes = 128};
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    ck_assert_uint_eq(why.len, 0);
    buf_fini(&why);
    return map;
}

START_TEST(the_first_map_places_replicas_round_the_nodes)
{
    struct map *map = bootstrap("b=host-b:7000,c=[::1]:7001,a=10.0.0.1:7002,d=h:1", 5, 3);
    ck_assert_uint_eq(map->epoch, 1);
    ck_assert_uint_eq(map->node_count, 4);
    ck_assert_uint_eq(map->shard_count, 6);
    ck_assert_uint_eq(map->vnodes, 128);
    const char *names[] = {"a", "b", "c", "d"};
    for (uint32_t id = 1; id <= 4; id++) {
        ck_assert_uint_eq(map_node(map, id)->id, id);
        ck_assert_str_eq(map_node(map, id)->name, names[id - 1]);
        ck_assert_ptr_eq(map_node_named(map, slice_str(names[id - 1])), map_node(map, id));
    }
    ck_assert_str_eq(map_node(map, 3)->peer.host, "::1");
    ck_assert_uint_eq(map_node(map, 3)->peer.port, 7001);
    for (uint32_t s = 1; s <= 5; s++) {
        const struct map_shard *shard = map_shard(map, s);
        ck_assert_uint_eq(shard->id, s);
        ck_assert_uint_eq(shard->replica_count, 3);
        for (uint32_t k = 0; k < 3; k++) {
            ck_assert_uint_eq(shard->replicas[k].node, (s - 1 + k) % 4 + 1);
            ck_assert_uint_eq(shard->replicas[k].id,
                              3 + 3 * (s - 1) + k + 1); /* behind the meta group's three */
            ck_assert_ptr_eq(map_replica(shard, shard->replicas[k].id), &shard->replicas[k]);
            ck_assert_ptr_eq(map_replica_on(shard, shard->replicas[k].node), &shard->replicas[k]);
        }
        ck_assert_ptr_null(map_replica_on(shard, (s + 2) % 4 + 1));
    }
    ck_assert_uint_eq(map->next_replica, 3 + 15 + 1);
    ck_assert_ptr_null(map_node(map, 0));
    ck_assert_ptr_null(map_node(map, 5));
    ck_assert_ptr_null(map_node_named(map, slice_str("e")));
    ck_assert_ptr_null(map_shard(map, 6));
    ck_assert_ptr_null(map_replica(map_shard(map, 1), 99));
    map_free(map);
}
END_TEST

START_TEST(the_meta_group_takes_the_largest_of_one_three_five_that_fits)
{
    static const uint32_t expected[] = {1, 1, 3, 3, 5, 5, 5};
    struct buf text = {0};
    for (uint32_t n = 1; n <= 7; n++) {
        buf_printf(&text, "%sn%u=h:%u", n == 1 ? "" : ",", n, n);
        char *cluster = mem_text(buf_slice(&text));
        struct map *map = bootstrap(cluster, 1, 1);
        const struct map_shard *meta = map_shard(map, META_GROUP);
        ck_assert_uint_eq(meta->replica_count, expected[n - 1]);
        for (uint32_t k = 0; k < meta->replica_count; k++) {
            ck_assert_uint_eq(meta->replicas[k].node, k + 1);
        }
        map_free(map);
        mem_free(cluster);
    }
    buf_fini(&text);
}
END_TEST

static uint64_t cluster_of(struct map_plan plan)
{
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    uint64_t cluster = map->cluster;
    map_free(map);
    buf_fini(&why);
    return cluster;
}

START_TEST(the_cluster_id_depends_on_the_plan_and_not_on_its_order)
{
    struct map_plan plan = {
        .initial_cluster = THREE, .token = "t", .shards = 8, .replicas = 3, .vnodes = 128};
    uint64_t id = cluster_of(plan);
    ck_assert_uint_eq(id, 0xa2031d12d19b35d4u); /* in every file and handshake: it never changes */
    struct map_plan other = plan;
    other.initial_cluster = "n3=127.0.0.1:7002,n1=127.0.0.1:7000,n2=127.0.0.1:7001";
    ck_assert_uint_eq(cluster_of(other), id);
    other.initial_cluster = "n1=127.0.0.1:7000,n2=127.0.0.1:7001,n3=127.0.0.1:7003";
    ck_assert_uint_ne(cluster_of(other), id);
    other = plan;
    other.token = "u";
    ck_assert_uint_ne(cluster_of(other), id);
    other = plan;
    other.shards = 9;
    ck_assert_uint_ne(cluster_of(other), id);
    other = plan;
    other.replicas = 1;
    ck_assert_uint_ne(cluster_of(other), id);
    other = plan;
    other.vnodes = 127;
    ck_assert_uint_ne(cluster_of(other), id);
}
END_TEST

#define NOT_NODE "is not NAME=HOST:PORT"
#define NOT_NAME                                                                                             \
    "is no node name: 1 to 63 letters, digits, '-', '_' and '.' are allowed, a letter or digit first"
#define NOT_ADDRESS "is no address: HOST:PORT or [IPV6]:PORT is allowed, with a port of 1 to 65535"
#define NO_NODES    "initial cluster: 0 nodes; 1 to 64 as NAME=HOST:PORT, with commas between, are allowed"

static const struct {
    const char *cluster;
    uint32_t shards, replicas, vnodes;
    const char *why;
} refusals[] = {
    {"", 8, 3, 128, NO_NODES},
    {"n1", 8, 1, 128, "initial cluster: \"n1\" " NOT_NODE},
    {"n1=a:1,", 8, 1, 128, "initial cluster: \"\" " NOT_NODE},
    {",n1=a:1", 8, 1, 128, "initial cluster: \"\" " NOT_NODE},
    {"n1=a:1,,n2=b:1", 8, 1, 128, "initial cluster: \"\" " NOT_NODE},
    {"n1=a:1;n2=b:1", 8, 1, 128, "initial cluster: \"a:1;n2=b:1\" " NOT_ADDRESS},
    {"=a:1", 8, 1, 128, "initial cluster: \"\" " NOT_NAME},
    {"n 1=a:1", 8, 1, 128, "initial cluster: \"n 1\" " NOT_NAME},
    {" n1=a:1", 8, 1, 128, "initial cluster: \" n1\" " NOT_NAME},
    {"n\x01=a:1", 8, 1, 128, "initial cluster: \"n\\x01\" " NOT_NAME},
    {"n1=a", 8, 1, 128, "initial cluster: \"a\" " NOT_ADDRESS},
    {"n1=", 8, 1, 128, "initial cluster: \"\" " NOT_ADDRESS},
    {"n1=:7000", 8, 1, 128, "initial cluster: \":7000\" " NOT_ADDRESS},
    {"n1=a:0", 8, 1, 128, "initial cluster: \"a:0\" " NOT_ADDRESS},
    {"n1=a:65536", 8, 1, 128, "initial cluster: \"a:65536\" " NOT_ADDRESS},
    {"n1=a:x", 8, 1, 128, "initial cluster: \"a:x\" " NOT_ADDRESS},
    {"n1=a:1,n1=b:1", 8, 1, 128, "initial cluster: \"n1\" names two nodes: each needs a name of its own"},
    {"n1=a:1,n2=A:1", 8, 1, 128,
     "initial cluster: n1 and n2 have the same address: each needs one of its own"},
    {THREE, 0, 3, 128, "shards is 0: allowed are 1 to 4095"},
    {THREE, 4096, 3, 128, "shards is 4096: allowed are 1 to 4095"},
    {THREE, 8, 0, 128, "replicas is 0: it must be odd, at most 7 and at most the number of nodes, 3"},
    {THREE, 8, 2, 128, "replicas is 2: it must be odd, at most 7 and at most the number of nodes, 3"},
    {THREE, 8, 5, 128, "replicas is 5: it must be odd, at most 7 and at most the number of nodes, 3"},
    {THREE, 8, 3, 0, "vnodes is 0: allowed are 1 to 1024"},
    {THREE, 8, 3, 1025, "vnodes is 1025: allowed are 1 to 1024"},
};

START_TEST(a_wrong_plan_is_refused_in_one_line_that_says_what_is_allowed)
{
    struct map_plan plan = {.initial_cluster = refusals[_i].cluster, .token = ""};
    plan.shards = refusals[_i].shards;
    plan.replicas = refusals[_i].replicas;
    plan.vnodes = refusals[_i].vnodes;
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_CONFIG);
    ck_assert_ptr_null(map);
    buf_put_u8(&why, 0);
    ck_assert_str_eq((const char *)why.data, refusals[_i].why);
    buf_fini(&why);
}
END_TEST

START_TEST(sixty_four_nodes_are_accepted_and_one_more_is_refused)
{
    struct buf text = {0};
    for (uint32_t n = 1; n <= NODES_MAX + 1; n++) {
        buf_printf(&text, "%snode-%02u=h:%u", n == 1 ? "" : ",", n, n);
        char *cluster = mem_text(buf_slice(&text));
        struct map_plan plan = {
            .initial_cluster = cluster, .token = "", .shards = SHARDS_MAX - 1, .replicas = 1, .vnodes = 1};
        struct map *map = NULL;
        struct buf why = {0};
        ck_assert_int_eq(map_bootstrap(&plan, &map, &why), n <= NODES_MAX ? DKV_OK : DKV_CONFIG);
        map_free(map);
        buf_fini(&why);
        mem_free(cluster);
    }
    buf_fini(&text);
}
END_TEST

static void assert_same(const struct map *a, const struct map *b)
{
    struct buf left = {0};
    struct buf right = {0};
    map_encode(a, &left);
    map_encode(b, &right);
    ck_assert(slice_eq(buf_slice(&left), buf_slice(&right)));
    buf_fini(&left);
    buf_fini(&right);
}

START_TEST(a_map_survives_encoding_and_no_beginning_of_it_is_one)
{
    struct map *map = bootstrap(THREE, 8, 3);
    struct buf bytes = {0};
    map_encode(map, &bytes);
    struct map *again = NULL;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &again), DKV_OK);
    assert_same(map, again);
    ck_assert_uint_eq(again->cluster, map->cluster);
    ck_assert_str_eq(again->nodes[2].name, "n3");
    ck_assert_uint_eq(again->nodes[2].peer.port, 7002);
    map_free(again);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = mem_alloc(len); /* of its own, so that reading past the end shows */
        memcpy(cut, bytes.data, len);
        struct map *none = NULL;
        ck_assert_int_eq(map_decode(slice_of(cut, len), &none), DKV_MALFORMED);
        mem_free(cut);
    }
    buf_put_u8(&bytes, 0);
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &again), DKV_MALFORMED);
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_give_a_map_that_encodes_again)
{
    struct map *map = bootstrap(THREE, 4, 3);
    struct buf bytes = {0};
    map_encode(map, &bytes);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct map *got = NULL;
        dkv_err err = map_decode(buf_slice(&bytes), &got);
        ck_assert(err == DKV_OK || err == DKV_MALFORMED || err == DKV_UNSUPPORTED);
        if (err == DKV_OK) {
            struct buf out = {0};
            map_encode(got, &out);
            ck_assert(buf_ok(&out));
            buf_fini(&out);
            map_free(got);
        }
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

/* clang-format off: one line each */
static void break_epoch(struct map *m)
{
    m->epoch = 0;
}
static void break_feature_level(struct map *m)
{
    m->feature_level = 0;
}
static void break_vnodes(struct map *m)
{
    m->vnodes = 0;
}
static void break_vnodes_max(struct map *m)
{
    m->vnodes = VNODES_MAX + 1;
}
static void break_node_id(struct map *m)
{
    m->nodes[1].id = 3;
}
static void break_node_name(struct map *m)
{
    memcpy(m->nodes[1].name, "n1", 3);
}
static void break_node_name_bytes(struct map *m)
{
    m->nodes[1].name[0] = '-';
}
static void break_node_port(struct map *m)
{
    m->nodes[1].peer.port = 0;
}
static void break_node_host(struct map *m)
{
    m->nodes[1].peer.host[0] = ' ';
}
static void break_no_nodes(struct map *m)
{
    m->node_count = 0;
}
static void break_meta_missing(struct map *m)
{
    m->shards[0].id = 9;
}
static void break_shards_missing(struct map *m)
{
    m->shard_count = 1;
}
static void break_shard_twice(struct map *m)
{
    m->shards[2].id = 1;
}
static void break_shard_id(struct map *m)
{
    m->shards[m->shard_count - 1].id = SHARDS_MAX;
}
static void break_no_replicas(struct map *m)
{
    m->shards[1].replica_count = 0;
}
static void break_replica_node(struct map *m)
{
    m->shards[1].replicas[0].node = 4;
}
static void break_replica_node_zero(struct map *m)
{
    m->shards[1].replicas[0].node = 0;
}
static void break_replicas_together(struct map *m)
{
    m->shards[1].replicas[0].node = m->shards[1].replicas[1].node;
}
static void break_replica_id_zero(struct map *m)
{
    m->shards[1].replicas[0].id = 0;
}
static void break_replica_id_next(struct map *m)
{
    m->shards[1].replicas[0].id = m->next_replica;
}
static void break_replica_id_twice(struct map *m)
{
    m->shards[1].replicas[0].id = m->shards[4].replicas[2].id;
}
/* clang-format on */

static void (*const breaks[])(struct map *m) = {
    break_epoch,           break_feature_level,     break_vnodes,
    break_vnodes_max,      break_node_id,           break_node_name,
    break_node_name_bytes, break_node_port,         break_node_host,
    break_no_nodes,        break_meta_missing,      break_shards_missing,
    break_shard_twice,     break_shard_id,          break_no_replicas,
    break_replica_node,    break_replica_node_zero, break_replicas_together,
    break_replica_id_zero, break_replica_id_next,   break_replica_id_twice,
};

START_TEST(a_map_with_any_invariant_broken_is_malformed)
{
    struct map *map = bootstrap(THREE, 4, 3);
    breaks[_i](map);
    struct buf bytes = {0};
    map_encode(map, &bytes);
    struct map *none = NULL;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_MALFORMED);
    ck_assert_ptr_null(none);
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

START_TEST(a_port_with_a_leading_zero_is_another_form_of_the_same_map_and_malformed)
{
    struct map *map = bootstrap(THREE, 4, 3);
    struct buf bytes = {0};
    map_encode(map, &bytes);
    uint8_t *port = memmem(bytes.data, bytes.len, "7001", 4);
    ck_assert_ptr_nonnull(port);
    port[0] = '0';
    struct map *none = NULL;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_MALFORMED);
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

START_TEST(a_newer_version_or_feature_level_is_unsupported)
{
    struct map *map = bootstrap(THREE, 4, 3);
    struct buf bytes = {0};
    map->feature_level = MAP_FEATURE_LEVEL + 1;
    map_encode(map, &bytes);
    struct map *none = NULL;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_UNSUPPORTED);
    buf_reset(&bytes);
    map->feature_level = MAP_FEATURE_LEVEL;
    map_encode(map, &bytes);
    bytes.data[0]++;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_UNSUPPORTED);
    bytes.data[0] = 0;
    ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_MALFORMED);
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

START_TEST(a_claimed_count_never_reserves_more_than_the_bytes_hold)
{
    static const uint32_t counts[][2] = {{UINT32_MAX, 1}, {1, UINT32_MAX}, {64, 4096},
                                         {0, 4096},       {64, 0},         {UINT32_MAX, UINT32_MAX}};
    struct map *map = bootstrap(THREE, 1, 1);
    struct buf bytes = {0};
    map_encode(map, &bytes);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        buf_patch_u32(&bytes, 33, counts[i][0]);
        buf_patch_u32(&bytes, 37, counts[i][1]);
        struct map *none = NULL;
        mem_fail_after(0); /* an allocation would show as DKV_NO_MEMORY */
        ck_assert_int_eq(map_decode(buf_slice(&bytes), &none), DKV_MALFORMED);
        mem_fail_after(-1);
    }
    buf_fini(&bytes);
    map_free(map);
}
END_TEST

START_TEST(bootstrap_and_decode_survive_every_failed_allocation)
{
    struct map_plan plan = {.initial_cluster = THREE, .token = "", .shards = 4, .replicas = 3, .vnodes = 128};
    struct map *map = NULL;
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 100);
        struct buf why = {0};
        mem_fail_after(n);
        err = map_bootstrap(&plan, &map, &why);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
        buf_fini(&why);
    }
    struct buf bytes = {0};
    map_encode(map, &bytes);
    struct map *again = NULL;
    err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 100);
        mem_fail_after(n);
        err = map_decode(buf_slice(&bytes), &again);
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
    }
    assert_same(map, again);
    buf_fini(&bytes);
    map_free(again);
    map_free(map);
}
END_TEST

Suite *map_suite(void)
{
    Suite *s = suite_create("map");
    TCase *t = tcase_create("map");
    tcase_add_test(t, the_first_map_places_replicas_round_the_nodes);
    tcase_add_test(t, the_meta_group_takes_the_largest_of_one_three_five_that_fits);
    tcase_add_test(t, the_cluster_id_depends_on_the_plan_and_not_on_its_order);
    tcase_add_loop_test(t, a_wrong_plan_is_refused_in_one_line_that_says_what_is_allowed, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(t, sixty_four_nodes_are_accepted_and_one_more_is_refused);
    tcase_add_test(t, a_map_survives_encoding_and_no_beginning_of_it_is_one);
    tcase_add_test(t, damaged_bytes_are_refused_or_give_a_map_that_encodes_again);
    tcase_add_loop_test(t, a_map_with_any_invariant_broken_is_malformed, 0,
                        (int)(sizeof breaks / sizeof breaks[0]));
    tcase_add_test(t, a_port_with_a_leading_zero_is_another_form_of_the_same_map_and_malformed);
    tcase_add_test(t, a_newer_version_or_feature_level_is_unsupported);
    tcase_add_test(t, a_claimed_count_never_reserves_more_than_the_bytes_hold);
    tcase_add_test(t, bootstrap_and_decode_survive_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
