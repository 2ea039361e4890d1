/* store.c - speed and memory of the tree at a given number of keys.
 *
 *   bench_store [KEYS [VALUE_BYTES]]        1,000,000 keys of 16 bytes, values of 256 bytes
 *
 * One line per measurement, key=value. Times are of single operations on keys in random order, the clock's
 * own cost included; op=clock_and_key is that cost alone. The slices of closing a view, which have a bound,
 * are in processor time, so that waiting for the processor does not count. Memory is what the allocator gave
 * out. */
#include "base/mem.h"
#include "base/rng.h"
#include "store/tree.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_SAMPLES_MAX 1000000u
#define BENCH_KEY_BYTES   16u
#define BENCH_KEYS_MAX    20000000u /* times the factor below, this fits 64 bits */

struct bench {
    struct tree *tree;
    struct rng rng;
    uint64_t keys;
    size_t value_bytes;
    uint32_t *samples; /* nanoseconds */
    size_t n;
};

static uint64_t bench_clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t bench_now_ns(void)
{
    return bench_clock_ns(CLOCK_MONOTONIC);
}

/* Key i of the set; the factor has no divisor in common with a power of ten, so keys differ, and their order
 * is not that of i. */
static struct slice bench_key(uint64_t i, char text[BENCH_KEY_BYTES + 1])
{
    snprintf(text, BENCH_KEY_BYTES + 1, "key:%012" PRIu64, i * 618033988751u % 1000000000000u);
    return slice_of(text, BENCH_KEY_BYTES);
}

/* As the state machine does it: the version of a key comes from what it was. */
static void bench_put(struct bench *b, uint64_t i)
{
    static const uint8_t value[VALUE_BYTES_MAX];
    char text[BENCH_KEY_BYTES + 1];
    struct slice key = bench_key(i, text);
    const struct record *old = tree_find(b->tree, key);
    uint64_t version = old == NULL ? 1 : old->version + 1;
    struct record *r = record_new(key, slice_of(value, b->value_bytes));
    ensure(r != NULL);
    dkv_err err = tree_put(b->tree, r);
    ensure(err == DKV_OK);
    r->version = version;
}

static void bench_find(struct bench *b, uint64_t i)
{
    char text[BENCH_KEY_BYTES + 1];
    const struct record *r = tree_find(b->tree, bench_key(i, text));
    ensure(r != NULL);
    ensure(r->value_len == b->value_bytes);
}

static void bench_nothing(struct bench *b, uint64_t i)
{
    char text[BENCH_KEY_BYTES + 1];
    ensure(bench_key(i, text).len == BENCH_KEY_BYTES);
    ensure(b->tree != NULL);
}

static void bench_del(struct bench *b, uint64_t i)
{
    char text[BENCH_KEY_BYTES + 1];
    dkv_err err = tree_del(b->tree, bench_key(i, text));
    ensure(err == DKV_OK);
}

static int bench_order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void bench_report(struct bench *b, const char *name)
{
    qsort(b->samples, b->n, sizeof b->samples[0], bench_order);
    printf("op=%s n=%zu p50_ns=%u p99_ns=%u p999_ns=%u max_us=%u\n", name, b->n, b->samples[b->n / 2],
           b->samples[b->n * 99 / 100], b->samples[b->n * 999 / 1000], b->samples[b->n - 1] / 1000);
    b->n = 0;
}

static void bench_time(struct bench *b, const char *name, void (*op)(struct bench *b, uint64_t i), bool all)
{
    uint64_t n = b->keys < BENCH_SAMPLES_MAX ? b->keys : BENCH_SAMPLES_MAX;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key = all ? i : rng_below(&b->rng, b->keys);
        uint64_t from = bench_now_ns();
        op(b, key);
        b->samples[b->n++] = (uint32_t)(bench_now_ns() - from);
    }
    bench_report(b, name);
}

static void bench_load(struct bench *b)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    uint64_t from = bench_now_ns();
    for (uint64_t i = 0; i < b->keys; i++) {
        bench_put(b, i);
    }
    double ns = (double)(bench_now_ns() - from) / (double)b->keys;
    double bytes = (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / (double)b->keys;
    double data = (double)tree_bytes(b->tree) / (double)b->keys;
    printf("op=load n=%" PRIu64 " mean_ns=%.0f bytes_per_key=%.1f data=%.0f overhead=%.1f\n", b->keys, ns,
           bytes, data, bytes - data);
}

static void bench_scan(struct bench *b)
{
    uint64_t from = bench_now_ns();
    struct tree_cursor c;
    uint64_t keys = 0;
    uint64_t bytes = 0;
    tree_seek(b->tree, (struct slice){0}, &c);
    for (const struct record *r = tree_next(&c); r != NULL; r = tree_next(&c)) {
        keys++;
        bytes += (uint64_t)r->key_len + r->value_len;
    }
    ensure(bytes == tree_bytes(b->tree));
    printf("op=scan n=%" PRIu64 " mean_ns=%.1f\n", keys, (double)(bench_now_ns() - from) / (double)keys);
}

/* Change every key under a view, so that closing it has everything to free. */
static void bench_view(struct bench *b)
{
    uint64_t from = bench_now_ns();
    struct tree_view *v = tree_view_open(b->tree);
    ensure(v != NULL);
    printf("op=view_open ns=%" PRIu64 "\n", bench_now_ns() - from);
    bench_time(b, "put_under_view", bench_put, true);
    printf("op=view_held items=%" PRIu64 "\n", tree_held(b->tree));
    bool done = false;
    while (!done && b->n < BENCH_SAMPLES_MAX) {
        from = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        done = tree_view_close(b->tree, v);
        b->samples[b->n++] = (uint32_t)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - from);
    }
    ensure(done);
    bench_report(b, "view_close_slice");
}

int main(int argc, char **argv)
{
    struct bench b = {.rng = {1}, .keys = 1000000, .value_bytes = 256};
    b.keys = argc > 1 ? strtoull(argv[1], NULL, 10) : b.keys;
    b.value_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : b.value_bytes;
    if (b.keys == 0 || b.keys > BENCH_KEYS_MAX || b.value_bytes > VALUE_BYTES_MAX || argc > 3) {
        fprintf(stderr, "usage: bench_store [KEYS [VALUE_BYTES]]   1 to %u keys, values of up to %u bytes\n",
                BENCH_KEYS_MAX, VALUE_BYTES_MAX);
        return 2;
    }
    b.tree = tree_new();
    b.samples = mem_zalloc(BENCH_SAMPLES_MAX, sizeof b.samples[0]);
    if (b.tree == NULL || b.samples == NULL) {
        return 1;
    }
    bench_time(&b, "clock_and_key", bench_nothing, false);
    bench_load(&b);
    bench_time(&b, "get", bench_find, false);
    bench_time(&b, "put_replace", bench_put, false);
    bench_scan(&b);
    bench_view(&b);
    bench_time(&b, "delete", bench_del, true);
    bench_time(&b, "put_insert", bench_put, true);
    tree_free(b.tree);
    mem_free(b.samples);
    return 0;
}
