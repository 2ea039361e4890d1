/* test_order.c - lines in the order of LC_ALL=C sort, against qsort as the twin. */
#include "suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "dkvctl/jsonl.h"
#include "dkvctl/order.h"

#include <stdlib.h>

#define KEYS 300

struct pair {
    uint8_t key[6];
    size_t len;
    struct buf line;
};

static struct slice pair_key(const struct pair *p)
{
    return slice_of(p->key, p->len);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(pair_key(a), pair_key(b));
}

static int by_line(const void *a, const void *b)
{
    return slice_cmp(buf_slice(&((const struct pair *)a)->line), buf_slice(&((const struct pair *)b)->line));
}

/* Distinct keys of few different bytes, so that many begin alike; in their own order. */
static size_t pairs_make(struct pair *pairs, uint64_t seed)
{
    static const uint8_t plain[] = "ab'#Z[]~";
    static const uint8_t nasty[] = "\x00\x08\x0a\x1f !\"#[\\]\x7f\xc3\xbc\xff";
    struct rng rng = {.state = seed};
    bool is_plain = rng_below(&rng, 4) == 0;
    size_t n = 0;
    for (size_t i = 0; i < KEYS; i++) {
        struct pair *p = &pairs[i];
        *p = (struct pair){.len = 1 + (size_t)rng_below(&rng, sizeof p->key)};
        for (size_t k = 0; k < p->len; k++) {
            p->key[k] = is_plain ? plain[rng_below(&rng, sizeof plain - 1)]
                                 : nasty[rng_below(&rng, sizeof nasty - 1)];
        }
    }
    qsort(pairs, KEYS, sizeof *pairs, by_key);
    for (size_t i = 0; i < KEYS; i++) {
        if (n == 0 || by_key(&pairs[n - 1], &pairs[i]) != 0) {
            pairs[n++] = pairs[i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        jsonl_put(pair_key(&pairs[i]), slice_str("some value"), &pairs[i].line);
    }
    return n;
}

static bool take_line(void *ctx, struct slice line)
{
    buf_put(ctx, line);
    return true;
}

static void order_run_all(struct order *o, const struct pair *pairs, size_t n, struct buf *out)
{
    struct buf bound = {0};
    for (size_t i = 0; i < n; i++) {
        buf_reset(&bound);
        order_put_bound(pair_key(&pairs[i]), &bound);
        ck_assert_int_eq(order_take(o, buf_slice(&bound), take_line, out), DKV_OK);
        ck_assert_int_eq(order_put(o, buf_slice(&pairs[i].line)), DKV_OK);
    }
    ck_assert_int_eq(order_take(o, (struct slice){0}, take_line, out), DKV_OK);
    buf_fini(&bound);
}

/* With a small bound nearly every line goes through a temporary file, and the files are made one again and
 * again. */
START_TEST(keys_in_their_order_give_lines_in_theirs)
{
    static const size_t bounds[] = {ORDER_BYTES_MAX, 2000, 200, 0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static struct pair pairs[KEYS];
        struct order o = {.bytes_max = bounds[seed % 4]};
        struct buf out = {0};
        struct buf wanted = {0};
        size_t n = pairs_make(pairs, seed);
        order_run_all(&o, pairs, n, &out);
        qsort(pairs, n, sizeof *pairs, by_line);
        for (size_t i = 0; i < n; i++) {
            buf_put(&wanted, buf_slice(&pairs[i].line));
            buf_fini(&pairs[i].line);
        }
        ck_assert_msg(slice_eq(buf_slice(&out), buf_slice(&wanted)), "seed %llu", (unsigned long long)seed);
        order_fini(&o);
        buf_fini(&out);
        buf_fini(&wanted);
    }
}
END_TEST

START_TEST(plain_keys_are_held_back_one_at_a_time)
{
    struct order o = {.bytes_max = ORDER_BYTES_MAX};
    struct buf out = {0};
    struct buf bound = {0};
    struct buf line = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "it's-%04u", i);
        buf_reset(&bound);
        buf_reset(&line);
        order_put_bound(slice_str(key), &bound);
        jsonl_put(slice_str(key), slice_str(""), &line);
        ck_assert_int_eq(order_take(&o, buf_slice(&bound), take_line, &out), DKV_OK);
        ck_assert_uint_eq(o.count, 0);
        ck_assert_int_eq(order_put(&o, buf_slice(&line)), DKV_OK);
    }
    order_fini(&o);
    buf_fini(&out);
    buf_fini(&bound);
    buf_fini(&line);
}
END_TEST

static bool take_none(void *ctx, struct slice line)
{
    (void)ctx;
    (void)line;
    return false;
}

START_TEST(who_takes_may_stop)
{
    struct order o = {.bytes_max = ORDER_BYTES_MAX};
    ck_assert_int_eq(order_put(&o, slice_str("b\n")), DKV_OK);
    ck_assert_int_eq(order_put(&o, slice_str("a\n")), DKV_OK);
    ck_assert_int_eq(order_take(&o, slice_str("a\n"), take_none, NULL), DKV_OK);
    ck_assert_int_eq(order_take(&o, slice_str("b\n"), take_none, NULL), DKV_CANCELED);
    order_fini(&o);
}
END_TEST

START_TEST(a_temporary_file_that_cannot_be_made_is_told)
{
    struct order o = {.bytes_max = 0};
    setenv("TMPDIR", "/nonexistent", 1);
    ck_assert_int_eq(order_put(&o, slice_str("a\n")), DKV_IO);
    order_fini(&o);
}
END_TEST

START_TEST(holding_survives_every_failed_allocation)
{
    dkv_err err = DKV_NO_MEMORY;
    for (int n = 0; err != DKV_OK; n++) {
        ck_assert_int_lt(n, 10);
        struct order o = {.bytes_max = ORDER_BYTES_MAX};
        mem_fail_after(n);
        err = order_put(&o, slice_str("a\n"));
        mem_fail_after(-1);
        ck_assert(err == DKV_OK || err == DKV_NO_MEMORY);
        order_fini(&o);
    }
}
END_TEST

Suite *order_suite(void)
{
    Suite *s = suite_create("order");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, keys_in_their_order_give_lines_in_theirs);
    tcase_add_test(t, plain_keys_are_held_back_one_at_a_time);
    tcase_add_test(t, who_takes_may_stop);
    tcase_add_test(t, a_temporary_file_that_cannot_be_made_is_told);
    tcase_add_test(t, holding_survives_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
