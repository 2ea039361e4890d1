/* test_tree.c - the tree against a sorted array, its views against copies, its failures, its readers. */
#include "base/mem.h"
#include "base/rng.h"
#include "store/tree.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

Suite *tree_suite(void);

#define TWIN_KEYS_MAX  8192u
#define TWIN_KEY_BYTES 20u
#define TWIN_VIEWS     4u

/* The naive twin: entries in order, found by walking halves, moved by memmove. */
struct entry {
    uint8_t key[TWIN_KEY_BYTES];
    uint8_t len;
    uint64_t id;
};

struct twin {
    struct entry entries[TWIN_KEYS_MAX];
    size_t n;
};

static struct slice entry_key(const struct entry *e)
{
    return slice_of(e->key, e->len);
}

static size_t twin_seek(const struct twin *w, struct slice key)
{
    size_t low = 0;
    size_t high = w->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (slice_cmp(entry_key(&w->entries[mid]), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool twin_has(const struct twin *w, size_t at, struct slice key)
{
    return at < w->n && slice_eq(entry_key(&w->entries[at]), key);
}

static void twin_put(struct twin *w, struct slice key, uint64_t id)
{
    size_t at = twin_seek(w, key);
    if (!twin_has(w, at, key)) {
        ensure(w->n < TWIN_KEYS_MAX);
        memmove(&w->entries[at + 1], &w->entries[at], (w->n - at) * sizeof w->entries[0]);
        memcpy(w->entries[at].key, key.data, key.len);
        w->entries[at].len = (uint8_t)key.len;
        w->n++;
    }
    w->entries[at].id = id;
}

static bool twin_del(struct twin *w, struct slice key)
{
    size_t at = twin_seek(w, key);
    if (!twin_has(w, at, key)) {
        return false;
    }
    w->n--;
    memmove(&w->entries[at], &w->entries[at + 1], (w->n - at) * sizeof w->entries[0]);
    return true;
}

static dkv_err put(struct tree *t, struct slice key, uint64_t id)
{
    struct record *r = record_new(key, slice_of(&id, id % 9 == 0 ? 0 : sizeof id));
    if (r == NULL) {
        return DKV_NO_MEMORY;
    }
    r->id = id;
    dkv_err err = tree_put(t, r);
    if (err != DKV_OK) {
        record_free(r);
    }
    return err;
}

static void put_ok(struct tree *t, struct slice key, uint64_t id)
{
    ensure(put(t, key, id) == DKV_OK);
}

static struct slice numbered(uint64_t i, char text[TWIN_KEY_BYTES])
{
    return slice_of(text, (size_t)snprintf(text, TWIN_KEY_BYTES, "key:%08llu", (unsigned long long)i));
}

/* Keys with much in common, with zeroes at the end, one the beginning of the other: few enough that they
 * meet. */
static struct slice random_key(struct rng *rng, uint8_t key[TWIN_KEY_BYTES])
{
    static const uint8_t letters[] = {0x00, 'a', 'b', 0xff};
    size_t len = 0;
    if (rng_below(rng, 2) == 0) {
        memcpy(key, "shared:key", 10);
        len = 10;
    }
    for (size_t more = rng_below(rng, 9); more > 0; more--) {
        key[len++] = letters[rng_below(rng, 4)];
    }
    return slice_of(key, len);
}

static void assert_same(struct tree_cursor *c, const struct twin *w, size_t at)
{
    for (; at < w->n; at++) {
        const struct record *r = tree_next(c);
        ensure(r != NULL);
        ensure(slice_eq(record_key(r), entry_key(&w->entries[at])));
        ensure(r->id == w->entries[at].id);
    }
    ensure(tree_next(c) == NULL);
    ensure(tree_next(c) == NULL);
}

static void close_view(struct tree *t, struct tree_view *v)
{
    for (unsigned n = 0; !tree_view_close(t, v); n++) {
        ensure(n < 1000000);
    }
}

struct frozen {
    struct tree_view *view; /* NULL: closed */
    struct twin *twin;
};

static void frozen_check(const struct frozen *f, struct slice from)
{
    struct tree_cursor c;
    ensure(tree_view_keys(f->view) == f->twin->n);
    tree_view_seek(f->view, from, &c);
    assert_same(&c, f->twin, twin_seek(f->twin, from));
}

static void frozen_toggle(struct tree *t, const struct twin *w, struct frozen *f)
{
    if (f->view == NULL) {
        f->view = tree_view_open(t);
        *f->twin = *w;
        return;
    }
    frozen_check(f, (struct slice){0});
    close_view(t, f->view);
    f->view = NULL;
}

struct duel {
    struct rng rng;
    struct tree *tree;
    struct twin *twin;
    struct frozen frozen[TWIN_VIEWS];
};

static void duel_begin(struct duel *d)
{
    const char *given = getenv("DKV_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("DKV_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    *d = (struct duel){.rng = {seed}, .tree = tree_new(), .twin = mem_zalloc(1, sizeof(struct twin))};
    for (unsigned i = 0; i < TWIN_VIEWS; i++) {
        d->frozen[i].twin = mem_zalloc(1, sizeof(struct twin));
    }
}

static void duel_end(struct duel *d)
{
    for (unsigned i = 0; i < TWIN_VIEWS; i++) {
        if (d->frozen[i].view != NULL) {
            frozen_toggle(d->tree, d->twin, &d->frozen[i]);
        }
        mem_free(d->frozen[i].twin);
    }
    ck_assert_uint_eq(tree_held(d->tree), 0);
    tree_free(d->tree);
    mem_free(d->twin);
}

/* One change of a random key, a put with the given chance in a hundred. */
static void duel_step(struct duel *d, uint64_t id, unsigned puts)
{
    uint8_t text[TWIN_KEY_BYTES];
    struct slice key = random_key(&d->rng, text);
    if (d->twin->n + 1 < TWIN_KEYS_MAX && rng_below(&d->rng, 100) < puts) {
        put_ok(d->tree, key, id);
        twin_put(d->twin, key, id);
    } else {
        if (d->twin->n > 0 && rng_below(&d->rng, 8) > 0) { /* as a rule one that is there */
            const struct entry *e = &d->twin->entries[rng_below(&d->rng, d->twin->n)];
            memcpy(text, e->key, e->len);
            key = slice_of(text, e->len);
        }
        dkv_err err = tree_del(d->tree, key);
        ensure(err == (twin_del(d->twin, key) ? DKV_OK : DKV_NOT_FOUND));
    }
    const struct record *r = tree_find(d->tree, key);
    size_t at = twin_seek(d->twin, key);
    ensure((r != NULL) == twin_has(d->twin, at, key));
    ensure(r == NULL || r->id == d->twin->entries[at].id);
    ensure(tree_keys(d->tree) == d->twin->n);
}

static void duel_compare(struct duel *d)
{
    uint8_t text[TWIN_KEY_BYTES];
    struct slice from = random_key(&d->rng, text);
    struct tree_cursor c;
    tree_check(d->tree);
    tree_seek(d->tree, from, &c);
    assert_same(&c, d->twin, twin_seek(d->twin, from));
    for (unsigned i = 0; i < TWIN_VIEWS; i++) {
        if (d->frozen[i].view != NULL) {
            frozen_check(&d->frozen[i], from);
        }
    }
}

START_TEST(random_changes_and_views_agree_with_a_sorted_array)
{
    static const unsigned puts[] = {90, 20, 60, 5, 80, 0}; /* it grows and shrinks, to nothing in the end */
    struct duel d;
    duel_begin(&d);
    uint64_t id = 1;
    for (size_t phase = 0; phase < sizeof puts / sizeof puts[0]; phase++) {
        for (unsigned step = 0; step < 20000; step++) {
            duel_step(&d, id++, puts[phase]);
            if (rng_below(&d.rng, 300) == 0) {
                frozen_toggle(d.tree, d.twin, &d.frozen[rng_below(&d.rng, TWIN_VIEWS)]);
            }
            if (rng_below(&d.rng, 500) == 0) {
                duel_compare(&d);
            }
        }
        duel_compare(&d);
    }
    duel_end(&d);
}
END_TEST

/* Insert and delete n keys, each in an order of its own, checking all along. */
static void fill_and_empty(uint64_t n, uint64_t put_step, uint64_t del_step)
{
    struct tree *t = tree_new();
    char text[TWIN_KEY_BYTES];
    for (uint64_t i = 0; i < n; i++) {
        put_ok(t, numbered(i * put_step % n, text), i);
        if (i % 97 == 0) {
            tree_check(t);
        }
    }
    ck_assert_uint_eq(tree_keys(t), n);
    for (uint64_t i = 0; i < n; i++) {
        dkv_err err = tree_del(t, numbered(i * del_step % n, text));
        ck_assert_int_eq(err, DKV_OK);
        if (i % 97 == 0) {
            tree_check(t);
        }
    }
    ck_assert_uint_eq(tree_keys(t), 0);
    ck_assert_uint_eq(tree_bytes(t), 0);
    ck_assert_int_eq(tree_del(t, numbered(0, text)), DKV_NOT_FOUND);
    tree_check(t);
    tree_free(t);
}

START_TEST(every_order_of_filling_and_emptying_keeps_the_tree_sound)
{
    enum { N = 6007 }; /* a prime, so that each step visits every key; three levels */
    static const uint64_t steps[] = {1, N - 1, 2617};
    for (size_t i = 0; i < 9; i++) {
        fill_and_empty(N, steps[i / 3], steps[i % 3]);
    }
}
END_TEST

START_TEST(an_empty_tree_has_nothing_and_a_view_of_it_stays_empty)
{
    struct tree *t = tree_new();
    struct tree_cursor c;
    tree_check(t);
    ck_assert_ptr_null(tree_find(t, slice_str("a")));
    ck_assert_int_eq(tree_del(t, slice_str("a")), DKV_NOT_FOUND);
    tree_seek(t, slice_str("a"), &c);
    ck_assert_ptr_null(tree_next(&c));
    struct tree_view *v = tree_view_open(t);
    put_ok(t, slice_str("a"), 1);
    tree_view_seek(v, (struct slice){0}, &c);
    ck_assert_ptr_null(tree_next(&c));
    ck_assert(tree_view_close(t, v));
    ck_assert_uint_eq(tree_held(t), 0);
    tree_free(t);
    tree_free(NULL);
}
END_TEST

START_TEST(bytes_counts_keys_and_values)
{
    struct tree *t = tree_new();
    put_ok(t, slice_str("key"), 1); /* eight bytes of value */
    ck_assert_uint_eq(tree_bytes(t), 11);
    put_ok(t, slice_str("key"), 9); /* none */
    ck_assert_uint_eq(tree_bytes(t), 3);
    tree_free(t);
}
END_TEST

/* Same keys with the same ids give the same number. */
static uint64_t digest(struct tree_cursor *c)
{
    uint64_t sum = 0;
    for (const struct record *r = tree_next(c); r != NULL; r = tree_next(c)) {
        struct slice key = record_key(r);
        sum = sum * 31 + r->id;
        for (size_t i = 0; i < key.len; i++) {
            sum = sum * 31 + key.data[i];
        }
    }
    return sum;
}

static uint64_t digest_tree(const struct tree *t)
{
    struct tree_cursor c;
    tree_seek(t, (struct slice){0}, &c);
    return digest(&c);
}

static uint64_t digest_view(const struct tree_view *v)
{
    struct tree_cursor c;
    tree_view_seek(v, (struct slice){0}, &c);
    return digest(&c);
}

/* One change, each of its allocations failing in turn first. Returns how many failed. What a failed try
 * copied stays copied, so each try has a view of its own: every node on the way is to be copied again. */
static int change_failing(struct tree *t, struct slice key, uint64_t id, bool del)
{
    uint64_t before = digest_tree(t);
    dkv_err err = DKV_NO_MEMORY;
    int n = 0;
    for (; err == DKV_NO_MEMORY; n++) {
        ensure(n < 100);
        struct tree_view *v = tree_view_open(t);
        mem_fail_after(n);
        err = del ? tree_del(t, key) : put(t, key, id);
        mem_fail_after(-1);
        ensure(digest_view(v) == before);
        close_view(t, v);
        if (err == DKV_NO_MEMORY) {
            tree_check(t);
            ensure(digest_tree(t) == before);
        }
    }
    ensure(err == DKV_OK);
    tree_check(t);
    return n - 1;
}

START_TEST(every_failed_allocation_leaves_the_content_as_it_was)
{
    enum { N = 4000, CHANGES = 600 };
    struct tree *t = tree_new();
    char text[TWIN_KEY_BYTES];
    for (uint64_t i = 0; i < N; i++) {
        put_ok(t, numbered(2 * i, text), i); /* ascending: nearly full nodes */
    }
    struct tree_view *v = tree_view_open(t);
    uint64_t frozen = digest_view(v);
    int most = 0;
    for (uint64_t i = 0; i < CHANGES; i++) {
        bool del = i >= CHANGES / 2;
        uint64_t key = del ? 2 * i : 2 * i + 1; /* side by side, so that splits and joins run up */
        int n = change_failing(t, numbered(key, text), i, del);
        most = n > most ? n : most;
    }
    ck_assert_int_ge(most, 6); /* a record, three copies, two splits */
    ck_assert_uint_eq(digest_view(v), frozen);
    close_view(t, v);
    ck_assert_uint_eq(tree_held(t), 0);
    tree_free(t);
}
END_TEST

START_TEST(an_empty_tree_survives_every_failed_allocation)
{
    mem_fail_after(0);
    ck_assert_ptr_null(tree_new());
    mem_fail_after(-1);
    struct tree *t = tree_new();
    ck_assert_int_eq(change_failing(t, slice_str("a"), 1, false), 2);
    mem_fail_after(0);
    ck_assert_ptr_null(tree_view_open(t));
    mem_fail_after(-1);
    tree_free(t);
}
END_TEST

struct reading {
    struct tree_view *view;
    uint64_t digest; /* what each pass must see */
    unsigned passes;
    unsigned right; /* out */
};

static void *read_passes(void *arg)
{
    struct reading *reading = arg;
    for (unsigned i = 0; i < reading->passes; i++) {
        reading->right += digest_view(reading->view) == reading->digest;
    }
    return NULL;
}

/* Run with -fsanitize=thread it also shows that reader and writer never touch the same field. */
START_TEST(a_view_is_read_by_another_thread_while_the_loop_writes)
{
    enum { N = 5000, PASSES = 30, ROUNDS = 4 };
    struct tree *t = tree_new();
    struct rng rng = {7};
    char text[TWIN_KEY_BYTES];
    for (uint64_t i = 0; i < N; i++) {
        put_ok(t, numbered(i, text), i);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct reading reading = {.view = tree_view_open(t), .digest = digest_tree(t), .passes = PASSES};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, read_passes, &reading), 0);
        for (uint64_t i = 0; i < 4 * N; i++) {
            struct slice key = numbered(rng_below(&rng, 2 * N), text);
            if (rng_below(&rng, 2) == 0) {
                put_ok(t, key, i);
            } else {
                dkv_err err = tree_del(t, key);
                ensure(err == DKV_OK || err == DKV_NOT_FOUND);
            }
            if (i % 1000 == 0) { /* views that come and go meanwhile change nothing for the reader */
                close_view(t, tree_view_open(t));
            }
        }
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_eq(reading.right, PASSES);
        close_view(t, reading.view);
    }
    ck_assert_uint_eq(tree_held(t), 0);
    tree_check(t);
    tree_free(t);
}
END_TEST

Suite *tree_suite(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_empty_tree_has_nothing_and_a_view_of_it_stays_empty);
    tcase_add_test(t, bytes_counts_keys_and_values);
    tcase_add_test(t, random_changes_and_views_agree_with_a_sorted_array);
    tcase_add_test(t, every_order_of_filling_and_emptying_keeps_the_tree_sound);
    tcase_add_test(t, every_failed_allocation_leaves_the_content_as_it_was);
    tcase_add_test(t, an_empty_tree_survives_every_failed_allocation);
    tcase_add_test(t, a_view_is_read_by_another_thread_while_the_loop_writes);
    suite_add_tcase(s, t);
    return s;
}
