/* test_crash.c - the power goes, or the process: what was durable is there, what was cut stays away. */
#include "base/rng.h"
#include "unit/wal/rig.h"
#include "wal/segment.h"

#include <check.h>

Suite *crash_suite(void);

#define SMALL SEGMENT_BYTES_LEAST

/* One random thing that an owner does. Entries are cut above the commit index only, as Raft has it. */
static void random_put(struct rig *r, struct rng *rng)
{
    uint32_t group = (uint32_t)rng_below(rng, RIG_GROUPS);
    uint64_t last = r->last[group];
    uint64_t committed = r->committed[group];
    switch (rng_below(rng, 8)) {
    case 0:
        rig_vote(r, group, rng_next(rng), rng_below(rng, 5));
        break;
    case 1:
        rig_note(r, group, "a note");
        break;
    case 2:
        if (last > committed) {
            rig_truncate(r, group, committed + 1 + rng_below(rng, last - committed));
        }
        break;
    case 3:
        rig_commit(r, group, committed + rng_below(rng, last - committed + 1));
        break;
    case 4: /* over others */
        rig_entries(r, group, committed + 1 + rng_below(rng, last - committed + 1), 1 + rng_below(rng, 4),
                    40);
        break;
    case 5: /* of many sectors */
        rig_entries(r, group, last + 1, 1, 600 + rng_below(rng, 2000));
        break;
    default:
        rig_entries(r, group, last + 1, 1 + rng_below(rng, 4), rng_below(rng, 120));
    }
}

static void random_step(struct rig *r, struct rng *rng)
{
    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
    case 2:
        random_put(r, rng);
        break;
    case 3:
    case 4:
        rig_turn(r);
        break;
    case 5:
        r->now_ms += rng_below(rng, 20);
        rig_turn(r);
        break;
    default:
        memdisk_step(r->disk);
    }
}

/* Read a copy of the disk after a crash there, and compare it with the twin. */
static void look_after_crash(struct rig *r, uint64_t seed)
{
    struct memdisk *disk = r->disk;
    struct journal *journal = r->journal;
    r->disk = memdisk_clone(disk);
    ck_assert_ptr_nonnull(r->disk);
    r->config.disk = memdisk_disk(r->disk);
    memdisk_crash(r->disk, seed);
    dkv_err err = rig_open(r);
    ck_assert_msg(err == DKV_OK, "seed %llu: %s", (unsigned long long)seed, (const char *)r->why.data);
    ck_assert_msg(rig_is_sound(r), "seed %llu", (unsigned long long)seed);
    journal_abandon(r->journal);
    memdisk_free(r->disk);
    r->disk = disk;
    r->journal = journal;
    r->config.disk = memdisk_disk(disk);
}

START_TEST(a_crash_at_every_point_keeps_what_was_durable_and_brings_nothing_else)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng = {seed};
        struct rig r;
        rig_init(&r, SMALL + 8 * rng_below(&rng, 500));
        rig_must_open(&r);
        for (unsigned i = 0; i < 120; i++) {
            random_step(&r, &rng);
            look_after_crash(&r, rng_next(&rng));
        }
        rig_close(&r);
        rig_must_open(&r);
        ck_assert(slice_eq(buf_slice(&r.seen), buf_slice(&r.put)));
        rig_fini(&r);
    }
}
END_TEST

static void ignore(void *ctx, dkv_err err)
{
    (void)ctx;
    (void)err;
}

/* Start, but the power or the process goes in the middle of it. */
static bool start_is_cut(struct rig *r, struct rng *rng)
{
    if (rng_below(rng, 3) != 0) {
        return false;
    }
    journal_start(r->journal, ignore);
    if (rng_below(rng, 2) == 0) {
        rig_kill(r, rng_next(rng));
    } else {
        rig_crash(r, rng_next(rng));
    }
    return true;
}

START_TEST(a_life_of_crashes_kills_and_restarts_loses_nothing_durable)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng rng = {~seed};
        struct rig r;
        rig_init(&r, SMALL + 8 * rng_below(&rng, 500));
        rig_must_open(&r);
        for (unsigned life = 0; life < 12; life++) {
            for (uint64_t i = rng_below(&rng, 60); i > 0; i--) {
                random_step(&r, &rng);
            }
            switch (rng_below(&rng, 3)) {
            case 0:
                rig_close(&r);
                break;
            case 1:
                rig_kill(&r, rng_next(&rng));
                break;
            default:
                rig_crash(&r, rng_next(&rng));
            }
            do {
                dkv_err err = rig_open(&r);
                ck_assert_msg(err == DKV_OK, "seed %llu life %u: %s", (unsigned long long)seed, life,
                              (const char *)r.why.data);
                ck_assert_msg(rig_is_sound(&r), "seed %llu life %u", (unsigned long long)seed, life);
            } while (start_is_cut(&r, &rng));
            rig_forget_unseen(&r);
            rig_start(&r);
        }
        rig_fini(&r);
    }
}
END_TEST

/* Put a batch of many sectors, and have the power go while it is written. True: it was torn. */
static bool tear_a_batch(struct rig *r, uint64_t seed)
{
    size_t before = segment_used(memdisk_get(r->disk, rig_segment(1)));
    rig_entries(r, 1, 1, 1, 2500);
    rig_turn(r);
    rig_crash(r, seed);
    size_t after = segment_used(memdisk_get(r->disk, rig_segment(1)));
    ck_assert_int_eq(rig_open(r), DKV_OK);
    ck_assert(rig_is_sound(r));
    return after > before && r->seen.len < r->put.len;
}

START_TEST(a_torn_tail_is_cut_and_never_returns)
{
    unsigned torn = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rig r;
        rig_init(&r, 4 * SMALL);
        rig_must_open(&r);
        rig_vote(&r, 0, 1, 1);
        rig_write(&r);
        size_t end = segment_used(memdisk_get(r.disk, rig_segment(1)));
        if (tear_a_batch(&r, seed)) {
            torn++;
            rig_forget_unseen(&r);
            rig_start(&r);
            ck_assert_uint_eq(segment_used(memdisk_get(r.disk, rig_segment(1))), end); /* zeroed behind */
            rig_vote(&r, 0, 2, 2); /* a shorter one in its place */
            rig_turn(&r);
            rig_crash(&r, ~seed);
            rig_must_open(&r); /* sound: the vote or nothing, and none of the cut entry */
            rig_vote(&r, 0, 3, 3);
            rig_write(&r);
            rig_crash(&r, seed);
            rig_must_open(&r);
        }
        rig_fini(&r);
    }
    ck_assert_uint_gt(torn, 20);
}
END_TEST

START_TEST(what_was_read_after_a_kill_is_durable_once_started)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rig r;
        rig_init(&r, SMALL);
        rig_must_open(&r);
        rig_entries(&r, 0, 1, 1, 1500);
        rig_turn(&r);
        rig_kill(&r, seed); /* the batch may be visible whole, and on no disk */
        rig_must_open(&r);
        rig_crash(&r, seed + 1000);
        rig_must_open(&r); /* sound: what the first replay saw is still there */
        rig_fini(&r);
    }
}
END_TEST

START_TEST(zeroes_that_only_the_page_cache_saw_are_written_again)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct rig r;
        rig_init(&r, SMALL);
        rig_must_open(&r);
        rig_entries(&r, 0, 1, 1, 2500);
        rig_write(&r);
        rig_entries(&r, 0, 2, 1, 2500); /* into the second segment */
        rig_turn(&r);
        ck_assert(memdisk_step(r.disk)); /* the seal of the first */
        rig_crash(&r, seed);             /* the batch may leave a header behind */
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        journal_start(r.journal, ignore);
        rig_kill(&r, seed + 1); /* the header may be zeroed, and not on the disk */
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        journal_start(r.journal, ignore);
        for (uint64_t steps = seed % 3; steps > 0; steps--) {
            memdisk_step(r.disk); /* if the second segment looks empty: its header, the seal zeroed */
        }
        rig_crash(&r, seed + 2);
        ck_assert_msg(rig_open(&r) == DKV_OK, "seed %u: %s", (unsigned)seed, (const char *)r.why.data);
        ck_assert(rig_is_sound(&r));
        rig_fini(&r);
    }
}
END_TEST

/* A batch whose first sector differs by vote, and whose others are the same each time. */
static void put_nearly_the_same(struct rig *r, uint64_t vote)
{
    r->now_ms = 100;
    rig_vote(r, 0, 1, vote);
    rig_entries(r, 1, 1, 1, 900);
    rig_turn(r);
}

START_TEST(a_cut_batch_is_not_completed_by_one_that_resembles_it)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct rig r;
        rig_init(&r, SMALL);
        rig_must_open(&r);
        put_nearly_the_same(&r, 1);
        rig_crash(&r, seed);
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        if (r.seen.len == 0) {
            journal_start(r.journal, ignore);
            rig_kill(&r, seed + 1);
            rig_must_open(&r);
            put_nearly_the_same(&r, 2);
            rig_crash(&r, seed + 2);
            rig_must_open(&r); /* sound: nothing, or the second vote */
        }
        rig_fini(&r);
    }
}
END_TEST

START_TEST(a_first_start_cut_short_is_made_up_for)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (unsigned steps = 0; steps < 2; steps++) {
            struct rig r;
            rig_init(&r, SMALL);
            ck_assert_int_eq(rig_open(&r), DKV_OK);
            journal_start(r.journal, ignore);
            for (unsigned i = 0; i < steps; i++) {
                memdisk_step(r.disk);
            }
            rig_crash(&r, seed);
            rig_must_open(&r);
            rig_vote(&r, 0, 1, 1);
            rig_write(&r);
            rig_crash(&r, ~seed);
            rig_must_open(&r);
            ck_assert(slice_eq(buf_slice(&r.seen), buf_slice(&r.put)));
            rig_fini(&r);
        }
    }
}
END_TEST

START_TEST(a_first_segment_of_any_length_without_content_is_made_again)
{
    static const uint8_t zeroes[SMALL];
    static const size_t lengths[] = {0, 8, SEGMENT_HEAD_BYTES, SMALL};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct rig r;
        rig_init(&r, SMALL);
        memdisk_put(r.disk, rig_segment(1), slice_of(zeroes, lengths[i]));
        ck_assert_int_eq(rig_open(&r), DKV_OK);
        ck_assert(journal_is_new(r.journal));
        rig_start(&r);
        ck_assert_int_eq(r.start_err, DKV_OK);
        rig_fini(&r);
    }
}
END_TEST

Suite *crash_suite(void)
{
    Suite *s = suite_create("crash");
    TCase *t = tcase_create("crash");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_crash_at_every_point_keeps_what_was_durable_and_brings_nothing_else);
    tcase_add_test(t, a_life_of_crashes_kills_and_restarts_loses_nothing_durable);
    tcase_add_test(t, a_torn_tail_is_cut_and_never_returns);
    tcase_add_test(t, what_was_read_after_a_kill_is_durable_once_started);
    tcase_add_test(t, zeroes_that_only_the_page_cache_saw_are_written_again);
    tcase_add_test(t, a_cut_batch_is_not_completed_by_one_that_resembles_it);
    tcase_add_test(t, a_first_start_cut_short_is_made_up_for);
    tcase_add_test(t, a_first_segment_of_any_length_without_content_is_made_again);
    suite_add_tcase(s, t);
    return s;
}
