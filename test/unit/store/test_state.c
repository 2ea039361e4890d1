/* test_state.c - what commands do to a shard and what reads say. */
#include "base/mem.h"
#include "base/rng.h"
#include "store/state.h"
#include "topo/map.h"
#include "topo/ring.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *state_suite(void);

#define SHARD 1u

static struct ring *ring; /* two shards, made for each test and freed after it */

static void setup(void)
{
    struct map_plan plan = {
        .initial_cluster = "n1=h:1", .token = "", .shards = 2, .replicas = 1, .vnodes = 16};
    struct map *map = NULL;
    struct buf why = {0};
    ck_assert_int_eq(map_bootstrap(&plan, &map, &why), DKV_OK);
    ring = ring_new(map);
    map_free(map);
    buf_fini(&why);
}

static void teardown(void)
{
    ring_free(ring);
}

/* Key i of those with that first letter that the shard owns: its number is fitted until it does. */
static struct slice key_of(uint32_t shard, char first, unsigned i, char text[32])
{
    struct slice key;
    unsigned n = i * 1000;
    do {
        key = slice_of(text, (size_t)snprintf(text, 32, "%c%06u", first, n++));
    } while (ring_find(ring, key) != shard);
    return key;
}

static struct state_result apply_put(struct state *s, uint64_t index, struct slice key, const char *value)
{
    struct command c = {.op = COMMAND_PUT, .key = key, .value = slice_str(value)};
    struct state_result out;
    state_apply(s, index, &c, &out);
    return out;
}

static struct state_result apply_delete(struct state *s, uint64_t index, struct slice key)
{
    struct command c = {.op = COMMAND_DELETE, .key = key};
    struct state_result out;
    state_apply(s, index, &c, &out);
    return out;
}

static void assert_result(struct state_result got, dkv_err err, uint64_t id, uint64_t version)
{
    ck_assert_int_eq(got.err, err);
    ck_assert_uint_eq(got.id, id);
    ck_assert_uint_eq(got.version, version);
}

START_TEST(a_key_counts_its_versions_and_carries_the_index_of_its_last_change)
{
    struct state *s = state_new(SHARD, ring);
    char text[32];
    struct slice key = key_of(SHARD, 'k', 0, text);
    struct state_item item;
    ck_assert_int_eq(state_get(s, key, &item), DKV_NOT_FOUND);
    assert_result(apply_put(s, 5, key, "one"), DKV_OK, 5, 1);
    assert_result(apply_put(s, 9, key, "two"), DKV_OK, 9, 2);
    ck_assert_int_eq(state_get(s, key, &item), DKV_OK);
    ck_assert(slice_eq(item.key, key));
    ck_assert(slice_eq(item.value, slice_str("two")));
    ck_assert_uint_eq(item.id, 9);
    ck_assert_uint_eq(item.version, 2);
    ck_assert_uint_eq(state_keys(s), 1);
    ck_assert_uint_eq(state_bytes(s), key.len + 3);
    state_free(s);
}
END_TEST

START_TEST(versions_start_again_after_a_delete)
{
    struct state *s = state_new(SHARD, ring);
    char text[32];
    struct slice key = key_of(SHARD, 'k', 0, text);
    struct state_item item;
    assert_result(apply_delete(s, 1, key), DKV_NOT_FOUND, 0, 0);
    assert_result(apply_put(s, 2, key, "a"), DKV_OK, 2, 1);
    assert_result(apply_put(s, 3, key, "b"), DKV_OK, 3, 2);
    assert_result(apply_delete(s, 4, key), DKV_OK, 4, 0);
    ck_assert_int_eq(state_get(s, key, &item), DKV_NOT_FOUND);
    assert_result(apply_put(s, 5, key, "c"), DKV_OK, 5, 1);
    ck_assert_uint_eq(state_index(s), 5);
    state_free(s);
}
END_TEST

START_TEST(a_key_of_another_shard_is_refused_at_apply_and_at_read)
{
    struct state *s = state_new(SHARD, ring);
    char text[32];
    struct slice key = key_of(SHARD + 1, 'k', 0, text);
    struct state_item item;
    assert_result(apply_put(s, 1, key, "a"), DKV_WRONG_SHARD, 0, 0);
    assert_result(apply_delete(s, 2, key), DKV_WRONG_SHARD, 0, 0);
    ck_assert_int_eq(state_get(s, key, &item), DKV_WRONG_SHARD);
    ck_assert_uint_eq(state_keys(s), 0);
    ck_assert_uint_eq(state_index(s), 2);
    state_free(s);
}
END_TEST

START_TEST(the_largest_key_and_value_fit_and_one_byte_more_does_not)
{
    struct state *s = state_new(SHARD, ring);
    char text[32];
    struct buf key = {0};
    buf_printf(&key, "{%s}", (const char *)key_of(SHARD, 'k', 0, text).data); /* its tag makes it ours */
    size_t begin = key.len;
    memset(buf_extend(&key, KEY_BYTES_MAX + 1 - begin), 'x', KEY_BYTES_MAX + 1 - begin);
    uint8_t *value = mem_zalloc(1, VALUE_BYTES_MAX + 1);
    const struct {
        size_t key_len, value_len;
        dkv_err err;
    } cases[] = {
        {KEY_BYTES_MAX, VALUE_BYTES_MAX, DKV_OK},
        {KEY_BYTES_MAX + 1, 0, DKV_TOO_LARGE},
        {KEY_BYTES_MAX, VALUE_BYTES_MAX + 1, DKV_TOO_LARGE},
        {0, 0, DKV_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command c = {.op = COMMAND_PUT};
        c.key = slice_of(key.data, cases[i].key_len);
        c.value = slice_of(value, cases[i].value_len);
        struct state_result out;
        state_apply(s, i + 1, &c, &out);
        ck_assert_int_eq(out.err, cases[i].err);
    }
    ck_assert_uint_eq(state_keys(s), 1);
    ck_assert_uint_eq(state_index(s), 4);
    buf_fini(&key);
    mem_free(value);
    state_free(s);
}
END_TEST

START_TEST(a_map_is_no_command_for_a_shard)
{
    struct state *s = state_new(SHARD, ring);
    struct command c = {.op = COMMAND_MAP};
    struct state_result out;
    state_apply(s, 1, &c, &out);
    ck_assert_int_eq(out.err, DKV_UNSUPPORTED);
    state_free(s);
}
END_TEST

START_TEST(log_time_never_goes_back_and_moves_with_refused_commands_too)
{
    static const struct {
        uint64_t in, out;
    } times[] = {{100, 100}, {50, 100}, {101, 101}, {0, 101}, {UINT64_MAX, UINT64_MAX}};
    struct state *s = state_new(SHARD, ring);
    ck_assert_uint_eq(state_log_time(s), 0);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct command c = {.op = COMMAND_DELETE, .key = slice_str("x"), .log_time = times[i].in};
        struct state_result out;
        state_apply(s, i + 1, &c, &out);
        ck_assert_uint_eq(state_log_time(s), times[i].out);
    }
    state_skip(s, 77);
    ck_assert_uint_eq(state_index(s), 77);
    ck_assert_uint_eq(state_log_time(s), UINT64_MAX);
    state_free(s);
}
END_TEST

/* Collects keys with '|' behind each, at most limit of them. */
struct page {
    struct buf keys;
    unsigned limit;
};

static bool page_visit(void *ctx, const struct state_item *item)
{
    struct page *page = ctx;
    buf_put(&page->keys, item->key);
    buf_put_u8(&page->keys, '|');
    return --page->limit > 0;
}

static void assert_page(struct page *page, const char *expected)
{
    ck_assert_msg(slice_eq(buf_slice(&page->keys), slice_str(expected)), "%.*s is not %s",
                  (int)page->keys.len, (const char *)page->keys.data, expected);
    buf_fini(&page->keys);
}

static const struct {
    const char *prefix, *from;
    unsigned limit;
    const char *keys;
} scans[] = {
    {"", "", 99, "{T}a|{T}a1|{T}a2|{T}b|{T}b\xff|{T}c|"},
    {"", "", 2, "{T}a|{T}a1|"},
    {"{T}a", "", 99, "{T}a|{T}a1|{T}a2|"},
    {"{T}a", "{T}a1", 99, "{T}a1|{T}a2|"},
    {"{T}a", "{T}a11", 99, "{T}a2|"},
    {"{T}b", "{T}a", 99, "{T}b|{T}b\xff|"},
    {"{T}b", "{T}c", 99, ""},
    {"{T}b\xff", "", 99, "{T}b\xff|"},
    {"", "{T}b\xff", 99, "{T}b\xff|{T}c|"},
    {"", "{T}b\xff\xff", 99, "{T}c|"},
    {"{T}d", "", 99, ""},
    {"\xff", "", 99, ""},
};

START_TEST(a_scan_gives_the_keys_of_a_prefix_in_order_from_a_key_on)
{
    static const char *const keys[] = {"{T}c", "{T}a2", "{T}b", "{T}a", "{T}b\xff", "{T}a1"};
    uint32_t shard = ring_find(ring, slice_str("{T}"));
    struct state *s = state_new(shard, ring);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ck_assert_int_eq(apply_put(s, i + 1, slice_str(keys[i]), "v").err, DKV_OK);
    }
    struct page page = {.limit = scans[_i].limit};
    state_scan(s, slice_str(scans[_i].prefix), slice_str(scans[_i].from), page_visit, &page);
    assert_page(&page, scans[_i].keys);
    struct state_view *v = state_view_open(s);
    page = (struct page){.limit = scans[_i].limit};
    state_view_scan(v, slice_str(scans[_i].prefix), slice_str(scans[_i].from), page_visit, &page);
    assert_page(&page, scans[_i].keys);
    ck_assert(state_view_close(v));
    state_free(s);
}
END_TEST

START_TEST(a_view_stays_as_it_was_while_the_state_goes_on)
{
    uint32_t shard = ring_find(ring, slice_str("{T}"));
    struct state *s = state_new(shard, ring);
    apply_put(s, 1, slice_str("{T}a"), "1");
    apply_put(s, 2, slice_str("{T}b"), "1");
    struct state_view *v = state_view_open(s);
    apply_delete(s, 3, slice_str("{T}a"));
    apply_put(s, 4, slice_str("{T}c"), "1");
    ck_assert_uint_eq(state_view_index(v), 2);
    struct page page = {.limit = 99};
    state_view_scan(v, (struct slice){0}, (struct slice){0}, page_visit, &page);
    assert_page(&page, "{T}a|{T}b|");
    while (!state_view_close(v)) {
    }
    page = (struct page){.limit = 99};
    state_scan(s, (struct slice){0}, (struct slice){0}, page_visit, &page);
    assert_page(&page, "{T}b|{T}c|");
    state_free(s);
}
END_TEST

START_TEST(equal_states_have_equal_hashes_and_any_difference_shows)
{
    char text[32];
    struct slice key = key_of(SHARD, 'k', 0, text);
    char other_text[32];
    struct slice other = key_of(SHARD, 'k', 1, other_text);
    struct state *a = state_new(SHARD, ring);
    struct state *b = state_new(SHARD, ring);
    ck_assert_uint_eq(state_hash(a), 0);
    apply_put(a, 1, key, "v");
    apply_put(b, 1, key, "v");
    ck_assert_uint_eq(state_hash(a), state_hash(b));
    uint64_t before = state_hash(a);
    apply_put(b, 2, other, "v"); /* another way to the same content */
    ck_assert_uint_ne(state_hash(b), before);
    apply_delete(b, 3, other);
    ck_assert_uint_eq(state_hash(b), before);
    apply_delete(b, 4, key);
    apply_put(b, 5, key, "v"); /* another id */
    ck_assert_uint_ne(state_hash(b), before);
    apply_put(a, 5, key, "v"); /* the same id, another version */
    ck_assert_uint_ne(state_hash(a), state_hash(b));
    apply_put(a, 6, key, "v");
    apply_delete(b, 6, key);
    ck_assert_uint_eq(state_hash(b), 0);
    state_free(a);
    state_free(b);
}
END_TEST

START_TEST(a_hash_never_changes_from_release_to_release)
{
    struct state *s = state_new(ring_find(ring, slice_str("{T}")), ring);
    apply_put(s, 7, slice_str("{T}a"), "value");
    apply_put(s, 8, slice_str("{T}a"), "other");
    apply_put(s, 300, slice_str("{T}b"), "");
    ck_assert_uint_eq(state_hash(s), 0x6589b788ee8c036fu);
    state_free(s);
}
END_TEST

START_TEST(every_failed_allocation_leaves_the_state_where_it_was)
{
    char text[32];
    struct state *s = NULL;
    for (int n = 0; s == NULL; n++) {
        ck_assert_int_lt(n, 100);
        mem_fail_after(n);
        s = state_new(SHARD, ring);
        mem_fail_after(-1);
    }
    for (unsigned i = 0; i < 300; i++) {
        struct slice key = key_of(SHARD, 'k', i, text);
        struct state_result out = {.err = DKV_NO_MEMORY};
        uint64_t hash = state_hash(s);
        for (int n = 0; out.err == DKV_NO_MEMORY; n++) {
            ck_assert_uint_eq(state_index(s), i);
            ck_assert_uint_eq(state_hash(s), hash);
            mem_fail_after(n);
            out = apply_put(s, i + 1, key, "v");
            mem_fail_after(-1);
        }
        assert_result(out, DKV_OK, i + 1, 1);
    }
    struct state_view *v = NULL;
    for (int n = 0; v == NULL; n++) {
        mem_fail_after(n);
        v = state_view_open(s);
        mem_fail_after(-1);
    }
    ck_assert(state_view_close(v));
    state_free(s);
    state_free(NULL);
}
END_TEST

Suite *state_suite(void)
{
    Suite *s = suite_create("state");
    TCase *t = tcase_create("state");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_key_counts_its_versions_and_carries_the_index_of_its_last_change);
    tcase_add_test(t, versions_start_again_after_a_delete);
    tcase_add_test(t, a_key_of_another_shard_is_refused_at_apply_and_at_read);
    tcase_add_test(t, the_largest_key_and_value_fit_and_one_byte_more_does_not);
    tcase_add_test(t, a_map_is_no_command_for_a_shard);
    tcase_add_test(t, log_time_never_goes_back_and_moves_with_refused_commands_too);
    tcase_add_loop_test(t, a_scan_gives_the_keys_of_a_prefix_in_order_from_a_key_on, 0,
                        (int)(sizeof scans / sizeof scans[0]));
    tcase_add_test(t, a_view_stays_as_it_was_while_the_state_goes_on);
    tcase_add_test(t, equal_states_have_equal_hashes_and_any_difference_shows);
    tcase_add_test(t, a_hash_never_changes_from_release_to_release);
    tcase_add_test(t, every_failed_allocation_leaves_the_state_where_it_was);
    suite_add_tcase(s, t);
    return s;
}
