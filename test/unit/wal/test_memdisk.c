/* test_memdisk.c - the disk in memory keeps the contract of the seam, and forgets as a disk does. */
#include "base/buf.h"
#include "lib/memdisk.h"

#include <check.h>

Suite *memdisk_suite(void);

struct told {
    struct disk_write write;
    struct disk_make make;
    unsigned times;
    dkv_err err;
};

static void on_write(struct disk_write *req, dkv_err err)
{
    struct told *t = CONTAINER(req, struct told, write);
    t->times++;
    t->err = err;
}

static void on_make(struct disk_make *req, dkv_err err)
{
    struct told *t = CONTAINER(req, struct told, make);
    t->times++;
    t->err = err;
}

#define FILE_BYTES  (8 * MEMDISK_SECTOR)
#define WRITE_BYTES (4 * MEMDISK_SECTOR)

static uint8_t ones[WRITE_BYTES];
static const uint8_t zeroes[WRITE_BYTES];

/* A disk with one file "f" of zeroes, and a write of ones pending in its middle. */
struct bench {
    struct memdisk *d;
    struct disk_file *file;
    struct told told;
};

static void bench_init(struct bench *b)
{
    memset(ones, 1, sizeof ones);
    *b = (struct bench){.d = memdisk_new()};
    struct disk *disk = memdisk_disk(b->d);
    b->told.make = (struct disk_make){.name = "f", .bytes = FILE_BYTES, .cb = on_make};
    disk->ops->make(disk, &b->told.make);
    ck_assert(memdisk_step(b->d));
    ck_assert_int_eq(disk->ops->open(disk, "f", &b->file), DKV_OK);
    b->told.times = 0;
    b->told.write = (struct disk_write){
        .offset = 2 * MEMDISK_SECTOR + 8, .data = slice_of(ones, sizeof ones), .cb = on_write};
    b->file->ops->write(b->file, &b->told.write);
}

static void bench_fini(struct bench *b)
{
    b->file->ops->close(b->file);
    memdisk_free(b->d);
}

static bool has_ones(const struct memdisk *d)
{
    struct slice s = memdisk_get(d, "f");
    return memcmp(s.data + 2 * MEMDISK_SECTOR + 8, ones, sizeof ones) == 0;
}

static bool has_zeroes(const struct memdisk *d)
{
    struct slice s = memdisk_get(d, "f");
    return memcmp(s.data + 2 * MEMDISK_SECTOR + 8, zeroes, sizeof zeroes) == 0;
}

START_TEST(a_write_is_pending_until_it_is_stepped)
{
    struct bench b;
    bench_init(&b);
    ck_assert_uint_eq(b.told.times, 0);
    ck_assert_uint_eq(memdisk_pending(b.d), 1);
    ck_assert(has_zeroes(b.d));
    ck_assert(memdisk_step(b.d));
    ck_assert_uint_eq(b.told.times, 1);
    ck_assert_int_eq(b.told.err, DKV_OK);
    ck_assert(has_ones(b.d));
    ck_assert(!memdisk_step(b.d));
    bench_fini(&b);
}
END_TEST

START_TEST(what_completed_survives_every_crash)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct bench b;
        bench_init(&b);
        ck_assert(memdisk_step(b.d));
        memdisk_crash(b.d, seed);
        ck_assert(has_ones(b.d));
        bench_fini(&b);
    }
}
END_TEST

START_TEST(what_was_pending_is_kept_lost_or_torn_by_seed)
{
    unsigned kept = 0;
    unsigned lost = 0;
    unsigned torn = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bench b;
        bench_init(&b);
        struct memdisk *copy = memdisk_clone(b.d);
        memdisk_crash(b.d, seed);
        memdisk_crash(copy, seed);
        ck_assert(slice_eq(memdisk_get(b.d, "f"), memdisk_get(copy, "f"))); /* the seed decides */
        ck_assert_uint_eq(b.told.times, 0);
        ck_assert_uint_eq(memdisk_pending(b.d), 0);
        kept += has_ones(b.d);
        lost += has_zeroes(b.d);
        torn += !has_ones(b.d) && !has_zeroes(b.d);
        memdisk_free(copy);
        bench_fini(&b);
    }
    ck_assert_uint_gt(kept, 10);
    ck_assert_uint_gt(lost, 10);
    ck_assert_uint_gt(torn, 10);
}
END_TEST

START_TEST(what_a_kill_left_visible_the_next_crash_may_take_and_a_write_makes_durable)
{
    unsigned taken = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bench b;
        bench_init(&b);
        memdisk_kill(b.d, seed);
        bool visible = has_ones(b.d);
        struct memdisk *again = memdisk_clone(b.d);
        memdisk_crash(b.d, seed);
        taken += visible && !has_ones(b.d);
        struct disk_file *file = NULL;
        ck_assert_int_eq(memdisk_disk(again)->ops->open(memdisk_disk(again), "f", &file), DKV_OK);
        file->ops->write(file, &b.told.write);
        ck_assert(memdisk_step(again));
        memdisk_crash(again, seed);
        ck_assert(has_ones(again));
        file->ops->close(file);
        memdisk_free(again);
        bench_fini(&b);
    }
    ck_assert_uint_gt(taken, 10);
}
END_TEST

START_TEST(a_failed_write_says_so_and_is_not_durable)
{
    bool lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bench b;
        bench_init(&b);
        memdisk_fail_write(b.d, 0, DKV_IO);
        ck_assert(memdisk_step(b.d));
        ck_assert_int_eq(b.told.err, DKV_IO);
        memdisk_crash(b.d, seed);
        lost = lost || !has_ones(b.d);
        bench_fini(&b);
    }
    ck_assert(lost);
}
END_TEST

START_TEST(a_file_whose_making_was_cut_is_whole_short_or_not_there)
{
    unsigned whole = 0;
    unsigned cut = 0;
    unsigned absent = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct memdisk *d = memdisk_new();
        struct told told = {.make = {.name = "f", .bytes = FILE_BYTES, .cb = on_make}};
        memdisk_disk(d)->ops->make(memdisk_disk(d), &told.make);
        memdisk_crash(d, seed);
        struct slice s = memdisk_get(d, "f");
        absent += s.data == NULL;
        whole += s.data != NULL && s.len == FILE_BYTES;
        cut += s.data != NULL && s.len < FILE_BYTES;
        ck_assert_uint_eq(told.times, 0);
        memdisk_free(d);
    }
    ck_assert_uint_gt(whole, 10);
    ck_assert_uint_gt(cut, 10);
    ck_assert_uint_gt(absent, 10);
}
END_TEST

Suite *memdisk_suite(void)
{
    Suite *s = suite_create("memdisk");
    TCase *t = tcase_create("memdisk");
    tcase_add_test(t, a_write_is_pending_until_it_is_stepped);
    tcase_add_test(t, what_completed_survives_every_crash);
    tcase_add_test(t, what_was_pending_is_kept_lost_or_torn_by_seed);
    tcase_add_test(t, what_a_kill_left_visible_the_next_crash_may_take_and_a_write_makes_durable);
    tcase_add_test(t, a_failed_write_says_so_and_is_not_durable);
    tcase_add_test(t, a_file_whose_making_was_cut_is_whole_short_or_not_there);
    suite_add_tcase(s, t);
    return s;
}
